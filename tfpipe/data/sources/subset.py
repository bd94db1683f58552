"""Some samples of another source: a share of those to train on, or some of its classes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tfpipe.data.columns import Columns
from tfpipe.data.input_fn import InMemory, Options
from tfpipe.data.sources.base import HeldOut, Share, StoredSplits
from tfpipe.data.sources.boxes.box_images import BoxImages
from tfpipe.data.sources.tfds import TFDS
from tfpipe.data.splits import Split, held_out, share_of
from tfpipe.declare.field_types import Positive
from tfpipe.declare.kinds import Source
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, DataError, suggest

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf


def take(source: Source | None, share: float) -> Source:
    """Return the source with a share of its training samples.

    Of a data set of TensorFlow Datasets it is the first of them, as its own slices take it and so
    that the others are not even read: `train[:7%]` and a share of 0.5 give `train[:1750]` of 50,000
    samples. Of any other source it is drawn with the pipeline's seed, the same share of each class.

    Args:
        source: any source of `tfpipe.data`.
        share: of the samples that are trained on as declared, above 0 and at most 1.

    Raises:
        ConfigError: for a share out of range, or data that a method of the pipeline makes.
        DataError: when the data cannot be had.
    """
    if not 0 < share <= 1:
        raise ConfigError(
            f"A share of {share:g} of the training data was asked for. Give a number above 0 and "
            "at most 1, such as 0.07."
        )
    if share == 1 and source is not None:
        return source
    if isinstance(source, TFDS):
        return _first(source, share)
    if not isinstance(source, StoredSplits):
        raise ConfigError(
            "A share of the training data is taken of declared data, and input_fn makes all of "
            "this itself: take the share there."
        )
    return Fraction(source, share)


def _first(source: TFDS, share: float) -> TFDS:
    """Return a data set whose training split is the first share of the declared one."""
    import tensorflow_datasets as tfds

    source._stored_sizes()  # which prepares the data, and refuses a split that is none
    known, slices = source._known, []
    for piece in tfds.core.ReadInstruction.from_spec(source.train).to_absolute(known):
        begin = piece.from_ or 0
        end = known[piece.splitname].num_examples if piece.to is None else piece.to
        slices.append(f"{piece.splitname}[{begin}:{begin + share_of(end - begin, share)}]")
    return source.replace(train="+".join(slices))


class PartOf(StoredSplits):
    """Some samples of another source: what is read, and how, is that one's business."""

    internal: ClassVar[bool] = True
    of: StoredSplits

    @property
    def validation(self) -> HeldOut | None:
        """What the other source holds out, for data that is generated in its place."""
        return getattr(self.of, "validation", None)

    @property
    def test(self) -> HeldOut | None:
        """The same for the test split."""
        return getattr(self.of, "test", None)

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        return self.of.element()

    def label_reading(self) -> str:
        return self.of.label_reading()

    def notes(self) -> list[str]:
        return self.of.notes()

    def verify(self, cache: bool | str = "auto") -> None:
        self.of.verify(cache)

    def _kept(self, stored: str, cache: bool | str) -> bool:
        return self.of._kept(stored, cache)

    def _columns(self, stored: str) -> Columns:
        return self.of._columns(stored)

    def _labels(self, stored: str, cache: bool | str) -> "np.ndarray":
        return self.of._labels(stored, cache)

    def _read_labels(self, stored: str) -> "np.ndarray":
        return self.of._read_labels(stored)

    def _stream(self, split: Split, options: Options) -> "tf.data.Dataset":
        return self.of._stream(split, options)

    def _stored_places(self, stored: str) -> Sequence[str]:
        return self.of._stored_places(stored)

    def keeps(self, cache: bool | str) -> Literal["memory", "disk", "nowhere"]:
        return self.of.keeps(cache)

    def read_from(self) -> list[Path]:
        return self.of.read_from()

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        return self.of.passes()

    @property
    def _shares(self) -> tuple[HeldOut | None, HeldOut | None]:
        return self.of._shares


class Fraction(PartOf):
    """Another source with a share of its training samples, the same share of each class.

    Args:
        of: the source.
        share: how much of its training split, after what it holds out.
    """

    share: Share

    def spec(self, seed: int = 0) -> ElementSpec:
        whole = self.of.spec(seed)
        return whole.replace(
            splits=whole.splits | {"train": share_of(whole.splits["train"], self.share)}
        )

    def _plan(self, options: Options) -> dict[str, Split]:
        def part() -> dict[str, Split]:
            whole = self.of._plan(options)
            return whole | {"train": self._part(whole["train"], options)}

        return self._once(("plan", options.seed), part)

    def _memory(self, split: str, part: Split, options: Options) -> InMemory:
        if isinstance(self.of, BoxImages):  # whose boxes move with their images
            return self.of._memory(split, part, options)
        return super()._memory(split, part, options)

    def _part(self, train: Split, options: Options) -> Split:
        import numpy as np

        rows = np.arange(train.size) if train.rows is None else train.rows
        is_class = self.element()[1].is_class
        labels = self._labels(train.stored, options.cache)[rows] if is_class else None
        picked = rows[held_out(len(rows), self.share, options.seed, labels)]
        return Split(train.stored, len(picked), picked)


class Subset(PartOf):
    """Another source with some of its classes, or with the first samples of its splits.

    Args:
        of: the source; its labels are classes.
        classes: the names of those that are kept, in order of their new index; () for all.
        train_size: how many training samples are kept, the first ones; None for all.
        test_size: the same of the test split.

    Raises:
        ConfigError: for less than two classes, or one that is named twice.
        DataError: for a class that the source does not have, labels that are no classes, or fewer
            samples than are to be kept.

    Example:
        data = Subset(TFDS("cifar10"), classes=("cat", "dog"), train_size=200)
    """

    internal: ClassVar[bool] = False
    classes: tuple[str, ...] = ()
    train_size: Positive | None = None
    test_size: Positive | None = None

    def validate(self) -> None:
        """Refuse classes that are too few to tell apart."""
        if self.classes and (len(self.classes) < 2 or len({*self.classes}) < len(self.classes)):
            raise ConfigError(
                f"Subset.classes takes two names or more, each once; got {self.classes}."
            )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        features, label = self.of.element()
        if not label.is_class:
            raise DataError(
                f"Subset: {label.name!r} is of kind {label.kind!r}, and samples are chosen by "
                "their class."
            )
        for name in self.classes:
            if name not in label.classes:
                raise DataError(
                    f"Subset: the data has no class {name!r}. {suggest(name, label.classes)}"
                )
        return features, label.replace(classes=self.classes or label.classes)

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self.element()
        splits = {name: split.size for name, split in self._plan(Options(1, seed=seed)).items()}
        return ElementSpec(features, (label,), splits)

    def _plan(self, options: Options) -> dict[str, Split]:
        def parts() -> dict[str, Split]:
            return {n: self._chosen(n, s, options) for n, s in self.of._plan(options).items()}

        return self._once(("plan", options.seed), parts)

    def _chosen(self, name: str, split: Split, options: Options) -> Split:
        """Return the rows of a split that are kept."""
        import numpy as np

        rows = np.arange(split.size) if split.rows is None else split.rows
        rows = rows[self._indices[self.of._labels(split.stored, options.cache)[rows]] >= 0]
        size = {"train": self.train_size, "test": self.test_size}.get(name)
        if len(rows) < (size or 1):
            of = f" of {' and '.join(self.classes)}" if self.classes else ""
            raise DataError(
                f"Subset: the {name} split has {len(rows):,} samples{of}, and {size or 1:,} are "
                "to be kept. Keep fewer, or take more of the source."
            )
        return Split(split.stored, len(rows[:size]), rows[:size])

    @cached_property
    def _indices(self) -> "np.ndarray":
        """[the source's classes] the new index of each, -1 for those that are left out."""
        import numpy as np

        _, label = self.of.element()
        kept = self.classes or label.classes
        return np.array([kept.index(c) if c in kept else -1 for c in label.classes])

    def _renamed(self, labels: "np.ndarray") -> "np.ndarray":
        # Rows that are left out need an index too: they are read, but no split has them.
        return self._indices[labels].clip(0)

    def _columns(self, stored: str) -> Columns:
        def renamed() -> Columns:
            columns = self.of._columns(stored)
            return replace(columns, labels=self._renamed(columns.labels))

        return self._once(("columns", stored), renamed)

    def _labels(self, stored: str, cache: bool | str) -> "np.ndarray":
        return self._renamed(self.of._labels(stored, cache))

    def _read_labels(self, stored: str) -> "np.ndarray":
        return self._renamed(self.of._read_labels(stored))

    def _stream(self, split: Split, options: Options) -> "tf.data.Dataset":
        import tensorflow as tf

        indices = tf.constant(self._indices)
        return self.of._stream(split, options).map(
            lambda x, y, *weights: (x, tf.gather(indices, y), *weights), tf.data.AUTOTUNE
        )
