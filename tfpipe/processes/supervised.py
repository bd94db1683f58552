"""What a worker and its supervisor tell each other; see `tfpipe.processes.supervisor`.

The supervisor holds one end of a pipe that is the worker's standard input, and never writes to it.
When the supervisor is gone, however it went, the pipe ends, and so does the worker. That works on
every system; what Linux has for it (PR_SET_PDEATHSIG) does not. The other way, a worker says that
it is up by making a file.
"""

import os
import signal
import threading
from pathlib import Path

READY = "TFPIPE_WORKER_READY"

_ready_file: Path | None = None


def attend() -> None:
    """End this process with its supervisor; without one do nothing. Call it before anything else.

    The variable is taken out of the environment: programs that the worker starts are not workers.
    """
    global _ready_file
    named = os.environ.pop(READY, None)
    if named is None:
        return
    _ready_file = Path(named)
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()


def ready() -> None:
    """Tell the supervisor that this worker is up: its strategy is made, the first step can come."""
    if _ready_file is not None:
        _ready_file.touch()


def _end_with_supervisor() -> None:
    while os.read(0, 4096):
        pass
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)  # with all that this worker has started
    os._exit(1)
