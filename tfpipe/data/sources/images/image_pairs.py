"""ImagePairs: images and what a network should make of them, such as the same ones, larger."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tfpipe.data.broken_input import OnBad, Problem, left_out, refuse
from tfpipe.data.images.formats import SUFFIXES, NotReadable, read
from tfpipe.data.input_fn import InMemory, Options, RowsInMemory, check_batch_size
from tfpipe.data.sources.base import HeldOut, StoredSplits
from tfpipe.data.splits import Split, sizes
from tfpipe.declare.field_types import NonNegative, Positive
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, DataError, suggest
from tfpipe.text import counted, listed

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfpipe.data.images.pixels_in_memory import ImagePairsInMemory, Pixels

_SAMPLES, _SAMPLE_SIDE = 64, 96  # generated images, and pixels of their shorter side at the least


@dataclass(frozen=True)
class _Stored:
    """The images of a stored split, what they should become, and what could not be used.

    Args:
        inputs: [height, width, channels] uint8 each.
        targets: the same, larger by the scale.
        places: the target's file of each.
        problems: files that cannot be used.
        cut: how many targets lost rows or columns, so that the scale divides them.
    """

    inputs: "list[np.ndarray]"
    targets: "list[np.ndarray]"
    places: list[str]
    problems: list[Problem]
    cut: int = 0


class ImagePairs(StoredSplits):
    """Images of any size, and for each the image that a network should make of it.

    Either both are in folders of their own, under the same names, or one folder holds good images
    alone, and worse ones are made of them, in this order: `grey`, `blur`, `shrink`, `noise`.

    Training reads a square of each image, at a place that follows from the seed, the epoch and the
    sample alone, and `augment` changes both images of a pair in the same way. Validation and test
    read whole images, one at a time.

    Args:
        path: the folder of the images; files in folders within it count too.
        targets: the folder of what they should become, each under the name of its image, whatever
            the ending, and larger by the same whole number. None where images are made worse.
        shrink: how many times smaller the inputs are: bicubically, with antialiasing, as Pillow
            does it. Rows and columns beyond a multiple are left out.
        blur: standard deviation in pixels of a Gaussian that the inputs are blurred by.
        noise: standard deviation of what is added to the inputs' values of 0 to 255, drawn anew in
            each pass of training, and once and for all for each image that is held out.
        grey: whether the inputs are grey, and the targets have colours.
        channels: 3 for colour, 1 for grey.
        crop: pixels a side of a target's square in training, which `shrink` divides.
        crops: how many squares of each image a pass of training has.
        validation: a share of the images to hold out, a number, which takes the last ones, another
            folder, or None.
        test: the same for the test split. A folder of pairs has folders in it that are called as
            those of `path` and `targets` are.
        on_bad: "error" refuses files that cannot be used; "skip" leaves them out and says so.

    Raises:
        ConfigError: for fields that do not go together.
        DataError: for folders and files that cannot be used.

    Example:
        data = ImagePairs("t91", shrink=3, crop=96, crops=16, test="set5")
    """

    path: str
    targets: str | None = None
    shrink: Positive = 1
    blur: NonNegative = 0.0
    noise: NonNegative = 0.0
    grey: bool = False
    channels: Literal[1, 3] = 3
    crop: Positive = 96
    crops: Positive = 1
    validation: HeldOut | None = 0.1
    test: HeldOut | None = None
    on_bad: OnBad = "error"

    def validate(self) -> None:
        """Refuse fields that do not go together."""
        made = {"shrink": self.shrink != 1, "blur": self.blur, "noise": self.noise}
        made["grey"] = self.grey
        asked = [name for name, given in made.items() if given]
        if self.targets is not None and asked:
            raise ConfigError(
                f"ImagePairs.targets gives what images should become, and {listed(asked)} would "
                "make the images worse. Leave one of the two out."
            )
        if self.targets is None and not asked:
            raise ConfigError(
                "ImagePairs has nothing to learn: give targets=FOLDER, or say how the images are "
                "made worse: shrink=4, blur=2.0, noise=25 or grey=True."
            )
        if self.grey and self.channels == 1:
            raise ConfigError("ImagePairs(grey=True) has targets in colour: leave channels=1 out.")
        if self.crop % self.shrink:
            raise ConfigError(
                f"ImagePairs.crop={self.crop} is no multiple of shrink={self.shrink}. Use "
                f"{max(1, self.crop // self.shrink) * self.shrink}."
            )

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        inputs = 1 if self.grey else self.channels
        feature = Feature("image", (0, 0, inputs), "uint8", "image")
        shape, scale = (0, 0, self.channels), self._scale
        return (feature,), Label("target", "image", shape, scale=scale, colours=self.grey)

    def spec(self, seed: int = 0) -> ElementSpec:
        features, label = self.element()
        counts = sizes(self._stored_sizes(), *self._shares)
        return ElementSpec(features, (label,), counts | {"train": self.crops * counts["train"]})

    def label_reading(self) -> str:
        if self.targets is not None:
            return f"the images of {self.targets}, {self._scale} times as large"
        done = [f"shrunk {self.shrink} times" if self.shrink > 1 else ""]
        done += [f"blurred by {self.blur:g} pixels" if self.blur else ""]
        done += [f"with noise of {self.noise:g}" if self.noise else "", "grey" if self.grey else ""]
        return f"the images as they are; the inputs are {listed([*filter(None, done)])}"

    def notes(self) -> list[str]:
        notes = super().notes()
        for name in self._folders:
            stored = self._pairs(name)
            total = len(stored.places) + len(stored.problems)
            notes += left_out(stored.problems, total, "images")
            if stored.cut:
                notes.append(
                    f"{stored.cut:,} of {counted(len(stored.places), 'image')} lost up to "
                    f"{self.shrink - 1} rows or columns at the end, so that {self.shrink} divides "
                    "them."
                )
        return notes

    def verify(self, cache: bool | str = "auto") -> None:
        for name in self._folders:
            self._pairs(name)

    def read_from(self) -> list[Path]:
        return self._files(self._root)

    def passes(self) -> dict[str, Callable[[], Iterator[int]]]:
        return {"decode": lambda: iter([len(self.replace()._pairs("train").places)])}

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        return super().input_fn(split, **self._by_split(split, options))

    def rows_in_memory(self, split: str, **options: Any) -> RowsInMemory | None:
        return super().rows_in_memory(split, **self._by_split(split, options))

    def _by_split(self, split: str, options: dict[str, Any]) -> dict[str, Any]:
        """Return how batches are made: of whole images one at a time."""
        return options if split == "train" else options | {"batch_size": 1, "augment": ()}

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser()

    @property
    def _scale(self) -> int:
        return self.shrink if self.targets is None else self._scale_of_targets

    @property
    def _folders(self) -> dict[str, Path]:
        """The folders of images by the name of their stored split."""
        others = {name: Path(name).expanduser() for name in self._shares if isinstance(name, str)}
        if self.targets is not None:
            others = {name: folder / self._root.name for name, folder in others.items()}
        for field in ("validation", "test"):
            folder = others.get(str(getattr(self, field)))
            if folder is not None and folder.resolve() == self._root.resolve():
                raise ConfigError(
                    f"ImagePairs.{field}={str(getattr(self, field))!r} is what is trained on. "
                    "Use another folder, or a share such as 0.1."
                )
        return {"train": self._root, **others}

    def _stored_sizes(self) -> dict[str, int]:
        return {name: len(self._pairs(name).places) for name in self._folders}

    def _stored_places(self, stored: str) -> Sequence[str]:
        return self._pairs(stored).places

    def places(self, split: str, seed: int = 0) -> list[str]:
        places = super().places(split, seed)
        return [p for p in places for _ in range(self.crops)] if split == "train" else places

    def _overlap(self, one: str, other: str) -> bool:
        return Path(one).resolve() == Path(other).resolve()

    def _known_split(self, split: str, options: Options) -> Split:
        from tfpipe.data.augment.chain import check_all
        from tfpipe.data.augment.geometry import flip, quarter_turn

        plan = self._plan(options)
        if split not in plan:
            raise DataError(f"{self!r} has no split {split!r}. {suggest(split, plan)}")
        if split == "train":
            check_batch_size(options.batch_size, self.crops * plan[split].size)
            feature = self.element()[0][0]
            side = self.crop // self._scale
            for augmentation in options.augment:
                if not isinstance(augmentation, (flip, quarter_turn)):
                    raise ConfigError(
                        f"augment: {augmentation!r} would change what is true as well. Pairs of "
                        "images take flip() and quarter_turn()."
                    )
            check_all(options.augment, feature.replace(shape=(side, side, feature.shape[2])))
        return plan[split]

    def _memory(self, split: str, part: Split, options: Options) -> InMemory:
        return self._once(("memory", split, options.seed), lambda: self._hold(split, part))

    def _hold(self, split: str, part: Split) -> "ImagePairsInMemory":
        import numpy as np

        from tfpipe.data.images.pixels_in_memory import ImagePairsInMemory

        rows = np.arange(part.size) if part.rows is None else part.rows
        inputs, targets = self._pixels(part.stored)
        training = split == "train"
        return ImagePairsInMemory(
            inputs,
            targets,
            np.repeat(rows, self.crops) if training else rows,
            self.crop if training else None,
            self._scale,
            self.noise,
        )

    def _pixels(self, stored: str) -> "tuple[Pixels, Pixels]":
        from tfpipe.data.images.pixels_in_memory import Pixels

        def hold() -> "tuple[Pixels, Pixels]":
            pairs = self._pairs(stored)
            return Pixels(pairs.inputs), Pixels(pairs.targets)

        return self._once(("pixels", stored), hold)

    def _pairs(self, stored: str) -> _Stored:
        return self._once(("pairs", stored), lambda: self._read_pairs(stored))

    def _read_pairs(self, stored: str) -> _Stored:
        """Return the pairs of a stored split; raise DataError for files that cannot be used."""
        folder = self._folders[stored]
        found = self._of_folders(folder) if self.targets is not None else self._made_worse(folder)
        if stored == "train":
            found = self._large_enough(found)
        total = len(found.places) + len(found.problems)
        if self.on_bad == "error":
            refuse(found.problems, total, "images", self._owner)
        if not found.places:
            raise DataError(f"{self._owner}: {folder} holds no image that can be used.")
        size = sum(image.nbytes for image in (*found.inputs, *found.targets))
        if not self._fits(size, f"{folder}", "which does not fit"):
            raise DataError(
                f"{self._owner}: the images of {folder} do not fit in memory, where they are held "
                "decoded. Train on fewer or smaller ones: cut large images into parts."
            )
        return found

    @property
    def _owner(self) -> str:
        return f"ImagePairs({self.path!r})"

    def _files(self, folder: Path) -> list[Path]:
        """Return the image files in a folder, sorted; raise DataError where there are none."""
        if not folder.is_dir():
            held_out = [n for n in ("validation", "test") if isinstance(getattr(self, n), str)]
            within = f", which has to hold {folder.name}" if self.targets is not None else ""
            fields = listed(["data.path", *(f"data.{name}{within}" for name in held_out)])
            raise DataError(
                f"{self._owner}: there is no folder {folder.absolute()}. Set {fields}; paths are "
                "relative to the current folder. Or try the pipeline without it by --sample."
            )
        files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"{self._owner}: no image in {folder.absolute()}.")
        return files

    def _made_worse(self, folder: Path) -> _Stored:
        """Return good images, and the inputs that are made of them."""
        from tfpipe.data.images.degrade import cut_to_whole

        stored = _Stored([], [], [], [])
        cut = 0
        for file in self._files(folder):
            try:
                image = self._image(file, self.channels)
                target = cut_to_whole(image, self.shrink)
                if not target.size:
                    raise NotReadable(f"{_size(image)} pixels, less than shrink={self.shrink}")
            except NotReadable as error:
                stored.problems.append(Problem(_place(file, folder), str(error)))
                continue
            cut += target.shape != image.shape
            stored.targets.append(target)
            stored.inputs.append(self._worse(target))
            stored.places.append(str(file))
        return _Stored(stored.inputs, stored.targets, stored.places, stored.problems, cut)

    def _worse(self, image: "np.ndarray") -> "np.ndarray":
        from tfpipe.data.images import degrade

        image = degrade.grey(image) if self.grey else image
        image = degrade.blurred(image, self.blur) if self.blur else image
        return degrade.shrunk(image, self.shrink) if self.shrink > 1 else image

    def _of_folders(self, folder: Path) -> _Stored:
        """Return images with their targets, which lie beside them under the same names."""
        scale = self._scale_of_targets
        stored = _Stored([], [], [], [])
        for file, target_file in self._matched(folder):
            try:
                image, target = (self._image(f, self.channels) for f in (file, target_file))
                height, width = image.shape[0] * scale, image.shape[1] * scale
                if target.shape[:2] != (height, width):
                    raise NotReadable(
                        f"{_size(image)} pixels, and its target {target_file.name} has "
                        f"{_size(target)} where {height}x{width} are expected"
                    )
            except NotReadable as error:
                stored.problems.append(Problem(_place(file, folder), str(error)))
                continue
            stored.inputs.append(image)
            stored.targets.append(target)
            stored.places.append(str(target_file))
        return stored

    def _matched(self, folder: Path) -> list[tuple[Path, Path]]:
        """Return the files of a folder with their targets; raise DataError where one has none."""
        beside = Path(str(self.targets)).expanduser()
        if folder != self._root:
            beside = folder.parent / beside.name
        inputs, targets = self._files(folder), self._files(beside)
        by_name = {file.relative_to(beside).with_suffix(""): file for file in targets}
        named = [(file, file.relative_to(folder).with_suffix("")) for file in inputs]
        for files, within in ((inputs, folder), (targets, beside)):
            first: dict[Path, Path] = {}
            for file in files:
                name = file.relative_to(within).with_suffix("")
                if name in first:
                    raise DataError(
                        f"{self._owner}: {first[name].name} and {file.name} in {within} have one "
                        "name, by which pairs are found. Leave one of them out."
                    )
                first[name] = file
        alone = [str(name) for _, name in named if name not in by_name]
        more = sorted({*by_name} - {name for _, name in named})
        if alone or more:
            parts = []
            if alone:
                parts.append(f"{counted(len(alone), 'image')} without a target ({alone[0]} first)")
            if more:
                parts.append(f"{counted(len(more), 'target')} without an image ({more[0]} first)")
            raise DataError(
                f"{self._owner}: {folder} has {' and '.join(parts)} in {beside}. Each image and "
                "its target have the same name; the ending may differ."
            )
        return [(file, by_name[name]) for file, name in named]

    @cached_property
    def _scale_of_targets(self) -> int:
        """How many times larger the first target is than its image."""
        for file, target_file in self._matched(self._root):
            try:
                image, target = (self._image(f, 3) for f in (file, target_file))
            except NotReadable:
                continue
            scale = target.shape[0] // image.shape[0]
            if scale and target.shape[:2] == (image.shape[0] * scale, image.shape[1] * scale):
                if self.crop % scale:
                    raise ConfigError(
                        f"ImagePairs.crop={self.crop} is no multiple of the {scale} times that "
                        f"targets are larger. Use {max(1, self.crop // scale) * scale}."
                    )
                return scale
            raise DataError(
                f"{self._owner}: {file.name} has {_size(image)} pixels and its target "
                f"{_size(target)}, which is not the same whole number of times as high and as wide."
            )
        raise DataError(f"{self._owner}: none of the pairs can be read.")

    def _image(self, file: Path, channels: int) -> "np.ndarray":
        """Return the pixels of a file; raise NotReadable where it has none."""
        try:
            return read(file.read_bytes(), channels)[0]
        except OSError as error:
            raise NotReadable(f"cannot be read: {error.strerror}") from None

    def _large_enough(self, found: _Stored) -> _Stored:
        """Return the pairs that hold a square of `crop`; the others are problems."""
        kept = [i for i, image in enumerate(found.targets) if min(image.shape[:2]) >= self.crop]
        if len(kept) == len(found.targets):
            return found
        small = [
            Problem(
                Path(found.places[i]).name,
                f"{_size(image)} pixels, less than data.crop={self.crop}; it fits "
                f"crop={min(image.shape[:2]) // self._scale * self._scale}",
            )
            for i, image in enumerate(found.targets)
            if i not in {*kept}
        ]
        parts = ([held[i] for i in kept] for held in (found.inputs, found.targets))
        inputs, targets = parts
        places = [found.places[i] for i in kept]
        return _Stored(inputs, targets, places, [*found.problems, *small], found.cut)


def _place(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder))


def _size(image: "np.ndarray") -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


class SampleImagePairs(ImagePairs):
    """Generated images in place of a folder's, in which there is something to sharpen.

    Args:
        size: how many training images to make.
        seed: the same seed makes the same images.
    """

    internal: ClassVar[bool] = True
    stands_in: ClassVar[bool] = True
    size: Positive = _SAMPLES
    seed: int = 0

    def read_from(self) -> list[Path]:
        return []

    @property
    def _folders(self) -> dict[str, Path]:
        held_out = [name for name in self._shares if isinstance(name, str)]
        return {name: Path(name) for name in ("train", *held_out)}

    def _made_worse(self, folder: Path) -> _Stored:
        from tfpipe.data.images.degrade import cut_to_whole
        from tfpipe.data.images.sample_images import sample_images

        training = folder.name == "train"
        count = self.size if training else max(1, self.size // 8)
        side = self.shrink * (max(self.crop, _SAMPLE_SIDE) // self.shrink)
        made = sample_images(count, side, self.channels, self.seed + 7919 * (not training))
        images = [cut_to_whole(image, self.shrink) for image in made]
        inputs = [self._worse(image) for image in images]
        return _Stored(inputs, images, [f"image {i}" for i in range(1, count + 1)], [])


def sample_image_pairs_of(source: ImagePairs, size: int | None, seed: int) -> SampleImagePairs:
    """Return generated images in place of a source's own.

    Args:
        source: whose fields to take; its files are not read.
        size: how many training images; 64 when None.
        seed: the pipeline's seed.
    """
    worse = bool(source.targets is None)
    return SampleImagePairs(
        "train",
        shrink=source.shrink,
        blur=source.blur if worse else 1.0,
        noise=source.noise,
        grey=source.grey,
        channels=source.channels,
        crop=source.crop,
        crops=source.crops,
        validation=None if source.validation is None else 0.1,
        test=None if source.test is None else "test",
        size=size or _SAMPLES,
        seed=seed,
    )
