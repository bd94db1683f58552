"""Training: its callbacks, its phases, and where it goes on from."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from tfpipe.data.sources.running_text import Text
from tfpipe.declare.field_types import Duration
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices.cluster.strategy import adapt, is_multi_worker
from tfpipe.errors import Interrupted
from tfpipe.processes.signals import count_stop_signals
from tfpipe.runs.directory import RunDirectory
from tfpipe.tasks.detection import Detection
from tfpipe.tasks.language import Language
from tfpipe.tasks.picture import Picture
from tfpipe.training import checkpoint
from tfpipe.training.callbacks import callback_state, tensorboard
from tfpipe.training.callbacks.averaged_weights import AveragedWeights
from tfpipe.training.callbacks.batch_norm import BatchNormStatistics
from tfpipe.training.callbacks.batched_writes import BatchedWrites
from tfpipe.training.callbacks.best_model import BestModel, best_monitor
from tfpipe.training.callbacks.box_precision import BoxPrecision
from tfpipe.training.callbacks.carried_state import CarriedState
from tfpipe.training.callbacks.generated.continuations import Continuations
from tfpipe.training.callbacks.generated.pictures import PaintedPictures
from tfpipe.training.callbacks.guard import Guard
from tfpipe.training.callbacks.metrics_logger import MetricsLogger
from tfpipe.training.callbacks.restore_metrics import RestoreMetrics
from tfpipe.training.callbacks.state_checkpoint import StateCheckpoint
from tfpipe.training.callbacks.tensorboard import EpochBoard
from tfpipe.training.callbacks.view import replaces_rows, show, view_of
from tfpipe.training.compile import Compiled, build_state, enter_phase
from tfpipe.training.datasets import dataset, steps_of
from tfpipe.training.epochs import Epochs, Grouping, asks_for_batches
from tfpipe.training.metrics_file import cut_log
from tfpipe.training.position import Phases, Position
from tfpipe.training.reporting import EpochRow, Reporter
from tfpipe.training.requests import Requests
from tfpipe.training.steps import InputWait, set_functions

# Of several workers the chief alone writes.
_WRITING = (
    keras.callbacks.BackupAndRestore,
    keras.callbacks.CSVLogger,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.TensorBoard,
)


@dataclass(frozen=True)
class Trained:
    """The result of training.

    Args:
        rows: a row for each epoch that was trained.
        stopped_early: whether a callback ended it before the declared epochs.
        notes: what a person must not overlook about the model.
    """

    rows: list[EpochRow]
    stopped_early: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resumed:
    """What a run goes on from.

    Args:
        saved: the state.
        rows: the epochs that are done.
        parts: which of the state to restore.
        from_epoch: whether to begin its epoch again, because the steps mean something else now.
        over: whether training had ended, so that only what follows it is left.
        new_learning_rate: whether to keep the declared learning rate, not the state's.
        callbacks: whether to restore the state of the callbacks.
        save_first: whether to save the state before the first step: it is another run's.
    """

    saved: checkpoint.Checkpoint
    rows: tuple[EpochRow, ...]
    parts: tuple[str, ...] = checkpoint.GROUPS
    from_epoch: bool = False
    over: bool = False
    new_learning_rate: bool = False
    callbacks: bool = True
    save_first: bool = False

    @property
    def step(self) -> int:
        """How many steps of the next epoch are done."""
        return 0 if self.from_epoch else self.saved.state.step


def train(
    pipeline: Pipeline,
    spec: ElementSpec,
    compiled: Compiled,
    run: RunDirectory,
    reporter: Reporter,
    *,
    resumed: Resumed | None = None,
    chief: bool = True,
    extra: Sequence[keras.callbacks.Callback] = (),
) -> Trained:
    """Train a compiled model as declared, recording everything in the run's directory.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        compiled: the model.
        run: where to record.
        reporter: told of each step and epoch.
        resumed: what to go on from.
        chief: whether this process writes; of several workers one does.
        extra: callbacks that come after all others; one with a method `set_callbacks(callbacks)`
            is given all of them before training begins.

    Raises:
        Interrupted: when a person stopped it; the state is saved.
        TrainingError: when the loss is no longer a number.
        StorageError: when the directory cannot be written.
    """
    with count_stop_signals(patience=1) as stops:
        training = _Training(pipeline, spec, compiled, run, reporter, chief, stops)
        training.gather_callbacks(extra, again=resumed is not None)
        training.begin(resumed)
        try:
            while training.has_epoch_left():
                training.epochs.run()
                if training.requests.stop and not training.over:
                    training.saver.save_unless_saved()
                    epoch = training.position.epoch
                    raise Interrupted(f"Stopped after epoch {epoch}; the state is saved.")
            # One that comes after the saver may have ended it.
            training.saver.save_unless_saved(stopped=True)
        except BaseException:
            with contextlib.suppress(Exception):  # what it failed for is to be seen
                training.write_held()
            raise
        training.write_held()
        rows = training.logger.rows
        training.callbacks.on_train_end(rows[-1].metrics)
    return Trained(rows, len(rows) < pipeline.epochs, training.notes)


class _Training:
    """One training: where it is, and its callbacks.

    Args:
        pipeline: the declaration.
        spec: the element spec of its data.
        compiled: the model.
        run: where to record.
        reporter: told of each step and epoch.
        chief: whether this process writes.
        stops: how often somebody has asked this process to stop.
    """

    callbacks: keras.callbacks.CallbackList
    epochs: Epochs
    logger: MetricsLogger
    saver: StateCheckpoint
    written: BatchedWrites

    def __init__(
        self,
        pipeline: Pipeline,
        spec: ElementSpec,
        compiled: Compiled,
        run: RunDirectory,
        reporter: Reporter,
        chief: bool,
        stops: Callable[[], int],
    ) -> None:
        first = dataset(pipeline, "train")
        model = compiled.model
        build_state(model, first)
        self._pipeline, self._model, self._run = pipeline, model, run
        self._spec, self._compiled = spec, compiled
        self._reporter, self._chief = reporter, chief
        self._phases = Phases(pipeline)
        self.position = Position(steps_of(pipeline, spec, first), self._phases)
        adapt(model)
        several = is_multi_worker(model.distribute_strategy)
        self.requests = Requests(lambda: stops() > 0, together=several)

    def gather_callbacks(self, extra: Sequence[keras.callbacks.Callback], again: bool) -> None:
        """List the callbacks in the order in which they act.

        The averaged weights are put in place first, for all that judges an epoch, and the averages
        of batch normalisation that go with them; the guard comes before whatever computes with its
        numbers; the state is saved last, so that it has what the others have made of the epoch.
        """
        pipeline, run, validated = self._pipeline, self._run, "validation" in self._spec.splits
        self._wait = InputWait()
        functions = set_functions(self._model, self._wait, self.requests)
        declared = pipeline.build_callbacks()
        if not self._chief:
            declared = [c for c in declared if not _writes(c)]
        self._declared = declared
        show(declared, view_of(pipeline, self._spec, self._compiled.task, run))
        self._reporter.quiet = replaces_rows(declared)
        self._reporter.callbacks = declared
        best = BestModel(
            run.checkpoints / "best.keras",
            best_monitor(declared, validated, self._compiled.task),
            lambda: self.saver.due_after(self.position.epoch),
        )
        keeps = [best] if self._compiled.task.keeps_model else []
        self._best, self._stateful = best, [*declared, *keeps]
        boards = tensorboard.boards_of(declared, run, again) if self._chief else ([], [])
        added_board, self._boards = boards
        self._averaged = [AveragedWeights()] if pipeline.ema else []
        self._batch_norm = BatchNormStatistics(lambda epoch: dataset(pipeline, "train", epoch))
        self.saver = StateCheckpoint(
            run.checkpoints,
            self.position,
            pipeline.checkpoint_every,
            self.requests,
            self._stateful,
            before=self._before_saving,
            keep=self._chief,
        )
        self.logger = MetricsLogger(
            run.metrics_file if self._chief else None,
            self._reporter,
            self.position,
            (pipeline.steps_per_epoch or 0) * pipeline.batch_size or self._spec.splits["train"],
            pipeline.batch_size,
            self._wait.take,
        )
        speeds = tensorboard.SpeedBoard(self._boards, self.logger.rows)
        self.written = BatchedWrites(
            [
                *(board.write for board in self._boards if isinstance(board, EpochBoard)),
                speeds.write,
                partial(tensorboard.flush, self._boards),
                self.logger.write,
            ]
        )
        callbacks = [
            *self._averaged,
            self._batch_norm,
            CarriedState(self.position),
            *self._measured(),
            Guard(self.position, declared, validated, self._compiled.task.measured_after),
            *added_board,
            *declared,
            *(keeps if self._chief else []),
            self.logger,
            speeds,
            self.written,
            *self._generated(),
            self.saver,
            *extra,
        ]
        for callback in extra:
            if hasattr(callback, "set_callbacks"):
                callback.set_callbacks(callbacks)
        self.callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            model=self._model,
            epochs=pipeline.epochs,
            steps=self.position.steps,
            verbose=0,
        )
        every = pipeline.checkpoint_every
        self.epochs = Epochs(
            pipeline,
            self._model,
            functions,
            self.position,
            self.callbacks,
            validated,
            Grouping(
                pipeline.steps_per_execution,
                any(map(asks_for_batches, [*self._boards, *declared, *extra])),
                None if isinstance(every, Duration) else every,
                self._reporter.grouped,
            ),
        )

    def _measured(self) -> list[keras.callbacks.Callback]:
        """What measures of an epoch that no metric of Keras's can, before others watch it."""
        task = self._compiled.task
        if isinstance(task, Detection) and "validation" in self._spec.splits:
            return [BoxPrecision(self._pipeline, task)]
        return []

    def _generated(self) -> list[keras.callbacks.Callback]:
        """What writes down how a text is continued, or a picture, where the task is that."""
        data, task = self._pipeline.data, self._compiled.task
        if isinstance(task, Picture):
            given, *_ = next(iter(dataset(self._pipeline, "train")))
            return [PaintedPictures(self._run if self._chief else None, given)]
        if self._chief and isinstance(data, Text) and isinstance(task, Language):
            return [Continuations(self._run.continuations, data, task.probabilities)]
        return []

    def begin(self, resumed: Resumed | None) -> None:
        """Begin training with the callbacks, and restore what a saved state holds."""
        if resumed is None:
            self.callbacks.on_train_begin()
            self._report_phase()
            return
        saved = resumed.saved
        self._enter(saved.state.phase, saved.state.phase_began)
        for callback in self._declared:
            if isinstance(callback, keras.callbacks.CSVLogger):
                callback.append = True
                cut_log(Path(callback.filename), saved.state.epoch, callback.sep)
        self.logger.rows.extend(resumed.rows)
        if "metrics" in resumed.parts and resumed.step:
            restore = RestoreMetrics(saved)
            restore.set_model(self._model)
            self.callbacks.callbacks.insert(0, restore)
        self.callbacks.on_train_begin()
        self._restore(resumed)
        if resumed.callbacks:
            arrays = saved.named("callbacks")
            callback_state.set_states(self._stateful, saved.state.callbacks, arrays)
        self.position.begin(saved.state.epoch, resumed.step)
        self.saver.begin()
        done = saved.state.epoch * self.position.steps + resumed.step
        tensorboard.set_step(self._boards, done)
        self._model.stop_training = resumed.over
        if resumed.save_first:
            self.saver.save()
        self._report_phase()

    def write_held(self) -> None:
        """Write the rows and the best model that are in memory alone."""
        self.written.write()
        if self._chief:
            self._best.write()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must not overlook about the model."""
        if not self._batch_norm.used:
            return ()
        return (
            f"{self._batch_norm.steps:,} steps are too few for the averages of "
            "batch normalisation to settle: at the end of each epoch they were computed over "
            "training batches.",
        )

    def has_epoch_left(self) -> bool:
        """Return whether there is an epoch to train; begin the next phase where one is over."""
        while self._phases.over(self.position.epoch, self._model.stop_training):
            if self._phases.last:
                return False
            self._next_phase()
        return True

    @property
    def over(self) -> bool:
        """Whether the last phase is over."""
        ended = self._phases.over(self.position.epoch, self._model.stop_training)
        return ended and self._phases.last

    def _next_phase(self) -> None:
        """Compile for the next phase; callbacks that wait for an improvement begin afresh.

        All of it follows from the state that was saved at the end of the phase before, so a run
        that is stopped here is resumed exactly.
        """
        for averaged in self._averaged:
            averaged.end_phase()
        waiting = [c for c in self._declared if hasattr(c, "wait")]
        for callback in waiting:
            callback.on_train_end(self.logger.rows[-1].metrics)
        self._enter(self._phases.index + 1, self.position.epoch)
        for callback in waiting:
            callback.on_train_begin()
        if self._pipeline.fine_tune is not None and not self._pipeline.fine_tune.one_loss:
            self._best.forget()
        self._model.stop_training = False
        self._report_phase()

    def _enter(self, phase: int, began: int) -> None:
        self._phases.enter(phase, began)
        enter_phase(self._compiled, self._pipeline, phase, dataset(self._pipeline, "train"))
        self.epochs.compiled(set_functions(self._model, self._wait, self.requests))
        if self._phases.declared:
            tensorboard.count_from(self._boards, began * self.position.steps)

    def _report_phase(self) -> None:
        if self._phases.declared:
            self._reporter.phase(self._phases.index + 1, self._phases.count)

    def _restore(self, resumed: Resumed) -> None:
        optimizer = self._model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # float16 scales the loss
        declared = optimizer.get_config().get("learning_rate")
        parts = tuple(p for p in resumed.parts if p != "metrics")
        checkpoint.restore(self._model, resumed.saved, parts)
        if resumed.new_learning_rate and isinstance(declared, float):  # else it is a schedule
            optimizer.learning_rate = declared

    def _before_saving(self) -> None:
        self.written.write()
        self._best.write()
        for averaged in self._averaged:
            averaged.restore_raw()


def _writes(callback: Any) -> bool:
    """Return whether a callback writes files or to the terminal, which the chief alone does."""
    shows = hasattr(callback, "set_run") or replaces_rows([callback])
    return shows or isinstance(callback, _WRITING)
