"""The requests to stop: Ctrl-C and SIGTERM, counted while something runs."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def count_stops(insist: int | None = None) -> Iterator[Callable[[], int]]:
    """Count how often Ctrl-C or SIGTERM has asked to stop, while the block runs.

    In another thread than the main one, where no handler can be set, nothing is counted.

    Args:
        insist: which request raises KeyboardInterrupt at once; none of them when None.

    Yields:
        A function that returns the count so far.
    """
    count = 0

    def ask(number: int, frame: object) -> None:
        nonlocal count
        count += 1
        if insist is not None and count >= insist:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: count
        return
    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
