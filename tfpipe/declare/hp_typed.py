"""`tfpipe.hp` as editors and type checkers see it: a range stands wherever its value may.

Never imported when tfpipe runs; what runs is `tfpipe.declare.hp`.
"""

# ruff: noqa: N802 (the names are those of tfpipe.declare.hp)

from typing import Any


def Float(
    value: float, min: float, max: float, step: float | None = None, log: bool = False
) -> Any:
    """A real number between two bounds; see `tfpipe.declare.hp.Float`."""


def Int(value: int, min: int, max: int, step: int | None = None, log: bool = False) -> Any:
    """A whole number between two bounds; see `tfpipe.declare.hp.Int`."""


def Choice(value: Any, values: tuple[Any, ...]) -> Any:
    """One of several values; see `tfpipe.declare.hp.Choice`."""


def Bool(value: bool) -> Any:
    """True or false; see `tfpipe.declare.hp.Bool`."""
