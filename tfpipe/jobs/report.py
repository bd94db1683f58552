"""The report of a run: its facts, report.json, report.html, the confusion matrix as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfpipe.evaluation.classes import Confusion, confusion
from tfpipe.evaluation.report.page import png
from tfpipe.evaluation.report.run import confusion_figure, run_report
from tfpipe.jobs.prepare import source_name
from tfpipe.jobs.run import RunPlan
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.storage import storage, write_whole
from tfpipe.tasks.several import Several
from tfpipe.text import counted
from tfpipe.training.datasets import dataset
from tfpipe.training.reporting import EpochRow

CLASSES_SHOWN = 20


def run_facts(plan: RunPlan) -> dict[str, str]:
    """Return the facts of a run by name."""
    prepared = plan.prepared
    pipeline, spec, model = prepared.pipeline, prepared.spec, prepared.compiled.model
    total, trainable = parameters(model), trainable_parameters(model)
    sizes = ", ".join(f"{size:,} {name}" for name, size in spec.splits.items())
    assert pipeline.data is not None
    source = prepared.stands_for or source_name(pipeline.data)
    classes = f" · {len(spec.classes)} classes" if spec.classes else ""
    builder = type(pipeline.model).__name__ if pipeline.model else model.name
    detail = f" ({trainable:,} trainable)" if trainable != total else ""
    generated = "generated in place of " if prepared.stands_for else ""
    facts = {
        "directory": str(plan.directory.path),
        "data": f"{generated}{source} · {sizes}{classes}",
        "model": f"{builder} · {total:,} parameters{detail}",
        "training": (
            f"{counted(pipeline.epochs, 'epoch')} of {counted(prepared.steps, 'step')} · "
            f"batches of {pipeline.batch_size} · {type(model.optimizer).__name__}"
        ),
        "device": f"{prepared.picked.device} ({prepared.picked.reason})",
        "precision": f"{prepared.precision.name} ({prepared.precision.reason})",
    }
    if prepared.on_features is not None:
        facts["features"] = "computed once; the head is trained on them"
    if plan.resumed is not None:
        state = plan.resumed.saved.state
        step = f" and {counted(plan.resumed.step, 'step')}" if plan.resumed.step else ""
        facts["resumed"] = f"after {counted(state.epoch, 'epoch')}{step}"
    return facts


def report_test(plan: RunPlan, metrics: dict[str, float]) -> dict[str, Confusion]:
    """Write report.json about the test split, and show how each class did where they are few.

    Args:
        plan: the run.
        metrics: the test metrics.

    Returns:
        Which classes were taken for which, for each output whose answers are classes, by its name;
        that of the only output is empty.
    """
    prepared, folder = plan.prepared, plan.directory.report
    model, task = prepared.compiled.model, prepared.compiled.task
    report: dict[str, Any] = {"test": {"metrics": metrics}}
    with storage(folder):
        folder.mkdir(exist_ok=True)
    outputs = task.parts if isinstance(task, Several) else {"": task}
    counts: dict[str, Confusion] = {}
    for name, part in outputs.items():
        if part.has_classes:
            with plan.terminal.waiting("counting the answers, class by class"):
                batches = dataset(prepared.pipeline, "test")
                counts[name] = confusion(model, part, part.label.classes, batches, name)
    for name, counted_classes in counts.items():
        found = counted_classes.to_json()
        report["test"] |= {name: found} if name else found
        if len(counted_classes.classes) <= CLASSES_SHOWN:
            plan.terminal.say()
            columns = (name or "class", "samples", "right", "most often taken for")
            plan.terminal.table(columns, counted_classes.rows())
    plan.directory.write_json("report/report.json", report)
    return counts


def draw_report(
    plan: RunPlan,
    metrics: dict[str, dict[str, float]],
    rows: Sequence[EpochRow],
    counts: Mapping[str, Confusion],
) -> None:
    """Write report.html and the confusion matrix as a picture; a run does not fail for them.

    Args:
        plan: the run.
        metrics: by split.
        rows: a row for each epoch.
        counts: which classes were taken for which in the test split, by output.
    """
    name, folder = plan.prepared.loaded.name, plan.directory.report
    try:
        with storage(folder):
            folder.mkdir(exist_ok=True)
        for output, found in counts.items():
            what = f"{name}, {output}" if output else name
            picture = png(confusion_figure, found, f"{what}, test split")
            file = f"test_confusion_{output}.png" if output else "test_confusion.png"
            write_whole(folder / file, picture)
        pipeline = type(plan.prepared.pipeline).__name__
        about = (plan.directory.name, pipeline, run_facts(plan), metrics, rows)
        page = run_report(*about, confusion=counts, notes=plan.all_notes)
        write_whole(folder / "report.html", page.encode())
    except Exception as error:  # noqa: BLE001 (whatever it is, the model is trained and saved)
        plan.terminal.note(f"The report could not be drawn ({type(error).__name__}: {error}).")
