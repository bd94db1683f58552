"""Numbers and dates that a table holds as texts, read inside the model as training read them.

Keras finds these layers by their registered names when a saved model is loaded; a program that does
not otherwise use tfpipe imports this module first.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpipe.declare.formats import DateFormat, NumberFormat
from tfpipe.declare.spec import Feature

_DAYS_OF_MONTHS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


class TextColumn(keras.layers.Layer):
    """Reads texts [batch] as numbers [batch, width]; NaN where a text is empty or is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", "trainable": False} | options, autocast=False)
        self._convert_input_args = False  # texts stay texts
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False

    @property
    def width(self) -> int:
        """How many numbers a text becomes."""
        raise NotImplementedError

    def read(self, texts: Any) -> Any:
        """Return the numbers of stripped texts."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        return self.read(tf.strings.strip(tf.convert_to_tensor(inputs)))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return (input_shape[0], self.width)


@keras.saving.register_keras_serializable(package="tfpipe")
class TextToNumber(TextColumn):
    """A number of each text, as `NumberFormat` reads it.

    Args:
        decimal: what stands before the fraction.
        thousands: what stands between groups of three digits.
        unit: a sign or word that may stand before or after the number.
    """

    def __init__(self, decimal: Any, thousands: Any, unit: str, **options: Any) -> None:
        super().__init__(**options)
        self.format = NumberFormat(decimal=decimal, thousands=thousands, unit=unit)

    @property
    def width(self) -> int:
        return 1

    def read(self, texts: Any) -> Any:
        pattern = f"^{self.format.pattern}$"
        digits = tf.strings.regex_replace(texts, pattern, r"\3")
        signs = tf.strings.regex_replace(texts, pattern, r"\1\2")
        if self.format.separators:
            digits = tf.strings.regex_replace(digits, self.format.separators, "")
        if self.format.decimal == ",":
            digits = tf.strings.regex_replace(digits, ",", ".")
        sound = tf.strings.regex_full_match(texts, self.format.pattern)
        values = tf.strings.to_number(tf.where(sound, digits, "nan"))
        negative = tf.strings.regex_full_match(signs, "[-\u2212]+")
        return tf.where(negative, -values, values)[:, None]

    def get_config(self) -> dict[str, Any]:
        return {**_config(self, super().get_config()), **dict(self.format.items())}


@keras.saving.register_keras_serializable(package="tfpipe")
class DateToNumbers(TextColumn):
    """Year, month, day, weekday and perhaps the hour of each text, as `DateFormat` reads it.

    Args:
        order: of year, month and day.
        time: whether there is an hour.
    """

    def __init__(self, order: Any, time: bool, **options: Any) -> None:
        super().__init__(**options)
        self.format = DateFormat(order, time=time)

    @property
    def width(self) -> int:
        return len(self.format.names)

    def read(self, texts: Any) -> Any:
        sound = tf.strings.regex_full_match(texts, self.format.pattern)

        def group(number: int) -> Any:
            found = tf.strings.regex_replace(texts, f"^{self.format.pattern}$", rf"\{number}")
            filled = tf.where(sound & (found != ""), found, "0")
            return tf.strings.to_number(filled, tf.int32)

        year, month, day = (group(number) for number in self.format.groups)
        parts = [year, month, day, _weekday(year, month, day)]
        values = [tf.cast(part, tf.float32) for part in parts]
        if self.format.time:
            half = tf.strings.regex_replace(texts, f"^{self.format.pattern}$", r"\6")
            hour = tf.where(half == "", group(4), group(4) % 12)
            hour += tf.where(tf.strings.lower(half) == "p", 12, 0)
            values.append(tf.cast(hour, tf.float32) + tf.cast(group(5), tf.float32) / 60)
        return tf.where(sound[:, None], tf.stack(values, axis=1), np.float32("nan"))

    def get_config(self) -> dict[str, Any]:
        return {**_config(self, super().get_config()), **dict(self.format.items())}


def text_column(feature: Feature) -> TextColumn:
    """Return the layer that reads a feature's texts, which have a format, as numbers."""
    name = f"{feature.name}_as_numbers"
    if isinstance(feature.format, NumberFormat):
        return TextToNumber(**dict(feature.format.items()), name=name)
    assert feature.format is not None
    return DateToNumbers(**dict(feature.format.items()), name=name)


def _weekday(year: Any, month: Any, day: Any) -> Any:
    """Return 0 for a Monday to 6 for a Sunday, in the Gregorian calendar."""
    before = year - 1
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    days = 365 * before + before // 4 - before // 100 + before // 400
    days += tf.gather(tf.constant(_DAYS_OF_MONTHS), tf.clip_by_value(month - 1, 0, 11)) + day
    return (days + tf.cast(leap & (month > 2), tf.int32) - 1) % 7


def _config(layer: keras.layers.Layer, config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "autocast"}
