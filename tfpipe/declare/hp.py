"""Values with a range: `run` uses the value, `search` varies it, the command line sets it.

dropout = hp.Float(0.2, min=0.0, max=0.5)
units = hp.Int(64, min=16, max=256, step=16)
activation = hp.Choice("relu", values=("relu", "gelu"))
batch_norm = hp.Bool(True)
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

from tfpipe.declare.field_types import Positive, PositiveFloat, show
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError

__all__ = ["Bool", "Choice", "Float", "Int", "Range"]


class Range(Part):
    """A value that a search may vary. Use `Float`, `Int`, `Choice` or `Bool`."""

    namespace: ClassVar[str] = "hp"
    is_range: ClassVar[bool] = True
    described: ClassVar[str] = "a range from hp"

    def candidates(self) -> Iterator[Any]:
        """The values whose fit in a field proves the whole range's, its own first."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return "hp." + super().__repr__()


class _Interval(Range):
    def validate(self) -> None:
        low, high, value = self.min, self.max, self.value  # type: ignore[attr-defined]
        name = type(self).__name__
        if not all(map(math.isfinite, (low, high, value, self.step or 1))):  # type: ignore[attr-defined]
            raise ConfigError(f"{self!r}: its numbers must be finite.")
        if low >= high:
            raise ConfigError(f"hp.{name}: min={low} must be below max={high}.")
        if not low <= value <= high:
            raise ConfigError(f"hp.{name}: the value {value} is outside its range {low} to {high}.")
        if self.log and low <= 0:  # type: ignore[attr-defined]
            raise ConfigError(f"hp.{name}: log=True needs min above 0, got {low}.")
        self._check_step()

    def _check_step(self) -> None:
        low, high, step = self.min, self.max, self.step  # type: ignore[attr-defined]
        name, log = type(self).__name__, self.log  # type: ignore[attr-defined]
        if step is None:
            return
        if log and step <= 1:
            raise ConfigError(
                f"hp.{name}: with log=True a step is the factor between tried values, such as 2 or "
                f"10: give one above 1, or leave it out, got {step}."
            )
        # The small part is for steps such as 0.2 of 0.1 to 0.3, which binary numbers miss.
        if (low * step if log else low + step) > high + 1e-9 * step:
            raise ConfigError(
                f"hp.{name}: step={step} is too large for the range {low} to {high}: "
                f"only {low} would be tried."
            )

    def candidates(self) -> Iterator[Any]:
        yield from (self.value, self.min, self.max)  # type: ignore[attr-defined]


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

    value: float
    min: float
    max: float
    step: PositiveFloat | None = None
    log: bool = False


class Int(_Interval):
    """A whole number between two bounds, both included.

    Args:
        value: what `run` uses.
        min: the smallest value that a search tries.
        max: the largest.
        step: the distance between tried values, or with `log` the factor; none for every number.
        log: whether to sample on a logarithmic scale.
    """

    value: int
    min: int
    max: int
    step: Positive | None = None
    log: bool = False


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


def same(one: Any, other: Any) -> bool:
    """Whether two declared values are equal and of the same type: 1 is neither True nor 1.0."""
    return bool(one == other) and repr(one) == repr(other)


class Bool(Range):
    """True or false.

    Args:
        value: what `run` uses.
    """

    value: bool

    def candidates(self) -> Iterator[Any]:
        yield from (self.value, not self.value)
