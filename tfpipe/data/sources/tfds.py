"""TensorFlow Datasets as a source, with an answer in seconds when the data cannot be had."""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.data.columns import Columns
from tfpipe.data.images.sizes import check_sizes
from tfpipe.data.input_fn import Options, augmented, own_rows
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.data.sources.prepared_set import PreparedSet
from tfpipe.data.splits import Split
from tfpipe.declare.field_types import Positive
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from tensorflow_datasets.features import FeatureConnector

    from tfpipe.data.images.tfrecords import Parse

# Class names that TFDS learns only from the downloaded files.
_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
CLASS_NAMES = {"cifar10": tuple(_CIFAR10.split())}
_SHUFFLE_BYTES = 256_000_000
_OVERHEAD = 1_000  # bytes of a sample that waits to be drawn, beside its own
_TOGETHER = 1_024  # samples of which those of a split are chosen at a time


class TFDS(StoredSplits):
    """A data set of TensorFlow Datasets.

    Args:
        name: its name, with version or configuration where wanted: "cifar10", "mnist:3.*.*".
        validation: a share of the training samples to hold out, a split of the data set
            ("test", "validation[:50%]"), or None.
        train: the split to train on, such as "train[:90%]"; the others may share no sample with it.
        test: the split to evaluate on at the end; None for no test. The default is left out where
            the data set has no such split.
        size: (height, width) that the model sees; needed where images differ in size. Without a
            resize all are stretched to it.
        resize: (height, width) that images just cover when they are resized, their proportions
            kept; the model sees the centre of `size`, or what augmentation draws of the whole.
        kept: (height, width) at which images are held in memory, covering it in the same way, where
            that is less than `resize`; they are enlarged batch by batch.
        classes: the class names in order of their index, where the data set's own are not wanted.
        data_dir: where prepared data lies; None for TFDS_DATA_DIR, else ~/tensorflow_datasets.
        download: whether data that is not prepared may be downloaded.

    Raises:
        DataError: for an unknown name, or data that is neither prepared nor to be had.

    Example:
        data = TFDS("cifar10", validation=0.05)
    """

    name: str
    validation: HeldOut | None = 0.1
    train: str = "train"
    test: str | None = "test"
    size: tuple[Positive, Positive] | None = None
    resize: tuple[Positive, Positive] | None = None
    kept: tuple[Positive, Positive] | None = None
    classes: tuple[str, ...] = ()
    data_dir: str | None = None
    download: bool = True
    streams: ClassVar[bool] = True

    def validate(self) -> None:
        """Refuse sizes that do not go together."""
        check_sizes("TFDS", self.size, self.resize, self.kept)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        features = self._builder.info.features
        keys = self._builder.info.supervised_keys
        if keys is None or not all(isinstance(k, str) for k in keys):
            unknown = f"{self.name} does not say which feature is the label."
            if "objects" in features:
                unknown += (
                    " It has boxes of objects: to find these, declare "
                    f"data = TFDSObjects({self.name!r})."
                )
            raise DataError(unknown)
        x, y = keys
        return (self._feature(x, features[x]),), self._label(y, features[y])

    def _stored_sizes(self) -> dict[str, int]:
        self._set.prepare()
        others = self._set.splits(self.train, self.test, self.validation)
        sizes = {"train": self._split(self.train).num_examples}
        return sizes | {other: self._split(other).num_examples for other in others}

    @property
    def _known(self) -> Any:
        return self._builder.info.splits

    def _split(self, text: str) -> Any:
        return self._set.split(text)

    def _overlap(self, one: str, other: str) -> bool:
        return self._set.overlap(one, other)

    def _read(self, stored: str) -> Columns:
        import numpy as np
        import tensorflow as tf

        from tfpipe.data.tensors import aligned, shared

        (feature,), label = self.element()
        size = self._stored_sizes()[stored]
        shape, pixels = (size, *feature.stored_shape), feature.dtype == "uint8"
        values = aligned(shape) if pixels else np.empty(shape, feature.dtype)
        labels = np.empty((size, *label.shape), label.dtype)
        done = 0
        batches = self._batches(stored, 256).map(self._decode_batch(feature), os.cpu_count() or 1)
        for x, y in batches.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
            values[done : done + len(y)], labels[done : done + len(y)] = x, y
            done += len(y)
        return Columns({feature.name: shared(values) if pixels else values}, labels)

    def _read_labels(self, stored: str) -> "np.ndarray":
        import numpy as np

        return np.concatenate([y for _, y in self._batches(stored, 4096).as_numpy_iterator()])

    def _stream(self, split: Split, options: Options) -> "tf.data.Dataset":
        """Return batches read anew each epoch; shuffled in a buffer of encoded samples."""
        import numpy as np
        import tensorflow as tf

        (feature,), _ = self.element()
        size, first = split.size, options.first_sample(split.size)
        # The split is kept with them, so that no other one has its id.
        key = ("samples", id(split))
        _, samples, parse = self._once(key, lambda: (split, *self._chosen_samples(split)))

        def one_pass(number: int) -> "tf.data.Dataset":
            if not options.shuffle:
                return samples
            seed = int(np.random.default_rng([options.seed, number]).integers(2**31))
            buffer = min(size, max(1000, _SHUFFLE_BYTES // (feature.nbytes // 4 + _OVERHEAD)))
            return samples.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)

        last = first + options.samples(size)
        examples = one_pass(first // size)
        for number in range(first // size + 1, -(-last // size)):
            examples = examples.concatenate(one_pass(number))
        skipped = options.position * options.batch_size
        examples = examples.skip(first % size + skipped).take(max(0, last - first - skipped))
        whole = options.drop_remainder or options.steps is not None
        batches = examples.batch(options.batch_size, drop_remainder=whole)
        starts = tf.data.Dataset.range(first + skipped, 2**62, options.batch_size)
        decode, seed = self._decode_batch(feature), tf.constant([options.seed, 0], tf.int64)

        def own(start: "tf.Tensor", rows: "tf.Tensor", *batch: "tf.Tensor") -> tuple[Any, Any]:
            count = options.batch_size if whole else tf.size(rows, tf.int64)
            begin, end = own_rows(count, options.shard)
            x, y = decode(*parse(*(column[begin:end] for column in batch)))
            if options.augment or feature.resize:
                place, mine = start + begin, rows[begin:end]
                x = augmented(options.augment, x, place, seed, feature, mine, size)
            return x, y

        batches = tf.data.Dataset.zip(starts, batches)
        batches = batches.map(
            lambda start, batch: own(start, *tf.nest.flatten(batch)), tf.data.AUTOTUNE
        )
        return batches.prefetch(tf.data.AUTOTUNE)

    def _chosen_samples(self, split: Split) -> "tuple[tf.data.Dataset, Parse]":
        """Return a split's rows and its samples as `_samples` does, chosen many at a time."""
        import numpy as np
        import tensorflow as tf

        samples, parse = self._samples(split.stored)
        stored = self._stored_sizes()[split.stored]
        samples = tf.data.Dataset.zip(tf.data.Dataset.range(stored), samples)
        if split.rows is None:
            return samples, parse
        kept = np.zeros(stored, bool)
        kept[split.rows] = True
        chosen = tf.data.Dataset.from_tensor_slices(kept).batch(_TOGETHER)
        pairs = tf.data.Dataset.zip(chosen, samples.batch(_TOGETHER))
        masked = pairs.map(
            lambda mask, batch: tf.nest.map_structure(lambda t: tf.boolean_mask(t, mask), batch)
        )
        return masked.unbatch(), parse

    def read_from(self) -> list[Path]:
        return [Path(i.filename) for i in self._split(self.train).file_instructions]

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        encoded = self._batches("train", 256)
        decoded = encoded.map(self._decode_batch(self.element()[0][0]), os.cpu_count() or 1)
        return {
            "read": lambda: (len(y) for _, y in encoded),
            "decode": lambda: (len(y) for _, y in decoded),
        }

    @cached_property
    def _set(self) -> PreparedSet:
        return PreparedSet(f"TFDS({self.name!r})", self.name, self.data_dir, self.download)

    @property
    def _builder(self) -> Any:
        return self._set.builder

    def _feature(self, key: str, feature: "FeatureConnector") -> Feature:
        import numpy as np

        shape = tuple(feature.shape)
        kind = type(feature).__name__
        if kind == "Image":
            if self.size is not None:
                shape = (*self.size, shape[2])
            elif None in shape:
                raise DataError(
                    f"{self.name} has images of differing sizes: declare size=(height, width)."
                )
            kept = self.kept or self.resize
            return Feature(key, shape, "uint8", "image", kept=kept, resize=self.resize)
        if kind in ("Tensor", "Scalar") and None not in shape and feature.np_dtype != np.object_:
            name = np.dtype(feature.np_dtype).name
            return Feature(key, shape, name, "vector" if len(shape) == 1 else "array")
        raise DataError(
            f"{self.name}: the input {key!r} is {kind} of shape {shape}; images and arrays of "
            "numbers are read."
        )

    def _label(self, key: str, feature: "FeatureConnector") -> Label:
        import numpy as np

        from tfpipe.data.labels import label_kind

        if type(feature).__name__ == "ClassLabel":
            names = self.classes or feature.names
            if not self.classes and list(names) == [str(i) for i in range(len(names))]:
                names = CLASS_NAMES.get(self._set.bare, names)
            if len(names) != feature.num_classes:
                raise DataError(
                    f"{self.name} has {feature.num_classes} classes, {len(names)} names were given."
                )
            return Label(key, label_kind("words"), (), tuple(names))
        if None not in feature.shape and np.issubdtype(feature.np_dtype, np.floating):
            shape = tuple(feature.shape)
            return Label(key, label_kind("floats", shape), shape)
        raise DataError(
            f"{self.name}: the label {key!r} is {type(feature).__name__}; class labels and real "
            "numbers are read."
        )

    def _batches(self, stored: str, size: int) -> "tf.data.Dataset":
        """Return batches of (input, label) in stored order, images still encoded."""
        samples, parse = self._samples(stored)
        return samples.batch(size).map(parse, os.cpu_count() or 1)

    def _samples(self, stored: str) -> "tuple[tf.data.Dataset, Parse]":
        """Return samples in stored order, and what makes (input, label) of a batch of them."""
        from tfpipe.data.images.tfrecords import parser, records

        info, ((feature,), label) = self._builder.info, self.element()
        parsed = feature.kind == "image" and label.is_class
        if not parsed or info.file_format is None or info.file_format.value != "tfrecord":
            return self._encoded(stored), lambda x, y: (x, y)
        split = self._split(self.train if stored == "train" else stored)
        return records(split.file_instructions), parser(feature.name, label.name)

    def _encoded(self, stored: str) -> "tf.data.Dataset":
        """(input, label) in stored order, images still encoded."""
        (feature,), label = self.element()
        split = self.train if stored == "train" else stored
        image = feature.name if feature.kind == "image" else None
        examples = self._set.examples(split, image)
        return examples.map(lambda e: (e[feature.name], e[label.name]))

    def _decode_batch(self, feature: Feature) -> Any:
        import tensorflow as tf

        from tfpipe.data.images.decoding import pixels, stored

        def one(encoded: "tf.Tensor") -> "tf.Tensor":
            if self.size is not None:
                return stored(encoded, feature)
            return tf.ensure_shape(pixels(encoded, feature.shape[2]), feature.shape)

        def batch(x: "tf.Tensor", y: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            y = tf.cast(y, tf.int64 if y.dtype.is_integer else tf.float32)
            if feature.kind != "image":
                return x, y
            images = tf.map_fn(one, x, fn_output_signature=tf.uint8, parallel_iterations=1)
            return images, y

        return batch
