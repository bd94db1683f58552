"""What of a pipeline can be searched, and by what: looked at before anything is written."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfpipe import errors
from tfpipe.declare.field_types import Duration
from tfpipe.declare.loading import Loaded, check_alone
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, Interrupted, RunError, TrainingError, suggest
from tfpipe.processes.pool import ProcessPool, ProcessSpec
from tfpipe.terminal import Terminal
from tfpipe.text import byte_size
from tfpipe.training.reporting import higher_is_better
from tfpipe.tuning.space import Space, space_of
from tfpipe.tuning.store import Search, Tuner

TRIALS = 20
_LEAST_MEMORY = 800 * 1000**2  # a fit of a few thousand weights takes 700 MB
_TUNERS = ("random", "bayesian", "hyperband", "grid")


def space_in(loaded: Loaded) -> Space:
    """The ranges of a pipeline that other processes can load too."""
    check_alone(loaded, "A search")
    return space_of(loaded.pipeline)


def check(space: Space, tuner: str, trials: int | None, workers: int, memory: int | None) -> None:
    """Refuse what cannot be searched, before anything is read; raises ConfigError."""
    if tuner not in _TUNERS:
        raise ConfigError(f"There is no tuner {tuner!r}. {suggest(tuner, _TUNERS)}")
    for name, value in {"trials": trials, "workers": workers, "memory": memory}.items():
        if value is not None and value < 1:
            raise ConfigError(f"--{name} {value}: give a number of at least 1.")
    if memory is not None and memory < _LEAST_MEMORY:
        raise ConfigError(
            f"--memory {byte_size(memory)}: TensorFlow alone takes most of that. Give a trial "
            f"at least {byte_size(_LEAST_MEMORY)}."
        )
    _check_size(space, tuner, trials)
    pipeline: Pipeline = resolve(space.pipeline)
    if tuner == "hyperband" and pipeline.fine_tune is not None:
        raise ConfigError(
            "Hyperband gives each trial its epochs, and fine_tune declares them phase by phase: "
            "use another --tuner."
        )
    if tuner == "hyperband" and any(d.name == "epochs" for d in space.dimensions):
        raise ConfigError(
            "Hyperband gives each trial its epochs: give epochs a value instead of a range, the "
            "most that a trial trains, or use another --tuner."
        )
    if tuner == "hyperband" and pipeline.epochs < 3:
        raise ConfigError(
            f"Hyperband compares trials after 1, 3, 9 ... epochs, and epochs={pipeline.epochs}: "
            "declare at least 3, or use another --tuner."
        )


def _check_size(space: Space, tuner: str, trials: int | None) -> None:
    if trials is None:
        return
    if tuner == "hyperband":
        raise ConfigError(
            "Hyperband counts its trials itself, from the declared epochs: leave out --trials, or "
            "use another --tuner."
        )
    size = space.size_for(tuner)
    if size is not None and size < trials:
        raise ConfigError(
            f"--trials {trials}: there are only {size} different settings in these ranges. Use "
            f"--trials {size} at most, or widen a range."
        )


def check_changes(search: Search, space: Space, trials: int | None, again: bool = False) -> None:
    """Refuse to go on where nothing is left, or with fewer trials than there are."""
    _check_size(space, search.options.tuner, trials)
    begun = len(search.trials())
    if trials is not None and trials < begun:
        raise ConfigError(f"--trials {trials}: {search.name} has begun {begun} already.")
    planned = trials or search.options.trials
    if not again and search.state == "finished" and (planned is None or begun >= planned):
        more = (
            f" Ask for more with: tfpipe search --resume {search.name} --trials {2 * begun}"
            if search.options.tuner in ("random", "bayesian")
            else ""
        )
        raise RunError(f"{search.name} is finished ({begun} trials).{more}")


def count(space: Space, tuner: Tuner, trials: int | None) -> int | None:
    """How many trials there are to be; None where the tuner counts them itself."""
    if trials is not None or tuner == "hyperband":
        return trials
    if tuner == "grid":
        return space.grid_size
    return TRIALS if space.size is None else min(TRIALS, space.size)


def seconds_of(budget: float | str | None) -> float | None:
    if isinstance(budget, str):
        try:
            return float(Duration.parse(budget))
        except ValueError as error:
            raise ConfigError(f"--budget: {error}.") from None
    return budget


def probe(
    pool: ProcessPool,
    loaded: Loaded,
    sample: int | bool | None,
    root: Path,
    terminal: Terminal,
    asked_to_stop: Callable[[], int],
) -> dict[str, Any]:
    """What is measured, found out as the first trial would; raises what it would."""
    from tfpipe.tuning.scheduler import MODULE

    assert loaded.path is not None
    with tempfile.TemporaryDirectory(prefix="tfpipe.") as folder:
        answer, log = Path(folder) / "probe.json", Path(folder) / "log.txt"
        job = {
            "probe": str(answer),
            "target": loaded.target,
            "overrides": list(loaded.overrides),
            "sample": sample,
            "root": str(root.absolute()),
        }
        with terminal.waiting("looking at the pipeline and its data"):
            child = pool.start(ProcessSpec(MODULE, json.dumps(job), log))
            while child.exit_code is None and not asked_to_stop():
                pool.poll(0.1)
        if child.exit_code is None:
            child.kill()
            raise Interrupted("Stopped before the first trial; nothing was written.")
        outcome = json.loads(answer.read_text()) if answer.is_file() else {}
        if outcome.get("state") == "finished":
            return dict(outcome)
        words = log.read_text(errors="replace").strip().splitlines()[-1:] if log.is_file() else []
    kind = getattr(errors, str(outcome.get("kind")), None) or TrainingError
    reason = (
        outcome.get("reason") or f"The pipeline cannot be trained ({child.how}). {''.join(words)}"
    )
    raise kind(reason)


def objective_of(name: str | None, outcome: dict[str, Any]) -> tuple[str, Any]:
    """The metric that decides, and its direction; raises ConfigError for one not measured."""

    measured = outcome["measured"]
    if name is None:
        # What is monitored by default, the validation loss, comes after the accuracy.
        preferred = ["val_accuracy", "val_loss"]
        if outcome["monitor"] != "val_loss":  # which it is where nothing monitors anything
            preferred.insert(0, outcome["monitor"])
        usable = [m for m in preferred if m in measured and m.startswith("val_")]
        if not usable:
            raise ConfigError(
                "There is no validation split, and a search that goes by the training data finds "
                "what learns it by heart. Hold some out with data.validation=0.1, or say "
                "--objective loss."
            )
        name = usable[0]
    if name not in measured:
        raise ConfigError(f"--objective {name}: that is not measured. {suggest(name, measured)}")
    return name, "max" if higher_is_better(name) else "min"
