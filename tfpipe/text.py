"""Values, sizes, durations and lists in words."""

from typing import Any


def brief(value: Any) -> str:
    """Return a value in a few characters: four digits of a number with a fraction."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
