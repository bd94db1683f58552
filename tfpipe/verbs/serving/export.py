"""`tfpipe export`: what was trained as a SavedModel, LiteRT or ONNX, proven equal to it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tfpipe.devices import start_tensorflow
from tfpipe.errors import ConfigError, MissingDependency, RunError, suggest
from tfpipe.exports.formats import SAVED_MODEL, format_named
from tfpipe.jobs.restore import read_stopped
from tfpipe.runs.directory import find_run
from tfpipe.terminal import Silent, Terminal
from tfpipe.text import listed

CHECKPOINTS = ("best", "last")


def export(
    run: str | Path,
    *,
    format: str = SAVED_MODEL,
    checkpoint: str = "best",
    to: str | Path | None = None,
    max_loss: float = 0.01,
    overrides: tuple[str, ...] = (),
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Export the model of a run, with its preprocessing inside and its proof beside it.

    Args:
        run: a run's name, a unique beginning of it, its path, or "last".
        format: "saved_model", "litert", "litert-int8" or "onnx".
        checkpoint: "best", the best epoch's weights; or "last", those of the newest saved state.
        to: the folder of the versions; saved_models/NAME below the root when None, and in it a
            folder of the format's name for another format than SavedModel.
        max_loss: how much accuracy int8 may lose, as a share (0.01 is a percentage point); of
            numbers, by what share their mean error may grow.
        overrides: `a.b=value` texts for the run's declaration, such as where its data lies.
        root: the folder with runs/ and saved_models/.
        terminal: told what is slow.

    Returns:
        `path`: the folder of the SavedModel, or the file, `format`, and for other formats than
        SavedModel what report.json says: comparisons with the trained model on 1,000 held-out
        samples, size, latency, and the largest difference on the golden samples.

    Raises:
        CheckFailed: when the artefact answers too differently; nothing is left behind.
        RunError: for no such run, or one without the checkpoint.
        ModelError: when the format cannot hold the model.
        MissingDependency: when the packages of the format are not installed.

    Example:
        tfpipe.export("last", format="onnx")["path"]
    """
    terminal = terminal or Silent()
    wanted = format_named(format)
    if checkpoint not in CHECKPOINTS:
        raise ConfigError(
            f"There is no checkpoint {checkpoint!r}. {suggest(checkpoint, CHECKPOINTS)}"
        )
    if wanted and (missing := [name for name in wanted.packages if find_spec(name) is None]):
        raise MissingDependency(
            f"The format {wanted.name} needs {listed(missing)}, which is not installed. Install it "
            f"with: pip install 'tfpipe[{wanted.extra}]'"
        )
    stopped = read_stopped(find_run(Path(root), str(run)))
    name = stopped.name.partition("/")[0]
    folder = Path(to) if to is not None else Path(root) / "saved_models" / name
    if to is None and wanted:
        folder /= wanted.name
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    from tfpipe.jobs.export import TrainedPipeline
    from tfpipe.jobs.report.stored import subject_of_run
    from tfpipe.training import checkpoint as states

    subject = subject_of_run(stopped, None, overrides, terminal)
    if checkpoint == "last":
        if subject.pipeline.ema:
            raise RunError(
                f"{stopped.name} averages its weights (ema), and a saved state holds them without "
                "that: export --checkpoint best, which has the averages."
            )
        saved = states.latest(stopped.directory.checkpoints)
        if saved is None:
            raise RunError(f"{stopped.name} has no saved state. Export --checkpoint best.")
        states.restore(subject.model, saved, ("model",))
    best = subject.best if checkpoint == "best" else len(subject.rows)
    rows = [row for row in subject.rows if row.epoch == best]
    trained = TrainedPipeline(
        stopped.name,
        subject.model,
        subject.task,
        subject.pipeline,
        subject.spec,
        checkpoint,
        {"epoch": {**rows[0].metrics}} if rows else {},
        subject.generated,
    )
    for note in subject.notes:
        terminal.note(note)
    with terminal.waiting(f"exporting {format}, and comparing it with the trained model"):
        if wanted is None:
            return {"path": str(trained.saved_model(folder)), "format": format}
        file, report = trained.converted(wanted, folder, max_loss)
    return {"path": str(file), **report}
