"""The labels of a choice's values: short, unique, and what Keras Tuner can hold."""

from collections import Counter
from collections.abc import Sequence

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.field_types import show
from tfpipe.declare.part import Part

Value = str | int | float | bool

_LONGEST = 40  # longer ones make tables and reports hard to read


def labels_of(values: Sequence[object]) -> tuple[Value, ...]:
    """Return a label of each value; numbers alone and texts alone serve themselves."""
    texts = tuple(v for v in values if type(v) is str)
    integers = tuple(v for v in values if type(v) is int)
    reals = tuple(v for v in values if type(v) is float)
    for alike in (texts, integers, reals):
        if len(alike) == len(values):
            return alike
    names, written = [_name(v) for v in values], [_written(v) for v in values]
    counts = Counter(names)
    labels: list[str] = []
    for number, (name, text) in enumerate(zip(names, written, strict=True), 1):
        fits = len(text) <= _LONGEST and written.count(text) == 1
        labels.append(name if counts[name] == 1 else text if fits else f"{name} {number}")
    if len(set(labels)) < len(labels):  # a text among them is written as another's label
        labels = [f"{label} {number}" for number, label in enumerate(labels, 1)]
    return tuple(labels)


def _name(value: object) -> str:
    """Return what a value is called, or the value where it is short."""
    if isinstance(value, (Deferred, Name)):
        return value.path.rpartition(".")[2]
    name = _written(value)
    if isinstance(value, Part):  # Application("VGG16") is VGG16
        own = getattr(value, "name", None)
        name = own if isinstance(own, str) else type(value).__name__
    return name if len(name) <= _LONGEST else type(value).__name__


def _written(value: object) -> str:
    """Return a value as it is declared, without Keras's module."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else show(value)
    if isinstance(value, (Deferred, Name)):
        module = value.path.rpartition(".")[0]
        return text.removeprefix(f"{module}.") if module else text
    return text
