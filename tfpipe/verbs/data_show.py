"""`tfpipe data show`: a look at the data of a pipeline before anything is trained on it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.declare.loading import Loaded, load, loaded_from
from tfpipe.declare.pipeline import Pipeline, has_own_input
from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.declare.tree import resolve
from tfpipe.devices import pick, start_tensorflow
from tfpipe.errors import DataError, TfpipeError, suggest
from tfpipe.jobs.prepare import source_name, with_data
from tfpipe.storage import storage, write_whole
from tfpipe.terminal import Silent, Terminal

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.evaluation.data.duplicates import Duplicates
    from tfpipe.evaluation.data.summary import SplitSummary
    from tfpipe.evaluation.report.sections import Card, Section
    from tfpipe.evaluation.samples import Sample

GRID = 16  # samples that are shown
_PAIRS = 8  # of images that look alike, which are shown


def data_show(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    sample: int | bool | None = None,
    splits: Iterable[str] = (),
    grid: int = GRID,
    compare: int | None = None,
    out: str | Path | None = None,
    html: str | Path | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Look at the data of a pipeline: splits, values, samples, duplicates, columns, texts.

    The test split is counted and searched for duplicates, and not looked at otherwise.

    Args:
        target: a pipeline, or its file.
        overrides: `a.b=value` texts.
        sample: look at generated data instead: True, or how many samples.
        splits: which to read; all of them when empty. Values, samples, columns and texts are those
            of "train".
        grid: how many training samples to show.
        compare: how many images of each split to compare for near duplicates; 10,000 when None.
        out: the folder of the page; reports/NAME/data below the root when None.
        html: a file for the page alone, in place of the folder.
        root: the folder for reports/.
        terminal: told what is slow.

    Returns:
        What data.json holds, and under "report" where the page is.

    Raises:
        TfpipeError: for a declaration or data that cannot be used.

    Example:
        tfpipe.data_show("pipelines/churn_mlp.py")["duplicates"]
    """
    terminal = terminal or Silent()
    loaded = load(target, overrides) if isinstance(target, str) else loaded_from(target)
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    pipeline, stands_for, _ = with_data(resolve(loaded.pipeline), sample)
    assert pipeline.data is not None
    with terminal.waiting(f"looking at {source_name(pipeline.data)}"):
        spec = pipeline.spec()
    wanted = list(splits) or list(spec.splits)
    for name in wanted:
        if name not in spec.splits:
            raise DataError(f"The data has no split {name!r}. {suggest(name, spec.splits)}")
    from tfpipe.evaluation.data.summary import COMPARED, summary

    if spec.label.kind == "picture":
        raise DataError(
            f"{source_name(pipeline.data)} names the files from which a picture is painted: there "
            "is no data set to look at."
        )
    look = _Look(pipeline, spec, COMPARED if compare is None else compare)
    for name in (n for n in spec.splits if n in wanted):
        with terminal.waiting(f"reading the {name} split"):
            size, batches = spec.splits[name], look.batches(name)
            look.splits[name] = summary(spec, batches, size, pipeline.seed, look.compared)
    sections, grid_png = look.sections(grid, terminal)
    notes = [*pipeline.data.notes()]
    if stands_for:
        notes.append(f"Generated data stands in for {stands_for}.")
    if has_own_input(pipeline):
        notes.append(
            "These are the batches of an overridden input_fn: what it does itself, such as "
            "shuffling or augmentation, is in what is shown."
        )
    told = [
        sentence
        for section in sections
        if section.key in ("boxes", "duplicates", "texts", "columns")
        for sentence in section.text[section.key == "columns" :]
    ]
    found: dict[str, Any] = {"name": loaded.name, "notes": notes, "told": told}
    found |= {section.key: section.data for section in sections if section.key}
    folder = Path(out) if out is not None else Path(root) / "reports" / loaded.name / "data"
    page = folder / "report.html" if html is None else Path(html)
    with terminal.waiting("drawing the page"):
        _write(page, loaded, pipeline, spec, sections, found, None if html else grid_png)
    return {**found, "report": str(page)}


@dataclass
class _Look:
    """What is looked at: the pipeline's data, as it is and without what training does to it."""

    pipeline: Pipeline
    spec: ElementSpec
    compared: int

    @cached_property
    def splits(self) -> "dict[str, SplitSummary]":
        return {}

    def batches(self, split: str, augment: bool = False) -> Any:
        """The batches of a split in stored order."""
        from tfpipe.training.datasets import dataset

        whole: dict[str, Any] = {"drop_remainder": False, "steps_per_epoch": None}
        plain = self.pipeline.replace(shuffle=False, class_weights=None, **whole)
        return dataset(plain if augment else plain.replace(augment=()), split)

    def sections(self, grid: int, terminal: Terminal) -> "tuple[list[Section], bytes]":
        """The sections of the page, and a picture of some samples; empty where there are none."""
        from tfpipe.evaluation.report import data as report
        from tfpipe.evaluation.report.page import png

        assert self.pipeline.data is not None
        reading, picture = self.pipeline.data.label_reading(), b""
        sections = [report.splits_section(self.spec, self.splits, reading)]
        if self.spec.finds_boxes:
            from tfpipe.evaluation.data.boxes import boxes_section

            sections.append(boxes_section(self.spec, self.splits))
        if "train" in self.splits:
            with terminal.waiting("building the model"):
                sections.append(report.values_section(self.splits, self._seen()))
            with terminal.waiting("drawing samples"):
                shown = self._samples(grid)
                sections.append(report.samples_section(self.spec, *shown))
                if any(feature.kind == "image" for feature in self.spec.features):
                    picture = png(report.grid_figure, self.spec, *shown)
        with terminal.waiting("searching for samples that are twice"):
            duplicates, twice = self._duplicates()
            sections.append(duplicates)
        if "train" in self.splits:
            with terminal.waiting("comparing columns with the label"):
                sections += self._columns(twice)
        return sections, picture

    def _labels(self, split: str) -> "dict[str, np.ndarray]":
        """The labels of a split by name; that of the only one is empty."""
        names = [part.name for part in self.spec.label.parts] or [""]
        return {name: self.splits[split].labels(name) for name in names}

    def _seen(self) -> "dict[str, np.ndarray] | str":
        """What the first layer with weights gets of some samples; or why that is not known."""
        from tfpipe.evaluation.data.preprocessed import preprocessed
        from tfpipe.training.compile import compile_model

        few = {name: values[:256] for name, values in self.splits["train"].rows.items()}
        try:
            if self.pipeline.model is not None:
                self.pipeline.model.fetch()
            strategy = pick(self.pipeline.device).strategy
            model = compile_model(self.pipeline, self.spec, strategy).model
            return preprocessed(model, few if len(few) > 1 else next(iter(few.values())))
        except TfpipeError as error:
            return f"What the model makes of it is not known: {error}"
        except Exception as error:  # noqa: BLE001 (whatever a build_model of a person's own does)
            return f"What the model makes of it is not known: {type(error).__name__}: {error}"

    def _samples(self, grid: int) -> "tuple[list[tuple[Sample, str, str]], list[Sample] | None]":
        """Some training samples, spread over the split, and the same after augmentation."""
        from tfpipe.evaluation.data.summary import picked

        size, label = self.spec.splits["train"], self.spec.label
        rows = sorted({i * size // grid for i in range(min(grid, size))})
        parts = [(part, part.name if label.parts else "") for part in label.parts or (label,)]
        places = self._places("train")
        found = picked(self.batches("train"), rows, self.spec)
        samples = [
            (
                self._drawn(sample, labels),
                ", ".join(self._named(part, labels[key]) for part, key in parts),
                places[row] if places else "",
            )
            for row, (sample, labels) in found.items()
        ]
        if not self.pipeline.augment or has_own_input(self.pipeline):
            return samples, None
        changed = picked(self.batches("train", augment=True), rows, self.spec)
        return samples, [self._drawn(sample, labels) for sample, labels in changed.values()]

    def _drawn(self, sample: "Sample", labels: "Mapping[str, np.ndarray]") -> "Sample":
        """A sample as it is shown: with the boxes of its objects, where it has such."""
        from tfpipe.evaluation.data.boxes import with_objects

        return with_objects(sample, self.spec, labels[""]) if self.spec.finds_boxes else sample

    @staticmethod
    def _named(label: Label, value: "np.ndarray") -> str:
        """The label of one sample in words."""
        from tfpipe.evaluation.data.boxes import boxes_in_words
        from tfpipe.evaluation.data.columns import named

        return boxes_in_words(label, value) if label.kind == "boxes" else named(label, value)

    def _places(self, split: str) -> list[str]:
        """Where each sample comes from; empty where that is not known."""
        if has_own_input(self.pipeline) or self.pipeline.data is None:
            return []
        places = self.pipeline.data.places(split, self.pipeline.seed)
        return places if len(places) == len(self.splits[split].ids) else []

    def _duplicates(self) -> "tuple[Section, int]":
        """The section, and how many training samples stand twice there."""
        from tfpipe.evaluation.data.duplicates import exact, near
        from tfpipe.evaluation.data.sections import duplicates_section

        ids = {name: one.ids for name, one in self.splits.items()}
        first = self.spec.label.parts[0].name if self.spec.label.parts else ""
        labels = {name: one.labels(first) for name, one in self.splits.items()}
        found = exact(ids, labels)
        twice = sum(one.count for one in found if one.first == one.second == "train")
        places = {name: self._places(name) for name in self.splits}
        prints = {name: one.prints for name, one in self.splits.items()}
        if not any(feature.kind == "image" for feature in self.spec.features):
            return duplicates_section(found, None, "", places, ()), twice
        alike = near(prints, ids, labels)
        looked_at = "among all images"
        if any(size > self.compared for size in map(len, ids.values())):
            looked_at = f"among {self.compared:,} images of each split, drawn with the seed"
        across = [one for one in alike if one.first != one.second]
        # What stands in the training split as well comes first, of the test split before all.
        across.sort(key=lambda one: (one.first != "train", one.second != "test"))
        cards = self._cards(across or alike, places)
        return duplicates_section(found, alike, looked_at, places, cards), twice

    def _cards(
        self, alike: "Sequence[Duplicates]", places: Mapping[str, Sequence[str]]
    ) -> "list[Card]":
        """Some pairs of images that look alike, side by side."""
        from tfpipe.evaluation.data.summary import picked
        from tfpipe.evaluation.predictions import sample_ids
        from tfpipe.evaluation.report.sections import Card
        from tfpipe.evaluation.samples import shown

        pairs = [(one, a, b) for one in alike for a, b in one.pairs[:_PAIRS]]
        rows: dict[str, set[int]] = {}
        for one, a, b in pairs:
            rows.setdefault(one.first, set()).add(a)
            rows.setdefault(one.second, set()).add(b)
        found = {name: picked(self.batches(name), some, self.spec) for name, some in rows.items()}
        label = self.spec.label.parts[0] if self.spec.label.parts else self.spec.label
        key = label.name if self.spec.label.parts else ""
        cards = []
        for one, a, b in pairs:
            ends = [(one.second, b), (one.first, a)]
            samples = [found[split][row] for split, row in ends]
            known = [
                sample_ids({n: v[None] for n, v in sample.items()})[0] == self.splits[s].ids[row]
                for (s, row), (sample, _) in zip(ends, samples, strict=True)
            ]
            if not all(known):  # an input_fn that shuffles
                continue
            names = [self._named(label, labels[key]) for _, labels in samples]
            images = [shown(self._drawn(*one), self.spec.features).png() for one in samples]
            wheres = [places[s][row] if places[s] else f"{s} {row}" for s, row in ends]
            caption = names[0] if names[0] == names[1] else " and ".join(names)
            cards.append(
                Card(
                    f"{caption}, {one.second} and {one.first}",
                    names[0] == names[1],
                    image=images[0],
                    image_name=wheres[0],
                    overlay=images[1],
                    overlay_name=f"which looks like {wheres[1]}",
                    note=" = ".join(wheres),
                )
            )
        return cards

    def _columns(self, twice: int) -> "list[Section]":
        from tfpipe.evaluation.data.associations import associations
        from tfpipe.evaluation.data.columns import columns_of, label_columns
        from tfpipe.evaluation.data.sections import columns_section, texts_section

        train, size = self.splits["train"], self.spec.splits["train"]
        rows = train.rows
        texts = [feature.name for feature in self.spec.features if feature.kind == "text"]
        sections = [texts_section(name, rows[name], size, twice) for name in texts]
        columns = columns_of(self.spec, rows)
        kept = {name: values[train.kept] for name, values in self._labels("train").items()}
        targets = label_columns(self.spec.label, kept) if columns else []
        found = {t.name: associations(columns, t.labels, classes=t.classes) for t in targets}
        if found:
            sections.append(columns_section(found, {t.name: t.usual for t in targets if t.classes}))
        return sections


def _write(
    page: Path,
    loaded: Loaded,
    pipeline: Pipeline,
    spec: ElementSpec,
    sections: "Sequence[Section]",
    found: dict[str, Any],
    grid: bytes | None,
) -> None:
    """Write the page, and beside it the figures and data.json unless it is to stand alone."""
    from tfpipe.evaluation.report.page import render
    from tfpipe.evaluation.report.sections import render_sections

    alone, figures = grid is None, page.parent / "figures"
    facts = {
        "pipeline": type(loaded.pipeline).__name__,
        "data": source_name(pipeline.data) if pipeline.data else "",
        "splits": ", ".join(f"{size:,} {name}" for name, size in spec.splits.items()),
    }
    with storage(page.parent):
        (page.parent if alone else figures).mkdir(parents=True, exist_ok=True)
        text = render(
            "page",
            name=f"{loaded.name} · data",
            kind="data",
            about=facts["data"],
            notes=found["notes"],
            verdict=found["told"],
            facts=facts,
            sections=render_sections(sections, None if alone else figures),
        )
        write_whole(page, text.encode())
        if grid:
            write_whole(figures / "samples.png", grid)
        if not alone:
            written = json.dumps(found, indent=1, default=str).encode()
            write_whole(page.parent / "data.json", written + b"\n")
