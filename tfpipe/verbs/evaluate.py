"""`tfpipe evaluate`: how good a trained model is, on any split, with a report."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfpipe.declare.loading import Loaded, from_instance, load
from tfpipe.declare.pipeline import Pipeline
from tfpipe.devices import start_tensorflow
from tfpipe.errors import ConfigError, DataError, RunError, suggest
from tfpipe.jobs.restore import read_stopped
from tfpipe.runs.directory import find_run
from tfpipe.terminal import Silent, Terminal


def evaluate(
    target: str | Path,
    *,
    split: str = "test",
    overrides: Iterable[str] = (),
    data: str | Pipeline | Loaded | None = None,
    out: str | Path | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Judge the best model of a run, or an exported one, and write a report.

    Args:
        target: a run's name, a unique beginning of it, its path, or "last"; or the folder of an
            exported model or of one of its versions.
        split: "test", "validation" or "train".
        overrides: `a.b=value` texts for the run's declaration, or for that of `data`.
        data: a pipeline, or its file, whose data is judged; the run's own when None.
        out: the folder of the report; the run's report/ for its own test split when None, and
            reports/ below the root otherwise.
        root: the folder with runs/.
        terminal: told what is slow.

    Returns:
        What report.json holds, and under "report" where the page is.

    Raises:
        TfpipeError: for no such run, model, split or data.

    Example:
        tfpipe.evaluate("last", split="validation")["validation"]["classes"]["accuracy"]
    """
    terminal = terminal or Silent()
    overrides = tuple(overrides)
    given = load(data, overrides) if isinstance(data, str) else data
    declared = from_instance(given) if isinstance(given, Pipeline) else given
    exported, run = _exported(Path(target)), None
    if exported is None:
        run = read_stopped(find_run(Path(root), str(target)))
    elif declared is None:
        raise ConfigError(
            f"{exported} is an exported model, which brings no data: name a pipeline file whose "
            "data is judged, with --data FILE."
        )
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    from tfpipe.evaluation.evaluate import evaluate as metrics_of
    from tfpipe.jobs.report.answers import answer, keep_answers
    from tfpipe.jobs.report.stored import subject_of_export, subject_of_run
    from tfpipe.jobs.report.tables import answer_tables, report_tables
    from tfpipe.jobs.report.write import write_report
    from tfpipe.training.datasets import dataset

    if run is not None:
        subject = subject_of_run(run, declared, overrides, terminal)
    elif exported is not None and declared is not None:
        subject = subject_of_export(exported, declared, terminal)
    if split not in subject.spec.splits:
        raise DataError(
            f"{subject.name}: there is no split {split!r}. {suggest(split, subject.spec.splits)}"
        )
    metrics: dict[str, dict[str, float]] = {}
    if exported is None:
        with terminal.waiting(f"evaluating on the {split} split"):
            metrics[split] = metrics_of(subject.model, dataset(subject.pipeline, split))
        terminal.results(f"{split} ({subject.spec.splits[split]:,} samples)", metrics[split])
    answers = answer(subject, split, terminal)
    if run is not None and declared is None:
        keep_answers(run.directory, answers, again=False)  # of a run that ended without them
    answer_tables(subject, answers, terminal)
    folder = Path(root) / "reports" / subject.name.replace("/", "-") / split
    if out is not None:
        folder = Path(out)
    elif run is not None and split == "test" and declared is None:
        folder = run.directory.report
    report = write_report(subject, answers, metrics, folder, terminal)
    report_tables(report, terminal)
    return {**report, "report": str(folder / "report.html")}


def _exported(path: Path) -> Path | None:
    """Return the version that the folder of an export means, the newest one; None for none."""
    if (path / "saved_model.pb").is_file():
        return path
    versions = [p for p in path.glob("*/saved_model.pb") if p.parent.name.isdigit()]
    if versions:
        return max((p.parent for p in versions), key=lambda p: int(p.name))
    if path.is_dir() and path.parent.name == "saved_models":
        raise RunError(f"{path} holds no exported model.")
    return None
