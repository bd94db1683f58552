"""`tfpipe check FILE --resume`: whether this very pipeline, killed and resumed, ends the same.

Three short trainings, each in a process of its own: one straight through, one that kills itself
with SIGKILL in the middle of an epoch, and one that goes on with it. Nothing of them is kept, and
the test split is not touched.
"""

import csv
import json
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfpipe.declare.codec import to_json
from tfpipe.declare.loading import Loaded, load
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import CheckFailed, ConfigError, TfpipeError
from tfpipe.processes.pool import ProcessPool, ProcessSpec
from tfpipe.terminal import Terminal

EPOCHS, STEPS, EVERY, KILLED_AFTER = 2, 8, 3, 5
# What a training imports, for the pool to have it ready.
PRELOAD = (
    "tfpipe.verbs.rehearse",
    "tfpipe.jobs.execute",
    "tfpipe.jobs.resume",
    "tfpipe.jobs.resumption",
    "tfpipe.jobs.start",
)
_TIMES = ("seconds", "examples_per_second", "input_wait")


def rehearse(loaded: Loaded, sample: int | bool | None, terminal: Terminal) -> dict[str, Any]:
    """Compare a short run with one that was killed and resumed.

    Args:
        loaded: a pipeline from a file.
        sample: on generated data: True, or how many samples.
        terminal: told what is slow.

    Raises:
        ConfigError: for a pipeline without a file.
        CheckFailed: when the two are not equal, with the largest difference and where it is.

    Returns:
        epochs, steps, killed_after (the step of the last epoch) and compared (how many arrays).
    """
    if loaded.path is None or to_json(_reloaded(loaded)) != to_json(loaded.pipeline):
        raise ConfigError(
            "The rehearsal starts the pipeline in other processes, from its file and its overrides "
            "alone: declare all of it in a file, and give arguments as overrides."
        )
    with tempfile.TemporaryDirectory(prefix="tfpipe.") as folder, ProcessPool(PRELOAD) as pool:
        straight, killed = Path(folder, "straight"), Path(folder, "killed")
        with terminal.waiting("training straight through"):
            _train(pool, loaded, sample, straight)
        with terminal.waiting("training, and killing it"):
            _train(pool, loaded, sample, killed, kill=True)
        with terminal.waiting("resuming what was killed"):
            _train(pool, loaded, sample, killed, resume=True)
        return _compare(straight, killed)


def _reloaded(loaded: Loaded) -> Pipeline:
    return load(loaded.target, loaded.overrides).pipeline


def _train(
    pool: ProcessPool,
    loaded: Loaded,
    sample: int | bool | None,
    root: Path,
    kill: bool = False,
    resume: bool = False,
) -> None:
    """Do one of the three trainings, in a process of its own; raise CheckFailed if it fails."""
    job = {
        "target": loaded.target,
        "name": loaded.name,
        "overrides": loaded.overrides,
        "root": str(root),
        "sample": sample,
        "kill": kill,
        "resume": resume,
    }
    log = root.parent / f"{root.name}{'-resumed' if resume else ''}.txt"
    child = pool.start(ProcessSpec(__name__, json.dumps(job), log))
    while child.exit_code is None:
        pool.poll(0.1)
    if child.exit_code == (-signal.SIGKILL if kill else 0):
        return
    output = log.read_text(errors="replace")
    errors = [line[7:] for line in output.splitlines() if line.startswith("Error: ")]
    raise CheckFailed(
        f"The rehearsal {'that is resumed ' if resume else ''}failed ({child.how}): "
        f"{errors[-1] if errors else output[-2000:]}"
    )


def _compare(straight: Path, killed: Path) -> dict[str, Any]:
    from tfpipe.training import checkpoint

    (one,), (other,) = (list(root.glob("runs/*/*")) for root in (straight, killed))
    first, second = (checkpoint.latest(run / "checkpoints") for run in (one, other))
    assert first is not None
    assert second is not None
    differences = {
        v["path"]: _difference(a, b)
        for v, a, b in zip(first.variables, first.arrays, second.arrays, strict=True)
        if a.tobytes() != b.tobytes()
    }
    if differences:
        name = max(differences, key=lambda n: differences[n])
        raise CheckFailed(
            f"Killed and resumed is not the same as straight through: {len(differences)} of "
            f"{len(first.arrays)} arrays differ, the most {name}, by {differences[name]:.3g}. "
            "Something has a memory that is not saved: random operations without a seed in "
            "input_fn, or a callback, which gets one by get_state() and set_state(state)."
        )
    rows = [_rows(run / "metrics.csv") for run in (one, other)]
    if rows[0] != rows[1] or first.state.callbacks != second.state.callbacks:
        raise CheckFailed(
            "Killed and resumed gives the same weights and other metrics: "
            f"{rows[0][-1]} straight through, {rows[1][-1]} resumed."
        )
    return {
        "epochs": len(rows[0]),
        "steps": STEPS,
        "killed_after": KILLED_AFTER,
        "compared": len(first.arrays),
    }


def _difference(a: Any, b: Any) -> float:
    import numpy as np

    return float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return [{n: v for n, v in row.items() if n not in _TIMES} for row in csv.DictReader(stream)]


def main(argument: str) -> int:
    """Do one of the three trainings, as a JSON text says, in this process; return the exit code."""
    try:
        _rehearse(json.loads(argument))
    except TfpipeError as error:
        sys.exit(f"Error: {error}")
    return 0


def _rehearse(job: dict[str, Any]) -> None:
    from tfpipe.verbs.resume import resume
    from tfpipe.verbs.run import run

    loaded = load(job["target"], job["overrides"])
    short = (*_epochs(loaded.pipeline), f"steps_per_epoch={STEPS}", f"checkpoint_every={EVERY}")
    loaded = load(job["target"], (*job["overrides"], *short))
    loaded = replace(loaded, name=job["name"])
    common: dict[str, Any] = {"root": job["root"], "export": False, "test": False, "quiet": True}
    if job["resume"]:
        resume(**common)
    else:
        killer = [_killer(loaded.pipeline.all_epochs)] if job["kill"] else []
        run(loaded, sample=job["sample"], extra=killer, **common)


def _epochs(pipeline: Pipeline) -> tuple[str, ...]:
    """Overrides for few epochs: one for each phase, where there are any."""
    if pipeline.fine_tune is None:
        return (f"epochs={EPOCHS}",)
    each = EPOCHS if len(pipeline.fine_tune.phases) == 1 else 1
    count = range(len(pipeline.fine_tune.phases))
    return tuple(f"fine_tune.phases.{i}.epochs={each}" for i in count)


def _killer(epochs: int) -> Any:
    """A callback that kills its own process in the middle of the last epoch."""
    import keras

    class Killer(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.epoch == epochs - 1 and batch + 1 >= KILLED_AFTER:
                os.kill(os.getpid(), signal.SIGKILL)

    return Killer()
