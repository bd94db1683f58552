"""The input function: batches as a pure function of the split, the seed, the epoch and a position.

Samples in memory are addressed, not streamed. An epoch is a list of row numbers in an order that
only (seed, pass) decides, so any batch of any epoch can be made directly: resuming skips without
reading, and several workers agree without talking. Batches are gathered whole from the stored
arrays, then augmented whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tfpipe.data.augment.chain import apply_all, check_all
from tfpipe.data.columns import Columns
from tfpipe.data.images.decoding import seen
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import DataError
from tfpipe.text import listed

if TYPE_CHECKING:
    import numpy as np
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


def order_of(size: int, options: Options) -> "np.ndarray":
    """The row numbers of one epoch in the order of training, from its first sample on."""
    import numpy as np

    first, count = options.first_sample(size), options.samples(size)
    passes = range(first // size, -(-(first + count) // size))
    orders = [
        _permutation(size, options.seed, p) if options.shuffle else np.arange(size) for p in passes
    ]
    skipped = first - passes.start * size if passes else 0
    return np.concatenate(orders)[skipped : skipped + count] if orders else np.arange(0)


@lru_cache(maxsize=4)
def _permutation(size: int, seed: int, pass_number: int) -> "np.ndarray":
    import numpy as np

    return np.random.default_rng([seed, pass_number]).permutation(size)


class InMemory:
    """Batches from columns in memory.

    Args:
        columns: the stored arrays.
        rows: which of their rows belong to the split; None for all.
        images: the features that are images: those that augmentation changes.
    """

    def __init__(
        self, columns: Columns, rows: "np.ndarray | None", images: Sequence[Feature] = ()
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
        self._pipelines: dict[Any, _Pipeline] = {}

    def batches(self, options: Options) -> "tf.data.Dataset":
        """The batches of one epoch, from a position on."""
        import tensorflow as tf

        size, batch = self.size, options.batch_size
        order = order_of(size, options)
        if self.rows is not None:
            order = self.rows[order]
        pipeline = self._pipeline(options)
        variant = pipeline.make(
            tf.constant(order, tf.int64),
            tf.constant(options.position * batch, tf.int64),
            tf.constant(options.first_sample(size), tf.int64),
            tf.constant([options.seed, 0], tf.int64),
        )
        dataset = tf.data.experimental.from_variant(variant, pipeline.element_spec)
        # Rewriting the graph copies what it captures, which is all of the data, and gains nothing.
        plain = tf.data.Options()
        plain.experimental_optimization.apply_default_optimizations = False
        return dataset.with_options(plain)

    def _pipeline(self, options: Options) -> "_Pipeline":
        """The graph that makes an epoch's batches of its order; made once, not once an epoch."""
        whole = options.drop_remainder or options.steps is not None
        key = (options.batch_size, options.augment, whole)
        if key not in self._pipelines:
            self._pipelines[key] = _Pipeline(self._fetch(options, whole), options.batch_size)
        return self._pipelines[key]

    def _fetch(self, options: Options, whole: bool) -> Callable[..., Any]:
        """The function that makes one batch of its place in an epoch's order."""
        import tensorflow as tf

        def fetch(
            start: "tf.Tensor", order: "tf.Tensor", first: "tf.Tensor", seed: "tf.Tensor"
        ) -> tuple[Any, ...]:
            rows = order[start : start + options.batch_size]
            if whole:
                rows = tf.ensure_shape(rows, [options.batch_size])
            features = {n: tf.gather(t, rows) for n, t in self._features.items()}
            for image in self.images:
                stored = features[image.name]
                features[image.name] = augmented(
                    options.augment, stored, first + start, seed, image
                )
            x = next(iter(features.values())) if len(features) == 1 else features
            batch = x, tf.gather(self._labels, rows)
            return batch if self._weights is None else (*batch, tf.gather(self._weights, rows))

        return fetch


class _Pipeline:
    """A tf.data graph that is traced once and made anew for each epoch's order.

    Args:
        fetch: makes a batch of (its first place, the order, samples before it, the seed).
        batch_size: samples in a batch.
    """

    element_spec: Any

    def __init__(self, fetch: Callable[..., Any], batch_size: int) -> None:
        import tensorflow as tf

        def make(
            order: "tf.Tensor", start: "tf.Tensor", first: "tf.Tensor", seed: "tf.Tensor"
        ) -> "tf.Tensor":
            places = tf.data.Dataset.range(start, tf.size(order, tf.int64), batch_size)
            batches = places.map(
                lambda place: fetch(place, order, first, seed), num_parallel_calls=tf.data.AUTOTUNE
            ).prefetch(tf.data.AUTOTUNE)
            self.element_spec = batches.element_spec
            return tf.data.experimental.to_variant(batches)

        signature = [
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([2], tf.int64),
        ]
        self.make = tf.function(make, input_signature=signature, autograph=False)


def augmented(
    augmentations: tuple[Augmentation, ...],
    images: "tf.Tensor",
    start: "tf.Tensor",
    seed: "tf.Tensor",
    feature: Feature,
) -> "tf.Tensor":
    """Return what the model gets of images as they are held; see `augment.chain.apply_all`."""
    if not augmentations:
        return seen(images, feature)
    return apply_all(augmentations, images, start, seed, feature)


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
        others = listed(f"{f.name!r} of shape {f.shape}" for f in features)
        raise DataError(
            f"augment changes images, and the data has none, only {others}. Leave it out: "
            "augment=()"
        )
    for image in images:
        check_all(options.augment, image)
