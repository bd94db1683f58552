"""Count the signals by which a person or a batch system asks a process to stop."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def count_stop_signals(patience: int | None = None) -> Iterator[Callable[[], int]]:
    """Count Ctrl-C (SIGINT) and SIGTERM while the block runs; outside of the main thread, nothing.

    Args:
        patience: how many to count; each further one raises KeyboardInterrupt. All when None.

    Example:
        with count_stop_signals() as stop_signals:
            while not stop_signals():
                work()
    """
    count = 0

    def handle(number: int, frame: object) -> None:
        nonlocal count
        count += 1
        if patience is not None and count > patience:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: count
        return
    previous = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
