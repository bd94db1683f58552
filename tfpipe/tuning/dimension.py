"""One range of a search, from the declaration to Keras Tuner, the records and the report."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.field_types import show
from tfpipe.declare.hp import Bool, Choice, Float, Int, Range, same
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError
from tfpipe.text import brief

if TYPE_CHECKING:
    import keras_tuner

Value = str | int | float | bool
When = tuple[tuple[str, Value], ...]

_LISTED = 1000
_LONGEST_LABEL = 40  # longer ones make tables and reports hard to read


@dataclass(frozen=True)
class Dimension:
    """One range of a space.

    Args:
        name: the dotted name of its place, such as "optimizer.learning_rate"; inside a value of a
            Choice, "optimizer[SGD].learning_rate".
        range: the range as it was declared.
        when: the dimensions and values, outermost first, which a trial must have for this one to
            count; empty for one that always does.
        labels: the short names, unique within the dimension, of a Choice's values, in their order;
            numbers and texts serve themselves. Empty for other ranges.
    """

    name: str
    range: Range
    when: When = ()
    labels: tuple[Value, ...] = ()

    @property
    def declared(self) -> Value:
        """The declaration's own value, as Keras Tuner holds it."""
        if isinstance(self.range, Choice):
            return self.labels[_index(self.range)]
        value: Value = self.range.value  # type: ignore[attr-defined]
        if isinstance(self.range, Float) and self.range.step is not None:
            # Steps of 0.1 come to 0.30000000000000004, which a grid would take beside 0.3.
            index = round((self.range.value - self.range.min) / self.range.step)
            near = self.range.min + index * self.range.step
            return near if not self.range.log and _number(self.range, near) == value else value
        return value

    @property
    def size(self) -> int | None:
        """How many values a search may take; None where there is no end of them."""
        if isinstance(self.range, (Float, Int)):
            return _steps(self.range)
        return len(self.labels) or 2

    @property
    def grid(self) -> tuple[Value, ...]:
        """The values of a grid search: all, or 10 spread evenly, and the declared one."""
        values = self.labels or _grid(self.range)
        declared = self.declared if self.labels else _number(self.range, self.declared)
        return values if declared in values else (declared, *values)

    @property
    def grid_size(self) -> int:
        """How many values `grid` has, which may be too many to list."""
        steps = None if self.labels or isinstance(self.range, Bool) else _steps(self.range)  # type: ignore[arg-type]
        if steps is None or steps <= _LISTED or self.range.log:  # type: ignore[attr-defined]
            return len(self.grid)
        low, step = self.range.min, self.range.step or 1  # type: ignore[attr-defined]
        place = (self.range.value - low) / step  # type: ignore[attr-defined]
        return steps + (not math.isclose(place, round(place), abs_tol=1e-6))

    def candidates(self) -> tuple[Value, ...]:
        """The values that stand for all: each of a Choice, the ends and the middle of others."""
        return self.labels or tuple(self.range.candidates())

    def position(self, label: Value) -> int:
        """Where a label stands; a number that was rounded on its way is the one it is close to.

        Raises:
            ConfigError: when there is no such label.
        """
        if label in self.labels:
            return self.labels.index(label)
        for index, known in enumerate(self.labels):
            numbers = isinstance(known, float) and isinstance(label, float)
            if numbers and math.isclose(known, label, rel_tol=1e-6):  # type: ignore[arg-type]
                return index
        listed = ", ".join(map(str, self.labels))
        raise ConfigError(f"{self.name} is one of {listed}, got {label!r}.")

    def number(self, value: Any) -> Value:
        """A value from Keras Tuner as the field takes it, within the bounds that were declared."""
        return _number(self.range, value)

    def register(self, made: "keras_tuner.HyperParameters") -> None:
        """Add the dimension to Keras Tuner's space, under the conditions that are open there."""
        given = self.range
        if isinstance(given, Bool):
            made.Boolean(self.name, default=self.declared)
        elif isinstance(given, Choice):
            made.Choice(self.name, list(self.labels), default=self.declared)
        else:
            assert isinstance(given, (Float, Int))
            add = made.Int if isinstance(given, Int) else made.Float
            sampling = "log" if given.log else "linear"
            ends = (given.min, _reachable(given))
            add(self.name, *ends, step=given.step, sampling=sampling, default=self.declared)

    @property
    def numeric(self) -> bool:
        """Whether its values lie between two ends, `range.min` and `range.max`."""
        return isinstance(self.range, (Float, Int))

    @property
    def values(self) -> tuple[Value, ...]:
        """The values of a Choice, by their labels, or of a Bool; none of a numeric range."""
        return (False, True) if isinstance(self.range, Bool) else self.labels

    def described(self) -> str:
        """The range, for people."""
        given = self.range
        if not isinstance(given, (Float, Int)):
            return ", ".join(map(brief, self.values))
        text = f"{brief(given.min)} to {brief(given.max)}"
        notes = ["logarithmic"] if given.log else []
        if given.step is not None and (isinstance(given, Float) or given.step != 1):
            notes.append(f"step {brief(given.step)}")
        return f"{text} ({', '.join(notes)})" if notes else text

    def conditions(self) -> str:
        """When a trial has it, for people; empty for one that each has."""
        return " and ".join(f"{name} is {brief(value)}" for name, value in self.when)

    def share(self, value: Any) -> float:
        """Where a value lies between the ends, from 0 to 1; the values of a Choice lie evenly."""
        given = self.range
        if not isinstance(given, (Float, Int)):
            place = self.values.index(value) if value in self.values else 0
            return (place + 0.5) / max(len(self.values), 1)
        low, high, at = float(given.min), float(given.max), float(value)
        if given.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return min(max((at - low) / (high - low), 0.0), 1.0)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether a trial with these values has this dimension."""
        return all(values.get(name) == label for name, label in self.when)

    def to_json(self) -> dict[str, Any]:
        """The dimension as plain data: its name, type, bounds or labels, and conditions."""
        data: dict[str, Any] = {"name": self.name, "type": type(self.range).__name__}
        data["declared"] = self.declared
        if isinstance(self.range, (Float, Int)):
            data |= {n: v for n, v in self.range.items() if n != "value"}
        if isinstance(self.range, Choice):
            data["labels"] = list(self.labels)
            data["values"] = [show(value) for value in self.range.values]
        return data | {"when": [list(condition) for condition in self.when]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The dimension that `to_json` wrote; a Choice's values are their labels."""
        when = tuple((name, value) for name, value in data["when"])
        declared = data["declared"]
        if data["type"] == "Bool":
            return cls(data["name"], Bool(declared), when)
        if data["type"] == "Choice":
            labels = tuple(data["labels"])
            return cls(data["name"], Choice(declared, values=labels), when, labels)
        kind = Float if data["type"] == "Float" else Int
        bounds = {name: data[name] for name in ("min", "max", "step", "log")}
        return cls(data["name"], kind(declared, **bounds), when)


def dimensions_of(space: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """The dimensions of what `Space.to_json` gave, as a search's directory has it."""
    return tuple(map(Dimension.from_json, space["dimensions"]))


def labels_of(choice: Choice) -> tuple[Value, ...]:
    """The short names of a Choice's values; numbers alone and texts alone serve themselves."""
    values = choice.values
    if len({type(v) for v in values}) == 1 and type(values[0]) in (str, int, float):
        return tuple(values)
    shorts, written = [_short(v) for v in values], [_written(v) for v in values]
    taken = Counter(shorts)
    labels: list[str] = []
    for index, (short, call) in enumerate(zip(shorts, written, strict=True)):
        unique = taken[short] == 1
        fits = len(call) <= _LONGEST_LABEL and written.count(call) == 1
        labels.append(short if unique else call if fits else f"{short} {index + 1}")
    if len(set(labels)) < len(labels):  # a text among them is written as another's label
        labels = [f"{label} {index + 1}" for index, label in enumerate(labels)]
    return tuple(labels)


def _short(value: Any) -> str:
    if isinstance(value, (Deferred, Name)):
        return value.path.rpartition(".")[2]
    short = _written(value)
    if isinstance(value, Part):  # Application("VGG16") is VGG16
        name = getattr(value, "name", None)
        short = name if isinstance(name, str) else type(value).__name__
    return short if len(short) <= _LONGEST_LABEL else type(value).__name__


def _written(value: Any) -> str:
    """A value as it is declared, without Keras's module."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else show(value)
    return text.rpartition(".")[2] if isinstance(value, Name) else _without_module(value, text)


def _without_module(value: Any, text: str) -> str:
    if not isinstance(value, Deferred):
        return text
    module = value.path.rpartition(".")[0]
    return text.removeprefix(f"{module}.") if module else text


def _index(choice: Choice) -> int:
    """Where a Choice's own value stands among its values."""
    matching = [i for i, v in enumerate(choice.values) if same(v, choice.value)]
    return matching[0] if matching else choice.values.index(choice.value)


def _number(given: Range, value: Any) -> Value:
    """A value from Keras Tuner as the field takes it, within the bounds that were declared."""
    if isinstance(given, Bool):
        return bool(value)
    assert isinstance(given, (Float, Int))
    # Bayesian proposals are NumPy's floats, and the grid of an Int with log=True has 16.0 for 16.
    number: int | float = round(float(value)) if isinstance(given, Int) else float(value)
    if isinstance(given, Float) and given.step is not None:
        number = float(f"{number:.12g}")  # 0.3, where adding up steps gives 0.30000000000000004
    return min(max(number, given.min), given.max)


def _steps(given: Float | Int) -> int | None:
    """How many values a numeric range has; None for a continuous one."""
    step = given.step or (1 if isinstance(given, Int) else None)
    if step is None:
        return None
    if given.log and given.step:
        return int(math.log(given.max / given.min, step) + 1e-8) + 1
    return int((given.max - given.min) / step + 1e-8) + 1


def _grid(given: Range) -> tuple[Value, ...]:
    """The values of Keras Tuner's grid: 10 samples where the range names no steps."""
    if isinstance(given, Bool):
        return (True, False)
    assert isinstance(given, (Float, Int))
    if given.step is None and (given.log or isinstance(given, Float)):
        return tuple(dict.fromkeys(_sample(given, index * 0.1 + 0.05) for index in range(10)))
    return tuple(_number(given, value) for value in _stepped(given))


def _stepped(given: Float | Int) -> Iterator[int | float]:
    """The values of a range with steps, as Keras Tuner reckons them."""
    step, low = given.step or 1, given.min
    for index in range(_steps(given) or 0):
        yield low * step**index if given.log else low + index * step


def _sample(given: Float | Int, share: float) -> Value:
    """The value at a share of a range, as Keras Tuner finds it."""
    whole = isinstance(given, Int)
    low, high = given.min, given.max + whole  # so that the last whole number has a share of its own
    value = low * (high / low) ** share if given.log else low + share * (high - low)
    return int(value) if whole else value


def _reachable(given: Float | Int) -> float:
    """The end of a range such that Keras Tuner's steps get to it.

    It takes 0.5 // 0.1 for the number of steps to 0.5, which is 4.
    """
    count = _steps(given)
    if given.step is None or given.log or count is None:
        return given.max
    missed = (given.max - given.min) // given.step + 1 < count
    return given.min + given.step * (count - 1 + 1e-6) if missed else given.max
