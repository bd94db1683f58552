"""The report of a run: its facts, report.json, report.html, the confusion matrix as a picture."""

from collections.abc import Sequence
from typing import Any

from tfpipe.evaluation.classes import Confusion, confusion
from tfpipe.evaluation.report.page import png
from tfpipe.evaluation.report.run import confusion_figure, run_report
from tfpipe.jobs.prepare import source_name
from tfpipe.jobs.run import RunPlan
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.storage import storage, write_whole
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


def report_test(plan: RunPlan, metrics: dict[str, float]) -> Confusion | None:
    """Write report.json about the test split, and show how each class did where they are few.

    Args:
        plan: the run.
        metrics: the test metrics.

    Returns:
        Which classes were taken for which, where the answers are classes.
    """
    prepared, folder = plan.prepared, plan.directory.report
    task, classes = prepared.compiled.task, prepared.spec.classes
    report: dict[str, Any] = {"test": {"metrics": metrics}}
    counts = None
    with storage(folder):
        folder.mkdir(exist_ok=True)
    if task.has_classes:
        with plan.terminal.waiting("counting the answers, class by class"):
            batches = dataset(prepared.pipeline, "test")
            counts = confusion(prepared.compiled.model, task, classes, batches)
        report["test"] |= counts.to_json()
        if len(classes) <= CLASSES_SHOWN:
            plan.terminal.say()
            columns = ("class", "samples", "right", "most often taken for")
            plan.terminal.table(columns, counts.rows())
    plan.directory.write_json("report/report.json", report)
    return counts


def draw_report(
    plan: RunPlan,
    metrics: dict[str, dict[str, float]],
    rows: Sequence[EpochRow],
    counts: Confusion | None,
) -> None:
    """Write report.html and the confusion matrix as a picture; a run does not fail for them.

    Args:
        plan: the run.
        metrics: by split.
        rows: a row for each epoch.
        counts: which classes were taken for which in the test split, where it was evaluated.
    """
    name, folder = plan.prepared.loaded.name, plan.directory.report
    try:
        with storage(folder):
            folder.mkdir(exist_ok=True)
        if counts is not None:
            picture = png(confusion_figure, counts, f"{name}, test split")
            write_whole(folder / "test_confusion.png", picture)
        pipeline = type(plan.prepared.pipeline).__name__
        about = (plan.directory.name, pipeline, run_facts(plan), metrics, rows)
        page = run_report(*about, confusion=counts, notes=plan.all_notes)
        write_whole(folder / "report.html", page.encode())
    except Exception as error:  # noqa: BLE001 (whatever it is, the model is trained and saved)
        plan.terminal.note(f"The report could not be drawn ({type(error).__name__}: {error}).")
