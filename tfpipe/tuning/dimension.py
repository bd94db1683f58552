"""A range of a search under its dotted name, from the declaration to the records and the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.hp import Range
from tfpipe.declare.labels import Value
from tfpipe.text import brief

When = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Dimension:
    """A range and where it stands.

    Args:
        name: the dotted name of its place, such as "optimizer.learning_rate"; inside a value of a
            Choice, "optimizer[SGD].learning_rate".
        range: the range as it was declared.
        when: the dimensions and values, outermost first, which a trial must have for this one to
            count; empty for one that always does.
    """

    name: str
    range: Range
    when: When = ()

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Return whether a trial with these values has this dimension."""
        return all(values.get(name) == label for name, label in self.when)

    def conditions(self) -> str:
        """Return in words when a trial has it; empty for one that each has."""
        return " and ".join(f"{name} is {brief(label)}" for name, label in self.when)

    def to_json(self) -> dict[str, Any]:
        """Return the dimension as plain data; a choice has its labels for values."""
        when = [list(condition) for condition in self.when]
        return {"name": self.name, "range": to_json(self.range.labelled()), "when": when}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the dimension that `to_json` wrote."""
        when = tuple((name, label) for name, label in data["when"])
        return cls(data["name"], from_json(data["range"]), when)


def dimensions_of(space: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """Return the dimensions of what `Space.to_json` gave, as a search's directory has it."""
    return tuple(map(Dimension.from_json, space["dimensions"]))
