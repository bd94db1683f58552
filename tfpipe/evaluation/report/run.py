"""The page of a run: verdict, facts, curves, what judges its answers, and its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tfpipe.evaluation.report.charts import curve_figure, settings_figure
from tfpipe.evaluation.report.page import render
from tfpipe.evaluation.report.sections import Drawing, Section, Table, render_sections
from tfpipe.training.reporting import SETTINGS, EpochRow

_MOST_CURVES = 6


@dataclass(frozen=True)
class RunPage:
    """What a run's page shows.

    Args:
        name: the run's.
        pipeline: the class that it trained.
        facts: what its header says: directory, data, model, device.
        metrics: the final ones, by split.
        rows: its epochs.
        best: the epoch whose model is kept; None where none is known.
        verdict: sentences on how good it is and what to try.
        sections: what judges its answers, and its model.
        fields: what was declared: name, value, origin, and whether it is a default.
        environment: versions and the like, by name.
        notes: what a person must not overlook.
    """

    name: str
    pipeline: str
    facts: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, float]]
    rows: Sequence[EpochRow]
    best: int | None = None
    verdict: Sequence[str] = ()
    sections: Sequence[Section] = ()
    fields: Sequence[tuple[str, str, str, bool]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def html(self, figures: Path | None = None) -> str:
        """Return the page.

        Args:
            figures: the folder in which each figure is written as SVG and PNG; None for nowhere.
        """
        rows = self.rows
        names = list(dict.fromkeys(n for row in rows for n in row.metrics if n not in SETTINGS))
        splits: dict[str, Any] = {
            "metric_names": list(dict.fromkeys(n for m in self.metrics.values() for n in m)),
            "epoch_metrics": names,
        }
        sections = [self._curves(names)] if rows else []
        declared = self._declaration()
        return render(
            "run",
            name=self.name,
            kind="run",
            about=self.pipeline,
            notes=self.notes,
            facts=self.facts,
            metrics=self.metrics,
            verdict=self.verdict,
            curves=render_sections(sections, figures),
            epochs=rows,
            sections=render_sections([*self.sections, *declared], figures),
            **splits,
        )

    def _curves(self, names: Sequence[str]) -> Section:
        # Some are measured in validation alone.
        drawn = [*dict.fromkeys(n.removeprefix("val_") for n in names)][:_MOST_CURVES]
        phases = self._phases()
        drawings = [
            Drawing(
                f"curve_{name}",
                f"{name} over the epochs",
                partial(curve_figure, name, self.rows, self.best, phases),
            )
            for name in drawn
        ]
        if len(self.rows) > 1:
            drawings.append(
                Drawing(
                    "curve_settings",
                    "Learning rate and input wait over the epochs",
                    partial(settings_figure, self.rows, phases),
                )
            )
        return Section("", "Epochs", drawings=tuple(drawings))

    def _phases(self) -> list[int]:
        """The first epochs of the phases after the first."""
        numbers = [row.metrics.get("phase") for row in self.rows]
        pairs = zip(self.rows[1:], numbers, numbers[1:], strict=False)
        return [row.epoch for row, before, now in pairs if now != before]

    def _declaration(self) -> list[Section]:
        sections = []
        if self.fields:
            rows = [(name, value, origin) for name, value, origin, _ in self.fields]
            marked = frozenset(name for name, _, _, default in self.fields if not default)
            table = Table(("field", "value", "from"), rows, "Marked: what is no default.", marked)
            sections.append(Section("", "What was declared", tables=(table,), folded=True))
        if self.environment:
            table = Table((), list(self.environment.items()))
            sections.append(Section("", "Where it ran", tables=(table,), folded=True))
        return sections
