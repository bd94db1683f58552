"""Requests to stop and to save, heard between two steps, of one process or of several workers."""

from collections.abc import Callable


class Requests:
    """What may be asked for between two steps: to stop, and to save the state.

    Several workers have to do either after the same step. So each says before a step what it asks
    for, and hears after it whether anybody did; alone, a process asks itself.

    Args:
        stop: says whether somebody asked this process to stop.
        together: whether there are several workers.
    """

    def __init__(self, stop: Callable[[], bool], together: bool = False) -> None:
        self._stop = stop
        self.save_due: Callable[[], bool] = lambda: False
        self.together = together
        self._heard = (False, False)

    def ask(self) -> list[float]:
        """What this worker asks for: to stop, to save."""
        return [float(self._stop()), float(self.save_due())]

    def hear(self, *asked: float) -> None:
        """How many workers asked to stop, and to save."""
        self._heard = (asked[0] > 0, asked[1] > 0)

    @property
    def stop(self) -> bool:
        """Whether to stop now."""
        return self._heard[0] if self.together else self._stop()

    @property
    def save(self) -> bool:
        """Whether to save now."""
        return self._heard[1] if self.together else self.save_due()
