"""Features: what a frozen network makes of each sample, computed once and read from a file.

Training only the last layers of a network runs all the others on the same images again every epoch,
and they answer the same every time. So their answers are kept: `save` writes them, `Features` is
the source that reads them. Who computes them is `tfpipe.jobs.features`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfpipe.data import disk_cache
from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import Feature, Kind, Label
from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    import tensorflow as tf
    from numpy.typing import ArrayLike

    from tfpipe.data.images.files import Store

NAME = "features"


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
    def _row(self) -> np.dtype:
        answer = "i8" if self.label.is_class else "f8"
        return np.dtype(
            [(NAME, "f4", self.shape), ("label", answer, self.label.shape), ("weight", "f4")]
        )

    @property
    def bytes_shape(self) -> tuple[int, int]:
        """The shape of the file's rows of bytes."""
        return self.rows, self._row.itemsize

    def packed(
        self, features: "ArrayLike", labels: "ArrayLike", weights: "ArrayLike | None"
    ) -> np.ndarray:
        """Return the rows of bytes of a batch; a sample has a weight whether it is given or not."""
        rows = np.empty(len(np.asarray(labels)), self._row)
        rows[NAME], rows["label"] = features, labels
        rows["weight"] = 1.0 if weights is None else weights
        return rows.view(np.uint8).reshape(len(rows), -1)

    def columns(self, rows: np.ndarray, weighted: bool) -> Columns:
        """Return the arrays that `packed` made rows of."""
        table = rows.view(self._row)[:, 0]
        return Columns(
            {NAME: np.ascontiguousarray(table[NAME])},
            table["label"].astype(self.label.dtype),
            np.ascontiguousarray(table["weight"]) if weighted else None,
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

    def fill(store: "Store") -> dict[str, Any]:
        start, weighted = 0, False
        for features, labels, *weights in batches:
            weighted = bool(weights)
            store(start, table.packed(features, labels, weights[0] if weights else None))
            start += len(labels)
        return known() | {"weighted": weighted}

    (_, described), _ = disk_cache.obtain(table.key, table.bytes_shape, fill)
    return dict(described)


class Features(StoredSplits):
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
        kind: Kind = "vector" if len(self.shape) == 1 else "array"
        return (Feature(NAME, self.shape, "float32", kind),), self.label

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        if split not in self.splits:
            these = suggest(split, self.splits)
            raise DataError(f"There are no features for the split {split!r}. {these}")
        return super().input_fn(split, **options)

    def notes(self) -> list[str]:
        return self.of.notes()

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        validation, test = (n if n in self.splits else None for n in ("validation", "test"))
        return validation, test

    def _stored_sizes(self) -> dict[str, int]:
        return self.splits

    def _read(self, stored: str) -> Columns:
        table = FeatureFile(self.files[stored], self.splits[stored], self.shape, self.label)
        cached = disk_cache.load(table.key, table.bytes_shape)
        if cached is None:
            path = disk_cache.folder.get() / f"{table.key}.npy"
            raise DataError(
                f"The {self.name} are gone: {path} cannot be read. Compute them again with tfpipe "
                "compare-models, with --resume where it was one."
            )
        rows, known = cached
        return table.columns(rows, known["weighted"])
