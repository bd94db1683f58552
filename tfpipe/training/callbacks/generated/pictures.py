"""What is painted, after each epoch: as files, and in TensorBoard."""

import io
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tfpipe.models.pictures.picture_model import Given, PictureModel
from tfpipe.runs.directory import RunDirectory
from tfpipe.storage import storage, write_whole


class PaintedPictures(keras.callbacks.Callback):
    """Writes the picture after each epoch, and as it is at the end.

    Args:
        run: where they are written; None for nowhere.
        given: what the picture is painted from, as the data gives it.
    """

    def __init__(self, run: RunDirectory | None, given: Given | tf.Tensor) -> None:
        super().__init__()
        self._run, self._given = run, given
        self._writer: tf.summary.SummaryWriter | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._run is not None:
            self._writer = tf.summary.create_file_writer(str(self._run.tensorboard / "picture"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert isinstance(self.model, PictureModel)
        self.model.begin(self._given, epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        run, writer = self._run, self._writer
        if run is None or writer is None:
            return
        assert isinstance(self.model, PictureModel)
        painted = self.model.result()
        with storage(run.path):
            run.pictures.mkdir(exist_ok=True)
            write_whole(run.pictures / f"epoch_{epoch + 1:04d}.png", _png(painted))
            write_whole(run.picture, _png(painted))
            with writer.as_default():
                tf.summary.image("picture", painted[None], epoch)
            writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._writer is not None:
            self._writer.close()


def _png(image: np.ndarray) -> bytes:
    written = io.BytesIO()
    Image.fromarray(image).save(written, "PNG")
    return written.getvalue()
