"""`tfpipe search`: the same training with one set of values after the other, and the best of them.

The ranges are those of the declaration. Keras Tuner proposes the values; each trial is a run in a
process of its own, so one that fails, or is killed, is a line in the table and not the end.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tfpipe import errors, runs
from tfpipe.data.memory import human
from tfpipe.declare.fieldtypes import Duration
from tfpipe.declare.loading import Loaded, load
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve, to_json
from tfpipe.devices.startup import start_tensorflow
from tfpipe.errors import ConfigError, Interrupted, RunError, TrainingError, suggest
from tfpipe.terminal import Silent, Terminal
from tfpipe.tuning import stored
from tfpipe.tuning.service import check_free
from tfpipe.tuning.space import Space, space_of
from tfpipe.tuning.stored import Asked, Search, Tuner
from tfpipe.tuning.vary import vary as varied
from tfpipe.verbs.processes import count_stops
from tfpipe.verbs.search_told import View, header, how_to_go_on, summary

TRIALS = 20
_LEAST_MEMORY = 800 * 1000**2  # a fit of a few thousand weights takes 700 MB
# What a trial imports, for the nursery to have it ready.
_IMPORTED = (
    "tfpipe.verbs.trial",
    "tfpipe.evaluation.evaluate",
    "tfpipe.training.loop",
    "tfpipe.training.tensorboard",
    "tfpipe.tuning.hparams",
    "tfpipe.tuning.median",
    "tfpipe.verbs.resume",
    "tfpipe.verbs.run",
    "tensorboard.summary.v2",
)
_TUNERS = ("random", "bayesian", "hyperband", "grid")


def search(
    file: str | Path | Loaded,
    *,
    vary: Sequence[str] = (),
    tuner: Tuner = "bayesian",
    trials: int | None = None,
    budget: float | str | None = None,
    hard: bool = False,
    workers: int = 1,
    objective: str | None = None,
    seed: int | None = None,
    sample: int | bool | None = None,
    median: bool = False,
    declared_first: bool = False,
    memory: int | None = None,
    chief: str | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Search for the values with which a pipeline does best.

    Args:
        file: FILE or FILE::ClassName of a pipeline, or one that is loaded from a file.
        vary: further ranges, such as "optimizer.learning_rate=1e-4..1e-1:log".
        tuner: how the next values are chosen: random, bayesian, hyperband or grid.
        trials: how many; when None 20, or all settings where there are fewer (grid). Hyperband
            counts its trials itself, from the declared epochs.
        budget: how long to search: seconds, or a text such as "2h". When it is used up, no trial
            is begun.
        hard: whether running trials are then stopped and kept; otherwise they finish.
        workers: how many trials run at a time, each with its share of cores and GPUs.
        objective: the metric that decides; when None what early stopping monitors, or else
            validation accuracy, or else validation loss.
        seed: of the choice of values; the pipeline's when None.
        sample: train on generated data instead: True, or how many samples.
        median: stop a trial that does worse than the median of the others at the same epoch.
        declared_first: make the declared values the first trial.
        memory: the bytes that each trial may take; no limit when None.
        chief: HOST:PORT to give trials out at; `work` takes them. This process then runs none.
        root: the folder for searches/.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        ConfigError: for a pipeline without ranges, or options that do not fit it.
        Interrupted: when a person stopped it; `go_on` goes on.
        TrainingError: when all trials fail for one reason, or not one could be trained.

    Example:
        found = tfpipe.search("pipelines/cifar10_cnn.py", trials=12)
        found.best().overrides
    """
    from tfpipe.tuning.nursery import Nursery

    terminal = terminal or (Silent() if quiet else Terminal())
    root = Path(root)
    loaded = varied(file if isinstance(file, Loaded) else load(str(file)), vary)
    space = _space(loaded)
    _check(space, tuner, trials, workers, memory)
    seconds = _seconds(budget)
    runs.check_writable(root)
    if chief is not None:
        check_free(chief)
    with count_stops() as asked_to_stop, Nursery(_IMPORTED) as nursery:
        _start_keras_tuner()
        found = _look(nursery, loaded, sample, root, terminal, asked_to_stop)
        decided, direction = _objective(objective, found)
        asked = Asked(
            tuner=tuner,
            trials=_count(space, tuner, trials),
            objective=decided,
            direction=direction,
            seed=resolve(loaded.pipeline).seed if seed is None else seed,
            workers=workers,
            budget=seconds,
            hard=hard,
            sample=sample,
            median=median,
            memory=memory,
            declared_first=declared_first,
            chief=chief,
        )
        made = stored.create(root, loaded, datetime.now(), asked, space.to_json())
        with made.directory.lock("being carried on"):
            return _carry_on(made, space, terminal, nursery, asked_to_stop, again=False)


def go_on(
    reference: str = "last",
    *,
    trials: int | None = None,
    budget: float | str | None = None,
    hard: bool | None = None,
    workers: int | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Go on with a search: finished trials stay, running ones go on from their saved state.

    Args:
        reference: its name, a unique beginning of it, its path, or "last".
        trials: how many in all, when that is to change.
        budget: how long to search in all, when that is to change.
        hard: whether the budget stops running trials, when that is to change.
        workers: how many trials run at a time, when that is to change.
        root: the folder that holds searches/.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        RunError: for no such search, one that another process is at, or nothing left to do.
        ConfigError: when the file declares something else now.
    """
    from tfpipe.tuning.nursery import Nursery

    terminal = terminal or (Silent() if quiet else Terminal())
    found = stored.find(Path(root), reference)
    with found.directory.lock("being carried on"):
        if found.asked.chief is None:  # else workers may be writing
            found.directory.tidy()
        found = stored.read(found.directory.path, Path(root))  # as it is now that nobody writes
        space = _space(found.load())
        changes: dict[str, Any] = {
            "trials": trials,
            "budget": _seconds(budget),
            "hard": hard,
            "workers": workers,
        }
        _check_changes(found, space, trials)
        found.asked = replace(found.asked, **{n: v for n, v in changes.items() if v is not None})
        with count_stops() as asked_to_stop, Nursery(_IMPORTED) as nursery:
            _start_keras_tuner()
            return _carry_on(found, space, terminal, nursery, asked_to_stop, again=True)


def work(
    file: str | Path | Loaded,
    address: str,
    *,
    vary: Sequence[str] = (),
    workers: int = 1,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> None:
    """Run trials of a search whose chief is elsewhere, until it has no more.

    Args:
        file: FILE or FILE::ClassName of the pipeline, with the chief's overrides.
        address: HOST:PORT of the chief.
        vary: the chief's further ranges.
        workers: how many trials run at a time here.
        root: the folder that holds searches/, which this machine shares with the chief.
        terminal: where to tell how it goes; standard output when None.

    Raises:
        ConfigError: for another pipeline than the chief's.
        RunError: when the chief does not answer.
    """
    from tfpipe.tuning.nursery import Nursery

    terminal = terminal or Terminal()
    loaded = varied(file if isinstance(file, Loaded) else load(str(file)), vary)
    with count_stops() as asked_to_stop, Nursery(_IMPORTED) as nursery:
        _start_keras_tuner()
        from tfpipe.tuning.conduct import conduct
        from tfpipe.tuning.remote import Remote

        joined = Remote(address, Path(root), loaded, person=asked_to_stop, note=terminal.note)
        with joined as remote:
            slots = _slots(workers, _device(loaded))
            with View(terminal, remote.search) as view:
                conduct(remote.search, remote, view, slots, nursery, remote.asked)


def _space(loaded: Loaded) -> Space:
    """The ranges of a pipeline that other processes can load too."""
    again = (
        None
        if loaded.path is None
        else load(f"{loaded.path}::{type(loaded.pipeline).__name__}", loaded.overrides)
    )
    if again is None or to_json(again.pipeline) != to_json(loaded.pipeline):
        raise ConfigError(
            "A search starts the pipeline in other processes, from its file and its overrides "
            "alone: declare all of it in a file, and give arguments as overrides."
        )
    return space_of(loaded.pipeline)


def _check(space: Space, tuner: str, trials: int | None, workers: int, memory: int | None) -> None:
    """Refuse what cannot be searched, before anything is read; raises ConfigError."""
    if tuner not in _TUNERS:
        raise ConfigError(f"There is no tuner {tuner!r}. {suggest(tuner, _TUNERS)}")
    for name, value in {"trials": trials, "workers": workers, "memory": memory}.items():
        if value is not None and value < 1:
            raise ConfigError(f"--{name} {value}: give a number of at least 1.")
    if memory is not None and memory < _LEAST_MEMORY:
        raise ConfigError(
            f"--memory {human(memory)}: TensorFlow alone takes most of that. Give a trial at least "
            f"{human(_LEAST_MEMORY)}."
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
    size = space.grid_size if tuner == "grid" else space.size
    if size is not None and size < trials:
        raise ConfigError(
            f"--trials {trials}: there are only {size} different settings in these ranges. Use "
            f"--trials {size} at most, or widen a range."
        )


def _check_changes(found: Search, space: Space, trials: int | None) -> None:
    """Refuse to go on where nothing is left, or with fewer trials than there are."""
    _check_size(space, found.asked.tuner, trials)
    made = len(found.trials())
    if trials is not None and trials < made:
        raise ConfigError(f"--trials {trials}: {found.name} has begun {made} already.")
    wanted = trials or found.asked.trials
    if found.state == "finished" and (wanted is None or made >= wanted):
        more = (
            f" Ask for more with: tfpipe search --resume {found.name} --trials {2 * made}"
            if found.asked.tuner in ("random", "bayesian")
            else ""
        )
        raise RunError(f"{found.name} is finished ({made} trials).{more}")


def _count(space: Space, tuner: Tuner, trials: int | None) -> int | None:
    """How many trials there are to be; None where the tuner counts them itself."""
    if trials is not None or tuner == "hyperband":
        return trials
    if tuner == "grid":
        return space.grid_size
    return TRIALS if space.size is None else min(TRIALS, space.size)


def _seconds(budget: float | str | None) -> float | None:
    if isinstance(budget, str):
        try:
            return float(Duration.parse(budget))
        except ValueError as error:
            raise ConfigError(f"--budget: {error}.") from None
    return budget


def _start_keras_tuner() -> None:
    start_tensorflow()  # quietly; Keras Tuner imports it
    import keras_tuner  # noqa: F401


def _look(
    nursery: Any,
    loaded: Loaded,
    sample: int | bool | None,
    root: Path,
    terminal: Terminal,
    asked_to_stop: Any,
) -> dict[str, Any]:
    """What is measured and on what, found out as the first trial would; raises what it would."""
    from tfpipe.tuning.conduct import MODULE
    from tfpipe.tuning.nursery import Job

    assert loaded.path is not None
    with tempfile.TemporaryDirectory(prefix="tfpipe.") as folder:
        answer, log = Path(folder) / "look.json", Path(folder) / "log.txt"
        job = {
            "look": str(answer),
            "target": f"{loaded.path}::{type(loaded.pipeline).__name__}",
            "overrides": list(loaded.overrides),
            "sample": sample,
            "root": str(root.absolute()),
        }
        with terminal.waiting("looking at the pipeline and its data"):
            child = nursery.start(Job(MODULE, json.dumps(job), log))
            while child.code is None and not asked_to_stop():
                nursery.poll(0.1)
        if child.code is None:
            child.kill()
            raise Interrupted("Stopped before the first trial; nothing was written.")
        found = json.loads(answer.read_text()) if answer.is_file() else {}
        if found.get("state") == "finished":
            return dict(found)
        words = log.read_text(errors="replace").strip().splitlines()[-1:] if log.is_file() else []
    kind = getattr(errors, str(found.get("kind")), None) or TrainingError
    reason = (
        found.get("reason") or f"The pipeline cannot be trained ({child.how}). {''.join(words)}"
    )
    raise kind(reason)


def _objective(name: str | None, found: dict[str, Any]) -> tuple[str, Any]:
    """The metric that decides, and its direction; raises ConfigError for one not measured."""
    from tfpipe.training.callbacks import rises

    measured = found["measured"]
    if name is None:
        wanted = [found["monitor"], "val_accuracy", "val_loss"]
        usable = [m for m in wanted if m in measured and m.startswith("val_")]
        if not usable:
            raise ConfigError(
                "There is no validation split, and a search that goes by the training data finds "
                "what learns it by heart. Hold some out with data.validation=0.1, or say "
                "--objective loss."
            )
        name = "val_accuracy" if usable[0] == "val_loss" and "val_accuracy" in usable else usable[0]
    if name not in measured:
        raise ConfigError(f"--objective {name}: that is not measured. {suggest(name, measured)}")
    return name, "max" if rises(name) else "min"


def _carry_on(
    search: Search,
    space: Space,
    terminal: Terminal,
    nursery: Any,
    asked_to_stop: Any,
    again: bool,
) -> Search:
    """Run what is left, and tell of it."""
    from tfpipe.tuning.conduct import conduct
    from tfpipe.tuning.hparams import write_config
    from tfpipe.tuning.oracles import make_oracle, plan
    from tfpipe.tuning.proposals import Proposals
    from tfpipe.tuning.records import Records

    asked = search.asked
    oracle = make_oracle(
        asked.tuner,
        space.hyperparameters(),
        objective=asked.objective,
        direction=asked.direction,
        trials=asked.trials,
        seed=asked.seed,
        epochs=resolve(space.pipeline).all_epochs,
        project=search.directory.path / "tuner",
        declared=space.declared() if asked.declared_first else None,
        size=space.size,
        reload=again,
    )
    proposals, records = Proposals(search, space, oracle), Records(search)
    search.state, search.reason = "running", ""
    search.write()
    write_config(search)
    planned = plan(oracle, resolve(space.pipeline).all_epochs)
    header(search, terminal, planned.trials)
    counted = planned.epochs if asked.tuner == "hyperband" else None
    with _closed(records, terminal), View(terminal, search, planned.trials, counted) as view:
        if asked.chief is not None:
            from tfpipe.tuning.chief import serve

            serve(search, proposals, view, asked.chief, asked_to_stop, records)
        else:
            slots = _slots(asked.workers, _device(search.load()))
            conduct(search, proposals, view, slots, nursery, asked_to_stop, records)
    summary(search, terminal)
    return search


@contextlib.contextmanager
def _closed(records: Any, terminal: Terminal) -> Iterator[None]:
    """Write down how the search ended, however it did."""
    try:
        yield
    except Interrupted as error:
        records.close("interrupted", str(error))
        how_to_go_on(records.search, terminal)
        raise
    except BaseException as error:
        records.close("failed", str(error) or type(error).__name__)
        raise
    if budget := records.used_up():
        records.close("interrupted", f"The budget of {Duration(budget)} is used up.")
    else:
        records.close("finished")


def _slots(workers: int, device: str) -> list[Any]:
    from tfpipe.devices.machine import Machine
    from tfpipe.tuning.conduct import Slot
    from tfpipe.tuning.shares import shares

    return [
        Slot(f"tuner{number}", share)
        for number, share in enumerate(shares(workers, Machine(), device))
    ]


def _device(loaded: Loaded) -> str:
    return str(resolve(loaded.pipeline).device)
