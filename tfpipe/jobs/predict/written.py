"""How the files are written that a model reads, told by those that it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfpipe.data.csv.reader import Format

# The words that stand for a missing value where nobody declares others.
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_FIELDS = ("delimiter", "encoding", "names", "missing")


@dataclass(frozen=True)
class Written:
    """How files are written.

    Args:
        form: of CSV files; another delimiter is recognised.
        missing: the words that stand for a missing value.
    """

    form: Format = Format()  # noqa: RUF009 (it is frozen)
    missing: tuple[str, ...] = MISSING

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Written":
        """Return what `written_as` says of a source, or a record of it."""
        own = written_as(fields)
        form = Format(
            own.get("delimiter", ","), own.get("encoding", "utf-8"), tuple(own.get("names", ()))
        )
        return cls(form, tuple(own.get("missing", MISSING)))


def written_as(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a source that say how its text files are written; none for others."""
    if "encoding" not in fields:
        return {}
    return {name: fields[name] for name in _FIELDS if name in fields}
