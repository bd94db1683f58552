"""Values with a range: `run` uses the value, `search` varies it, the command line sets it.

dropout = hp.Float(0.2, min=0.0, max=0.5)
units = hp.Int(64, min=16, max=256, step=16)
activation = hp.Choice("relu", values=("relu", "gelu"))
batch_norm = hp.Bool(True)
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from tfpipe.declare.fieldtypes import Positive, PositiveFloat
from tfpipe.declare.part import Part
from tfpipe.errors import ConfigError

__all__ = ["Bool", "Choice", "Float", "Int", "Range"]


class Range(Part):
    """A value that a search may vary. Use `Float`, `Int`, `Choice` or `Bool`."""

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
        if low >= high:
            raise ConfigError(f"hp.{name}: min={low} must be below max={high}.")
        if not low <= value <= high:
            raise ConfigError(f"hp.{name}: the value {value} is outside its range {low} to {high}.")
        if getattr(self, "log", False) and low <= 0:
            raise ConfigError(f"hp.{name}: log=True needs min above 0, got {low}.")

    def candidates(self) -> Iterator[Any]:
        yield from (self.value, self.min, self.max)  # type: ignore[attr-defined]


class Float(_Interval):
    """A real number between two bounds.

    Args:
        value: what `run` uses.
        min: the smallest value that a search tries.
        max: the largest.
        step: the distance between tried values; none for a continuous range.
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
        step: the distance between tried values.
        log: whether to sample on a logarithmic scale.
    """

    value: int
    min: int
    max: int
    step: Positive = 1
    log: bool = False


class Choice(Range):
    """One of several values, of any kind: numbers, texts, parts.

    Args:
        value: what `run` uses; one of `values`.
        values: what a search tries.
    """

    value: Any
    values: tuple[Any, ...]

    def validate(self) -> None:
        if self.value not in self.values:
            raise ConfigError(f"hp.Choice: {self.value!r} is not among its values {self.values!r}.")

    def candidates(self) -> Iterator[Any]:
        yield self.value
        yield from (v for v in self.values if v != self.value)


class Bool(Range):
    """True or false.

    Args:
        value: what `run` uses.
    """

    value: bool

    def candidates(self) -> Iterator[Any]:
        yield from (self.value, not self.value)
