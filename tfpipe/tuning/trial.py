"""One trial of a search, or a look at the pipeline before the first, in a process of its own.

`tfpipe.processes.pool` starts it. What becomes of it is written down at the end, and what it is
doing as it goes; the process that conducts the search reads both.
"""

import json
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfpipe.data import disk_cache
from tfpipe.data.sources.subset import take
from tfpipe.declare.loading import Loaded, load
from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.tree import resolve
from tfpipe.errors import Interrupted
from tfpipe.jobs.errors import as_known
from tfpipe.processes.exit_reason import reason_of_error
from tfpipe.processes.progress import Progress
from tfpipe.runs.directory import RunDirectory, cache_folder, initialise
from tfpipe.runs.hparams import session_ended, session_started
from tfpipe.storage import storage, write_whole
from tfpipe.terminal import Silent
from tfpipe.tuning.store import OUTCOME, PROGRESS, Search, Trial, read_search


def main(argument: str) -> int:
    """Do what a JSON text says, and write down what became of it; the exit code."""
    job = json.loads(argument)
    if "probe" in job:
        file, action = Path(job["probe"]), lambda: probe(job)
    else:
        search = read_search(Path(job["search"]), Path(job["root"]))
        search.target = job["target"]  # the file may lie elsewhere on another machine
        file, action = search.folder(job["trial"]) / OUTCOME, lambda: train(search, job["trial"])
    try:
        outcome, code = action(), 0
    except Interrupted as error:
        outcome, code = {"state": "interrupted", "reason": str(error)}, error.exit_code
    except Exception as error:  # noqa: BLE001 (whatever it is, the other trials go on)
        known = as_known(error, file.parent)
        if known is error:
            traceback.print_exc()
        kind, reason = reason_of_error(known)
        outcome = {"state": "failed", "kind": kind, "reason": reason}
        code = getattr(known, "exit_code", 1)
    write_whole(file, json.dumps(outcome).encode())
    return code


def probe(job: dict[str, Any]) -> dict[str, Any]:
    """What can be known of a pipeline before it is trained: what it measures and goes by.

    Args:
        job: target, overrides, sample and root.

    Raises:
        TfpipeError: for all that would stop every trial.
    """
    from tfpipe.declare.deferred import build
    from tfpipe.jobs.first_batch import read_first_batch
    from tfpipe.jobs.prepare import prepare
    from tfpipe.training.callbacks.best_model import best_monitor

    disk_cache.folder.set(cache_folder(Path(job["root"])))
    loaded = load(job["target"], job["overrides"])
    prepared = prepare(loaded, job["sample"], Silent())
    read_first_batch(prepared, Silent())
    own = [str(n) for n in prepared.compiled.model.get_metrics_result()]
    task = prepared.compiled.task
    validated = "validation" in prepared.spec.splits
    return {
        "state": "finished",
        "measured": own + [f"val_{n}" for n in (*own, *task.measured_after)] * validated,
        "monitor": best_monitor([build(c) for c in prepared.pipeline.callbacks], validated, task),
    }


def train(search: Search, number: str) -> dict[str, Any]:
    """Train a trial up to its last epoch, from where its run is.

    Raises:
        TfpipeError: as `tfpipe.jobs.start.run`.
    """
    disk_cache.folder.set(cache_folder(search.root))
    trial = Trial.read(search.folder(number))
    run, loaded = search.run(trial), _declared(search, trial)
    median = _median_rule(search, trial, loaded)
    with storage(run.path):
        initialise(run.path)
    session_started(run.tensorboard, trial.values, f"trial {trial.id}")
    try:
        _train(search, trial, loaded, run, median)
    except Interrupted:
        raise
    except BaseException:
        session_ended(run.tensorboard, False)
        raise
    session_ended(run.tensorboard, True)
    if median is not None and median.stopped:
        return {"state": "stopped", "reason": median.reason}
    return {"state": "finished"}


def _median_rule(search: Search, trial: Trial, loaded: Loaded) -> Any:
    """What stops the trial where it is hopeless; None where nothing does."""
    from tfpipe.tuning.median import MedianRule

    options, fine_tune = search.options, resolve(loaded.pipeline).fine_tune
    if not options.median:
        return None
    phases = len(fine_tune.phases) if fine_tune else 1
    where = search.trials_folder, trial.id
    return MedianRule(*where, options.objective, options.direction, phases=phases)


def _train(search: Search, trial: Trial, loaded: Loaded, run: RunDirectory, median: Any) -> None:
    """Train in the trial's run, from its last state where it has one, unless it is over."""
    from tfpipe.jobs.resume import resume
    from tfpipe.jobs.start import run as start
    from tfpipe.training.metrics_file import read_rows

    progress = Progress(search.folder(trial.id) / PROGRESS)
    common: dict[str, Any] = {"root": search.root, "test": False, "export": False}
    common |= {"terminal": progress, "extra": [median] if median else []}
    if search.options.comparison:
        from tfpipe.training.callbacks.step_times import StepTimes

        common["extra"].append(StepTimes(run.path))
    if not (run.path / "config.json").is_file():
        start(loaded, sample=search.options.sample, directory=run.path, **common)
        return
    rows = read_rows(run.metrics_file, trial.epochs)
    # It may have been killed between that decision and the end of its run.
    hopeless = bool(median and rows and median.hopeless(rows[-1].epoch - 1, rows[-1].metrics))
    if not hopeless and not _done(run, trial):
        resume(str(run.path), pipeline=loaded, **common)


def _done(run: RunDirectory, trial: Trial) -> bool:
    """Whether a run is finished as far as a trial wants it."""
    declared = run.read_json("config.json")["pipeline"]["epochs"]
    return run.status_so_far().state == "finished" and int(declared) >= trial.epochs


def _declared(search: Search, trial: Trial) -> Loaded:
    """The declaration with the trial's values."""
    loaded = search.load()
    texts = trial.overrides
    if search.options.tuner == "hyperband":
        texts = (*texts, f"epochs={trial.epochs}")
    changed = apply_overrides(loaded.pipeline, texts)
    loaded = replace(loaded, pipeline=changed, overrides=(*loaded.overrides, *texts))
    if search.options.data_fraction < 1:
        return loaded.with_fields(data=take(changed.data, search.options.data_fraction))
    return loaded
