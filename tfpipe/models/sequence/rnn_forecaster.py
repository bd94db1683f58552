"""RNNForecaster: recurrent layers over the past of a series, and all steps ahead at once."""

import logging
from typing import TYPE_CHECKING, ClassVar, Literal

from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.models.layers import logits
from tfpipe.tasks import task_for

if TYPE_CHECKING:
    import keras

logger = logging.getLogger("tfpipe.models")

_LEVEL = 1e-3  # of the deviation of the training windows, below which a window counts as level
_FAR = (1e-3, 1e4)  # deviations that Keras's optimizers do not expect


class RNNForecaster(ModelBuilder):
    """Recurrent layers read the values of a window in order; a dense layer gives what comes next.

    The forecast is direct: each step ahead has weights of its own, and no answer is fed back. What
    is fed back carries its error into every later step, and a model that was trained one step ahead
    has never seen such input; the price is that `ahead` is fixed when it is trained.

    Windows are standardised inside the model, each by its own mean and deviation, and forecasts are
    put back as changes of the last value (Kim and others, "Reversible instance normalization",
    2022). So a series that has grown beyond all values of training is forecast alike.

    Args:
        cell: "rnn" (tanh), "gru" or "lstm".
        units: the width of each recurrent layer.
        layers: how many there are.
        dropout: the share of values left out after each of them.
        unroll: whether the layers are laid out step by step, in place of a loop: faster for short
            windows, and LiteRT takes nothing else; a long window makes a large graph.
        normalize: whether windows are standardised; else values go in and out as they are.

    Raises:
        ModelError: for data that is no window of values.

    Example:
        >>> RNNForecaster(cell="lstm", units=64)
        RNNForecaster(cell='lstm', units=64)
    """

    cell: Literal["rnn", "gru", "lstm"] = "gru"
    units: Positive = 32
    layers: Positive = 1
    dropout: Fraction = 0.0
    unroll: bool = False
    normalize: bool = True
    contract: ClassVar[str] = (
        "windows of a series' values, as Windows gives them; inside the model each is standardised "
        "by its own mean and deviation"
    )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        kinds = {f.kind for f in spec.features}
        if kinds != {"vector"}:
            held = ", ".join(f"{f.name!r} ({f.kind})" for f in spec.features[:3])
            raise ModelError(
                f"RNNForecaster reads windows of a series; the data has {held}. Use Windows for a "
                "series, or MLP."
            )
        feature = spec.feature
        inputs = keras.Input(feature.shape, name=feature.name, dtype="float32")
        x, number = inputs, task_for(spec, task).judged_as == "number"
        if self.normalize:
            mean = keras.ops.mean(inputs, axis=1, keepdims=True)
            deviation = keras.ops.std(inputs, axis=1, keepdims=True)
            deviation = keras.ops.maximum(deviation, _LEVEL * _deviation(train))
            x = (inputs - mean) / deviation
        x = keras.layers.Reshape((-1, 1), dtype="float32")(x)
        recurrent = {
            "rnn": keras.layers.SimpleRNN,
            "gru": keras.layers.GRU,
            "lstm": keras.layers.LSTM,
        }[self.cell]
        for layer in range(1, self.layers + 1):
            inner = layer < self.layers
            x = recurrent(self.units, return_sequences=inner, unroll=self.unroll)(x)
            x = keras.layers.Dropout(self.dropout)(x) if self.dropout else x
        x = logits(x, spec, task)
        if self.normalize and number:
            x = inputs[:, -1:] + deviation * x
        return keras.Model(inputs, x, name=f"{self.cell}_forecaster")


def _deviation(train: Training | None) -> float:
    """Return the deviation of the training windows' values; 1 of none, or where all are alike."""
    import numpy as np

    from tfpipe.models.training_statistics import Moments

    if train is None:
        return 1.0
    moments = Moments()
    for batch in train():
        moments.add(np.asarray(batch).reshape(-1))
    deviation = float(moments.variance) ** 0.5
    if not _FAR[0] <= deviation <= _FAR[1]:
        logger.warning(
            "RNNForecaster: the series deviates by %.3g, and the loss is in its own unit: "
            "optimizers such as Adam hardly see gradients so far from 1. Scale the series, so that "
            "it deviates by about 1.",
            deviation,
        )
    return deviation
