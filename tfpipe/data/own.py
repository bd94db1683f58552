"""Own: the element spec of batches that a pipeline's overridden `input_fn` makes."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Kind, Label
from tfpipe.errors import DataError


class Own(Source):
    """Describes a function that gives a tf.data.Dataset of batches for each split.

    Args:
        function: takes "train", "validation" or "test"; returns batches of (features, label), or
            None where there is no such split.
    """

    function: Callable[[str], Any]

    def spec(self, seed: int = 0) -> ElementSpec:
        return self._spec

    def input_fn(self, split: str, **options: Any) -> Any:
        return self.function(split)

    @cached_property
    def _spec(self) -> ElementSpec:
        train = self.function("train")
        element = getattr(train, "element_spec", None)
        if not isinstance(element, tuple) or len(element) != 2 or isinstance(element[1], dict):
            raise DataError(
                "input_fn('train') should return a tf.data.Dataset of batches (features, label), "
                f"got {element if element is not None else type(train).__name__}."
            )
        x, y = element
        named = x if isinstance(x, dict) else {"features": x}
        features = tuple(_feature(n, t) for n, t in named.items())
        sizes, highest = {}, 1
        for split in ("train", "validation", "test"):
            dataset = train if split == "train" else self._other(split)
            if dataset is not None:
                sizes[split], largest = _measure(dataset)
                highest = max(highest, largest)
        return ElementSpec(features, _label(y, highest), sizes)

    def _other(self, split: str) -> Any:
        try:
            return self.function(split)
        except (KeyError, ValueError, NotImplementedError):
            return None


def _feature(name: str, tensor: Any) -> Feature:
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise DataError(f"input_fn: {name!r} has an open shape {shape}: give every size.")
    kind: Kind = "image" if len(shape) == 3 else "vector" if len(shape) == 1 else "array"
    return Feature(name, shape, tensor.dtype.name, kind)


def _label(tensor: Any, highest: int) -> Label:
    if tensor.dtype.is_floating:
        return Label("label", "real", tuple(tensor.shape[1:]))
    return Label("label", "class", (), tuple(str(i) for i in range(highest + 1)))


def _measure(dataset: Any) -> tuple[int, int]:
    """How many samples there are, and the highest label; goes through the data once."""
    size, highest = 0, 0
    for _, labels in dataset:
        values = np.asarray(labels)
        size += len(values)
        highest = max(highest, int(values.max(initial=0)))
    return size, highest
