"""Training, evaluating and exporting in a run's directory: what `run` and `resume` share."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from tfpipe.errors import Interrupted, StorageError
from tfpipe.evaluation.evaluate import evaluate
from tfpipe.exports import parity
from tfpipe.jobs.errors import as_known
from tfpipe.jobs.features import save_whole
from tfpipe.jobs.multi_worker import announce_plan, wait_for_all
from tfpipe.jobs.records import read_records
from tfpipe.jobs.report.answers import answer, keep_answers
from tfpipe.jobs.report.board import begin_board, end_board
from tfpipe.jobs.report.subject import run_facts, subject_of
from tfpipe.jobs.report.tables import answer_tables, report_tables
from tfpipe.jobs.report.write import write_report
from tfpipe.jobs.run import Run, RunPlan
from tfpipe.jobs.status_reporter import StatusReporter, by_split
from tfpipe.models.images_out.adversarial import answering
from tfpipe.models.parameter_count import parameters
from tfpipe.runs.directory import State
from tfpipe.text import at_root
from tfpipe.training.callbacks.near_the_end import NearTheEnd
from tfpipe.training.callbacks.tensorboard import write_test_scalars
from tfpipe.training.datasets import distributed
from tfpipe.training.loop import train
from tfpipe.training.reporting import EpochRow

_EARLY = 10.0  # seconds before training ends; the process in which an export is proven takes three


def execute(plan: RunPlan) -> Run:
    """Train, evaluate once on the test split, and export; status.json says how it goes.

    Raises:
        TfpipeError: see `tfpipe.errors`; the run's status.json says the same.
    """
    reporter = StatusReporter(plan, parameters(plan.prepared.compiled.model))
    try:
        reporter.write()
        pipeline = type(plan.prepared.pipeline).__name__
        plan.terminal.header(f"{plan.prepared.loaded.name} · {pipeline}", run_facts(plan))
        for note in plan.prepared.data_notes():
            plan.terminal.note(note)
        plan.terminal.say()
        if plan.test:  # a trial is on the board of its search
            begin_board(plan)
        plan, result = _train_and_evaluate(plan, reporter)
        _finish(plan, result, reporter)
        wait_for_all(plan.prepared.picked)
        return result
    except BaseException as error:
        plan.terminal.stop_live()
        known = as_known(error, plan.directory.path)
        state: State = "interrupted" if isinstance(known, Interrupted) else "failed"
        if state == "interrupted":
            plan.terminal.say()
            command = f"tfpipe resume {plan.directory.name}{at_root(plan.root)}"
            plan.terminal.commands([(command, "go on from here")])
        try:
            reporter.write(state, message=str(known) or type(known).__name__)
        except StorageError as unwritable:
            print(unwritable, file=sys.stderr)  # noqa: T201 (there is nowhere else left)
        if known is error:
            raise
        raise known from error


def _train_and_evaluate(plan: RunPlan, reporter: StatusReporter) -> tuple[RunPlan, Run]:
    """Return what came of it, and the plan with what training has to say of the numbers."""
    prepared, terminal, directory = plan.prepared, plan.terminal, plan.directory
    pipeline, spec, model = prepared.pipeline, prepared.spec, prepared.compiled.model
    announce_plan(prepared.picked, plan.root, plan.resumed)
    if prepared.on_features is not None:
        directory.write_json("features.json", dict(prepared.features_cost))
    trained = train(
        prepared.trained.pipeline,
        prepared.trained.spec,
        prepared.trained.compiled,
        directory,
        reporter,
        resumed=plan.resumed,
        extra=[*plan.extra, NearTheEnd(_EARLY, parity.start_early)] if plan.exports else plan.extra,
    )
    if prepared.on_features is not None:
        save_whole(prepared, directory.checkpoints / "best.keras")
    plan = replace(plan, notes=(*plan.notes, *trained.notes))
    last = trained.rows[-1]
    metrics = by_split(last.metrics)
    if trained.stopped_early:
        terminal.say(f"[dim]stopped early, after epoch {last.epoch} of {pipeline.epochs}[/]")
    if "test" in spec.splits and plan.test:
        with terminal.waiting("evaluating on the test split"):
            metrics["test"] = evaluate(
                model, distributed(pipeline, "test", model.distribute_strategy)
            )
        write_test_scalars(directory, metrics["test"], last.epoch - 1)
        terminal.say()
        terminal.results(f"test ({spec.splits['test']:,} samples)", metrics["test"])
    reporter.write(metrics=metrics)
    if plan.exports:
        parity.start_early()
    if plan.test:  # a trial is in the report of its search
        _report(plan, metrics, trained.rows)
        reporter.write(metrics=metrics)
    history = {n: [r.metrics[n] for r in trained.rows if n in r.metrics] for n in last.metrics}
    answers = answering(model)
    run = Run(directory.name, directory.path, history, metrics, answers, [], prepared, plan.root)
    return plan, run


def _report(plan: RunPlan, metrics: dict[str, dict[str, float]], rows: Sequence[EpochRow]) -> None:
    """Keep the model's answers, and write the report; a run does not fail for it.

    BLEU is one of the metrics then.
    """
    directory, terminal = plan.directory, plan.terminal
    config, environment = read_records(directory)
    subject = subject_of(plan, rows, {"config": config, "environment": environment})
    split = next((s for s in ("test", "validation") if s in plan.prepared.spec.splits), None)
    try:
        answers = None
        if split is not None:
            answers = answer(subject, split, terminal)
            keep_answers(directory, answers)
            end_board(plan, subject, answers, rows[-1].epoch - 1)
            if split == "test":
                answer_tables(subject, answers, terminal)
        report = write_report(subject, answers, metrics, directory.report, terminal)
        report_tables(report, terminal)
        if boxes := report[report["split"]].get("boxes"):
            own = {n: boxes[n] for n in ("map", "map50") if boxes[n] is not None}
            metrics[report["split"]] |= own
            if report["split"] == "test":
                write_test_scalars(directory, own, rows[-1].epoch - 1)
        measured = report[report["split"]].get("translation", {}).get("bleu")
        if measured is not None:
            metrics[report["split"]]["bleu"] = measured
    except Exception as error:  # noqa: BLE001 (whatever it is, the model is trained and saved)
        terminal.note(f"The report could not be made ({type(error).__name__}: {error}).")


def _finish(plan: RunPlan, result: Run, reporter: StatusReporter) -> None:
    """Export, and say how it ended and what to do next."""
    terminal, notes = plan.terminal, plan.all_notes
    if plan.exports:
        with terminal.waiting("exporting, and comparing the export with the trained model"):
            exported = result.export()
        terminal.say(f"exported to [bold]{exported}[/], equal to the trained model")
    if (painted := plan.directory.picture).is_file():
        pictures = plan.directory.pictures
        terminal.say(f"painted [bold]{painted}[/]; {pictures} has it after each epoch")
    reporter.write(
        "finished",
        message=" ".join(notes),
        exports=tuple(str(path.resolve()) for path in result.exported),
    )
    page = plan.directory.report / "report.html"
    if page.is_file():
        terminal.say(f"report in [bold]{page}[/]: how good it is, why, and what to try")
    told = plan.prepared.data_notes()
    for note in notes:
        if note not in told:
            terminal.note(note)
    terminal.say()
    asks = []
    if plan.prepared.spec.gives_images:
        command = f"tfpipe predict {result.name}{at_root(plan.root)} photo.jpg --to answers"
        asks = [(command, "a PNG file for each image")]
    terminal.commands(
        [
            *asks,
            (
                f"tfpipe runs show {result.name}{at_root(plan.root)}",
                "what was run, and how it ended",
            ),
            (f"tfpipe tensorboard {result.name}{at_root(plan.root)}", "the curves"),
        ]
    )
