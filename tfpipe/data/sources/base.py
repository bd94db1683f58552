"""What all sources share: stored splits, held-out rows, and batches from memory or a stream.

NumPy and TensorFlow are imported when data is read, so that a declaration is printed at once.
"""

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import annotated_types

from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import InMemory, Options, RowsInMemory, check_options
from tfpipe.data.splits import Split, plan, sizes
from tfpipe.declare.field_types import Positive, show
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import DataError, suggest
from tfpipe.text import byte_size

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

logger = logging.getLogger("tfpipe.data")

Share = Annotated[float, annotated_types.Gt(0), annotated_types.Lt(1)]
Result = TypeVar("Result")
# A share that is drawn with the seed, a number of rows from the end, or the name of a split.
HeldOut = Share | Positive | str


def call(owner: str, function: Callable[[], object]) -> object:
    """Return what a function of the user's returns; raise DataError where it fails."""
    try:
        return function()
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{owner}: {show(function)}() failed with {type(error).__name__}: {error}"
        ) from error


class StoredSplits(Source):
    """A source with stored splits, "train" among them, that reads each one whole.

    Subclasses say what a sample is (`element`), what is stored (`_stored_sizes`) and read it
    (`_read`), or read all splits at once (`_splits`); those that can read without keeping
    everything set `streams` and give `_stream` too.
    """

    streams: ClassVar[bool] = False

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        """The fields `validation` and `test`, which each source declares in its own order."""
        return getattr(self, "validation", None), getattr(self, "test", None)

    @property
    def _splits(self) -> dict[str, Columns]:
        """The stored splits by name, where a source reads them all at once."""
        raise NotImplementedError

    def _stored_sizes(self) -> dict[str, int]:
        """Return the size of each stored split by name."""
        return {name: len(columns) for name, columns in self._splits.items()}

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        """Return what one sample is."""
        raise NotImplementedError

    def _read(self, stored: str) -> Columns:
        """Return a stored split as arrays."""
        return self._splits[stored]

    def _read_labels(self, stored: str) -> "np.ndarray":
        """Return the labels of a stored split alone."""
        return self._columns(stored).labels

    def _stream(self, split: Split, options: Options) -> "tf.data.Dataset":
        """Return batches without keeping the data in memory."""
        raise NotImplementedError

    def _overlap(self, one: str, other: str) -> bool:
        """Return whether two stored splits share samples."""
        return one == other

    def _stored_places(self, stored: str) -> Sequence[str]:
        """Return where each sample of a stored split comes from; empty where that is not known."""
        return ()

    def places(self, split: str, seed: int = 0) -> list[str]:
        part = self._plan(Options(1, seed=seed))[split]
        stored = self._stored_places(part.stored)
        if not stored or part.rows is None:
            return list(stored)
        return [stored[row] for row in part.rows.tolist()]

    # For measuring how fast data comes

    def keeps(self, cache: bool | str) -> Literal["memory", "disk", "nowhere"]:
        """Return where the decoded training samples are from the second epoch on."""
        return "memory" if self._kept("train", cache) else "nowhere"

    def read_from(self) -> list[Path]:
        """Return the files that the training samples are read from, as far as they are known."""
        return []

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        """Return what it is to read the stored training samples, step by step.

        Each step, by name, is a function that goes through all of them, the steps before it
        included, and yields how many samples have come.
        """
        return {"read": lambda: iter([len(self.replace()._read("train"))])}

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self.element()
        return ElementSpec(features, (label,), sizes(self._stored_sizes(), *self._shares))

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        chosen = Options(**options)
        part = self._known_split(split, chosen)
        if not self._kept(part.stored, chosen.cache):
            return self._stream(part, chosen)
        return self._memory(split, part, chosen).batches(chosen)

    def rows_in_memory(self, split: str, **options: Any) -> RowsInMemory | None:
        chosen = Options(**options)
        part = self._known_split(split, chosen)
        if not self._kept(part.stored, chosen.cache):
            return None
        return RowsInMemory(self._memory(split, part, chosen), chosen)

    def _known_split(self, split: str, options: Options) -> Split:
        """Return a split that there is, and that the options fit; else raise DataError."""
        split_plan = self._plan(options)
        if split not in split_plan:
            raise DataError(f"{self!r} has no split {split!r}. {suggest(split, split_plan)}")
        check_options(split, split_plan[split].size, self.element()[0], options)
        return split_plan[split]

    def _memory(self, split: str, part: Split, options: Options) -> InMemory:
        images = [f for f in self.element()[0] if f.kind == "image"]
        return self._once(
            ("memory", split, options.seed),
            lambda: InMemory(self._columns(part.stored), part.rows, images),
        )

    def class_counts(self, seed: int = 0) -> dict[str, dict[str, int]]:
        # Class weights ask every epoch, and some sources read their files for the labels.
        return self._once(("counts", seed), lambda: self._count_classes(seed))

    def _count_classes(self, seed: int) -> dict[str, dict[str, int]]:
        import numpy as np

        _, label = self.element()
        if not label.is_class:
            return {}
        by_split = {}
        for name, split in self._plan(Options(1, seed=seed)).items():
            labels = self._read_labels(split.stored)
            kept = labels if split.rows is None else labels[split.rows]
            counts = np.bincount(kept, minlength=len(label.classes)).tolist()
            by_split[name] = dict(zip(label.classes, counts, strict=True))
        return by_split

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
    def _results(self) -> dict[Any, Any]:
        return {}

    def _once(self, key: Hashable, compute: Callable[[], Result]) -> Result:
        """Return what was computed under a key; compute it the first time."""
        if key not in self._results:
            self._results[key] = compute()
        result: Result = self._results[key]
        return result

    def _plan(self, options: Options) -> dict[str, Split]:
        def labels() -> "np.ndarray | None":
            return self._labels("train", options.cache) if self.element()[1].is_class else None

        return self._once(
            ("plan", options.seed),
            lambda: plan(self._stored_sizes(), *self._shares, options.seed, labels),
        )

    def _labels(self, stored: str, cache: bool | str) -> "np.ndarray":
        """Return the labels of a stored split, from memory where it is kept there."""
        kept = self._kept(stored, cache)
        return self._columns(stored).labels if kept else self._read_labels(stored)

    def _columns(self, stored: str) -> Columns:
        from tfpipe.data.labels import check_labels

        def read() -> Columns:
            columns = self._read(stored)
            check_labels(columns.labels, self.element()[1], f"split {stored!r}")
            return columns.in_tensors()

        return self._once(("columns", stored), read)

    def _kept(self, stored: str, cache: bool | str) -> bool:
        """Decide once whether to keep a stored split in memory, and log it."""
        if not self.streams:
            return True
        if isinstance(cache, bool):
            return cache

        def fits() -> bool:
            size = self._stored_sizes()[stored] * sum(f.nbytes for f in self.element()[0])
            return self._fits(size, f"{stored} split", "streamed anew every epoch")

        return self._once(("kept", stored), fits)

    def _fits(self, size: int, what: str, otherwise: str) -> bool:
        """Return whether decoded data fits in memory, and log what follows from it."""
        from tfpipe.data import free_memory

        fits = free_memory.fits(size)
        logger.info(
            "%s: %s decoded, %s (data may take %.0f%% of the %s of free memory)",
            what,
            byte_size(size),
            "kept in memory" if fits else otherwise,
            100 * free_memory.SHARE,
            byte_size(free_memory.available()),
        )
        return fits
