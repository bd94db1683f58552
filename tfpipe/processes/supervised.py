"""What a worker and its supervisor tell each other; see `tfpipe.processes.supervisor`.

A worker's standard input is its lifeline (`tfpipe.processes.lifeline`): it ends with the
supervisor. The other way, a worker says that it is up by making a file.
"""

import os
from pathlib import Path

from tfpipe.processes.lifeline import hold

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
    hold(0)


def ready() -> None:
    """Tell the supervisor that this worker is up: its strategy is made, the first step can come."""
    if _ready_file is not None:
        _ready_file.touch()
