"""Training, evaluating and exporting in a run's directory: what `run` and `resume` share."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.errors import Interrupted, OutOfMemory, StorageError, TfpipeError
from tfpipe.jobs.advice import input_advice
from tfpipe.jobs.features import save_whole
from tfpipe.jobs.plan import Prepared, source_name
from tfpipe.jobs.worker import part, tell
from tfpipe.runs.directory import RunDirectory, State, Status
from tfpipe.storage import disk_full, storage, write_whole
from tfpipe.terminal import Terminal
from tfpipe.text import counted
from tfpipe.training.reporting import SETTINGS, EpochRow

if TYPE_CHECKING:
    from tfpipe.evaluation.classes import Confusion

GOLDEN = 32
CLASSES_SHOWN = 20


@dataclass
class Run:
    """A finished run.

    Args:
        name: as `tfpipe runs ls` shows it.
        directory: its folder.
        history: metric names to one value an epoch.
        metrics: the final metrics by split.
        model: the trained keras.Model.
        exported: the SavedModel versions written.
    """

    name: str
    directory: Path
    history: dict[str, list[float]]
    metrics: dict[str, dict[str, float]]
    model: Any
    exported: list[Path]
    _prepared: Prepared = field(repr=False)
    _root: Path = field(repr=False)

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """Loss and metrics of the trained model on a split."""
        from tfpipe.evaluation.evaluate import evaluate
        from tfpipe.training.loop import dataset

        return evaluate(self.model, dataset(self._prepared.pipeline, split))

    def export(self) -> Path:
        """Write another version of the SavedModel, proven as `run` does."""
        path = _export(self._prepared, self._root)
        self.exported.append(path)
        return path


@dataclass(frozen=True)
class RunPlan:
    """What is to be done in a run's directory.

    Args:
        prepared: the pipeline, ready to train.
        directory: the run's.
        root: the folder for saved_models/.
        terminal: where to tell how it goes.
        test: whether to evaluate on the test split at the end.
        export: whether to write a SavedModel at the end.
        resumed: what to go on from (`tfpipe.training.loop.Resumed`).
        notes: what else a person must not overlook about the numbers.
        extra: callbacks that come after all others.
    """

    prepared: Prepared
    directory: RunDirectory
    root: Path
    terminal: Terminal
    test: bool = True
    export: bool = True
    resumed: Any = None
    notes: Sequence[str] = ()
    extra: Sequence[Any] = ()


def execute(job: RunPlan) -> Run:
    """Train, evaluate once on the test split, and export; status.json says how it goes.

    Raises:
        TfpipeError: see `tfpipe.errors`; the run's status.json says the same.
    """
    from tfpipe.models.count import parameters

    watcher = _Watcher(job, parameters(job.prepared.compiled.model))
    try:
        watcher.write()
        pipeline = type(job.prepared.pipeline).__name__
        job.terminal.header(f"{job.prepared.loaded.name} · {pipeline}", _facts(job))
        job.terminal.say()
        result = _train_and_evaluate(job, watcher)
        _finish(job, result, watcher)
        part(job.prepared.picked)
        return result
    except BaseException as error:
        job.terminal.stop_live()
        known = as_known(error, job.directory.path)
        state: State = "interrupted" if isinstance(known, Interrupted) else "failed"
        if state == "interrupted":
            _how_to_resume(job)
        try:
            watcher.write(state, message=str(known) or type(known).__name__)
        except StorageError as unwritable:
            print(unwritable, file=sys.stderr)  # noqa: T201 (there is nowhere else left)
        if known is error:
            raise
        raise known from error


class _Watcher:
    """Passes on what training tells, and keeps status.json up to date."""

    def __init__(self, job: RunPlan, parameters: int) -> None:
        self._run = job.directory
        self._prepared = job.prepared
        self._pipeline = job.prepared.pipeline
        self._terminal = job.terminal
        self.quiet = False
        self.status = Status("running", parameters=parameters)
        self._epoch, self._step = 0, 0
        if job.resumed is not None:
            self._epoch, self._step = job.resumed.saved.state.epoch, job.resumed.step

    def step(
        self, epoch: int, epochs: int, step: int, steps: int, rate: float, loss: float
    ) -> None:
        self._epoch, self._step = epoch - 1, step
        if not self.quiet:
            self._terminal.step(epoch, epochs, step, steps, rate, loss)

    def epoch(self, row: Any) -> None:
        self._epoch, self._step = row.epoch, 0
        if not self.quiet:
            self._terminal.epoch(row)
            if advice := input_advice(self._pipeline, row):
                self._terminal.note(advice)
        self.write(metrics=by_split(row.metrics))

    def phase(self, number: int, count: int) -> None:
        if not self.quiet:
            self._terminal.say(_phase(self._prepared, number, count))

    def write(self, state: State = "running", **changes: Any) -> None:
        """Write status.json with some fields changed."""
        self.status = _changed(
            self.status, state=state, epoch=self._epoch, step=self._step, **changes
        )
        self._run.write_status(self.status)


def _changed(status: Status, **changes: Any) -> Status:
    return Status(**{**status.__dict__, **changes})


def by_split(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """Keras's flat names as a mapping of splits: `val_loss` is the validation's loss."""
    rest = {n: v for n, v in metrics.items() if n not in SETTINGS}
    found = {"train": {n: v for n, v in rest.items() if not n.startswith("val_")}}
    validation = {n.removeprefix("val_"): v for n, v in rest.items() if n.startswith("val_")}
    return found | ({"validation": validation} if validation else {})


def _train_and_evaluate(job: RunPlan, watcher: _Watcher) -> Run:
    from tfpipe.evaluation.evaluate import evaluate
    from tfpipe.training.callbacks.tensorboard import write_test_scalars
    from tfpipe.training.loop import dataset, train

    prepared, terminal, directory = job.prepared, job.terminal, job.directory
    pipeline, spec, model = prepared.pipeline, prepared.spec, prepared.compiled.model
    tell(prepared.picked, job.root, job.resumed)
    if prepared.on_features is not None:
        directory.write_json("features.json", dict(prepared.features_cost))
    trained = train(
        prepared.trained.pipeline,
        prepared.trained.spec,
        prepared.trained.compiled,
        directory,
        watcher,
        resumed=job.resumed,
        extra=job.extra,
    )
    if prepared.on_features is not None:
        save_whole(prepared, directory.checkpoints / "best.keras")
    last = trained.rows[-1]
    metrics = by_split(last.metrics)
    confusion = None
    if trained.stopped_early:
        terminal.say(f"[dim]stopped early, after epoch {last.epoch} of {pipeline.epochs}[/]")
    if "test" in spec.splits and job.test:
        with terminal.waiting("evaluating on the test split"):
            metrics["test"] = evaluate(model, dataset(pipeline, "test"))
        write_test_scalars(directory, metrics["test"], last.epoch - 1)
        terminal.say()
        terminal.results(f"test ({spec.splits['test']:,} samples)", metrics["test"])
        confusion = _report_test(job, metrics["test"])
    watcher.write(metrics=metrics)
    if job.test:  # a trial is in the report of its search
        _draw_report(job, metrics, trained.rows, confusion)
    history = {n: [r.metrics[n] for r in trained.rows if n in r.metrics] for n in last.metrics}
    return Run(directory.name, directory.path, history, metrics, model, [], prepared, job.root)


def _report_test(job: RunPlan, metrics: dict[str, float]) -> "Confusion | None":
    """Write report.json about the test split, and tell how each class did where they are few."""
    from tfpipe.evaluation.classes import confusion
    from tfpipe.training.loop import dataset

    prepared, folder = job.prepared, job.directory.report
    task, classes = prepared.compiled.task, prepared.spec.classes
    report: dict[str, Any] = {"test": {"metrics": metrics}}
    counts = None
    with storage(folder):
        folder.mkdir(exist_ok=True)
    if task.has_classes:
        with job.terminal.waiting("counting the answers, class by class"):
            batches = dataset(prepared.pipeline, "test")
            counts = confusion(prepared.compiled.model, task, classes, batches)
        report["test"] |= counts.to_json()
        if len(classes) <= CLASSES_SHOWN:
            job.terminal.say()
            job.terminal.table(("class", "samples", "right", "most often taken for"), counts.rows())
    job.directory.write_json("report/report.json", report)
    return counts


def _draw_report(
    job: RunPlan,
    metrics: dict[str, dict[str, float]],
    rows: Sequence[EpochRow],
    confusion: "Confusion | None",
) -> None:
    """Write report.html and the confusion matrix as a picture; a run does not fail for them."""
    try:
        from tfpipe.evaluation.report.page import png
        from tfpipe.evaluation.report.run import confusion_figure, run_report

        name, folder = job.prepared.loaded.name, job.directory.report
        pipeline = type(job.prepared.pipeline).__name__
        with storage(folder):
            folder.mkdir(exist_ok=True)
        if confusion is not None:
            picture = png(confusion_figure, confusion, f"{name}, test split")
            write_whole(folder / "test_confusion.png", picture)
        notes = [*job.prepared.notes(), *job.notes]
        about = (job.directory.name, pipeline, _facts(job), metrics, rows)
        page = run_report(*about, confusion=confusion, notes=notes)
        write_whole(folder / "report.html", page.encode())
    except Exception as error:  # noqa: BLE001 (whatever it is, the model is trained and saved)
        job.terminal.note(f"The report could not be drawn ({type(error).__name__}: {error}).")


def _finish(job: RunPlan, result: Run, watcher: _Watcher) -> None:
    """Export, and say how it ended and what to do next."""
    terminal, notes = job.terminal, [*job.prepared.notes(), *job.notes]
    if job.export:
        with terminal.waiting("exporting, and comparing the export with the trained model"):
            exported = result.export()
        terminal.say(f"exported to [bold]{exported}[/], equal to the trained model")
    watcher.write(
        "finished",
        message=" ".join(notes),
        exports=tuple(str(path.resolve()) for path in result.exported),
    )
    terminal.say()
    terminal.commands(
        [
            (f"tfpipe runs show {result.name}", "what was run, and how it ended"),
            (f"tensorboard --logdir {result.directory / 'tensorboard'}", "the curves"),
        ]
    )
    for note in notes:
        terminal.note(note)


def _how_to_resume(job: RunPlan) -> None:
    job.terminal.say()
    where = "" if job.root == Path(".") else f" --root {job.root}"
    job.terminal.commands([(f"tfpipe resume {job.directory.name}{where}", "go on from here")])


def _export(prepared: Prepared, root: Path) -> Path:
    from tfpipe.export.saved_model import export

    compiled, spec = prepared.compiled, prepared.spec
    folder = root / "saved_models" / prepared.loaded.name
    return export(compiled.model, compiled.task, spec, folder, _held_out(prepared))


def _held_out(prepared: Prepared) -> dict[str, np.ndarray]:
    """A few samples that training has not seen, as the source gives them."""
    from tfpipe.training.loop import dataset

    spec = prepared.spec
    split = next(s for s in ("test", "validation", "train") if s in spec.splits)
    pipeline = prepared.pipeline.replace(augment=(), shuffle=False)
    features = next(iter(dataset(pipeline, split)))[0]
    named = features if isinstance(features, dict) else {spec.feature.name: features}
    return {n: np.asarray(t)[:GOLDEN] for n, t in named.items()}


def _facts(job: RunPlan) -> dict[str, str]:
    """What is trained, on what and how, for the header and the report."""
    from tfpipe.models.count import parameters, trainable_parameters

    prepared = job.prepared
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
        "directory": str(job.directory.path),
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
    if job.resumed is not None:
        state = job.resumed.saved.state
        step = f" and {counted(job.resumed.step, 'step')}" if job.resumed.step else ""
        facts["resumed"] = f"after {counted(state.epoch, 'epoch')}{step}"
    return facts


def _phase(prepared: Prepared, number: int, count: int) -> str:
    """What a phase of the training trains, and how."""
    from tfpipe.models.count import parameters, trainable_parameters

    assert prepared.pipeline.fine_tune is not None
    phase = prepared.pipeline.fine_tune.phases[number - 1]
    model = prepared.compiled.model
    trained = "the base is frozen"
    if phase.unfreeze == "all":
        trained = "all of the base is trained"
    elif isinstance(phase.unfreeze, int):
        trained = f"the last {counted(phase.unfreeze, 'layer')} of the base trained"
    elif phase.unfreeze is not None:
        trained = f"the base trained from layer {phase.unfreeze.rstrip(':')} on"
    facts = (
        trained,
        f"{trainable_parameters(model):,} of {parameters(model):,} parameters",
        f"{counted(phase.epochs, 'epoch')} of {type(model.optimizer).__name__}",
    )
    return f"[bold]phase {number} of {count}[/]  [dim]{' · '.join(facts)}[/]"


def as_known(error: BaseException, place: Path) -> BaseException:
    """Errors of TensorFlow and of Python in our own words, where there are better ones."""
    if isinstance(error, TfpipeError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("Stopped at once; what was saved before is intact.")
    text = str(error)
    if "No space left on device" in text:
        return disk_full(place)
    if type(error).__name__ == "ResourceExhaustedError" or isinstance(error, MemoryError):
        return OutOfMemory(
            "The memory ran out. Use a smaller batch_size or model, or precision=bfloat16. "
            f"({_without_places(text) or 'MemoryError'})"
        )
    return error


def _without_places(text: str) -> str:
    """The first line of what TensorFlow says, without the names of its operations and devices."""
    first = next(iter(text.splitlines()), "")
    return re.sub(r"\{\{.*?\}\} ?| on /job:.*", "", first)
