"""Several workers: what the chief announces to the others, and what a worker does that is not it.

The chief decides what is trained from which state, and writes it all down. The others train and
evaluate with it, and write nothing.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.data import disk_cache
from tfpipe.declare.loading import Loaded
from tfpipe.devices import Picked
from tfpipe.errors import RunError
from tfpipe.jobs.first_look import for_first_look
from tfpipe.jobs.prepare import Team, prepare
from tfpipe.processes.lifeline import ready
from tfpipe.runs.directory import RunDirectory, cache_folder
from tfpipe.terminal import Terminal

if TYPE_CHECKING:
    from tfpipe.training.loop import Resumed

_FLAGS = ("parts", "from_epoch", "over", "new_learning_rate", "callbacks", "save_first")


def announce_plan(picked: Picked, root: Path, resumed: "Resumed | None") -> None:
    """On the chief: tell the other workers what to go on from, and the supervisor that all are up.

    Args:
        picked: what this worker runs on; alone, it tells nobody.
        root: the folder that holds runs/, which the workers share where a run is resumed.
        resumed: what to go on from.
    """
    from tfpipe.devices.cluster.strategy import announce

    if picked.cluster is None:
        return
    plan: dict[str, Any] = {"state": None}
    if resumed is not None:
        plan = {name: getattr(resumed, name) for name in _FLAGS}
        plan["state"] = os.path.relpath(resumed.saved.path, root)
    announce(picked.strategy, picked.cluster.index, plan)
    ready()


def wait_for_all(picked: Picked) -> None:
    """Wait until all workers are here: one that left early would look as if it had died."""
    from tfpipe.devices.cluster.strategy import announce

    if picked.cluster is not None:
        announce(picked.strategy, picked.cluster.index)


def run_worker(
    loaded: Loaded, team: Team, *, root: Path, sample: int | bool | None, terminal: Terminal
) -> None:
    """Train and evaluate with the chief, as a worker that writes nothing.

    Args:
        loaded: the pipeline, the same as the chief's.
        team: the workers.
        root: the folder that holds runs/.
        sample: as the chief's.
        terminal: where to tell how it goes.
    """
    disk_cache.folder.set(cache_folder(root))
    prepared = prepare(for_first_look(loaded, sample), sample, terminal, team)
    from tfpipe.devices.cluster.strategy import announce
    from tfpipe.evaluation.evaluate import evaluate
    from tfpipe.jobs.first_batch import read_first_batch
    from tfpipe.training.datasets import distributed
    from tfpipe.training.loop import train
    from tfpipe.training.reporting import Nobody

    read_first_batch(prepared, terminal)
    picked, pipeline = prepared.picked, prepared.pipeline
    plan = announce(picked.strategy, team.cluster.index)
    ready()
    terminal.say(f"worker {team.cluster.index} of {team.cluster.size} trains with the chief")
    train(
        pipeline,
        prepared.spec,
        prepared.compiled,
        RunDirectory(root, loaded.name),
        Nobody(),
        resumed=_resumed(plan, root, pipeline.epochs),
        chief=False,
    )
    if "test" in prepared.spec.splits:
        evaluate(
            prepared.compiled.model,
            distributed(pipeline, "test", prepared.compiled.model.distribute_strategy),
        )
    wait_for_all(picked)


def _resumed(plan: dict[str, Any], root: Path, epochs: int) -> "Resumed | None":
    from tfpipe.training import checkpoint
    from tfpipe.training.loop import Resumed
    from tfpipe.training.metrics_file import read_rows

    if plan["state"] is None:
        return None
    path = root / plan["state"]
    if not path.is_dir():
        raise RunError(
            f"This worker cannot read the saved state {path}: all workers need the folder of the "
            "runs. Put it in a shared folder, with --root DIR."
        )
    saved = checkpoint.load(path)
    rows = read_rows(path.parents[1] / "metrics.csv", epochs)[: saved.state.epoch]
    flags = {name: plan[name] for name in _FLAGS}
    return Resumed(saved, tuple(rows), **flags | {"parts": tuple(flags["parts"])})
