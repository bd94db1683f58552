"""The epochs: one `fit` each, on data that is a pure function of the epoch.

A single `fit` that starts in the middle of an epoch would cut all later epochs short, so each epoch
is a `fit` of its own; the callbacks hear of one training that begins and ends once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpipe.data.input_fn import steps_per_epoch
from tfpipe.declare.pipeline import Pipeline, current_epoch, has_own_input
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices.cluster.strategy import adapt, is_multi_worker
from tfpipe.errors import ConfigError, DataError, Interrupted
from tfpipe.processes.signals import count_stops
from tfpipe.runs.directory import RunDirectory
from tfpipe.training import checkpoint as state
from tfpipe.training.callbacks import state as memory
from tfpipe.training.callbacks.run_callbacks import (
    Average,
    BestModel,
    Position,
    Record,
    Requests,
    Restore,
    SaveState,
    Watch,
)
from tfpipe.training.callbacks.tensorboard import boards_of, count_from, flush, go_on
from tfpipe.training.callbacks.view import replaces_rows, show, view_of
from tfpipe.training.compile import Compiled, build_state, enter_phase
from tfpipe.training.metrics import cut_log
from tfpipe.training.phases import Phases
from tfpipe.training.reporting import EpochRow, Reporter
from tfpipe.training.steps import InputWait, set_functions
from tfpipe.training.weights import weighted

# Of several workers the chief alone writes.
_WRITING = (
    keras.callbacks.BackupAndRestore,
    keras.callbacks.CSVLogger,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.TensorBoard,
)


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
    batches = _batches(pipeline, split, epoch, position)
    if split == "train":
        batches = weighted(pipeline, batches)
    return _dividing(batches)


def _batches(pipeline: Pipeline, split: str, epoch: int, position: int) -> Any:
    token = current_epoch.set(epoch)
    try:
        if not has_own_input(pipeline):
            return Pipeline.input_fn(pipeline, split, epoch, position)
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


def _dividing(dataset: Any) -> Any:
    """Batches that workers divide; TensorFlow's default may give each of them its own files."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)


@dataclass(frozen=True)
class Resumed:
    """What a run goes on from.

    Args:
        saved: the state.
        rows: the epochs that are done.
        parts: which of the state to put back.
        from_epoch: whether to begin its epoch again, because the steps mean something else now.
        over: whether training had ended, so that only what follows it is left.
        new_learning_rate: whether to keep the declared learning rate, not the state's.
        remember: whether to give the callbacks back what they remembered.
        save_first: whether to save the state before the first step: it is another run's.
    """

    saved: state.Saved
    rows: tuple[EpochRow, ...]
    parts: tuple[str, ...] = state.GROUPS
    from_epoch: bool = False
    over: bool = False
    new_learning_rate: bool = False
    remember: bool = True
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
    extra: Sequence[Any] = (),
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
        extra: callbacks that come after all others.

    Raises:
        Interrupted: when a person stopped it; the state is saved.
        TrainingError: when the loss is no longer a number.
        StorageError: when the directory cannot be written.
    """
    model = compiled.model
    validation = dataset(pipeline, "validation") if "validation" in spec.splits else None
    with count_stops(insist=2) as stops:
        training = _Training(pipeline, spec, compiled, run, reporter, chief, stops)
        training.gather_callbacks(validation is not None, extra, again=resumed is not None)
        training.begin(resumed)
        position = training.position
        while training.goes_on():
            model.fit(
                dataset(pipeline, "train", position.epoch, position.first_step),
                validation_data=validation,
                shuffle=False,  # the input function has shuffled
                initial_epoch=position.epoch,
                epochs=position.epoch + 1,
                callbacks=training.callbacks,
                verbose=0,
            )
            if training.requests.stop and not training.over:
                raise Interrupted(f"Stopped after epoch {position.epoch}; the state is saved.")
        rows = training.record.rows
        training.callbacks.end_training(rows[-1].metrics)
    return Trained(rows, len(rows) < pipeline.epochs)


class _Training:
    """One training: where it is, and the callbacks that make it.

    Args:
        pipeline: the declaration.
        spec: the element spec of its data.
        compiled: the model.
        run: where to record.
        reporter: told of each step and epoch.
        chief: whether this process writes.
        stops: how often somebody has asked this process to stop.
    """

    callbacks: OneTraining
    record: Record

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
        self._samples = spec.splits["train"]
        if pipeline.steps_per_epoch:
            self._samples = pipeline.steps_per_epoch * pipeline.batch_size
        self._phases = Phases(pipeline)
        self.position = Position(_steps(pipeline, spec, first), self._phases)
        adapt(model)
        several = is_multi_worker(model.distribute_strategy)
        self.requests = Requests(lambda: stops() > 0, together=several)

    def gather_callbacks(self, validated: bool, extra: Sequence[Any], again: bool) -> None:
        """Make the list of callbacks, in the order in which they act."""
        pipeline, model, run, chief = self._pipeline, self._model, self._run, self._chief
        self._wait = InputWait()
        measured = set_functions(model, self._wait, self.requests)
        self._declared = pipeline.build_callbacks()
        if not chief:
            self._declared = [c for c in self._declared if not _writes(c)]
        show(self._declared, view_of(pipeline, self._spec, self._compiled.task, run))
        self._reporter.quiet = replaces_rows(self._declared)
        best = BestModel(run.checkpoints / "best.keras", best_monitor(self._declared, validated))
        self._remembering = [*self._declared, best]
        board, self._boards = boards_of(self._declared, run, again) if chief else ([], [])
        self._average = average = [Average()] if pipeline.ema else []
        self._saver = saver = SaveState(
            run.checkpoints,
            self.position,
            pipeline.checkpoint_every,
            self.requests,
            self._remembering,
            before=lambda: _before_saving(self._boards, average),
            keep=chief,
        )
        watch = Watch(self.position, self._declared, validated)
        self.record = Record(
            run.metrics_file if chief else None,
            self._reporter,
            self.position,
            self._samples,
            pipeline.batch_size,
            self._wait.take if measured else None,
        )
        best_too = [best] if chief else []
        self.callbacks = OneTraining(
            [*average, watch, *board, *self._declared, *best_too, self.record, saver, *extra],
            add_history=True,
            model=model,
            epochs=pipeline.epochs,
            steps=self.position.steps,
            verbose=0,
        )

    def begin(self, resumed: Resumed | None) -> None:
        """Tell the callbacks that training begins, and put back what a saved state holds."""
        if resumed is None:
            self.callbacks.begin_training()
            self._tell_phase()
            return
        saved = resumed.saved
        self._enter(saved.state.phase, saved.state.phase_began)
        for callback in self._declared:
            if isinstance(callback, keras.callbacks.CSVLogger):
                callback.append = True
                cut_log(Path(callback.filename), saved.state.epoch, callback.sep)
        self.record.rows.extend(resumed.rows)
        if "metrics" in resumed.parts and resumed.step:
            restore = Restore(saved)
            restore.set_model(self._model)
            self.callbacks.callbacks.insert(0, restore)
        self.callbacks.begin_training()
        self._restore(resumed)
        if resumed.remember:
            memory.remind(self._remembering, saved.state.callbacks, saved.named("callbacks"))
        self.position.begin(saved.state.epoch, resumed.step)
        self._saver.begin()
        go_on(self._boards, saved.state.epoch * self.position.steps + resumed.step)
        self._model.stop_training = resumed.over
        if resumed.save_first:
            self._saver.save()
        self._tell_phase()

    def goes_on(self) -> bool:
        """Whether there is an epoch to train; begins the next phase where one is over."""
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
        for average in self._average:
            average.end_phase()
        waiting = [c for c in self._declared if hasattr(c, "wait")]
        for callback in waiting:
            callback.on_train_end(self.record.rows[-1].metrics)
        self._enter(self._phases.index + 1, self.position.epoch)
        for callback in waiting:
            callback.on_train_begin()
        self._model.stop_training = False
        self._tell_phase()

    def _enter(self, phase: int, began: int) -> None:
        self._phases.enter(phase, began)
        enter_phase(self._compiled, self._pipeline, phase, dataset(self._pipeline, "train"))
        set_functions(self._model, self._wait, self.requests)
        if self._phases.declared:
            count_from(self._boards, began * self.position.steps)

    def _tell_phase(self) -> None:
        if self._phases.declared:
            self._reporter.phase(self._phases.index + 1, self._phases.count)

    def _restore(self, resumed: Resumed) -> None:
        optimizer = self._model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # float16 scales the loss
        declared = optimizer.get_config().get("learning_rate")
        parts = tuple(p for p in resumed.parts if p != "metrics")
        state.restore(self._model, resumed.saved, parts)
        if resumed.new_learning_rate and isinstance(declared, float):  # else it is a schedule
            optimizer.learning_rate = declared


def _steps(pipeline: Pipeline, spec: ElementSpec, first: Any) -> int:
    """How many steps an epoch has."""
    known = int(first.cardinality())
    if known > 0:
        return known
    if pipeline.steps_per_execution > 1:
        raise ConfigError(
            f"steps_per_execution={pipeline.steps_per_execution} needs to know how many batches "
            "there are: end input_fn with .apply(tf.data.experimental.assert_cardinality(n)), or "
            "leave it at 1."
        )
    return steps_per_epoch(
        spec.splits["train"],
        pipeline.batch_size,
        pipeline.drop_remainder,
        pipeline.steps_per_epoch,
    )


def _writes(callback: Any) -> bool:
    """Whether a callback writes files or to the terminal, which the chief alone does."""
    shows = hasattr(callback, "set_run") or replaces_rows([callback])
    return shows or isinstance(callback, _WRITING)


def _before_saving(boards: list[Any], averages: list[Average]) -> None:
    flush(boards)
    for average in averages:
        average.put_back()


def best_monitor(declared: list[Any], validated: bool) -> str:
    """What the best epoch is judged by: as early stopping does, else by the validation loss.

    Args:
        declared: the pipeline's callbacks.
        validated: whether there is validation.
    """
    for callback in declared:
        if isinstance(callback, keras.callbacks.EarlyStopping):
            return str(callback.monitor)
    return "val_loss" if validated else "loss"
