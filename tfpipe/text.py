"""Values, sizes, durations and lists in words."""

from pathlib import Path
from typing import Any


def brief(value: Any) -> str:
    """Return a value in a few characters: four digits of a number with a fraction."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def short_path(path: Path) -> str:
    """Return a path as a person would type it: relative where it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
