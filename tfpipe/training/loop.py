"""The epochs: one `fit` each, on data that is a pure function of the epoch.

A single `fit` that starts in the middle of an epoch would cut all later epochs short, so each epoch
is a `fit` of its own; the callbacks hear of one training that begins and ends once.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfpipe.data import Sample
from tfpipe.data.input_fn import steps_per_epoch
from tfpipe.declare.pipeline import Pipeline, current_epoch, overrides
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import DataError, Interrupted
from tfpipe.runs import RunDirectory
from tfpipe.training.callbacks import BestModel, Position, Record, SaveState, Watch
from tfpipe.training.compile import Compiled
from tfpipe.training.reporting import EpochRow, Reporter


class OneTraining(keras.callbacks.CallbackList):
    """A callback list whose training begins and ends once, over several calls of `fit`."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing: `begin_training` has told the callbacks."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing: `end_training` will tell the callbacks."""

    def begin_training(self) -> None:
        """Tell the callbacks that training begins."""
        super().on_train_begin()

    def end_training(self, logs: dict[str, Any]) -> None:
        """Tell the callbacks that training ends."""
        super().on_train_end(logs)


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Args:
        rows: a row for each epoch that was trained.
        stopped_early: whether a callback ended it before the declared epochs.
    """

    rows: list[EpochRow]
    stopped_early: bool


def dataset(pipeline: Pipeline, split: str, epoch: int = 0, position: int = 0) -> Any:
    """The batches of a split, from the pipeline's own input_fn where it has one.

    Args:
        pipeline: the declaration, its ranges resolved.
        split: "train", "validation" or "test".
        epoch: which epoch's order.
        position: how many batches to leave out.
    """
    token = current_epoch.set(epoch)
    try:
        if not has_own_input(pipeline):
            return pipeline.input_fn(split, epoch, position)
        own = pipeline.input_fn(split)
    finally:
        current_epoch.reset(token)
    if not isinstance(own, tf.data.Dataset):
        raise DataError(
            f"{type(pipeline).__name__}.input_fn({split!r}) should return a tf.data.Dataset of "
            f"batches, got {type(own).__name__}."
        )
    if split == "train" and pipeline.steps_per_epoch:
        own = own.repeat().take(pipeline.steps_per_epoch)
    return own.skip(position) if position else own


def has_own_input(pipeline: Pipeline) -> bool:
    """Whether batches come from an overridden input_fn.

    One without declared data makes all of its data itself, so that generated data, which takes the
    place of the declared, takes the place of the method.
    """
    cls = type(pipeline)
    replaced = isinstance(pipeline.data, Sample) and cls.fields()["data"] is None
    return overrides(cls, "input_fn") and not replaced


def train(
    pipeline: Pipeline,
    spec: ElementSpec,
    compiled: Compiled,
    run: RunDirectory,
    reporter: Reporter,
) -> Trained:
    """Train a compiled model as declared, recording everything in the run's directory.

    Raises:
        Interrupted: when a person stopped it; the state is saved.
        TrainingError: when the loss is no longer a number.
        StorageError: when the directory cannot be written.
    """
    model = compiled.model
    size = spec.splits["train"]
    steps = steps_per_epoch(
        size, pipeline.batch_size, pipeline.drop_remainder, pipeline.steps_per_epoch
    )
    validation = dataset(pipeline, "validation") if "validation" in spec.splits else None
    position = Position()
    declared = pipeline.build_callbacks()
    saver = SaveState(run.checkpoints, position, pipeline.checkpoint_every)
    record = Record(
        run.metrics_file,
        reporter,
        position,
        epochs=pipeline.epochs,
        steps=steps,
        samples=steps * pipeline.batch_size if pipeline.steps_per_epoch else size,
        batch_size=pipeline.batch_size,
    )
    with stop_on_signals() as stop_requested:
        watch = Watch(position, stop_requested, saver.save, declared, validation is not None)
        monitor = _best_monitor(declared, validation is not None)
        best = BestModel(run.checkpoints / "best.keras", monitor)
        board = [] if _has_tensorboard(declared, run) else [_tensorboard(run)]
        callbacks = OneTraining(
            [watch, *board, *declared, best, record, saver],
            add_history=True,
            model=model,
            epochs=pipeline.epochs,
            steps=steps,
            verbose=0,
        )
        callbacks.begin_training()
        for epoch in range(pipeline.epochs):
            position.begin(epoch, 0)
            model.fit(
                dataset(pipeline, "train", epoch),
                validation_data=validation,
                shuffle=False,  # the input function has shuffled
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=callbacks,
                verbose=0,
            )
            if model.stop_training or stop_requested():
                break
        if stop_requested() and len(record.rows) < pipeline.epochs:
            raise Interrupted(f"Stopped after epoch {len(record.rows)}; the state is saved.")
        callbacks.end_training(record.rows[-1].metrics)
    return Trained(record.rows, len(record.rows) < pipeline.epochs)


def _best_monitor(declared: list[Any], validated: bool) -> str:
    """What the best epoch is judged by: as early stopping does, else by the validation loss."""
    for callback in declared:
        if isinstance(callback, keras.callbacks.EarlyStopping):
            return str(callback.monitor)
    return "val_loss" if validated else "loss"


def _has_tensorboard(declared: list[Any], run: RunDirectory) -> bool:
    """Whether the pipeline declares TensorBoard itself; it then writes into the run as well."""
    own = [c for c in declared if isinstance(c, keras.callbacks.TensorBoard)]
    for callback in own:
        if callback.log_dir == "logs":  # Keras's default: not a place that was chosen
            callback.log_dir = str(run.tensorboard)
    return bool(own)


def _tensorboard(run: RunDirectory) -> Any:
    return keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """While the block runs, the first Ctrl-C or SIGTERM asks to stop and the second one insists."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_test_scalars(run: RunDirectory, metrics: dict[str, float], epoch: int) -> None:
    """The test metrics into TensorBoard, beside the last epoch of training."""
    writer = tf.summary.create_file_writer(str(run.tensorboard / "test"))
    with writer.as_default():
        for name, value in metrics.items():
            tf.summary.scalar(f"epoch_{name}", value, step=epoch)
    writer.close()
