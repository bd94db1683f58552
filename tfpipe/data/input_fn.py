"""The input function: batches as a pure function of the split, the seed, the epoch and a position.

Samples in memory are addressed, not streamed. An epoch is a list of row numbers in an order that
only (seed, pass) decides, so any batch of any epoch can be made directly: resuming skips without
reading, and several workers agree without talking. Batches are gathered whole from the stored
arrays, then augmented whole: by tf.data, which makes them while others are trained on, or by the
compiled loop of many small steps itself.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tfpipe.data.columns import Columns
from tfpipe.declare.kinds import Augmentation
from tfpipe.declare.spec import Feature
from tfpipe.errors import DataError
from tfpipe.text import counted, listed

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

# Bytes: an epoch that is gathered whole where nothing changes it, and a block of a larger one.
WHOLE, BLOCK = 32 << 20, 16 << 20


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
        shard: which part of each batch to make, from 0, and of how many; see `own_rows`.
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
    shard: tuple[int, int] = (0, 1)

    def first_sample(self, size: int) -> int:
        """Return how many samples came before this epoch since training began."""
        return self.epoch * (self.steps * self.batch_size if self.steps else size)

    def samples(self, size: int) -> int:
        """Return how many samples the epoch has, for a split of a size."""
        if self.steps:
            return self.steps * self.batch_size
        return size - size % self.batch_size if self.drop_remainder else size


def steps_per_epoch(size: int, batch_size: int, drop_remainder: bool, steps: int | None) -> int:
    """Return how many steps an epoch takes over a split of `size` samples."""
    if steps:
        return steps
    return size // batch_size if drop_remainder else -(-size // batch_size)


def own_rows(size: "int | tf.Tensor", shard: tuple["int | tf.Tensor", int]) -> tuple[Any, Any]:
    """Return where a shard's rows of a batch begin and end; the first ones have a row more.

    So TensorFlow divides a batch over replicas.

    Args:
        size: rows in the batch, a number or a scalar int64 tensor.
        shard: which part, from 0, and of how many.
    """
    import tensorflow as tf

    index, count = shard
    own, more = size // count, size % count
    least = min if isinstance(more, int) else tf.minimum
    begin, end = (own * i + least(more, i) for i in (index, index + 1))
    return begin, end


def order_of(size: int, options: Options) -> "np.ndarray":
    """Return the row numbers of one epoch in the order of training, from its first sample on."""
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

    Class attributes:
        at_once: whether the rows of many batches may be made as one.
    """

    at_once = True
    images: Sequence[Feature] = ()

    def __init__(
        self, columns: Columns, rows: "np.ndarray | None", images: Sequence[Feature] = ()
    ) -> None:
        import tensorflow as tf

        self.rows = rows
        self.images = images
        self._features = columns.in_tensors().features
        with tf.device("CPU"):
            self._labels = tf.nest.map_structure(tf.convert_to_tensor, columns.labels)
            weights = columns.weights
            self._weights = None if weights is None else tf.convert_to_tensor(weights, tf.float32)
        held = tf.nest.flatten((self._features, self._labels))
        row_bytes = sum(t.dtype.size * t.shape[1:].num_elements() for t in held)
        self._hold(len(columns) if rows is None else len(rows), row_bytes)

    def _hold(self, size: int, row_bytes: int) -> None:
        """Take note of how many samples there are, and how many bytes one takes."""
        self.size, self._row_bytes = size, row_bytes
        self._graphs: dict[Any, tuple[Callable[..., Any], Any]] = {}
        self._threads = ThreadPoolExecutor(1)
        self._asked: Options | None = None
        self._ahead: tuple[Options, Future[tf.Tensor]] | None = None

    def batches(self, options: Options) -> "tf.data.Dataset":
        """Return the batches of one epoch, from a position on."""
        import tensorflow as tf

        batch = options.batch_size
        whole = options.drop_remainder or options.steps is not None
        small = self.at_once and options.samples(self.size) * self._row_bytes <= WHOLE
        key = (batch, options.augment, whole, options.shard, small)
        if key not in self._graphs:
            self._graphs[key] = self._trace(options, whole, small)
        graph, element_spec = self._graphs[key]

        def make(chosen: Options) -> "tf.Tensor":
            order, first, seed = self.epoch(chosen)
            return graph(order, tf.constant(chosen.position * batch, tf.int64), first, seed)

        ready, self._ahead = self._ahead, None
        known = ready is not None and ready[0] == options
        variant = ready[1].result() if ready is not None and known else make(options)
        # Where epochs follow each other and all of one is gathered, so is the next one meanwhile.
        before, self._asked = self._asked, options
        if small and not options.augment and before is not None and options == _next(before):
            self._ahead = _next(options), self._threads.submit(make, _next(options))
        return tf.data.experimental.from_variant(variant, element_spec)

    def epoch(self, options: Options) -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
        """Return what decides the batches of an epoch.

        Returns:
            The stored rows in the order of the epoch, how many samples came before it, the seed.
        """
        import tensorflow as tf

        order = order_of(self.size, options)
        if self.rows is not None:
            order = self.rows[order]
        with tf.device("CPU"):
            first = tf.constant(options.first_sample(self.size), tf.int64)
            return tf.constant(order, tf.int64), first, tf.constant([options.seed, 0], tf.int64)

    def batch(
        self,
        rows: "tf.Tensor",
        start: "tf.Tensor",
        seed: "tf.Tensor",
        augment: tuple[Augmentation, ...],
    ) -> tuple[Any, ...]:
        """Return the batch of some stored rows, as TensorFlow's operations.

        Args:
            rows: their numbers.
            start: how many samples came before them since training began.
            seed: the pipeline's, and 0.
            augment: changes of the images.
        """
        import tensorflow as tf

        features = {name: tf.gather(t, rows) for name, t in self._features.items()}
        for image in self.images:
            stored = features[image.name]
            features[image.name] = augmented(augment, stored, start, seed, image, rows, self.size)
        x = next(iter(features.values())) if len(features) == 1 else features
        labelled = x, tf.nest.map_structure(lambda t: tf.gather(t, rows), self._labels)
        return labelled if self._weights is None else (*labelled, tf.gather(self._weights, rows))

    def _trace(self, options: Options, whole: bool, small: bool) -> tuple[Callable[..., Any], Any]:
        """Return a graph that makes batches of any epoch's order, and their element spec.

        The graph takes (the order, its first place, samples before it, the seed).
        """
        import tensorflow as tf

        from tfpipe.data.tensors import in_blocks, in_one

        size, shard, element_specs = options.batch_size, options.shard, []
        one_by_one = not self.at_once or any(image.resize for image in self.images)
        changed = options.augment or one_by_one

        def batch(
            place: "tf.Tensor", order: "tf.Tensor", first: "tf.Tensor", seed: "tf.Tensor"
        ) -> tuple[Any, ...]:
            left = size if whole else tf.minimum(tf.size(order, tf.int64) - place, size)
            begin, end = own_rows(left, shard)
            rows = order[place + begin : place + end]
            rows = tf.ensure_shape(rows, [end - begin]) if whole else rows
            return self.batch(rows, first + place + begin, seed, options.augment)

        def epoch(
            order: "tf.Tensor", start: "tf.Tensor", first: "tf.Tensor", seed: "tf.Tensor"
        ) -> "tf.Tensor":
            # Rewriting the graph copies what it captures, all of the data, and gains nothing.
            plain = tf.data.Options()
            plain.experimental_optimization.apply_default_optimizations = False

            def as_stored(rows: "tf.Tensor") -> tuple[Any, ...]:
                return self.batch(rows, first, seed, ())

            if changed or shard[1] > 1:
                places = tf.data.Dataset.range(start, tf.size(order, tf.int64), size)
                batches = places.map(lambda p: batch(p, order, first, seed), tf.data.AUTOTUNE)
                batches = batches.prefetch(tf.data.AUTOTUNE)
            else:
                plain.autotune.enabled = False
                rows = order[start:]
                if small:
                    batches = in_one(as_stored, rows, size, whole)
                else:
                    block = max(1, BLOCK // (size * self._row_bytes))
                    batches = in_blocks(as_stored, rows, size, whole, block)
            batches = batches.with_options(plain)
            element_specs.append(batches.element_spec)
            return tf.data.experimental.to_variant(batches)

        signature = [tf.TensorSpec(shape, tf.int64) for shape in ([None], [], [], [2])]
        graph = tf.function(epoch, input_signature=signature, autograph=False)
        return graph.get_concrete_function(), element_specs[-1]


def _next(options: Options) -> Options:
    """Return the options of the whole epoch that follows."""
    return replace(options, epoch=options.epoch + 1, position=0)


@dataclass(frozen=True)
class RowsInMemory:
    """A split in memory, whose batches a compiled loop makes for itself.

    Args:
        memory: the stored arrays.
        options: how batches are made of them; the epoch is asked for by itself.
    """

    memory: InMemory
    options: Options

    def epoch(self, number: int) -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
        """Return what decides the batches of an epoch; see `InMemory.epoch`."""
        return self.memory.epoch(replace(self.options, epoch=number))

    def batch(self, rows: "tf.Tensor", start: "tf.Tensor", seed: "tf.Tensor") -> tuple[Any, ...]:
        """Return the batch of some stored rows; see `InMemory.batch`."""
        return self.memory.batch(rows, start, seed, self.options.augment)


def augmented(
    augmentations: tuple[Augmentation, ...],
    images: "tf.Tensor",
    start: "tf.Tensor",
    seed: "tf.Tensor",
    feature: Feature,
    rows: "tf.Tensor",
    size: int,
) -> "tf.Tensor":
    """Return what the model gets of images as they are held; see `augment.chain.apply_all`.

    Args:
        augmentations: in order of application.
        images: as the source holds them.
        start: how many samples came before them since training began.
        seed: two int64, of which the first is the pipeline's seed.
        feature: what the model gets of them.
        rows: which row each of them is.
        size: how many samples a pass over the split has.
    """
    from tfpipe.data.augment.chain import Rows, apply_all
    from tfpipe.data.images.decoding import seen

    if not augmentations:
        return seen(images, feature)
    return apply_all(augmentations, images, start, seed, feature, Rows(rows, size))


def check_batch_size(batch_size: int, size: int) -> None:
    """Refuse a batch larger than the training split; raise DataError."""
    if batch_size > size:
        raise DataError(
            f"batch_size={batch_size} is larger than the training split of "
            f"{counted(size, 'sample')}. Use at most {size}."
        )


def check_options(split: str, size: int, features: tuple[Feature, ...], options: Options) -> None:
    """Refuse a batch larger than the training split, and augmentation that does not fit.

    Raises:
        DataError: for a batch that is too large, or augmentation where there is no image.
        ConfigError: for an augmentation that does not fit the images.
    """
    from tfpipe.data.augment.chain import check_all

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
