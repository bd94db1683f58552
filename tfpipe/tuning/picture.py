"""What the charts of a search show: its trials with colours, and the part of the objective's range
that is worth drawing.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.store import Search, Trial
from tfpipe.tuning.svg import Scale

LEVELS = 8  # colours from the worst trial to the best; report.css has them
# How far the charts go: some way past three quarters of the trials, and where even those run away,
# many times as far as half of them.
_PAST_MOST, _PAST_HALF = 2.5, 100


@dataclass(frozen=True)
class Picture:
    """A search as its charts see it.

    Args:
        search: the search.
        axes: its ranges.
        trials: all of its trials, in the order in which they were made.
        ranked: those that count, the best first.
        scale: the objective, without what is much worse than most.
        times: for each trial that has ended, how long the search had been at work then, in
            seconds; pauses are left out.
    """

    search: Search
    axes: tuple[Dimension, ...]
    trials: list[Trial]
    ranked: list[tuple[Trial, float]]
    scale: Scale
    times: dict[str, float]

    @property
    def rising(self) -> bool:
        """Whether the objective is better the higher it is."""
        return self.search.asked.direction == "max"

    @property
    def objective(self) -> str:
        """The objective's name, and which way is better."""
        better = "higher" if self.rising else "lower"
        return f"{self.search.asked.objective} ({better} is better)"

    @property
    def outside(self) -> list[Trial]:
        """The trials that are too bad for the charts, which draw them at the edge."""
        return [t for t, value in self.ranked if not self.scale.low <= value <= self.scale.high]

    def level(self, value: float) -> int:
        """The colour of a trial: 0 for the worst, 7 for the best."""
        share = self.scale.share(value)
        return min(int((share if self.rising else 1 - share) * LEVELS), LEVELS - 1)

    def style(self, trial: Trial, value: float) -> str:
        """The classes of a trial's mark: its colour, and how it stands out."""
        best = bool(self.ranked) and trial is self.ranked[0][0]
        stopped = " stopped" if trial.state == "stopped" else ""
        return f"q{self.level(value)}{stopped}{' best' if best else ''}"


def picture_of(search: Search) -> Picture:
    """Read a search for its charts.

    Raises:
        RunError: when a trial's record is broken.
    """
    trials = search.trials()
    rising = search.asked.direction == "max"
    counted = [
        (t, t.objective)
        for t in trials
        if t.completed and t.objective is not None and math.isfinite(t.objective)
    ]
    ranked = sorted(counted, key=lambda pair: -pair[1] if rising else pair[1])
    scale = _scale([value for _, value in ranked])
    return Picture(
        search, dimensions_of(search.space), trials, ranked, scale, _times(search, trials)
    )


def _scale(values: Sequence[float]) -> Scale:
    """The objective's axis, for values of which the best is the first.

    A trial that has run away would press all others into a line, so the axis ends where nothing is
    but a few of the worst.
    """
    if not values:
        return Scale(0.0, 1.0)
    best, count = values[0], len(values)
    half, most = abs(values[count // 2] - best), abs(values[(3 * count) // 4] - best)
    reach = min(_PAST_MOST * most, _PAST_HALF * half) if half else _PAST_MOST * most
    kept = [v for v in values if abs(v - best) <= reach] if count >= 4 and reach else values
    low, high = min(kept), max(kept)
    if low > 0 and high / low > 30:
        return Scale(low / 1.1, high * 1.1, log=True)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return Scale(low - room, high + room)


def _times(search: Search, trials: Sequence[Trial]) -> dict[str, float]:
    """When each trial ended, counted without the time in which nothing was at work."""
    ended = [(t, t.ended) for t in trials if t.ended is not None]
    gaps = sorted((end - t.seconds, end) for t, end in ended)
    pauses: list[tuple[float, float]] = []  # (when it ended, how long it was)
    reached = search.began
    patience = _patience([t for t, _ in ended])
    for start, end in gaps:
        if start - reached > patience:
            pauses.append((start, start - reached))
        reached = max(reached, end)
    return {
        t.id: max(end - search.began - sum(long for over, long in pauses if over <= end), 0.0)
        for t, end in ended
    }


def _patience(trials: Sequence[Trial]) -> float:
    """How long nothing may be at work before it is a pause: a good deal longer than a start."""
    return max(60.0, statistics.median([t.seconds for t in trials] or [0.0]))
