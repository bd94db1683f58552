"""Where a model does worse than elsewhere, as a section of a report."""

import numpy as np

from tfpipe.evaluation.report.judged import Judged
from tfpipe.evaluation.report.sections import Section, Table
from tfpipe.evaluation.scores.slices import LEAST, slices
from tfpipe.text import number

_MOST = 15


def slice_section(judged: Judged, scores: np.ndarray, what: str) -> list[Section]:
    """Return the section of the slices that do worse; none where samples have no such traits.

    Args:
        judged: the answers.
        scores: [rows] of which more is better: booleans, or numbers.
        what: what they are, as a table's head: "right".
    """
    if not judged.traits or len(scores) < 2 * LEAST:
        return []
    found = slices(judged.traits, scores)

    def value(score: float) -> str:
        return f"{score:.1%}" if scores.dtype == bool else number(-score)

    rows = [
        (s.name, f"{s.samples:,}", value(s.score), value(s.rest), f"{s.p:.1g}")
        for s in found[:_MOST]
    ]
    tried = ", ".join(list(judged.traits)[:8]) + (" ..." if len(judged.traits) > 8 else "")
    text = (
        f"Slices by {tried}: "
        + (
            f"{len(found)} {'does' if len(found) == 1 else 'do'} worse than the rest by more than "
            "chance."
            if found
            else "none does worse than the rest by more than chance."
        ),
    )
    table = Table(("slice", "samples", what, "elsewhere", "p"), rows)
    return [
        Section(
            "slices",
            f"Where it does worse{judged.of_output}",
            text,
            (table,) if rows else (),
            data={"slices": [s._asdict() for s in found]},
        )
    ]
