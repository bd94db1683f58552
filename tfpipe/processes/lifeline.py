"""The lifeline: a pipe by which a process ends with the one that started it, however that went.

The starter holds one end and never writes to it. When it is gone, the pipe ends, and so does the
process, with all that it has started. That works on every system; what Linux has for it
(PR_SET_PDEATHSIG) does not.
"""

import os
import signal
import threading


def hold(descriptor: int) -> None:
    """End this process once the pipe that a file descriptor reads has ended."""
    threading.Thread(target=_wait, args=(descriptor,), name="lifeline", daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 4096):
        pass
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)  # with all that this process has started
    os._exit(1)
