"""One network of a comparison, in a process of its own: `python -m tfpipe.verbs.one_network JSON`.

So its memory is its own, and a crash is the end of it alone. What it measures is written down as it
goes, and what becomes of it at the end; the process that started it reads both.

How the time of a step is measured: between the ends of two training steps, the median of all but
the first ones. Where the features were computed once, it is the median of a batch through the base,
plus the median of a step of the head: what a step through the frozen base takes.
"""

import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tfpipe.data import disk
from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError, Interrupted, TfpipeError
from tfpipe.jobs.progress import Progress, peak_memory
from tfpipe.processes.supervised import attend
from tfpipe.runs.directory import RunDirectory, cache_folder, run_at
from tfpipe.storage import read_small, write_whole
from tfpipe.verbs.comparison import Comparison, Numbers, read

MEASURED, OUTCOME, PROGRESS = "measured.json", "outcome.json", "progress.json"
_TIMES_KEPT = 2000


def train(comparison: Comparison, network: str) -> dict[str, Any]:
    """Train a network as its comparison wants it, or go on where it stopped.

    Returns:
        numbers, and the path of the best model below the root.

    Raises:
        TfpipeError: as `tfpipe.verbs.run.run`.
    """
    from tfpipe.jobs.features import assemble, extract, why_not

    folder, root = comparison.folder(network), comparison.root
    run = run_at(root / comparison.entry(network).run)
    notebook = _Notebook(folder / MEASURED)
    try:
        disk.folder.set(cache_folder(root))
        loaded = _loaded(comparison, network)
        progress = Progress(folder / PROGRESS)
        if comparison.through_base or why_not(loaded.pipeline):
            _run(loaded, comparison.sample, run, root, progress, notebook)
            model = run.checkpoints / "best.keras"
        else:
            found = extract(loaded, comparison.sample, progress, progress.features)
            notebook.note(
                parameters=found.parameters,
                trainable=found.trainable,
                features_seconds=found.seconds,
                batch_seconds=found.batch_seconds,
            )
            _run(found.loaded, None, run, root, progress, notebook)
            model = run.checkpoints / "whole.keras"
            assemble(loaded, comparison.sample, found.loaded, run.checkpoints / "best.keras", model)
    finally:
        notebook.close()
    numbers = _numbers(run, loaded.pipeline, notebook.content)
    return {"numbers": asdict(numbers), "model": str(model.relative_to(root))}


def _loaded(comparison: Comparison, network: str) -> Loaded:
    """The pipeline of one network, with its share of the data."""
    from tfpipe.data.sources.fraction import take
    from tfpipe.verbs.networks import with_network

    loaded = comparison.load()
    pipeline, _ = with_network(loaded.pipeline, network)
    given: dict[str, Any] = {"model": pipeline.model}
    if comparison.data_fraction < 1:
        given["data"] = take(pipeline.data, comparison.data_fraction)
    return replace(loaded.given(**given), name=run_name(comparison, network))


def run_name(comparison: Comparison, network: str) -> str:
    """What the runs of a network are called: the pipeline's name and the network's."""
    return f"{comparison.directory.path.parent.name}.{network}"


def _run(
    loaded: Loaded,
    sample: int | bool | None,
    run: RunDirectory,
    root: Path,
    progress: Progress,
    notebook: "_Notebook",
) -> None:
    """Train in a run's directory, from its last state where it has one, unless it is finished."""
    from tfpipe.verbs import resume as resuming
    from tfpipe.verbs import run as running

    common: dict[str, Any] = {"root": root, "test": False, "export": False, "terminal": progress}
    common["extra"] = [_step_times(notebook)]
    begun = (run.path / "config.json").is_file()
    if begun and run.status_so_far().state == "finished":
        return
    if begun:
        resuming.resume(str(run.path), pipeline=loaded, **common)
    else:
        running.run(loaded, sample=sample, directory=run.path, **common)


def _numbers(run: RunDirectory, pipeline: Pipeline, measured: dict[str, Any]) -> Numbers:
    """What is to be compared, from what the run and the notebook say."""
    from tfpipe.training.metrics import read_rows

    rows = read_rows(run.metrics_file, pipeline.all_epochs)
    if not rows or "val_accuracy" not in rows[-1].metrics:
        known = ", ".join(rows[-1].metrics) if rows else "nothing"
        raise ConfigError(
            "compare-models goes by validation accuracy, and what was measured is "
            f"{known}. Compare on a classification with a validation split."
        )
    best = _best(rows, pipeline)
    later = [row.examples_per_second for row in rows[1:] or rows]
    step = _median(measured["step_times"])
    base: float | None = statistics.median(later)
    if (features := measured.get("features_seconds")) is not None:
        batch = measured["batch_seconds"]
        step = None if step is None or batch is None else step + batch
        base = pipeline.batch_size / batch if batch else None
    return Numbers(
        accuracy=best.metrics["val_accuracy"],
        epoch=best.epoch,
        parameters=measured["parameters"],
        trainable_parameters=measured["trainable"],
        step_seconds=step,
        seconds=measured["wall_seconds"],
        features_seconds=features,
        training_seconds=sum(row.seconds for row in rows),
        images_per_second_base=base,
        images_per_second_later=statistics.median(later),
        peak_bytes=measured["peak_bytes"],
    )


def _best(rows: list[Any], pipeline: Pipeline) -> Any:
    """The epoch that best.keras is of: what early stopping goes by, or the validation loss."""
    from tfpipe.declare.deferred import build
    from tfpipe.training.callbacks.run_callbacks import rises
    from tfpipe.training.loop import best_monitor

    monitor = best_monitor([build(c) for c in pipeline.callbacks], validated=True)
    known = [row for row in rows if monitor in row.metrics] or rows[-1:]
    return (max if rises(monitor) else min)(known, key=lambda row: row.metrics.get(monitor, 0.0))


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _step_times(notebook: "_Notebook") -> Any:
    """A callback that times the steps, the first ones of a process and of an epoch left out."""
    import keras

    from tfpipe.jobs.features import WARM_UP
    from tfpipe.models.count import parameters, trainable_parameters

    class StepTimes(keras.callbacks.Callback):
        steps = 0

        def on_train_begin(self, logs: Any = None) -> None:
            if "parameters" not in notebook.content:  # else they are those of the whole model
                counted = parameters(self.model), trainable_parameters(self.model)
                notebook.note(parameters=counted[0], trainable=counted[1])

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.last: tuple[int, float] | None = None

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            now = time.perf_counter()
            self.steps += 1
            if self.last is not None and self.steps > WARM_UP:
                number, before = self.last
                notebook.step((now - before) / (batch - number))
            self.last = batch, now

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            notebook.write()

    return StepTimes()


class _Notebook:
    """What is measured, kept in a file over the attempts that it takes.

    Args:
        file: where to.
        clock: seconds, rising.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock, self._began = file, clock, clock()
        self.content: dict[str, Any] = {"wall_seconds": 0.0, "peak_bytes": 0, "step_times": []}
        self.content |= read_small(file)

    def note(self, **values: Any) -> None:
        self.content |= values
        self.write()

    def step(self, seconds: float) -> None:
        if len(self.content["step_times"]) < _TIMES_KEPT:
            self.content["step_times"].append(seconds)

    def write(self) -> None:
        write_whole(self._file, json.dumps(self.content).encode())

    def close(self) -> None:
        """Add what this attempt took."""
        self.content["wall_seconds"] += self._clock() - self._began
        self.content["peak_bytes"] = max(self.content["peak_bytes"], peak_memory())
        self.write()


def _main(job: dict[str, str]) -> int:
    """Train, and write down what became of it; the exit code."""
    attend()
    comparison = read(Path(job["comparison"]), Path(job["root"]))
    file = comparison.folder(job["network"]) / OUTCOME
    try:
        outcome, code = {"state": "finished", **train(comparison, job["network"])}, 0
    except Interrupted as error:
        outcome, code = {"state": "interrupted", "reason": str(error)}, error.exit_code
    except TfpipeError as error:
        kind = type(error).__name__
        outcome, code = {"state": "failed", "kind": kind, "reason": str(error)}, error.exit_code
    except Exception as error:  # noqa: BLE001 (whatever it is, the other networks go on)
        traceback.print_exc()
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        outcome = {"state": "failed", "kind": "", "reason": f"{type(error).__name__}: {first}"}
        code = 1
    write_whole(file, json.dumps(outcome).encode())
    return code


if __name__ == "__main__":
    sys.exit(_main(json.loads(sys.argv[1])))
