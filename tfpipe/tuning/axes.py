"""The ranges of a search as a reader of its results needs them, from search.json alone.

The declaration itself is not asked for: its file may be gone, or import what is not installed here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["float", "int", "choice", "bool"]
Value = str | int | float | bool


@dataclass(frozen=True)
class Axis:
    """One range of a search.

    Args:
        name: the dotted name.
        kind: of hp's four ranges, which one it is.
        low: the smallest value of a float or an int.
        high: the largest.
        log: whether it is logarithmic.
        values: the values of a choice or a bool, a choice's by their labels.
        when: the other ranges' values under which it has one: ((name, value), ...).
        declared: the value in the declaration, a choice's by its label.
        step: between two values; None for all between the ends.
    """

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    values: tuple[Value, ...] = ()
    when: tuple[tuple[str, Value], ...] = ()
    declared: Value | None = None
    step: float | None = None

    @property
    def numeric(self) -> bool:
        """Whether its values lie between two ends."""
        return self.kind in ("float", "int")

    def described(self) -> str:
        """The range, for people."""
        if not self.numeric:
            return ", ".join(map(shown, self.values))
        text = f"{shown(self.low)} to {shown(self.high)}"
        notes = ["logarithmic"] if self.log else []
        if self.step is not None and (self.kind == "float" or self.step != 1):
            notes.append(f"step {shown(self.step)}")
        return f"{text} ({', '.join(notes)})" if notes else text

    def share(self, value: Any) -> float:
        """Where a value lies between the ends, from 0 to 1; the values of a choice lie evenly."""
        if not self.numeric:
            place = self.values.index(value) if value in self.values else 0
            return (place + 0.5) / max(len(self.values), 1)
        low, high, at = float(self.low), float(self.high), float(value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return min(max((at - low) / (high - low), 0.0), 1.0) if high > low else 0.5


def axes_of(space: Any) -> tuple[Axis, ...]:
    """The ranges of a search's `space`, in the order in which they are declared.

    Args:
        space: what `tfpipe.tuning.space.Space.to_json` gives.
    """
    return tuple(map(_axis, space["dimensions"]))


def _axis(data: Mapping[str, Any]) -> Axis:
    kind = data["type"].lower()
    found = {
        "name": data["name"],
        "kind": kind,
        "declared": data["declared"],
        "when": tuple((name, value) for name, value in data["when"]),
    }
    if kind == "bool":
        return Axis(values=(False, True), **found)
    if kind == "choice":
        return Axis(values=tuple(data["labels"]), **found)
    bounds = {"low": data["min"], "high": data["max"], "log": data["log"], "step": data["step"]}
    return Axis(**found, **bounds)


def shown(value: Any) -> str:
    """A value in a few characters: four digits of a number with a fraction."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
