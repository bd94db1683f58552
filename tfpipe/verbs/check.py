"""`tfpipe check`: everything that can go wrong in the first minute, found without training."""

import math
import time
from pathlib import Path
from typing import Any

from tfpipe.data import disk_cache
from tfpipe.declare.loading import Loaded, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import TrainingError
from tfpipe.jobs.first_look import for_first_look
from tfpipe.jobs.prepare import Prepared, prepare
from tfpipe.processes.memory import peak_memory
from tfpipe.runs.directory import cache_folder, run_at
from tfpipe.terminal import Silent, Terminal
from tfpipe.verbs.rehearse import rehearse

TIMED_STEPS = 5


def check(
    pipeline: Pipeline | Loaded,
    *,
    sample: int | bool | None = None,
    resume: bool = False,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Check a declaration against Keras, its data and its device, with a few training steps.

    No run is written; the decoded images of a folder that do not fit in memory are. The time and
    memory are measured on those steps and so are estimates.

    Args:
        pipeline: an instance, or a loaded file.
        sample: check it on generated data: True, or how many samples.
        resume: prove that a run which is killed and resumed ends the same.
        root: the folder that holds runs/, in which decoded images are kept.
        terminal: told what is slow.

    Raises:
        TfpipeError: for the first thing that is wrong; see `tfpipe.errors`.

    Returns:
        name, task, parameters, trainable_parameters, preprocessing_state (how many numbers and
        words the preprocessing layers have learnt), splits (name to size), classes, labels (how
        they were read; empty where the data says it), class_counts (by split), steps_per_epoch,
        device, device_reason, precision, precision_reason, seconds_per_epoch (of the slowest
        phase), seconds_total, memory_bytes, resume (None unless it was asked for) and notes.
    """
    loaded = for_first_look(loaded_from(pipeline), sample)
    terminal = terminal or Silent()
    disk_cache.folder.set(cache_folder(Path(root)))
    prepared = prepare(loaded, sample, terminal)
    data = prepared.pipeline.data
    assert data is not None
    with terminal.waiting("reading all of the data"):
        data.verify(prepared.pipeline.cache)
        counts = data.class_counts(prepared.pipeline.seed)
    # These import TensorFlow, which `prepare` has started.
    from tfpipe.jobs.first_batch import check_samples
    from tfpipe.models.parameter_count import parameters, preprocessing_state, trainable_parameters

    with terminal.waiting("looking at a few samples as the model gets them"):
        check_samples(prepared)

    trainable = trainable_parameters(prepared.compiled.model)
    with terminal.waiting("training for a few steps"):
        seconds = _seconds_per_step(prepared)  # one for each phase
    model, spec = prepared.compiled.model, prepared.spec
    fine_tune = prepared.pipeline.fine_tune
    epochs = [p.epochs for p in fine_tune.phases] if fine_tune else [prepared.pipeline.epochs]
    steps = sum(s * e for s, e in zip(seconds, epochs, strict=True)) * prepared.steps
    rehearsed = rehearse(loaded, sample, terminal) if resume else None
    return {
        "name": loaded.name,
        "task": prepared.compiled.task.title,
        "parameters": parameters(model),
        "trainable_parameters": trainable,
        "preprocessing_state": preprocessing_state(model),
        "splits": dict(spec.splits),
        "classes": [] if spec.label.is_vocabulary else list(spec.classes),
        "labels": data.label_reading(),
        "class_counts": counts,
        "steps_per_epoch": prepared.steps,
        "device": prepared.picked.device,
        "device_reason": prepared.picked.reason,
        "precision": prepared.precision.name,
        "precision_reason": prepared.precision.reason,
        "seconds_per_epoch": round(max(seconds) * prepared.steps, 2),
        "seconds_total": round(steps, 1),
        "memory_bytes": peak_memory(),
        "resume": rehearsed,
        "notes": prepared.notes(),
    }


def _seconds_per_step(prepared: Prepared) -> list[float]:
    """Train a few steps of each phase on the first batches; the time of one step in each."""
    from tfpipe.training.callbacks.view import show, view_of
    from tfpipe.training.compile import build_state, check_monitors, enter_phase
    from tfpipe.training.datasets import dataset

    pipeline, compiled = prepared.pipeline, prepared.compiled
    declared, per_step = pipeline.build_callbacks(), []
    for phase in range(len(pipeline.fine_tune.phases) if pipeline.fine_tune else 1):
        batches = dataset(pipeline, "train")
        enter_phase(compiled, pipeline, phase, batches)
        build_state(compiled.model, batches)  # what a loss or a metric does not take is named
        logs, seconds = _few_steps(compiled.model, batches)
        per_step.append(seconds)
    measured = set(logs) | {"learning_rate"}
    if "validation" in prepared.spec.splits:
        next(iter(dataset(pipeline, "validation")))
        measured |= {f"val_{name}" for name in (*logs, *compiled.task.measured_after)}
    check_monitors(declared, measured)
    nowhere = run_at(Path("runs") / prepared.loaded.name / "checked")  # which nobody makes
    show(declared, view_of(pipeline, prepared.spec, compiled.task, nowhere))
    return per_step


def _few_steps(model: Any, batches: Any) -> tuple[dict[str, Any], float]:
    """The last step's logs, and the median time; the first one, which compiles, is not counted."""
    import keras
    import tensorflow as tf

    from tfpipe.training.requests import Requests
    from tfpipe.training.steps import InputWait, set_functions

    set_functions(model, InputWait(), Requests(lambda: False))
    model.make_train_function()
    iterator = iter(model.distribute_strategy.experimental_distribute_dataset(batches))
    times: list[float] = []
    logs: dict[str, Any] = {}
    while len(times) <= TIMED_STEPS:
        began = time.perf_counter()
        try:
            found = model.train_function(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            break
        logs = model._get_metrics_result_or_logs(
            keras.tree.map_structure(keras.ops.convert_to_numpy, found)
        )
        times.append((time.perf_counter() - began) / model.steps_per_execution)
        if not math.isfinite(float(logs.get("loss", 0.0))):
            raise TrainingError(
                f"The loss is {logs['loss']} after {len(times)} step(s): the data holds numbers "
                "that are none, or the learning rate is far too high."
            )
    counted = sorted(times[1:] or times)
    return logs, counted[len(counted) // 2]
