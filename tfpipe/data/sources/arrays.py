"""Arrays: anything that fits in memory, from a function of one's own."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from tfpipe.data.columns import Columns
from tfpipe.data.sources.base import HeldOut, StoredSplits, call
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import DataError
from tfpipe.text import listed

if TYPE_CHECKING:
    from tfpipe.data.labels import LabelReading

Kind = Literal["auto", "class", "number"]


class Arrays(StoredSplits):
    """Samples that a function returns as NumPy arrays.

    Args:
        load: a function without arguments. It returns (x, y); or ((x, y), (x_test, y_test)) as
            keras.datasets does; or a mapping of split names, "train" among them, to (x, y).
            x has one row a sample: uint8 images of [rows, height, width] or
            [rows, height, width, channels], vectors of [rows, numbers], texts, or a mapping of
            names to arrays, of which [rows] numbers and words are the columns of a table. y holds
            classes (texts, booleans, whole numbers, one-hot rows), yes/no answers ([rows, several]
            of 0 and 1), or real numbers; docs/data.md says what is read as what. All splits are
            alike in shapes and types. (x, y, weights) in place of (x, y) says how much each sample
            counts.
        validation: what to hold out of the training samples: a share, or a number, which takes the
            last ones; the name of a split; or None.
        test: the same for the test split.
        classes: the class names in order of their index; told by the labels when not given.
        label_kind: "class", "number", or "auto", which tells it by the labels. The pipeline's task
            decides where it is declared. A mapping for several labels.

    Raises:
        DataError: when the function returns something else, or lengths differ.

    Example:
        data = Arrays(lambda: (np.random.rand(100, 4), np.arange(100) % 3), validation=0.2)
    """

    load: Callable[[], Any]
    validation: HeldOut | None = 0.1
    test: HeldOut | None = "test"
    classes: tuple[str, ...] = ()
    label_kind: Kind | dict[str, Kind] = "auto"

    def label_reading(self) -> str:
        if "" in self._readings:
            return self._readings[""].how
        return "; ".join(f"{name}: {reading.how}" for name, reading in self._readings.items())

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self._element

    @cached_property
    def _splits(self) -> dict[str, Columns]:
        splits: dict[str, Columns] = {}
        for split, columns in self._returned.items():
            where, labels = f"split {split!r}", columns.labels
            read: Any
            if isinstance(labels, dict):
                read = {n: r.read(labels[n], f"{where}, {n!r}") for n, r in self._readings.items()}
            else:
                read = self._readings[""].read(labels, where)
            splits[split] = replace(columns, labels=read)
        return splits

    @cached_property
    def _readings(self) -> "dict[str, LabelReading]":
        """How each label is read, by name; that of the only one is empty."""
        from tfpipe.data.labels import read_array, read_several

        labels, kind = self._returned["train"].labels, self.label_kind
        if isinstance(labels, dict):
            if isinstance(kind, str) and kind != "auto":
                raise DataError(
                    f"Arrays: y has several labels, {listed(labels, 5)}, and the task or "
                    "label_kind is one for all: give a mapping, "
                    f"{{{next(iter(labels))!r}: ...}}."
                )
            return read_several(labels, self.classes, {} if isinstance(kind, str) else kind)
        if not isinstance(kind, str):
            raise DataError(
                f"Arrays: task or label_kind is a mapping of {listed(kind, 5)}, and y is one "
                "label. Labels of several outputs are a mapping of the same names."
            )
        return {"": read_array(labels, self.classes, kind)}

    @cached_property
    def _returned(self) -> dict[str, Columns]:
        from tfpipe.data.arrays import by_split, check_like, columns_of

        pairs = by_split(call("Arrays", self.load))
        splits = {name: columns_of(name, pair) for name, pair in pairs.items()}
        for name, columns in splits.items():
            check_like(splits["train"], columns, name)
        return splits

    @cached_property
    def _element(self) -> tuple[tuple[Feature, ...], Label]:
        from tfpipe.data.arrays import features_of
        from tfpipe.data.labels import check_labels

        train = self._returned["train"]
        parts = tuple(reading.label for reading in self._readings.values())
        label = parts[0] if "" in self._readings else Label("labels", "several", parts=parts)
        for name in self._returned:
            check_labels(self._read(name).labels, label, f"split {name!r}")
        return features_of(train), label
