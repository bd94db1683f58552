"""Numbers and dates that a table holds as texts, read inside the model as training read them.

Keras finds these layers by their registered names when a saved model is loaded; a program that does
not otherwise use tfpipe imports this module first.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.declare.formats import DateFormat, Decimal, NumberFormat, Order, Thousands
from tfpipe.declare.spec import Feature

_DAYS_OF_MONTHS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


class TextColumn(keras.layers.Layer):
    """Reads texts [batch] as numbers [batch, width]; NaN where a text is empty or is none.

    Args:
        form: how the texts are written.
        options: further arguments of keras.layers.Layer.
    """

    def __init__(self, form: NumberFormat | DateFormat, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", "trainable": False} | options, autocast=False)
        self.format = form
        self._convert_input_args = False  # texts stay texts
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False

    @property
    def width(self) -> int:
        """How many numbers a text becomes."""
        raise NotImplementedError

    def read(self, texts: tf.Tensor) -> tf.Tensor:
        """Return the numbers of stripped texts."""
        raise NotImplementedError

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.read(tf.strings.strip(tf.convert_to_tensor(inputs)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        return (input_shape[0], self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **dict(self.format.items())}


@keras.saving.register_keras_serializable(package="tfpipe")
class TextToNumber(TextColumn):
    """A number of each text, as `NumberFormat` reads it.

    Args:
        decimal: what stands before the fraction.
        thousands: what stands between groups of three digits.
        unit: a sign or word that may stand before or after the number.
    """

    format: NumberFormat

    def __init__(self, decimal: Decimal, thousands: Thousands, unit: str, **options: Any) -> None:
        super().__init__(NumberFormat(decimal=decimal, thousands=thousands, unit=unit), **options)

    @property
    def width(self) -> int:
        return 1

    def read(self, texts: tf.Tensor) -> tf.Tensor:
        pattern = f"^{self.format.pattern}$"
        signs, digits = (
            tf.strings.regex_replace(texts, pattern, rewrite) for rewrite in self.format.rewrites
        )
        if self.format.separators:
            digits = tf.strings.regex_replace(digits, self.format.separators, "")
        if self.format.decimal == ",":
            digits = tf.strings.regex_replace(digits, ",", ".")
        sound = tf.strings.regex_full_match(texts, self.format.pattern)
        values = tf.strings.to_number(tf.where(sound, digits, "nan"))
        negative = tf.strings.regex_full_match(signs, "[-\u2212]+")
        return tf.where(negative, -values, values)[:, None]


@keras.saving.register_keras_serializable(package="tfpipe")
class DateToNumbers(TextColumn):
    """Year, month, day, weekday and perhaps the hour of each text, as `DateFormat` reads it.

    Args:
        order: of year, month and day.
        time: whether there is an hour.
    """

    format: DateFormat

    def __init__(self, order: Order, time: bool, **options: Any) -> None:
        super().__init__(DateFormat(order, time=time), **options)

    @property
    def width(self) -> int:
        return len(self.format.names)

    def read(self, texts: tf.Tensor) -> tf.Tensor:
        sound = tf.strings.regex_full_match(texts, self.format.pattern)

        def group(number: int) -> tf.Tensor:
            found = tf.strings.regex_replace(texts, f"^{self.format.pattern}$", rf"\{number}")
            filled = tf.where(sound & (found != ""), found, "0")
            return tf.strings.to_number(filled, tf.int32)

        year, month, day = (group(number) for number in self.format.groups)
        before = year - 1
        leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
        days = 365 * before + before // 4 - before // 100 + before // 400
        days += tf.gather(tf.constant(_DAYS_OF_MONTHS), tf.clip_by_value(month - 1, 0, 11)) + day
        weekday = (days + tf.cast(leap & (month > 2), tf.int32) - 1) % 7  # 0 is a Monday
        values = [tf.cast(part, tf.float32) for part in (year, month, day, weekday)]
        if self.format.time:
            half = tf.strings.regex_replace(texts, f"^{self.format.pattern}$", r"\6")
            hour = tf.where(half == "", group(4), group(4) % 12)
            hour += tf.where(tf.strings.lower(half) == "p", 12, 0)
            values.append(tf.cast(hour, tf.float32) + tf.cast(group(5), tf.float32) / 60)
        return tf.where(sound[:, None], tf.stack(values, axis=1), np.float32("nan"))


def text_column(feature: Feature) -> TextColumn:
    """Return the layer that reads a feature's texts, which have a format, as numbers."""
    name = f"{feature.name}_as_numbers"
    if isinstance(feature.format, NumberFormat):
        return TextToNumber(**dict(feature.format.items()), name=name)
    assert feature.format is not None
    return DateToNumbers(**dict(feature.format.items()), name=name)


def stacked_columns(features: list[Feature], inputs: Mapping[str, Any]) -> Any:
    """Return a table's numbers and dates as one row; those that come as texts are read."""
    if all(feature.format is None for feature in features):
        return keras.ops.stack([inputs[f.name] for f in features], axis=-1)
    parts = [
        keras.ops.expand_dims(inputs[f.name], -1)
        if f.format is None
        else text_column(f)(inputs[f.name])
        for f in features
    ]
    return keras.layers.Concatenate(dtype="float32")(parts) if len(parts) > 1 else parts[0]
