"""The element spec: what a source yields and a model reads, and the only thing they share."""

from math import prod
from typing import Literal

from tfpipe.declare.field_types import Positive
from tfpipe.declare.formats import DateFormat, NumberFormat, TokenFormat
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError

_BYTES = {"bool": 1, "int8": 1, "uint8": 1, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2}
_BYTES |= {"string": 256}  # a guess: they differ

Kind = Literal["image", "vector", "array", "number", "date", "category", "text", "tokens"]
COLUMN_KINDS = ("number", "date", "category")  # of a table


class Feature(Part):
    """One input of a model.

    Args:
        name: its name, as in the data set and in the export's signature.
        shape: its shape without the batch axis; 0 for a side of an image that may have any length.
        dtype: its type as stored, such as "uint8".
        kind: an image (height, width, channels), a vector (numbers), any other array; or a column
            of a table: a number, a date, a category (a word of a few), a text (words); or tokens,
            the places of a text's pieces in a vocabulary.
        categories: the words of a category where they are declared; else they are read from the
            training split. The vocabulary of tokens.
        kept: (height, width) at which images are held in memory or in a file; those of `shape` when
            None.
        resize: (height, width) that a picture just covers when it is resized, its proportions kept,
            before the centre of `shape` is cut out of it; None where it is stretched to `shape`.
        letterbox: whether a picture is resized to just fit in `shape`, its proportions kept, with
            grey around it.
        format: how numbers and dates are written that come as texts; None for any other feature.
        tokens: what the text was cut into; None for what are no tokens. Of a text, what a model
            cuts it into that reads a sentence at a time.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: Kind
    categories: tuple[str, ...] = ()
    kept: tuple[Positive, Positive] | None = None
    resize: tuple[Positive, Positive] | None = None
    letterbox: bool = False
    format: NumberFormat | DateFormat | None = None
    tokens: TokenFormat | None = None

    @property
    def tensor_shape(self) -> tuple[int | None, ...]:
        """The shape as TensorFlow has it: None for a side that may have any length."""
        return tuple(side or None for side in self.shape)

    @property
    def any_size(self) -> bool:
        """Whether it is an image whose sides may have any length."""
        return self.kind == "image" and 0 in self.shape

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape of a sample as held in memory or in a file."""
        return self.shape if self.kept is None else (*self.kept, *self.shape[2:])

    @property
    def width(self) -> int:
        """How many numbers a model reads of a column of numbers or dates."""
        return len(self.format.names) if isinstance(self.format, DateFormat) else 1

    @property
    def nbytes(self) -> int:
        """How many bytes one sample takes as stored."""
        size = _BYTES.get(self.dtype, 8 if self.dtype.endswith("64") else 4)
        return prod(self.stored_shape) * size


class Label(Part):
    """What is predicted.

    Args:
        name: its name in the data set.
        kind: "class" for a class index, "multilabel" for several yes/no answers, "real" for real
            numbers, "tokens" for a text's next pieces, "sentence" for those of a sentence, "image"
            for an image, "several" for several labels by name, or what a task of another kind
            reads.
        shape: its shape without the batch axis; () for a class index or a single number; 0 for a
            side of an image that may have any length.
        classes: the class names in order of their index, or a vocabulary; empty for real numbers.
        columns: what each of several real numbers is called; empty where they have no names.
        parts: the labels of kind "several": a sample's label is a mapping of their names.
        scale: how many times as high and wide an image is as the input.
        colours: whether images are compared by all channels: their luma is what is given.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    parts: tuple["Label", ...] = ()
    scale: Positive = 1
    colours: bool = False

    def validate(self) -> None:
        """Refuse names that no file of names, one a line, can hold."""
        for name in () if self.is_vocabulary else self.classes:
            if len(f"{name}.".splitlines()) > 1 or name != name.encode(errors="ignore").decode():
                raise ConfigError(
                    f"The class {name!r} of {self.name!r} has a line break, or what is no letter, "
                    "in its name. Give it another, such as with classes=(...)."
                )

    @property
    def is_class(self) -> bool:
        """Whether a sample's label is the index of one class."""
        return self.kind == "class"

    @property
    def is_vocabulary(self) -> bool:
        """Whether the classes are the tokens of a vocabulary."""
        return self.kind in ("tokens", "sentence")

    @property
    def dtype(self) -> str:
        """The type of its numbers in memory."""
        of_kind = {"class": "int64", "tokens": "int32", "sentence": "int32", "image": "uint8"}
        return of_kind.get(self.kind, "float32")


class ElementSpec(Part):
    """One element of a data set, and how many there are.

    Args:
        features: the inputs; a model gets one alone as a tensor, several as a mapping by name.
        labels: the answers; one usually.
        splits: the size of each split by name: "train", and "validation" and "test" where they are.
    """

    features: tuple[Feature, ...]
    labels: tuple[Label, ...]
    splits: dict[str, int] = {}  # noqa: RUF012 (a default is copied when a part is made)

    @property
    def feature(self) -> Feature:
        """The only feature; raises ConfigError where there are several."""
        if len(self.features) != 1:
            names = ", ".join(f.name for f in self.features)
            raise ConfigError(
                f"One input was expected, the data has {len(self.features)}: {names}."
            )
        return self.features[0]

    @property
    def label(self) -> Label:
        """The only label; raises ConfigError where there are several."""
        if len(self.labels) != 1:
            names = ", ".join(label.name for label in self.labels)
            raise ConfigError(f"One label was expected, the data has {len(self.labels)}: {names}.")
        return self.labels[0]

    @property
    def is_table(self) -> bool:
        """Whether the features are columns of a table: numbers, dates and categories."""
        return all(f.kind in COLUMN_KINDS for f in self.features)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; empty for real numbers."""
        return self.label.classes

    @property
    def gives_images(self) -> bool:
        """Whether a model of such data answers with an image."""
        return [label.kind for label in self.labels] == ["image"]

    @property
    def finds_boxes(self) -> bool:
        """Whether a model of such data finds objects in an image."""
        return [label.kind for label in self.labels] == ["boxes"]

    @property
    def translates(self) -> bool:
        """Whether a model of such data translates sentences."""
        return [label.kind for label in self.labels] == ["sentence"]

    @property
    def asked(self) -> "ElementSpec":
        """What a person gives a trained model: of one that translates a sentence, as a text."""
        if not self.translates:
            return self
        source = self.features[0]
        text = source.replace(shape=(), dtype="string", kind="text")
        return self.replace(features=(text,))
