"""The input function: batches as a pure function of the split, the seed, the epoch and a position.

Samples in memory are addressed, not streamed. An epoch is a list of row numbers in an order that
only (seed, pass) decides, so any batch of any epoch can be made directly: resuming skips without
reading, and several workers agree without talking. Batches are gathered whole from the stored
arrays, then augmented whole.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.data.augment import Pixelwise, apply_all
from tfpipe.data.columns import Columns
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Options:
    """How batches are made of a split.

    Args:
        seed: the pipeline's seed.
        epoch: the epoch, from 0.
        position: how many batches of the epoch to leave out.
        batch_size: samples in a batch.
        shuffle: whether each pass over the data has an order of its own.
        augment: changes of the images, for training only.
        drop_remainder: whether to leave out a last, smaller batch.
        steps: batches in an epoch; None for one pass over the data. With a number the passes
            follow each other without regard to where an epoch ends.
        cache: True to keep decoded data in memory, False to stream it, "auto" by what fits.
    """

    batch_size: int
    seed: int = 0
    epoch: int = 0
    position: int = 0
    shuffle: bool = False
    augment: tuple[Augmentation, ...] = ()
    drop_remainder: bool = False
    steps: int | None = None
    cache: bool | str = "auto"

    def first_sample(self, size: int) -> int:
        """How many samples came before this epoch since training began."""
        return self.epoch * (self.steps * self.batch_size if self.steps else size)

    def samples(self, size: int) -> int:
        """How many samples the epoch has, for a split of a size."""
        if self.steps:
            return self.steps * self.batch_size
        return size - size % self.batch_size if self.drop_remainder else size


def steps_per_epoch(size: int, batch_size: int, drop_remainder: bool, steps: int | None) -> int:
    """How many steps an epoch takes over a split of `size` samples."""
    if steps:
        return steps
    return size // batch_size if drop_remainder else -(-size // batch_size)


def order_of(size: int, options: Options) -> np.ndarray:
    """The row numbers of one epoch in the order of training, from its first sample on."""
    first, count = options.first_sample(size), options.samples(size)
    passes = range(first // size, -(-(first + count) // size))
    orders = [
        _permutation(size, options.seed, p) if options.shuffle else np.arange(size) for p in passes
    ]
    skipped = first - passes.start * size if passes else 0
    return np.concatenate(orders)[skipped : skipped + count] if orders else np.arange(0)


@lru_cache(maxsize=4)
def _permutation(size: int, seed: int, pass_number: int) -> np.ndarray:
    return np.random.default_rng([seed, pass_number]).permutation(size)


class Memory:
    """Batches from columns in memory.

    Args:
        columns: the stored arrays.
        rows: which of their rows belong to the split; None for all.
        images: the names of the features that augmentation changes.
    """

    def __init__(
        self, columns: Columns, rows: np.ndarray | None, images: Collection[str] = ()
    ) -> None:
        import tensorflow as tf

        self.rows = rows
        self.images = images
        self.size = len(columns) if rows is None else len(rows)
        self._features = columns.in_tensors().features
        with tf.device("CPU"):
            self._labels = tf.convert_to_tensor(columns.labels)
            weights = columns.weights
            self._weights = None if weights is None else tf.convert_to_tensor(weights, tf.float32)
        self._traced: dict[Any, Callable[..., Any]] = {}

    def batches(self, options: Options) -> "tf.data.Dataset":
        """The batches of one epoch, from a position on."""
        import tensorflow as tf

        size, batch = self.size, options.batch_size
        order = order_of(size, options)
        if self.rows is not None:
            order = self.rows[order]
        first = options.first_sample(size)
        starts = tf.data.Dataset.range(options.position * batch, len(order), batch)
        constants = (order, np.int64(first), np.array([options.seed, 0], np.int64))
        dataset = tf.data.Dataset.zip(starts, tf.data.Dataset.from_tensors(constants).repeat())
        fetch = self._fetch(options)
        # Converting Python to a graph would take longer than all else, and none needs it.
        one = tf.autograph.experimental.do_not_convert(lambda start, shared: fetch(start, *shared))
        dataset = dataset.map(one, num_parallel_calls=tf.data.AUTOTUNE)
        # Rewriting the graph copies what it captures, which is all of the data, and gains nothing.
        plain = tf.data.Options()
        plain.experimental_optimization.apply_default_optimizations = False
        return dataset.prefetch(tf.data.AUTOTUNE).with_options(plain)

    def _fetch(self, options: Options) -> Callable[..., Any]:
        """The traced function that makes one batch; traced once, not once an epoch."""
        import tensorflow as tf

        whole = options.drop_remainder or options.steps is not None
        key = (options.batch_size, options.augment, whole)
        if key in self._traced:
            return self._traced[key]

        def fetch(start: Any, order: Any, first: Any, seed: Any) -> Any:
            rows = order[start : start + options.batch_size]
            if whole:
                rows = tf.ensure_shape(rows, [options.batch_size])
            features = {n: tf.gather(t, rows) for n, t in self._features.items()}
            if options.augment:
                for name in self.images:
                    features[name] = apply_all(options.augment, features[name], first + start, seed)
            found = _alone(features), tf.gather(self._labels, rows)
            return found if self._weights is None else (*found, tf.gather(self._weights, rows))

        self._traced[key] = tf.function(fetch, reduce_retracing=True, autograph=False)
        return self._traced[key]


def _alone(features: dict[str, Any]) -> Any:
    """A single feature by itself, several by name."""
    return next(iter(features.values())) if len(features) == 1 else features


def check_batch_size(batch_size: int, size: int) -> None:
    """Refuse a batch larger than the training split; raises DataError."""
    if batch_size > size:
        raise DataError(
            f"batch_size={batch_size} is larger than the training split of {size} samples. "
            f"Use at most {size}."
        )


def check_options(split: str, size: int, features: tuple[Feature, ...], options: Options) -> None:
    """Refuse a batch larger than the training split, and augmentation that does not fit.

    Raises:
        DataError: for a batch that is too large, or augmentation where there is no image.
        ConfigError: for an augmentation that does not fit the images.
    """
    if split == "train":
        check_batch_size(options.batch_size, size)
    images = [f for f in features if f.kind == "image"]
    if options.augment and not images:
        found = ", ".join(f"{f.name!r} of shape {f.shape}" for f in features)
        raise DataError(
            f"augment changes images, and the data has none, only {found}. Leave it out: augment=()"
        )
    for augmentation in options.augment:
        if isinstance(augmentation, Pixelwise):
            for image in images:
                augmentation.check(image)
