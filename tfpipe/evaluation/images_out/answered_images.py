"""Images that a model answered with, beside what it was given and what is true."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfpipe.tasks.images import ImageToImage

if TYPE_CHECKING:
    import keras

    Batches = Callable[[], Iterable[tuple[tf.Tensor, tf.Tensor]]]

_PANEL = 160  # pixels a side of a part that is shown
_ZOOM = 3
_TIMES = 4  # by which a difference is shown
_GAP = 6


@dataclass(frozen=True)
class AnsweredImages:
    """The answers to a split.

    Args:
        task: what they mean.
        batches: gives the split again, in its order.
        model: answers again.
    """

    task: ImageToImage
    batches: "Batches"
    model: "keras.Model"

    @cached_property
    def likeness(self) -> np.ndarray:
        """[rows, 4] of the inputs, enlarged where they must be: PSNR, SSIM, MS-SSIM and the mean
        absolute error, as `ImageToImage.kept` gives them of the answers.
        """

        @tf.function(reduce_retracing=True)
        def of_batch(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            return self.task.kept(given_as_answer(self.task, x), y)

        return np.concatenate([of_batch(x, y).numpy() for x, y, *_ in self.batches()])

    @property
    def baseline(self) -> str:
        """What the inputs are called that need no network."""
        return "bicubic enlargement" if self.task.label.scale > 1 else "the image as it is given"

    def pictures(self, rows: Iterable[int]) -> dict[int, bytes]:
        """Return the part of some answers in which most was to be done, as PNG files by row.

        From left to right: the input, enlarged; the answer; what is true; and how far the answer is
        from it, four times as strong, grey for nothing.
        """
        wanted, found, row = {*rows}, dict[int, bytes](), 0
        for x, y, *_ in self.batches():
            for given, true in zip(x, y, strict=True):
                if row in wanted:
                    found[row] = self._picture(given, true)
                row += 1
        return found

    def _picture(self, given: tf.Tensor, true: tf.Tensor) -> bytes:
        from PIL import Image

        answer = self.task.answers(self.model(given[None], training=False))[0].numpy()
        before = given_as_answer(self.task, given[None])[0].numpy()
        truth = true.numpy()
        top, left = _busiest(np.abs(truth.astype(np.float32) - before).mean(-1))
        parts = [
            image[top : top + _PANEL // _ZOOM, left : left + _PANEL // _ZOOM]
            for image in (before, answer, truth)
        ]
        away = parts[1].astype(np.float32) - parts[2]
        parts.append(np.clip(128 + _TIMES * away, 0, 255).astype(np.uint8))
        panels = [np.repeat(np.repeat(_in_colour(p), _ZOOM, 0), _ZOOM, 1) for p in parts]
        gap = np.full((panels[0].shape[0], _GAP, 3), 255, np.uint8)
        row = [part for panel in panels for part in (panel, gap)][:-1]
        written = io.BytesIO()
        Image.fromarray(np.concatenate(row, axis=1)).save(written, "PNG", optimize=True)
        return written.getvalue()


def given_as_answer(task: ImageToImage, images: tf.Tensor) -> tf.Tensor:
    """Return what a network is given, in the size and the channels of its answers, uint8."""
    if task.label.scale > 1:
        size = task.label.scale * tf.shape(images)[1:3]
        images = task.answers(tf.image.resize(images, size, "bicubic", antialias=True))
    if images.shape[-1] != task.units:
        images = tf.repeat(images[..., :1], task.units, axis=-1)
    return images


def _busiest(difference: np.ndarray) -> tuple[int, int]:
    """Return the corner of the part of an image that differs most."""
    side = _PANEL // _ZOOM
    sums = np.pad(difference, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    height, width = (max(1, length - side + 1) for length in difference.shape)
    down, across = (min(side, length) for length in difference.shape)
    inside = (
        sums[down : down + height, across : across + width]
        - sums[:height, across : across + width]
        - sums[down : down + height, :width]
        + sums[:height, :width]
    )
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top), int(left)


def _in_colour(image: np.ndarray) -> np.ndarray:
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
