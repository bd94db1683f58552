"""What ties a worker to its supervisor: it ends with it, and tells it when it is up.

The supervisor holds one end of a pipe that is the worker's standard input, and never writes to it.
When the supervisor is gone, however it went, the pipe ends, and so does the worker. That works on
every system; what Linux has for it (PR_SET_PDEATHSIG) spares the worker's own children. The other
way, a worker says that it is up by making a file.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

READY = "TFPIPE_WORKER_READY"

_ready_file: Path | None = None


def end_with_parent(wait: Callable[[], object]) -> None:
    """End this process, and the group that it leads, once its parent is gone.

    Args:
        wait: returns when the parent is gone; called in a thread.
    """

    def end() -> None:
        wait()
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=end, name="lifeline", daemon=True).start()


def attend() -> None:
    """End this process with its supervisor; without one do nothing. Call it before anything else.

    The variable is taken out of the environment: programs that the worker starts are not workers.
    """
    global _ready_file
    if file := os.environ.pop(READY, None):
        _ready_file = Path(file)
        end_with_parent(_wait_for_end_of_input)


def ready() -> None:
    """Tell the supervisor that this worker is up: its strategy is made, the first step can come."""
    if _ready_file is not None:
        _ready_file.touch()


def _wait_for_end_of_input() -> None:
    while os.read(0, 4096):
        pass
