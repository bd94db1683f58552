"""Values with a range: `run` uses the value, `search` varies it, the command line sets it.

dropout = hp.Float(0.2, min=0.0, max=0.5)
units = hp.Int(64, min=16, max=256, step=16)
activation = hp.Choice("relu", values=("relu", "gelu"))
batch_norm = hp.Bool(True)
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.field_types import Positive, PositiveFloat, show
from tfpipe.declare.labels import Value, labels_of
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError
from tfpipe.text import brief

if TYPE_CHECKING:
    import keras_tuner

__all__ = ["Bool", "Choice", "Float", "Int", "Range"]

_SAMPLES = 10  # of a range without steps, in a grid search
_LISTED = 1000


class Range(Part):
    """A value that a search may vary. Use `Float`, `Int`, `Choice` or `Bool`.

    A search holds numbers as they are, and the values of a choice by their labels.
    """

    namespace: ClassVar[str] = "hp"
    is_range: ClassVar[bool] = True
    numeric: ClassVar[bool] = False
    described: ClassVar[str] = "a range from hp"

    def candidates(self) -> Iterator[Any]:
        """Yield the values whose fit in a field proves the whole range's, its own first."""
        raise NotImplementedError

    @property
    def declared(self) -> Value:
        """The declaration's own value, as a search holds it."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[Value, ...]:
        """The values as a search holds them; none of a range between two numbers."""
        return ()

    @property
    def size(self) -> int | None:
        """How many values a search may take; None where there is no end of them."""
        return len(self.labels)

    @property
    def grid(self) -> tuple[Value, ...]:
        """The values of a grid search: all, or 10 spread evenly, and the declared one."""
        return self.labels

    @property
    def grid_size(self) -> int:
        """How many values `grid` has, which may be too many to list."""
        return len(self.labels)

    def label_for(self, proposal: Any) -> Value | None:
        """Return the value, as a search holds it, that Keras Tuner proposes; None for another."""
        raise NotImplementedError

    def position(self, label: Any) -> float:
        """Return where a value lies, from 0 to 1; those of a choice lie evenly."""
        place = self.labels.index(label) if label in self.labels else 0
        return (place + 0.5) / max(len(self.labels), 1)

    def labelled(self) -> "Range":
        """Return the range with labels in place of values, which JSON can hold."""
        return self

    def register(self, name: str, space: "keras_tuner.HyperParameters") -> None:
        """Add the range to Keras Tuner's space, under the conditions that are open there."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the values in words."""
        return ", ".join(map(brief, self.labels))

    def __repr__(self) -> str:
        return "hp." + super().__repr__()


class _Interval(Range):
    """A number between two bounds."""

    numeric: ClassVar[bool] = True
    whole: ClassVar[bool]
    value: Any
    min: Any
    max: Any
    step: Any = None
    log: bool = False

    def validate(self) -> None:
        name, low, high = type(self).__name__, self.min, self.max
        if not all(map(math.isfinite, (low, high, self.value, self.step or 1))):
            raise ConfigError(f"{self!r}: its numbers must be finite.")
        if low >= high:
            raise ConfigError(f"hp.{name}: min={low} must be below max={high}.")
        if not low <= self.value <= high:
            raise ConfigError(
                f"hp.{name}: the value {self.value} is outside its range {low} to {high}."
            )
        if self.log and low <= 0:
            raise ConfigError(f"hp.{name}: log=True needs min above 0, got {low}.")
        if self.step is not None and self.log and self.step <= 1:
            raise ConfigError(
                f"hp.{name}: with log=True a step is the factor between tried values, such as 2 or "
                f"10: give one above 1, or leave it out, got {self.step}."
            )
        # The small part is for steps such as 0.2 of 0.1 to 0.3, which binary numbers miss.
        step = self.step or 0
        if (low * step if self.log else low + step) > high + 1e-9 * step:
            raise ConfigError(
                f"hp.{name}: step={step} is too large for the range {low} to {high}: "
                f"only {low} would be tried."
            )

    def candidates(self) -> Iterator[Any]:
        yield from (self.value, self.min, self.max)

    @property
    def declared(self) -> Value:
        number: Value = self.value
        if self.step is not None and not self.log:
            # Steps of 0.1 come to 0.30000000000000004, which a grid would take beside 0.3.
            near = self.min + round((self.value - self.min) / self.step) * self.step
            number = near if self.label_for(near) == self.value else self.value
        return number

    @property
    def size(self) -> int | None:
        if self.step is None and not self.whole:
            return None
        if self.log and self.step:
            return int(math.log(self.max / self.min, self.step) + 1e-8) + 1
        return int((self.max - self.min) / (self.step or 1) + 1e-8) + 1

    @property
    def grid(self) -> tuple[Value, ...]:
        if self.step is None and (self.log or not self.whole):
            shares = ((index + 0.5) / _SAMPLES for index in range(_SAMPLES))
            values = tuple(dict.fromkeys(map(self._sample, shares)))
        else:
            step, places = self.step or 1, range(self.size or 0)
            stepped = (self.min * step**n if self.log else self.min + n * step for n in places)
            values = tuple(map(self.label_for, stepped))
        declared = self.label_for(self.declared)
        return values if declared in values else (declared, *values)

    @property
    def grid_size(self) -> int:
        size = self.size
        if size is None or size <= _LISTED or self.log:
            return len(self.grid)
        place = (self.value - self.min) / (self.step or 1)
        return size + (not math.isclose(place, round(place), abs_tol=1e-6))

    def label_for(self, proposal: Any) -> Any:
        # Bayesian proposals are NumPy's floats, and the grid of an Int with log=True has 16.0.
        number: int | float = round(float(proposal)) if self.whole else float(proposal)
        if self.step is not None and not self.whole:
            number = float(f"{number:.12g}")
        return min(max(number, self.min), self.max)

    def position(self, label: Any) -> float:
        low, high, at = float(self.min), float(self.max), float(label)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return min(max((at - low) / (high - low), 0.0), 1.0)

    def register(self, name: str, space: "keras_tuner.HyperParameters") -> None:
        end = self.max
        if self.step is not None and not self.log:
            steps = (self.size or 1) - 1
            # Keras Tuner takes 0.5 // 0.1 for the number of steps to 0.5, which is 4.
            if (self.max - self.min) // self.step < steps:
                end = self.min + self.step * (steps + 1e-6)
        add, sampling = getattr(space, type(self).__name__), "log" if self.log else "linear"
        add(name, self.min, end, step=self.step, sampling=sampling, default=self.declared)

    def describe(self) -> str:
        notes = ["logarithmic"] if self.log else []
        if self.step is not None and not (self.whole and self.step == 1):
            notes.append(f"step {brief(self.step)}")
        text = f"{brief(self.min)} to {brief(self.max)}"
        return f"{text} ({', '.join(notes)})" if notes else text

    def _sample(self, share: float) -> int | float:
        """Return the value at a share of the range, as Keras Tuner finds it."""
        low, high = self.min, self.max + self.whole  # so that the last whole number has a share
        value = low * (high / low) ** share if self.log else low + share * (high - low)
        return int(value) if self.whole else float(value)


class Float(_Interval):
    """A real number between two bounds.

    Args:
        value: what `run` uses.
        min: the smallest value that a search tries.
        max: the largest.
        step: the distance between tried values, or with `log` the factor; none for a continuous
            range.
        log: whether to sample on a logarithmic scale.

    Example:
        learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True)
    """

    whole: ClassVar[bool] = False
    value: float
    min: float
    max: float
    step: PositiveFloat | None = None


class Int(_Interval):
    """A whole number between two bounds, both included.

    Args:
        value: what `run` uses.
        min: the smallest value that a search tries.
        max: the largest.
        step: the distance between tried values, or with `log` the factor; none for every number.
        log: whether to sample on a logarithmic scale.
    """

    whole: ClassVar[bool] = True
    value: int
    min: int
    max: int
    step: Positive | None = None


class Choice(Range):
    """One of several values, of any kind: numbers, texts, parts.

    Where a value is a part or a Keras object with ranges of its own, a search varies these in the
    trials that take it.

    Args:
        value: what `run` uses; one of `values`.
        values: what a search tries, each given once.

    Example:
        hp.Choice("relu", values=("relu", "gelu"))
    """

    value: Any
    values: tuple[Any, ...]

    def validate(self) -> None:
        if self.value not in self.values:
            raise ConfigError(f"hp.Choice: {self.value!r} is not among its values {self.values!r}.")
        for index, value in enumerate(self.values):
            if any(same(value, other) for other in self.values[:index]):
                raise ConfigError(f"hp.Choice: {show(value)} is given twice among its values.")

    def candidates(self) -> Iterator[Any]:
        yield self.value
        yield from (v for v in self.values if v != self.value)

    @property
    def declared(self) -> Value:
        alike = [i for i, v in enumerate(self.values) if same(v, self.value)]
        return self.labels[alike[0] if alike else self.values.index(self.value)]

    @cached_property
    def labels(self) -> tuple[Value, ...]:
        return labels_of(self.values)

    def label_for(self, proposal: Any) -> Value | None:
        if proposal in self.labels:
            return self.labels[self.labels.index(proposal)]
        for label in self.labels:
            numbers = isinstance(label, float) and isinstance(proposal, float)
            if numbers and math.isclose(float(label), proposal, rel_tol=1e-6):
                return label  # it was rounded on its way
        return None

    def labelled(self) -> "Choice":
        return Choice(self.declared, values=self.labels)

    def register(self, name: str, space: "keras_tuner.HyperParameters") -> None:
        space.Choice(name, list(self.labels), default=self.declared)


class Bool(Range):
    """True or false.

    Args:
        value: what `run` uses.
    """

    value: bool

    def candidates(self) -> Iterator[Any]:
        yield from (self.value, not self.value)

    @property
    def declared(self) -> bool:
        return self.value

    @property
    def labels(self) -> tuple[Value, ...]:
        return (False, True)

    @property
    def grid(self) -> tuple[Value, ...]:
        return (True, False)  # as Keras Tuner orders them

    def label_for(self, proposal: Any) -> bool:
        return bool(proposal)

    def register(self, name: str, space: "keras_tuner.HyperParameters") -> None:
        space.Boolean(name, default=self.value)


def same(one: object, other: object) -> bool:
    """Return whether two values are equal and of the same type: 1 is neither True nor 1.0."""
    return bool(one == other) and repr(one) == repr(other)
