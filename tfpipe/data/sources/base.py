"""What all sources share: stored splits, held-out rows, and batches from memory or a stream.

NumPy and TensorFlow are imported when data is read, so that a declaration is printed at once.
"""

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import annotated_types

from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError, suggest
from tfpipe.text import byte_size

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.data.columns import Columns
    from tfpipe.data.input_fn import InMemory, Options
    from tfpipe.data.splits import Split

logger = logging.getLogger("tfpipe.data")

Share = Annotated[float, annotated_types.Gt(0), annotated_types.Lt(1)]
# A share that is drawn with the seed, a number of rows from the end, or the name of a split.
HeldOut = Share | Positive | str


class StoredSplits(Source):
    """A source with stored splits, "train" among them, that reads each one whole.

    Subclasses say what is stored (`_stored_sizes`, `element`) and read it (`_read`); those that
    can read without keeping everything set `streams` and give `_stream` too.
    """

    streams: ClassVar[bool] = False

    @property
    def _shares(self) -> tuple[Any, Any]:
        """The fields `validation` and `test`, which each source declares in its own order."""
        return getattr(self, "validation", None), getattr(self, "test", None)

    def _stored_sizes(self) -> dict[str, int]:
        """The size of each stored split by name."""
        raise NotImplementedError

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        """What one sample is."""
        raise NotImplementedError

    def _read(self, stored: str) -> "Columns":
        """A stored split as arrays."""
        raise NotImplementedError

    def _read_labels(self, stored: str) -> "np.ndarray":
        """The labels of a stored split alone."""
        return self._columns(stored).labels

    def _stream(self, split: "Split", options: "Options") -> "tf.data.Dataset":
        """Batches without keeping the data in memory."""
        raise NotImplementedError

    def _overlap(self, one: str, other: str) -> bool:
        """Whether two stored splits share samples."""
        return one == other

    def spec(self, seed: int = 0) -> ElementSpec:
        from tfpipe.data.splits import sizes

        features, label = self.element()
        return ElementSpec(features, (label,), sizes(self._stored_sizes(), *self._shares))

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        from tfpipe.data.input_fn import InMemory, Options, check_options

        chosen = Options(**options)
        found = self._plan(chosen)
        if split not in found:
            raise DataError(f"{self!r} has no split {split!r}. {suggest(split, found)}")
        part = found[split]
        features, _ = self.element()
        check_options(split, part.size, features, chosen)
        if not self._kept(part.stored, chosen.cache):
            return self._stream(part, chosen)
        key = (split, chosen.seed)
        if key not in self._memories:
            images = [f for f in features if f.kind == "image"]
            self._memories[key] = InMemory(self._columns(part.stored), part.rows, images)
        return self._memories[key].batches(chosen)

    def class_counts(self, seed: int = 0) -> dict[str, dict[str, int]]:
        # Class weights ask every epoch, and some sources read their files for the labels.
        if seed not in self._counts:
            self._counts[seed] = self._count_classes(seed)
        return self._counts[seed]

    def _count_classes(self, seed: int) -> dict[str, dict[str, int]]:
        import numpy as np

        from tfpipe.data.input_fn import Options

        _, label = self.element()
        if not label.is_class:
            return {}
        found = {}
        for name, split in self._plan(Options(1, seed=seed)).items():
            labels = self._read_labels(split.stored)
            kept = labels if split.rows is None else labels[split.rows]
            counts = np.bincount(kept, minlength=len(label.classes)).tolist()
            found[name] = dict(zip(label.classes, counts, strict=True))
        return found

    def notes(self) -> list[str]:
        validation, test = self._shares
        if not isinstance(validation, str):
            return []
        if validation == "test" or (isinstance(test, str) and self._overlap(validation, test)):
            return [
                f"The test split ({validation!r}) was used for validation: early stopping and the "
                "choice of the best epoch have seen it."
            ]
        return []

    @cached_property
    def _memories(self) -> "dict[Any, InMemory]":
        return {}

    @cached_property
    def _read_splits(self) -> "dict[str, Columns]":
        return {}

    @cached_property
    def _plans(self) -> "dict[int, dict[str, Split]]":
        return {}

    @cached_property
    def _counts(self) -> dict[int, dict[str, dict[str, int]]]:
        return {}

    @cached_property
    def _keeping(self) -> dict[str, bool]:
        return {}

    def _plan(self, options: "Options") -> "dict[str, Split]":
        from tfpipe.data.splits import plan

        def labels() -> "np.ndarray | None":
            if not self.element()[1].is_class:
                return None
            kept = self._kept("train", options.cache)
            return self._columns("train").labels if kept else self._read_labels("train")

        if options.seed not in self._plans:
            stored = self._stored_sizes()
            self._plans[options.seed] = plan(stored, *self._shares, options.seed, labels)
        return self._plans[options.seed]

    def _columns(self, stored: str) -> "Columns":
        from tfpipe.data.columns import check_labels

        if stored not in self._read_splits:
            columns = self._read(stored)
            features, label = self.element()
            check_labels(columns.labels, ElementSpec(features, (label,)), f"split {stored!r}")
            self._read_splits[stored] = columns.in_tensors()
        return self._read_splits[stored]

    def _kept(self, stored: str, cache: bool | str) -> bool:
        """Whether to keep a stored split in memory; decided once, and said in the log."""
        from tfpipe.data import memory

        if not self.streams or cache is True:
            return True
        if cache is False:
            return False
        if stored not in self._keeping:
            features, _ = self.element()
            size = self._stored_sizes()[stored] * sum(f.nbytes for f in features)
            self._keeping[stored] = memory.fits(size)
            logger.info(
                "%s split: %s decoded, %s (data may take %.0f%% of the %s of free memory)",
                stored,
                byte_size(size),
                "kept in memory" if self._keeping[stored] else "streamed anew every epoch",
                100 * memory.SHARE,
                byte_size(memory.available()),
            )
        return self._keeping[stored]
