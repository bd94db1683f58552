"""UserBatches: the element spec of batches that a pipeline's overridden `input_fn` makes."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfpipe.data.labels import label_kind, numbered
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Kind, Label
from tfpipe.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


class UserBatches(Source):
    """Describe a function that gives a tf.data.Dataset of batches for each split.

    Args:
        function: takes "train", "validation" or "test"; returns batches of (features, label), or
            None where there is no such split.
    """

    internal: ClassVar[bool] = True
    function: Callable[[str], Any]

    def spec(self, seed: int = 0) -> ElementSpec:
        return self._spec

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        batches: tf.data.Dataset = self.function(split)
        return batches

    @cached_property
    def _spec(self) -> ElementSpec:
        train = self.function("train")
        x, y = _batch_of(train)
        named = x if isinstance(x, dict) else {"features": x}
        features = tuple(_feature(n, t) for n, t in named.items())
        sizes, highest = {}, 1
        for split in ("train", "validation", "test"):
            dataset = train if split == "train" else self._other(split)
            if dataset is not None:
                sizes[split], largest = _measure(split, dataset)
                highest = max(highest, largest)
        return ElementSpec(features, (_label(y, highest),), sizes)

    def _other(self, split: str) -> "tf.data.Dataset | None":
        """Return a split's batches; None where the function says in any way that it has none."""
        try:
            return self.function(split)
        except (KeyError, ValueError, NotImplementedError) as error:
            if isinstance(error, NotImplementedError) or split in str(error):
                return None
            raise


def _batch_of(train: object) -> "tuple[Any, tf.TensorSpec]":
    """Return the specs of the features and the label of a batch; raise DataError."""
    element = getattr(train, "element_spec", None)
    expected = "input_fn('train') should return a tf.data.Dataset of batches (features, label)"
    if not isinstance(element, tuple) or len(element) != 2:
        got = element if element is not None else type(train).__name__
        raise DataError(f"{expected}, got {got}.")
    x, y = element
    if isinstance(x, tuple) or not hasattr(y, "dtype"):
        raise DataError(
            f"{expected}: one tensor of labels, and one of features or several by name in a "
            f"mapping; got {element}."
        )
    if y.shape.rank == 0:
        raise DataError(f"{expected}; these samples are not batched: add .batch(32).")
    return x, y


def _feature(name: str, tensor: "tf.TensorSpec") -> Feature:
    if tensor.shape.rank is None or None in tensor.shape[1:]:
        raise DataError(f"input_fn: {name!r} has an open shape {tensor.shape}: give every size.")
    shape = tuple(tensor.shape[1:])
    kind: Kind = "image" if len(shape) == 3 else "vector" if len(shape) == 1 else "array"
    return Feature(name, shape, tensor.dtype.name, kind)


def _label(tensor: "tf.TensorSpec", highest: int) -> Label:
    shape = tuple(tensor.shape[1:])
    kind = label_kind("floats" if tensor.dtype.is_floating else "integers", shape)
    if kind == "real":
        return Label("label", kind, shape)
    if kind == "class":
        return Label("label", kind, (), numbered(highest + 1))
    return Label("label", kind, shape, numbered(shape[-1]))


def _measure(split: str, dataset: "tf.data.Dataset") -> tuple[int, int]:
    """Return how many samples there are, and the highest label; goes through the data once."""
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise DataError(f"input_fn({split!r}) never ends: leave out repeat().")
    size, highest = 0, 0
    for _, labels in dataset:
        values = np.asarray(labels)
        size += len(values)
        highest = max(highest, int(values.max(initial=0)))
        if values.dtype.kind == "i" and values.min(initial=0) < 0:
            raise DataError(
                f"input_fn({split!r}) gives the label {values.min()}: number the classes from 0."
            )
    if size == 0:
        raise DataError(f"input_fn({split!r}) gives no samples.")
    return size, highest
