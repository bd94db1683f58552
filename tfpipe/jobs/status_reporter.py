"""The reporter of a run: rows for the terminal, status.json, and advice on slow input."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tfpipe.data.sources.base import StoredSplits
from tfpipe.declare.pipeline import Pipeline, overrides
from tfpipe.jobs.prepare import Prepared
from tfpipe.jobs.run import RunPlan
from tfpipe.models.images_out.adversarial import Adversarial
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.runs.directory import State, Status
from tfpipe.runs.hparams import is_session, session_ended
from tfpipe.text import counted, either
from tfpipe.training.callbacks.view import end
from tfpipe.training.reporting import SETTINGS, EpochRow

MUCH_WAIT = 0.2  # of an epoch
_SECONDS = 0.5  # less than this is the start of the input pipeline, not its speed


class StatusReporter:
    """Passes on what training reports, and keeps status.json up to date.

    Args:
        plan: the run.
        parameters: how many the model has.
    """

    def __init__(self, plan: RunPlan, parameters: int) -> None:
        self._plan = plan
        self.quiet = False
        self.callbacks: Sequence[Any] = ()
        self._changes: dict[str, Any] = {"parameters": parameters}
        self._epoch, self._step = 0, 0
        if plan.resumed is not None:
            self._epoch, self._step = plan.resumed.saved.state.epoch, plan.resumed.step

    def step(
        self, epoch: int, epochs: int, step: int, steps: int, rate: float, loss: float
    ) -> None:
        self._epoch, self._step = epoch - 1, step
        if not self.quiet:
            self._plan.terminal.step(epoch, epochs, step, steps, rate, loss)

    def epochs(self, rows: Sequence[EpochRow]) -> None:
        self._epoch, self._step = rows[-1].epoch, 0
        if not self.quiet:
            for row in rows:
                self._plan.terminal.epoch(row)
                if advice := input_advice(self._plan.prepared.pipeline, row):
                    self._plan.terminal.note(advice)
        self.write(metrics=by_split(rows[-1].metrics))

    def grouped(self, steps: int, seconds: float) -> None:
        if not self.quiet:
            told = f"a step takes {1000 * seconds:.2g} ms: {steps} in one call"
            self._plan.terminal.say(f"[dim]{told} (steps_per_execution=auto)[/]")

    def phase(self, number: int, count: int) -> None:
        if not self.quiet:
            self._plan.terminal.say(_phase_facts(self._plan.prepared, number, count))

    def write(self, state: State = "running", **changes: Any) -> None:
        """Write status.json with some fields changed; tell the callbacks that ask how it ended."""
        self._changes |= changes
        status = Status(state, epoch=self._epoch, step=self._step, **self._changes)
        self._plan.directory.write_status(status)
        board = self._plan.directory.tensorboard
        if state in ("finished", "failed") and is_session(board):
            session_ended(board, state == "finished")
        if state != "running":
            end(self.callbacks, asdict(status))


def by_split(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return Keras's flat names as a mapping of splits: `val_loss` is the validation's loss."""
    rest = {n: v for n, v in metrics.items() if n not in SETTINGS}
    train = {n: v for n, v in rest.items() if not n.startswith("val_")}
    validation = {n.removeprefix("val_"): v for n, v in rest.items() if n.startswith("val_")}
    return {"train": train} | ({"validation": validation} if validation else {})


def input_advice(pipeline: Pipeline, row: EpochRow) -> str:
    """Return what to try after an epoch that waited for a fifth of its time; empty for others."""
    wait = row.input_wait
    if wait is None or wait <= MUCH_WAIT or wait * row.seconds < _SECONDS:
        return ""
    remedies = []
    if overrides(type(pipeline), "input_fn"):
        remedies.append("num_parallel_calls and .prefetch(tf.data.AUTOTUNE) in input_fn")
    data = pipeline.data
    if isinstance(data, StoredSplits) and data.keeps(pipeline.cache) != "memory":
        remedies.append("cache=true, to keep the decoded data in memory")
    if pipeline.augment:
        remedies.append("fewer changes in augment")
    remedies.append("a larger batch_size")
    return f"{wait:.0%} of epoch {row.epoch} was spent waiting for input: try {either(remedies)}."


def _phase_facts(prepared: Prepared, number: int, count: int) -> str:
    """Return what a phase of the training trains, and how, with rich's markup."""
    assert prepared.pipeline.fine_tune is not None
    phase = prepared.pipeline.fine_tune.phases[number - 1]
    model = prepared.compiled.model
    trained = "the base is frozen"
    if isinstance(model, Adversarial):
        trained = "the generator alone" if phase.pretrain else "the generator and its rival"
    if phase.unfreeze == "all":
        trained = "all of the base is trained"
    elif isinstance(phase.unfreeze, int):
        trained = f"the last {counted(phase.unfreeze, 'layer')} of the base trained"
    elif phase.unfreeze is not None:
        trained = f"the base trained from layer {phase.unfreeze.rstrip(':')} on"
    facts = (
        trained,
        f"{trainable_parameters(model):,} of {parameters(model):,} parameters",
        f"{counted(phase.epochs, 'epoch')} of {type(model.optimizer).__name__}",
    )
    return f"[bold]phase {number} of {count}[/]  [dim]{' · '.join(facts)}[/]"
