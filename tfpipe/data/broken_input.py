"""Broken input: rows and files that cannot be used, counted and listed, refused or left out."""

from dataclasses import dataclass
from typing import Literal

from tfpipe.errors import DataError

OnBad = Literal["error", "skip"]
LISTED = 10


@dataclass(frozen=True)
class Problem:
    """One row or file that cannot be used.

    Args:
        where: the file, and the line where there is one: "churn.csv:17".
        what: what is wrong with it, such as "13 columns where 14 are expected".
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def refuse(problems: list[Problem], total: int, nouns: str, owner: str) -> None:
    """Raise a DataError that lists the first problems; nothing where there are none.

    Args:
        problems: what was found, in order.
        total: how many rows or files were looked at, the broken ones among them.
        nouns: what they are: "rows", "images", "texts".
        owner: the source as a person knows it, such as "CSV('churn.csv')".
    """
    if not problems:
        return
    listed = "\n".join(f"  {p}" for p in problems[:LISTED])
    more = len(problems) - LISTED
    rest = f"\n  and {more:,} more" if more > 0 else ""
    raise DataError(
        f"{owner}: {len(problems):,} of {total:,} {nouns} cannot be used:\n{listed}{rest}\n"
        "Repair them, or leave them out with data.on_bad=skip."
    )


def left_out(problems: list[Problem], total: int, nouns: str) -> list[str]:
    """Return the note of a run that left broken rows or files out; none where there were none."""
    if not problems:
        return []
    first = f"the first is {problems[0]}"
    return [
        f"{len(problems):,} of {total:,} {nouns} could not be used and were left out "
        f"(data.on_bad=skip); {first}."
    ]
