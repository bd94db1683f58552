"""What is written down while a search goes on: search.json, best.json, the table and the report."""

import math
import time
from collections.abc import Callable

from tfpipe.storage import read_small
from tfpipe.tuning.comparison import write_comparison
from tfpipe.tuning.hparams import write_config
from tfpipe.tuning.report import write_report
from tfpipe.tuning.store import Search, State
from tfpipe.tuning.table import write_table

# Between two reports: so many seconds, and so many times as long as the last one took.
_BETWEEN, _TIMES = 5.0, 20.0


class Records:
    """Keeps the files of a search up to date.

    Args:
        search: whose.
        clock: seconds, rising.
    """

    def __init__(self, search: Search, clock: Callable[[], float] = time.monotonic) -> None:
        self.search, self._clock = search, clock
        self._counted = clock()
        self._next_report = -math.inf

    def trial_ended(self) -> None:
        """Write what another trial changes."""
        self._count()
        self.search.write()
        self.search.write_best()
        write_table(self.search)
        write_config(self.search)
        if self.search.options.comparison:
            write_comparison(self.search)
        began = self._clock()
        if began >= self._next_report:
            write_report(self.search)
            ended = self._clock()
            self._next_report = ended + max(_BETWEEN, _TIMES * (ended - began))

    def close(self, state: State, reason: str = "") -> None:
        """Write how the search ended, for now or for good.

        Args:
            state: what became of it.
            reason: why it ended before it had all trials.
        """
        self.search.state, self.search.reason = state, reason
        self._next_report = -math.inf
        self.trial_ended()

    @property
    def spent(self) -> float:
        """How long the search has searched, in seconds, all sessions together."""
        return self.search.active_seconds + self._clock() - self._counted

    def used_up(self) -> float | None:
        """The budget, where it ended the search before the trials did; else None."""
        budget, trials = self.search.options.budget, self.search.trials()
        if budget is None or self.spent < budget:
            return None
        over = [trial for trial in trials if trial.over]
        return None if len(over) == len(trials) == self.search.options.trials else budget

    def _count(self) -> None:
        # Several processes may run trials: together they have taken as long as the longest of them.
        written = read_small(self.search.directory.path / "search.json").get("active_seconds", 0.0)
        self.search.active_seconds = max(self.spent, written)
        self._counted = self._clock()
