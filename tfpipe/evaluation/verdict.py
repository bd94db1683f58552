"""A report in three sentences: how good, whether it fits too much or too little, what to try."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tfpipe.evaluation.scores.baseline import Baseline
from tfpipe.text import counted, number
from tfpipe.training.reporting import EpochRow

_FEW = 20  # samples, of which nothing is held out
_CLEARLY = 0.05  # a share of the loss, beyond which curves are said to differ
_BY_HEART = 2.0  # of the perplexity on the training text
_FAR = 0.15  # between the accuracy in training and in validation


@dataclass(frozen=True)
class Measured:
    """What a split says of a model.

    Args:
        split: "test" or "validation".
        size: its samples.
        score: the accuracy, or a measure.
        interval: its 95% interval.
        shares: whether the score is an accuracy.
        baselines: what is reached without a network.
        measure: what the score is called where it is no accuracy.
        rises: whether a measure is better the higher it is.
    """

    split: str
    size: int
    score: float
    interval: tuple[float, float]
    shares: bool
    baselines: Sequence[Baseline] = ()
    measure: str = "mean absolute error"
    rises: bool = False

    @property
    def beaten(self) -> bool:
        """Whether the model is better than all baselines by more than chance."""
        low, high = self.interval
        if self.shares or self.rises:
            return all(low > b.score for b in self.baselines)
        return all(high < b.score for b in self.baselines)


def how_good(measured: Measured) -> str:
    """Return the sentence on how good the answers are, against which baseline."""
    low, high = measured.interval

    def shown(value: float) -> str:
        return f"{value:.1%}" if measured.shares else number(value)

    size = f"{measured.split} {counted(measured.size, 'sample')}".replace(
        f"{measured.split} {measured.size:,}", f"{measured.size:,} {measured.split}"
    )
    spread = f" (95% interval {shown(low)} to {shown(high)})" if math.isfinite(low) else ""
    if measured.shares:
        text = f"{shown(measured.score)} of {size} are answered right{spread}"
    else:
        text = f"Over {size} the {measured.measure} is {shown(measured.score)}{spread}"
    others = [f"{b.name} would get {shown(b.score)}" for b in measured.baselines]
    if not others:
        return f"{text}."
    rises = measured.shares or measured.rises
    better = any(b.score > high if rises else b.score < low for b in measured.baselines)
    verdict = ", which is better" if better else ", which is not clearly worse"
    return f"{text}; {' and '.join(others)}{'' if measured.beaten else verdict}."


def fit(rows: Sequence[EpochRow], best: int | None) -> tuple[str, str]:
    """Return a word on how a model fits, and the sentence on it.

    Args:
        rows: the epochs.
        best: the epoch of the least validation loss, or whichever is kept.

    Returns:
        "over", "unfinished", "fits" or "unknown".
    """
    losses = [row.metrics.get("loss", math.nan) for row in rows]
    held_out = [row.metrics.get("val_loss", math.nan) for row in rows]
    if not any(map(math.isfinite, held_out)):
        return "unknown", "Without a validation split nobody can say whether it fits too much."
    least = min((v, i) for i, v in enumerate(held_out) if math.isfinite(v))
    last, lowest, place = held_out[-1], *least
    risen = last > lowest * (1 + _CLEARLY) and losses[-1] < losses[place]
    train, validation = (rows[-1].metrics.get(n) for n in ("accuracy", "val_accuracy"))
    apart = (
        len(rows) > 1 and train is not None and validation is not None and train - validation > _FAR
    )
    if risen:
        return "over", (
            f"It overfits: after epoch {rows[place].epoch} the validation loss rose from "
            f"{number(lowest)} to {number(last)}, while the training loss fell to "
            f"{number(losses[-1])}."
        )
    if apart and len(rows) > 1:
        return "over", (
            f"It overfits: {train:.1%} of the training samples are answered right, and "
            f"{validation:.1%} of those held out."
        )
    before = held_out[-max(2, len(rows) // 5) - 1] if len(rows) > 2 else held_out[0]
    falling = place == len(rows) - 1 and last < before
    if falling or len(rows) == 1:
        return "unfinished", (
            f"It is not done: the validation loss was still falling in the last epoch, to "
            f"{number(last)}."
            if falling
            else "One epoch says little about how it fits."
        )
    return "fits", (
        f"It neither overfits nor goes on learning: validation loss {number(lowest)} beside a "
        f"training loss of {number(losses[place])} at epoch {rows[place].epoch}."
    )


def by_heart(rows: Sequence[EpochRow]) -> str:
    """Return the sentence on a training text that is known by heart; empty for any other.

    Args:
        rows: the epochs.
    """
    last = rows[-1].metrics if rows else {}
    trained, held_out = (last.get(n, math.nan) for n in ("perplexity", "val_perplexity"))
    if not (trained < _BY_HEART and held_out > 2 * trained):
        return ""
    return (
        f"It knows the training text by heart, by a perplexity of {number(trained)}; on what is "
        f"held out it is {number(held_out)}."
    )


def painted(rows: Sequence[EpochRow]) -> list[str]:
    """Return the sentence on how far a picture came, of which nobody but a person can judge.

    Args:
        rows: the epochs.
    """
    losses = [row.metrics.get("loss", math.nan) for row in rows]
    if not losses:
        return []
    return [
        f"The loss was {number(losses[0])} in the first epoch and {number(losses[-1])} in the "
        f"last, the mean of an epoch's steps each."
    ]


def what_next(state: str, measured: Measured | None, longer: str, *, generated: bool) -> str:
    """Return the sentence on what to try next.

    Args:
        state: as `fit` says it.
        measured: how good the answers are; None where that is not known.
        longer: what to declare to train longer, such as "epochs=20".
        generated: whether the data was.
    """
    if generated:
        return "Train it on the real data next: leave out --sample."
    if state == "over":
        return (
            "Next: more data or augmentation, more dropout or weight decay, a smaller model, or "
            "EarlyStopping, which keeps the best epoch."
        )
    if state == "unfinished":
        return f"Next: train longer, such as {longer}."
    if measured is not None and not measured.beaten:
        return (
            "Next: look at the data first (tfpipe data show); then another learning rate, or a "
            "larger model."
        )
    if state == "unknown" and measured is not None and measured.size < _FEW:
        return "Next: more data: so few samples say little of others."
    if state == "unknown":
        return "Next: hold out a validation split, such as data.validation=0.1."
    return "Next: a larger model or other ranges with tfpipe search, or the worst errors below."
