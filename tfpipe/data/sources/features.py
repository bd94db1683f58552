"""Features: what a frozen network makes of each sample, computed once and read from a file.

Training only the last layers of a network runs all the others on the same images again every epoch,
and they answer the same every time. So their answers are kept: `save` writes them, `Features` is
the source that reads them. Who computes them is `tfpipe.jobs.features`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.data.columns import Columns
    from tfpipe.data.input_fn import InMemory

NAME = "features"
_WEIGHT = 1  # float32 of a row for the sample's weight, whether it has one or not


@dataclass(frozen=True)
class FeatureFile:
    """A file with a row for each sample of a split: its features, its label, its weight.

    Args:
        key: names the file; a digest of all that decides what is in it.
        rows: how many samples there are.
        shape: of one sample's features.
        label: what is predicted.
    """

    key: str
    rows: int
    shape: tuple[int, ...]
    label: Label

    @property
    def _widths(self) -> tuple[int, int]:
        """How many bytes the features and the label of a row take."""
        return 4 * prod(self.shape), 8 * prod(self.label.shape)

    @property
    def bytes_shape(self) -> tuple[int, int]:
        """The shape of the file's rows of bytes."""
        return self.rows, sum(self._widths) + 4 * _WEIGHT

    def packed(self, features: Any, labels: Any, weights: Any) -> "np.ndarray":
        """Rows of bytes of a batch."""
        import numpy as np

        count = len(labels)
        kept = np.int64 if self.label.is_class else np.float64
        ones = np.ones(count, np.float32)
        parts = (
            np.asarray(features, np.float32),
            np.asarray(labels).astype(kept),
            ones if weights is None else np.asarray(weights, np.float32),
        )
        flat = [np.ascontiguousarray(p).reshape(count, -1).view(np.uint8) for p in parts]
        return np.concatenate(flat, axis=1)

    def columns(self, rows: "np.ndarray", weighted: bool) -> "Columns":
        """The arrays that `packed` made rows of."""
        import numpy as np

        from tfpipe.data.columns import Columns

        of_features, of_label = self._widths
        cut = np.split(rows, [of_features, of_features + of_label], axis=1)
        features, labels, weights = (np.ascontiguousarray(c) for c in cut)
        values = labels.view(np.int64 if self.label.is_class else np.float64)
        return Columns(
            {NAME: features.view(np.float32).reshape(self.rows, *self.shape)},
            values.reshape(self.rows, *self.label.shape).astype(self.label.dtype),
            weights.view(np.float32)[:, 0] if weighted else None,
        )


def save(
    table: FeatureFile, batches: Iterable[tuple[Any, ...]], known: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Write a split's features, unless the file is there; whole or not at all.

    Args:
        table: which file.
        batches: (features, labels) or (features, labels, weights), all samples in stored order.
        known: what to keep with the file; asked when all batches are made.

    Returns:
        What is known of the file: what `known` says, or said when it was written.

    Raises:
        StorageError: when there is no room, or the folder cannot be written.
    """
    from tfpipe.data import disk

    def fill(store: Any) -> dict[str, Any]:
        start, weighted = 0, False
        for features, labels, *weights in batches:
            weighted = bool(weights)
            store(start, table.packed(features, labels, weights[0] if weights else None))
            start += len(labels)
        return known() | {"weighted": weighted}

    with disk.alone(table.key) as path:
        found = disk.load(path, table.bytes_shape)
        if found is None:
            disk.save(path, table.bytes_shape, fill)
            found = disk.load(path, table.bytes_shape)
    assert found is not None
    return dict(found[1])


class Features(Source):
    """The features of another source's samples, from the files that `save` wrote.

    The samples are in the same order as the other source's, and an epoch shuffles them alike.

    Args:
        of: the source that the features were computed for.
        network: what computed them, for people.
        shape: of one sample's features.
        label: what is predicted.
        splits: the size of each split.
        files: the key of each split's file.

    Raises:
        DataError: when a file is gone.
    """

    internal: ClassVar[bool] = True
    of: Source
    network: str
    shape: tuple[int, ...]
    label: Label
    splits: dict[str, int]
    files: dict[str, str]

    @property
    def name(self) -> str:
        """What people call it."""
        return f"features of {self.network} for {getattr(self.of, 'name', type(self.of).__name__)}"

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        kind: Any = "vector" if len(self.shape) == 1 else "array"
        return (Feature(NAME, self.shape, "float32", kind),), self.label

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self.element()
        return ElementSpec(features, (label,), dict(self.splits))

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        from tfpipe.data.input_fn import Options, check_options

        chosen = Options(**options)
        if split not in self.splits:
            raise DataError(f"There are no features for the split {split!r}. {self._those(split)}")
        check_options(split, self.splits[split], self.element()[0], chosen)
        return self._memory(split).batches(chosen)

    def notes(self) -> list[str]:
        return self.of.notes()

    def class_counts(self, seed: int = 0) -> dict[str, dict[str, int]]:
        import numpy as np

        if not self.label.is_class:
            return {}
        names, found = self.label.classes, {}
        for split in self.splits:
            counts = np.bincount(self._columns(split).labels, minlength=len(names)).tolist()
            found[split] = dict(zip(names, counts, strict=True))
        return found

    def _those(self, split: str) -> str:
        return suggest(split, self.splits)

    def _memory(self, split: str) -> "InMemory":
        from tfpipe.data.input_fn import InMemory

        if split not in self._memories:
            self._memories[split] = InMemory(self._columns(split), None)
        return self._memories[split]

    def _columns(self, split: str) -> "Columns":
        from tfpipe.data import disk

        table = FeatureFile(self.files[split], self.splits[split], self.shape, self.label)
        path = disk.folder.get() / table.key
        found = disk.load(path, table.bytes_shape)
        if found is None:
            raise DataError(
                f"The {self.name} are gone: {path.with_suffix('.npy')} cannot be read. Compute "
                "them again with tfpipe compare-models, with --resume where it was one."
            )
        rows, known = found
        return table.columns(rows, known["weighted"])

    @cached_property
    def _memories(self) -> "dict[str, InMemory]":
        return {}
