"""The parts of the time of a step, as a table that adds up to the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfpipe.evaluation.profile.epochs import EpochTimes, median
from tfpipe.evaluation.profile.input import InputTimes
from tfpipe.evaluation.profile.step import PieceTimes

REST = "not explained"


@dataclass(frozen=True)
class TimePart:
    """A part of the time of a step.

    Args:
        name: what is done.
        seconds: a step; of what is done once an epoch the part that falls to a step.
        share: of the whole.
        remark: what it is, for people.
    """

    name: str
    seconds: float
    share: float
    remark: str = ""


@dataclass(frozen=True)
class StepCost:
    """A step, with what falls to it of the epoch's beginning and end.

    Args:
        seconds: of a step.
        parts: which add up to it; the last is what is not explained, and may be below nothing.
        callbacks: the seconds that each takes of a step, the most first.
        together: how many steps are one call.
    """

    seconds: float
    parts: Sequence[TimePart]
    callbacks: Mapping[str, float]
    together: float

    def share(self, *names: str) -> float:
        """Return what some parts take of the whole."""
        return sum(part.share for part in self.parts if part.name in names)


def epoch_seconds(epochs: Sequence[EpochTimes], steps: int) -> float:
    """Return the seconds of a step with what falls to it of a whole epoch's beginning and end.

    Args:
        epochs: short ones.
        steps: how many a whole one has.
    """
    once = median([max(e.whole - e.step * e.steps, 0.0) for e in epochs])
    return median([e.step for e in epochs]) + once / steps


def whole_of(
    step: PieceTimes, read: InputTimes, epochs: Sequence[EpochTimes], steps: int
) -> StepCost:
    """Put together what was measured, each the median of some turns.

    Args:
        step: on a batch in memory.
        read: with the input.
        epochs: short ones, as a run has them.
        steps: how many steps a whole epoch has.
    """
    once = median([max(e.whole - e.step * e.steps, 0.0) for e in epochs])
    waits = [e.waited / e.steps for e in epochs if e.waited is not None]
    names = {name for e in epochs for name in (*e.in_steps, *e.in_epoch)}
    in_steps = {n: median([e.in_steps.get(n, 0.0) / e.steps for e in epochs]) for n in names}
    in_epoch = {n: median([e.in_epoch.get(n, 0.0) for e in epochs]) for n in names}
    callbacks = {n: in_steps[n] + in_epoch[n] / steps for n in names}
    validation = median([e.validation for e in epochs])
    together = median([e.steps / max(e.calls, 1) for e in epochs])
    # A callback gives the input time, and the first batch of an epoch is waited for once.
    wait = min([read.wait, *([median(waits)] if waits else [])])
    gathered = not waits and together > 1
    told = "gathered in the same call" if gathered else "waiting"
    remarks = _REMARKS | {"input": f"{told}; alone {1e3 * read.alone:.3g} ms a batch"}
    if together > 1:
        remarks["call"] = f"once in {together:,.0f} steps"
    seconds = {
        "input": 0.0 if gathered else wait,
        "call": step.call / together,
        "forward": step.forward,
        "backward": step.backward,
        "update": step.update,
        "step": None if step.forward is not None else step.whole - step.call,
        "callbacks": sum(callbacks.values()),
        "validation": validation / steps,
        "epoch": max(once - validation - sum(in_epoch.values()), 0.0) / steps,
    }
    whole = epoch_seconds(epochs, steps)
    known = {name: taken for name, taken in seconds.items() if taken is not None}
    known[REST] = whole - sum(known.values())
    return StepCost(
        whole,
        [TimePart(n, taken, taken / whole, remarks[n]) for n, taken in known.items()],
        dict(sorted(callbacks.items(), key=lambda item: -item[1])),
        together,
    )


_REMARKS = {
    "call": "starting a compiled function",
    "forward": "forward pass and loss",
    "backward": "gradients",
    "update": "optimizer and metrics",
    "step": "a train_step of its own",
    "callbacks": "between steps, at epoch ends",
    "validation": "once an epoch",
    "epoch": "beginning an epoch",
    REST: "loop, and competing threads",
}
