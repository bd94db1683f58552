"""Pairs of images of any size in memory: aligned crops of them to train on, and each one whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.data.augment.chain import Rows, apply_all, uniform
from tfpipe.data.input_fn import InMemory
from tfpipe.declare.kinds import Augmentation

# Apart from what else is drawn with the same seed.
_CROP, _NOISE = 0xC809, 0x2015E


class Pixels:
    """Images of any size in one row of pixels.

    Args:
        images: [height, width, channels] uint8 each, of the same channels.
    """

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        sizes = np.array([image.shape[:2] for image in images], np.int64)
        ends = np.cumsum(sizes.prod(axis=1))
        with tf.device("CPU"):
            rows = [image.reshape(-1, image.shape[2]) for image in images]
            self._pixels = tf.convert_to_tensor(np.concatenate(rows))
            self._sizes = tf.convert_to_tensor(sizes)
            self._starts = tf.convert_to_tensor(np.concatenate([[0], ends[:-1]]))

    @property
    def channels(self) -> int:
        """How many each image has."""
        return int(self._pixels.shape[1])

    def sizes(self, rows: tf.Tensor) -> tf.Tensor:
        """Return the heights and widths of some images, [rows, 2]."""
        return tf.gather(self._sizes, rows)

    def crops(self, rows: tf.Tensor, corners: tf.Tensor, side: int) -> tf.Tensor:
        """Return a square of each of some images, [rows, side, side, channels].

        Args:
            rows: which images.
            corners: [rows, 2] the top and the left of each square.
            side: of the squares.
        """
        along = tf.range(side, dtype=tf.int64)
        width = self.sizes(rows)[:, 1, None, None]
        down = (corners[:, 0, None] + along)[:, :, None]
        across = (corners[:, 1, None] + along)[:, None, :]
        places = tf.gather(self._starts, rows)[:, None, None] + down * width + across
        return tf.gather(self._pixels, places)

    def whole(self, row: tf.Tensor) -> tf.Tensor:
        """Return an image, [height, width, channels]."""
        size = self._sizes[row]
        start = self._starts[row]
        pixels = self._pixels[start : start + size[0] * size[1]]
        return tf.reshape(pixels, [size[0], size[1], self.channels])


class ImagePairsInMemory(InMemory):
    """Batches of images with what they should become.

    With a crop, a sample is an aligned square of both, whose place follows from the seed and from
    how many samples came before; augmentation changes both in the same way. Without, it is a whole
    image, and a batch has one.

    Args:
        inputs: what a model gets.
        targets: what it should answer, as many times as large as the scale.
        rows: the images of the split, as often as a pass has crops of them.
        crop: pixels a side of a target's square; None for whole images.
        scale: of the targets.
        noise: standard deviation of what is added to the inputs, from 0 to 255.
    """

    at_once = False

    def __init__(
        self,
        inputs: Pixels,
        targets: Pixels,
        rows: np.ndarray,
        crop: int | None,
        scale: int,
        noise: float,
    ) -> None:
        self.rows = rows
        self._inputs, self._targets = inputs, targets
        self._crop, self._scale, self._noise = crop, scale, noise
        side = crop or 1
        row_bytes = side * side * (targets.channels + inputs.channels // scale**2)
        self._hold(len(rows), row_bytes)

    def batch(
        self,
        rows: tf.Tensor,
        start: tf.Tensor,
        seed: tf.Tensor,
        augment: tuple[Augmentation, ...],
    ) -> tuple[Any, ...]:
        """Return a square of each image and of its target, or the one image whole."""
        if self._crop is None:
            return self._whole(rows, seed)
        side = self._crop // self._scale
        room = self._inputs.sizes(rows) - side + 1
        drawn = uniform(start, tf.shape(rows)[0], 2, tf.stack([seed[0], _CROP]))[:, :2]
        # In float32 a number below 1 times the room may be rounded up to it.
        corners = tf.minimum(tf.cast(drawn * tf.cast(room, tf.float32), tf.int64), room - 1)
        x = self._inputs.crops(rows, corners, side)
        y = self._targets.crops(rows, corners * self._scale, self._crop)
        if augment:
            stored = Rows(rows, self.size)
            x, y = (apply_all(augment, image, start, seed, None, stored) for image in (x, y))
            x, y = (tf.cast(tf.round(image), tf.uint8) for image in (x, y))
        places = start + tf.range(tf.shape(rows, tf.int64)[0], dtype=tf.int64)
        return self._noisy(x, places, seed), y

    def _whole(self, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return one image whole, or, of a replica that has none, images of one pixel."""

        def image(of: Pixels, side: int) -> tf.Tensor:
            nothing = tf.zeros([0, side, side, of.channels], tf.uint8)
            found = tf.cond(tf.size(rows) > 0, lambda: of.whole(rows[0])[None], lambda: nothing)
            return tf.ensure_shape(found, [None, None, None, of.channels])

        x, y = image(self._inputs, 1), image(self._targets, self._scale)
        return self._noisy(x, rows, seed), y

    def _noisy(self, images: tf.Tensor, places: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return images with noise that follows from the seed and a number of each."""
        if not self._noise:
            return images

        def one(part: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            image, place = part
            key = tf.stack([seed[0] ^ _NOISE, place])
            added = self._noise * tf.random.stateless_normal(tf.shape(image), key)
            changed = tf.clip_by_value(tf.cast(image, tf.float32) + added, 0.0, 255.0)
            return tf.cast(tf.round(changed), tf.uint8)

        noisy = tf.map_fn(one, (images, places), fn_output_signature=tf.uint8)
        return tf.ensure_shape(noisy, images.shape)
