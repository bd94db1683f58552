"""`tfpipe data show`: a look at the data of a pipeline before anything is trained on it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfpipe.declare.loading import Loaded, load, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.devices import pick, start_tensorflow
from tfpipe.errors import TfpipeError
from tfpipe.jobs.prepare import source_name, with_data
from tfpipe.storage import storage, write_whole
from tfpipe.terminal import Silent, Terminal
from tfpipe.text import listed

GRID = 16  # samples that are shown
_TEXTS = ("text",)


def data_show(
    target: str | Pipeline | Loaded,
    *,
    overrides: Iterable[str] = (),
    sample: int | bool | None = None,
    grid: int = GRID,
    out: str | Path | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Look at the data of a pipeline: splits, values, samples, duplicates, columns, texts.

    The test split is counted and searched for duplicates, and not looked at otherwise.

    Args:
        target: a pipeline, or its file.
        overrides: `a.b=value` texts.
        sample: look at generated data instead: True, or how many samples.
        grid: how many training samples to show.
        out: the folder of the page; reports/NAME/data below the root when None.
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
    from tfpipe.evaluation.data.summary import summary
    from tfpipe.evaluation.report import data as report
    from tfpipe.evaluation.report.page import png, render
    from tfpipe.evaluation.report.sections import render_sections
    from tfpipe.training.datasets import dataset

    whole: dict[str, Any] = {"drop_remainder": False, "steps_per_epoch": None}
    plain = pipeline.replace(augment=(), shuffle=False, class_weights=None, **whole)
    splits = {}
    for name in spec.splits:
        with terminal.waiting(f"reading the {name} split"):
            splits[name] = summary(spec, dataset(plain, name))
    train = splits["train"]
    with terminal.waiting("building the model"):
        seen = _seen(pipeline, spec, train.rows)
    sections = [
        report.splits_section(spec, splits, pipeline.data.label_reading()),
        report.values_section(splits, seen),
    ]
    with terminal.waiting("drawing samples"):
        shown = _samples(pipeline, plain, spec, train, grid)
        sections.append(report.samples_section(spec, *shown))
    with terminal.waiting("searching for samples that are twice"):
        sections.append(_duplicates(spec, splits))
    with terminal.waiting("comparing columns with the label"):
        sections += _columns(spec, train)
    notes = [*pipeline.data.notes()]
    if stands_for:
        notes.append(f"Generated data stands in for {stands_for}.")
    facts = {
        "pipeline": type(loaded.pipeline).__name__,
        "data": source_name(pipeline.data),
        "splits": ", ".join(f"{size:,} {name}" for name, size in spec.splits.items()),
    }
    folder = Path(out) if out is not None else Path(root) / "reports" / loaded.name / "data"
    told = [
        sentence
        for section in sections
        if section.key in ("duplicates", "texts", "columns")
        for sentence in section.text[section.key == "columns" :]
    ]
    found: dict[str, Any] = {"name": loaded.name, "notes": notes, "told": told}
    found |= {section.key: section.data for section in sections if section.key}
    with storage(folder), terminal.waiting("drawing the page"):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        page = render(
            "page",
            name=f"{loaded.name} · data",
            kind="data",
            about=facts["data"],
            notes=notes,
            verdict=told,
            facts=facts,
            sections=render_sections(sections, folder / "figures"),
        )
        write_whole(folder / "report.html", page.encode())
        if any(feature.kind == "image" for feature in spec.features):
            write_whole(folder / "figures" / "samples.png", png(report.grid_figure, spec, *shown))
        write_whole(folder / "data.json", json.dumps(found, indent=1, default=str).encode() + b"\n")
    return {**found, "report": str(folder / "report.html")}


def _seen(pipeline: Pipeline, spec: Any, rows: dict[str, Any]) -> Any:
    """What the first trained layer gets of some samples; or why that is not known."""
    from tfpipe.evaluation.data.preprocessed import preprocessed
    from tfpipe.training.compile import compile_model

    few = {name: values[:256] for name, values in rows.items()}
    try:
        picked = pick(pipeline.device)
        compiled = compile_model(pipeline, spec, picked.strategy, "float32", False)
        return preprocessed(compiled.model, few if len(few) > 1 else next(iter(few.values())))
    except TfpipeError as error:
        return f"What the model makes of it is not known: {error}"


def _samples(pipeline: Pipeline, plain: Pipeline, spec: Any, train: Any, grid: int) -> Any:
    """Some training samples, spread over the split, and the same after augmentation."""
    from tfpipe.evaluation.samples import chosen
    from tfpipe.training.datasets import dataset

    size = spec.splits["train"]
    rows = sorted({i * size // grid for i in range(min(grid, size))})
    found = chosen(dataset(plain, "train"), rows, spec)
    parts = spec.label.parts or (spec.label,)
    labels = {part.name: train.labels(part.name if spec.label.parts else "") for part in parts}
    named = [
        (found[row], ", ".join(_named(part, labels[part.name][row]) for part in parts))
        for row in rows
        if row in found
    ]
    if not pipeline.augment:
        return named, None
    changed = chosen(dataset(plain.replace(augment=pipeline.augment), "train"), rows, spec)
    return named, [changed[row] for row in rows if row in found]


def _named(label: Any, value: Any) -> str:
    """A label in words."""
    if label.is_class:
        return str(label.classes[int(value)])
    if label.classes:
        yes = [name for name, v in zip(label.classes, value, strict=True) if v]
        return listed(yes, 3) if yes else "none"
    return ", ".join(f"{v:.4g}" for v in value.reshape(-1)[:4])


def _duplicates(spec: Any, splits: dict[str, Any]) -> Any:
    from tfpipe.evaluation.data.duplicates import exact, near
    from tfpipe.evaluation.data.summary import KEPT_IMAGES
    from tfpipe.evaluation.report.data import duplicates_section

    first = spec.label.parts[0].name if spec.label.parts else ""
    labels = {name: found.labels(first) for name, found in splits.items()}
    found = exact({name: one.ids for name, one in splits.items()}, labels)
    images = [f.name for f in spec.features if f.kind == "image" and f.dtype == "uint8"]
    if not images:
        return duplicates_section(found, None, "")
    pictures = {name: one.rows[images[0]] for name, one in splits.items()}
    return duplicates_section(
        found, near(pictures, labels), f"among the first {KEPT_IMAGES:,} of each split"
    )


def _columns(spec: Any, train: Any) -> list[Any]:
    from tfpipe.evaluation.data.associations import associations
    from tfpipe.evaluation.report.data import columns_section, texts_section

    rows = train.rows
    texts = [f.name for f in spec.features if f.kind in _TEXTS]
    sections = [texts_section(rows[name]) for name in texts]
    columns = {
        f.name: rows[f.name]
        for f in spec.features
        if f.kind in ("number", "date", "category") and rows[f.name].ndim == 1
    }
    vectors = {
        f"{f.name}[{i}]": rows[f.name][:, i]
        for f in spec.features
        if f.kind == "vector" and rows[f.name].ndim == 2 and rows[f.name].shape[1] <= 60
        for i in range(rows[f.name].shape[1])
    }
    columns |= vectors
    label = spec.label
    if not columns or not (label.is_class or (label.kind == "real" and not label.shape)):
        return sections
    size = len(next(iter(columns.values())))
    found = associations(columns, train.labels()[:size].reshape(-1), classes=label.is_class)
    return [*sections, columns_section(found, label.is_class)]
