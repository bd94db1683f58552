"""TensorBoard's event files of a run: who writes them, and one curve over several processes.

Events that were written after the state that a run goes on from belong to work that was lost and is
done again, so they are taken out. Files that hold none of them are left untouched.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpipe.runs.directory import RunDirectory
from tfpipe.storage import storage
from tfpipe.training.reporting import EpochRow


class EpochBoard(keras.callbacks.TensorBoard):
    """Writes a point an epoch, of several epochs at once where they are short.

    Keras's own asks after every step, for each metric, whether to write that too: in a small
    network a tenth of the time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: list[tuple[int, dict[str, Any]]] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Nothing."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Nothing."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing."""

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Nothing."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing: the end of the epoch has the same."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._held.append((epoch, dict(logs or {})))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.write()
        super().on_train_end(logs)

    def write(self) -> None:
        """Write the epochs since the last call."""
        held, self._held = self._held, []
        for epoch, logs in held:
            validation = {n.removeprefix("val_"): v for n, v in logs.items() if n[:4] == "val_"}
            training = {n: v for n, v in logs.items() if n[:4] != "val_"}
            write_scalars(self._train_writer, training, epoch)
            if validation:
                write_scalars(self._val_writer, validation, epoch)


class SpeedBoard(keras.callbacks.Callback):
    """Writes how fast each epoch was trained, beside its losses.

    Args:
        boards: the TensorBoard callbacks, of which the first writes it: TensorBoard reads on in one
            event file of a folder alone.
        rows: the epochs so far, the present one included.
    """

    def __init__(self, boards: list[Any], rows: list[EpochRow]) -> None:
        super().__init__()
        self._boards, self._rows = boards, rows
        self._held: list[EpochRow] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._held.append(self._rows[-1])

    def write(self) -> None:
        """Write the epochs since the last call."""
        held, self._held = self._held, []
        for row in held if self._boards else ():
            speeds = {"examples_per_second": row.examples_per_second}
            if row.input_wait is not None:
                speeds["input_wait"] = row.input_wait
            write_scalars(self._boards[0]._train_writer, speeds, row.epoch - 1)


def write_scalars(writer: tf.summary.SummaryWriter, values: dict[str, Any], epoch: int) -> None:
    """Write the curves' points of an epoch as one event, which takes a tenth of the time."""
    from tensorboard.plugins.scalar.summary import scalar_pb

    event = scalar_pb("", 0.0)
    del event.value[:]
    for name, value in values.items():
        event.MergeFrom(scalar_pb(f"epoch_{name}", value))
    with writer.as_default():
        tf.summary.experimental.write_raw_pb(event.SerializeToString(), step=epoch)


def boards_of(
    declared: list[Any], run: RunDirectory, again: bool = False
) -> tuple[list[Any], list[Any]]:
    """The TensorBoard callback to add, if any, and all that there will be.

    A pipeline may declare its own, which then writes into the run's directory unless it names a
    place. In a run that is resumed (`again`) the graph is written already.
    """
    own = [c for c in declared if isinstance(c, keras.callbacks.TensorBoard)]
    for callback in own:
        if callback.log_dir == "logs":  # Keras's default: not a place that was chosen
            callback.log_dir = str(run.tensorboard)
        callback.write_graph &= not again
    added = [] if own else [EpochBoard(str(run.tensorboard), write_graph=not again)]
    return added, own or added


def flush(boards: list[Any]) -> None:
    """Write out what callbacks hold back, so that a killed process leaves no gap in the curve."""
    for board in boards:
        for writer in getattr(board, "_writers", {}).values():
            writer.flush()


def set_step(boards: list[Any], step: int) -> None:
    """Let callbacks count steps from where a run is resumed.

    Keras counts the steps of its curves by the batch in two attributes, from 0 in each process.
    """
    for board in boards:
        board._global_train_batch = board._previous_epoch_iterations = step


def count_from(boards: list[Any], steps: int) -> None:
    """Let Keras's curves over the optimizer's steps go on where another optimizer takes over.

    Args:
        boards: the TensorBoard callbacks.
        steps: how many steps were done before the optimizer that the model has now.
    """
    for board in boards:
        if type(board).on_test_end is keras.callbacks.TensorBoard.on_test_end:
            board.on_test_end = partial(_write_evaluation, board, steps)


def _write_evaluation(board: Any, before: int, logs: dict[str, Any] | None = None) -> None:
    """In the place of TensorBoard.on_test_end, which counts from 0 with each optimizer."""
    step = int(board.model.optimizer.iterations.numpy()) + before
    with board._val_writer.as_default():
        for name, value in (logs or {}).items():
            tf.summary.scalar(f"evaluation_{name}_vs_iterations", value, step=step)
    board._pop_writer()


def remove_events_after(folder: Path, moment: float) -> None:
    """Remove what was written after a moment, in seconds since 1970."""
    for file in sorted(folder.rglob("*tfevents*")):
        with storage(file.parent):
            _remove_events(file, moment)


def _remove_events(file: Path, moment: float) -> None:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    records = list(RawEventFileLoader(str(file)).Load())
    events = [Event.FromString(record) for record in records]
    kept = [
        record
        for record, event in zip(records, events, strict=True)
        if event.wall_time <= moment or event.HasField("file_version")
    ]
    if len(kept) == len(records):
        return
    if not any(event.wall_time <= moment for event in events):
        file.unlink()
        return
    temporary = file.with_name(f".{file.name}.writing")
    with tf.io.TFRecordWriter(str(temporary)) as writer:
        for record in kept:
            writer.write(record)
    os.replace(temporary, file)


def write_test_scalars(run: RunDirectory, metrics: dict[str, float], epoch: int) -> None:
    """The test metrics, beside the last epoch of training."""
    writer = tf.summary.create_file_writer(str(run.tensorboard / "test"))
    write_scalars(writer, metrics, epoch)
    writer.close()
