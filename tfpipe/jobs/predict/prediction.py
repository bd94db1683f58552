"""What is answered, and what is read for it: some items at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfpipe.tasks.detection import Box
from tfpipe.tasks.several import flattened
from tfpipe.tasks.task import Named


@dataclass(frozen=True)
class Prediction:
    """What a model says of a file, a row or a frame.

    Args:
        file: its place: the file as it was named or found, the line of a row behind a colon, the
            time of a frame in its clip.
        outputs: the names of the answers with their values, the most probable first, by output;
            the name of an only output is empty.
        error: why there is no answer; empty where there is one.
        note: what a person must not overlook about the answer.
        image: [height, width, channels] what the model saw, uint8; where it was asked for.
        answer: [height, width, channels] the image that it answered with, uint8; None of a model
            that answers otherwise.
        boxes: the objects that it found, in pixels of the upright picture, the best first.
        picture: the picture in which they are: its file, or the pixels of a frame.
        size: height and width of that.
    """

    file: str
    outputs: Mapping[str, Named] = field(default_factory=dict)
    error: str = ""
    note: str = ""
    image: np.ndarray | None = field(default=None, compare=False, repr=False)
    answer: np.ndarray | None = field(default=None, compare=False, repr=False)
    boxes: tuple[Box, ...] = ()
    picture: Path | np.ndarray | None = field(default=None, compare=False, repr=False)
    size: tuple[int, int] = (0, 0)

    def pixels(self) -> np.ndarray:
        """Return the picture in which boxes were found, [height, width, 3] uint8."""
        from tfpipe.data.images.formats import read

        if isinstance(self.picture, Path):
            return read(self.picture.read_bytes(), 3)[0]
        assert self.picture is not None
        return np.asarray(self.picture)

    @property
    def values(self) -> Named:
        """The answers in a row; those of several outputs with the output's name before each."""
        return flattened(self.outputs) if self.outputs else ()


@dataclass
class Chunk:
    """Some items in order.

    Args:
        places: where each is, as a `Prediction` says it.
        errors: what is wrong with an item, by its index.
        encoded: files for the model to decode itself, by their index.
        samples: an array for each input, with a row for each of the other items.
        pictures: the file, or the pixels of a frame, of each item that has boxes, by its index.
        sizes: height and width of each of them.
    """

    places: list[str]
    errors: dict[int, str] = field(default_factory=dict)
    encoded: dict[int, bytes] = field(default_factory=dict)
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    pictures: dict[int, Path | np.ndarray] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)


def refused(place: str, error: str) -> Chunk:
    """Return a chunk of one item that cannot be answered."""
    return Chunk([place], {0: error})


def without(place: str, message: str) -> str:
    """Return a message without the place with which it begins, as it is shown beside that."""
    return message.removeprefix(f"{place} ").removeprefix(f"{place}: ")
