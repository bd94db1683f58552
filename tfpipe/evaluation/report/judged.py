"""What a report is made of: one output's answers to a split, and the samples behind them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tfpipe.declare.spec import Feature
from tfpipe.evaluation.predictions import Answered
from tfpipe.evaluation.report.sections import Card, Section
from tfpipe.evaluation.samples import Sample, shown
from tfpipe.evaluation.scores.forecasts import NaiveForecasts
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    from tfpipe.evaluation.images_out.answered_images import AnsweredImages
    from tfpipe.evaluation.translation.translations import Said

SHOWN = 12  # samples of a kind


class Explainer(Protocol):
    """Says what an answer goes by."""

    def cards(self, cards: Mapping[int, Card], samples: Mapping[int, Sample]) -> dict[int, Card]:
        """Return cards with what their answers go by, by row."""

    def sections(self) -> list[Section]:
        """Return what all answers go by."""


@dataclass(frozen=True)
class Judged:
    """The answers to judge.

    Args:
        task: what they mean.
        answered: the answers, and what is true.
        split: "test" or "validation".
        output: which of several outputs; empty where there is one.
        features: what the samples are.
        samples: gives some of them by row.
        traits: [rows] of each property by which the samples are sliced, by name.
        validation: the answers to the validation split, where the ones to judge are of another.
        explainer: says what the answers go by.
        notes: what a person must know of the labels or weights.
        places: [rows] the file, or file and line, of each sample; empty where that is not known.
        in_time: whether samples follow each other in time, and each label holds the next values.
        naive: the forecasts of these that need no model; None where none are known.
        said: the sentences with their translations, where the answers are such.
        images: the answers beside what was given and what is true, where they are images.
    """

    task: Task
    answered: Answered
    split: str
    output: str = ""
    features: Sequence[Feature] = ()
    samples: Callable[[Iterable[int]], dict[int, Sample]] = lambda rows: {}
    traits: Mapping[str, np.ndarray] = field(default_factory=dict)
    validation: Answered | None = None
    explainer: Explainer | None = None
    notes: tuple[str, ...] = ()
    in_time: bool = False
    naive: NaiveForecasts | None = None
    places: Sequence[str] = ()
    said: "Said | None" = None
    images: "AnsweredImages | None" = None

    @property
    def of_output(self) -> str:
        """What headings add where there are several outputs."""
        return f" of {self.output}" if self.output else ""

    def file(self, name: str) -> str:
        """Return the name of a figure's files."""
        return f"{self.output}_{name}" if self.output else name

    def place(self, row: int) -> str:
        """Return where a sample comes from, its last folders; empty where that is not known."""
        return "/".join(Path(self.places[row]).parts[-3:]) if row < len(self.places) else ""

    def cards(
        self, groups: Mapping[str, Sequence[int]], notes: Mapping[int, str] | None = None
    ) -> tuple[tuple[str, tuple[Card, ...]], ...]:
        """Return the cards of samples under headings, without groups that are empty.

        Args:
            groups: rows by heading; answers of the first group are explained.
            notes: what else is to be said of a sample, by row.
        """
        rows = {row for group in groups.values() for row in group}
        samples = self.samples(rows) if rows else {}
        right = self.task.right(self.answered.answers, self.answered.labels)
        cards = {}
        for row, sample in samples.items():
            answer, label = self.answered.answers[row], self.answered.labels[row]
            seen = shown(sample, self.features)
            cards[row] = Card(
                self.task.caption(answer, label) if np.isfinite(answer).all() else "no number",
                None if right is None else bool(right[row]),
                seen.png() if seen.image is not None else b"",
                f"sample {row}",
                self.task.bars(answer),
                seen.columns,
                seen.text,
                note=". ".join(filter(None, ((notes or {}).get(row), self.place(row)))),
            )
        explained = next((tuple(group) for group in groups.values() if group), ())
        if self.explainer is not None and explained:
            first = {row: cards[row] for row in explained if row in cards}
            cards |= self.explainer.cards(first, samples)
        found = {
            title: tuple(cards[row] for row in group if row in cards)
            for title, group in groups.items()
        }
        return tuple((title, group) for title, group in found.items() if group)
