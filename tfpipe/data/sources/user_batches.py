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


_READINGS = {
    "class": "whole numbers, so class indices from 0; floats would be real numbers",
    "multilabel": "several whole numbers a sample, so yes/no answers",
    "real": "floats, so real numbers; whole numbers would be classes",
}


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

    def label_reading(self) -> str:
        label = self._spec.label
        readings = [f"{part.name}: {_READINGS[part.kind]}" for part in label.parts]
        return "; ".join(readings) or _READINGS[label.kind]

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        batches: tf.data.Dataset = self.function(split)
        return batches

    @cached_property
    def _spec(self) -> ElementSpec:
        train = self.function("train")
        x, y = _batch_of(train)
        named = x if isinstance(x, dict) else {"features": x}
        features = tuple(_feature(n, t) for n, t in named.items())
        sizes: dict[str, int] = {}
        highest: dict[str, int] = {}
        for split in ("train", "validation", "test"):
            dataset = train if split == "train" else self._other(split)
            if dataset is not None:
                sizes[split], largest = _measure(split, dataset)
                highest |= {n: max(1, highest.get(n, 1), value) for n, value in largest.items()}
        if not isinstance(y, dict):
            return ElementSpec(features, (_label("label", y, highest["label"]),), sizes)
        parts = tuple(_label(name, tensor, highest[name]) for name, tensor in y.items())
        return ElementSpec(features, (Label("labels", "several", parts=parts),), sizes)

    def _other(self, split: str) -> "tf.data.Dataset | None":
        """Return a split's batches; None where the function says in any way that it has none."""
        try:
            return self.function(split)
        except (KeyError, ValueError, NotImplementedError) as error:
            if isinstance(error, NotImplementedError) or split in str(error):
                return None
            raise


def _batch_of(train: object) -> tuple[Any, Any]:
    """Return the specs of the features and the labels of a batch; raise DataError."""
    element = getattr(train, "element_spec", None)
    expected = "input_fn('train') should return a tf.data.Dataset of batches (features, label)"
    if not isinstance(element, tuple) or len(element) != 2:
        got = element if element is not None else type(train).__name__
        raise DataError(f"{expected}, got {got}.")
    x, y = element
    labels = y.values() if isinstance(y, dict) else (y,)
    if isinstance(x, tuple) or not all(hasattr(label, "dtype") for label in labels):
        raise DataError(
            f"{expected}: one tensor of features and one of labels, or mappings of several by "
            f"name; got {element}."
        )
    if any(label.shape.rank == 0 for label in labels):
        raise DataError(f"{expected}; these samples are not batched: add .batch(32).")
    return x, y


def _feature(name: str, tensor: "tf.TensorSpec") -> Feature:
    if tensor.shape.rank is None or None in tensor.shape[1:]:
        raise DataError(f"input_fn: {name!r} has an open shape {tensor.shape}: give every size.")
    shape = tuple(tensor.shape[1:])
    kind: Kind = "image" if len(shape) == 3 else "vector" if len(shape) == 1 else "array"
    return Feature(name, shape, tensor.dtype.name, kind)


def _label(name: str, tensor: "tf.TensorSpec", highest: int) -> Label:
    shape = tuple(tensor.shape[1:])
    kind = label_kind("floats" if tensor.dtype.is_floating else "integers", shape)
    if kind == "real":
        return Label(name, kind, shape)
    if kind == "class":
        return Label(name, kind, (), numbered(highest + 1))
    return Label(name, kind, shape, numbered(shape[-1]))


def _measure(split: str, dataset: "tf.data.Dataset") -> tuple[int, dict[str, int]]:
    """Return how many samples there are, and the highest of each label, in one pass."""
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise DataError(f"input_fn({split!r}) never ends: leave out repeat().")
    size = 0
    highest: dict[str, int] = {}
    for _, labels in dataset:
        named = labels if isinstance(labels, dict) else {"label": labels}
        size += len(next(iter(named.values())))
        for name, tensor in named.items():
            values = np.asarray(tensor)
            highest[name] = max(highest.get(name, 0), int(values.max(initial=0)))
            if values.dtype.kind == "i" and values.min(initial=0) < 0:
                least = values.min()
                raise DataError(
                    f"input_fn({split!r}) gives the label {least}: number the classes from 0."
                )
    if size == 0:
        raise DataError(f"input_fn({split!r}) gives no samples.")
    return size, highest
