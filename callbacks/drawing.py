"""Drawing: what the callbacks that draw have in common.

A subclass says what to draw; the figure goes into TensorBoard every few epochs, and the latest one
is a PNG in the run's report.

    class Weights(Drawing):
        tag = "weights"

        def draw(self, when, logs):
            figure = Figure(figsize=(6, 4), layout="constrained")
            figure.add_subplot().hist(self.model.weights[0].numpy().ravel())
            return figure
"""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 120


class Drawing(keras.callbacks.Callback):
    """Draws a figure every few epochs, and once more when training has ended.

    The last one, report/<tag>.png, shows the model as training leaves it: with `EarlyStopping` and
    `restore_best_weights` that of the best epoch, if that callback is declared before this one.

    It needs a run: tfpipe gives it one before training. In a plain `model.fit` give it any object
    with the same attributes first; see callbacks/README.md.

    Args:
        every: draw after each so many epochs.

    Raises:
        ValueError: for an `every` below 1, or training without a run.
    """

    tag = "figure"

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"{type(self).__name__}: every is a number of epochs, not {every}")
        self.every = every
        self.run: Any = None
        self._forward: Any = None
        self._writer: Any = None

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        """The figure.

        Args:
            when: which model it is of, for the title: "epoch 5", or "after training".
            logs: the epoch's losses and metrics.
        """
        raise NotImplementedError

    def set_run(self, run: Any) -> None:
        """Take the run to draw: its folders, classes, task and batches."""
        self.run = run

    def answers(self, x: Any) -> np.ndarray:
        """The model's probabilities or values for a batch of features."""
        return np.asarray(self.run.answers(self._forward(x)))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.run is None:
            raise ValueError(
                f"{type(self).__name__} does not know its run, which tfpipe gives it before "
                "training. In a plain model.fit call its set_run(run) first, with an object that "
                "has tensorboard, report, classes, task, batches and answers."
            )
        model = self.model
        self._forward = tf.function(lambda x: model(x, training=False), reduce_retracing=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every:
            return
        pixels = _pixels(self.draw(f"epoch {epoch + 1}", logs or {}))
        if self._writer is None:
            # A folder of its own: TensorBoard reads one growing event file a folder.
            self._writer = tf.summary.create_file_writer(str(Path(self.run.tensorboard) / self.tag))
        with self._writer.as_default():
            tf.summary.image(self.tag, pixels[np.newaxis], step=epoch)
        self._writer.flush()  # so that a killed process leaves no gap
        self._save(pixels)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._save(_pixels(self.draw("after training", logs or {})))
        if self._writer is not None:
            self._writer.close()
        self._writer = self._forward = None

    def _save(self, pixels: np.ndarray) -> None:
        """Replace the PNG as a whole."""
        folder = Path(self.run.report)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{self.tag}.png.writing"
        temporary.write_bytes(tf.io.encode_png(pixels).numpy())
        os.replace(temporary, folder / f"{self.tag}.png")


def _pixels(figure: Figure) -> np.ndarray:
    """A figure as [height, width, 3] bytes, drawn without pyplot and so without its state."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
