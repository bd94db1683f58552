"""What the package logs, shown to a person as notes on the terminal."""

import contextlib
import logging
from collections.abc import Iterator

from rich.markup import escape

from tfpipe.terminal import Terminal


class _Notes(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.INFO)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self._terminal.note(record.getMessage())
        else:
            self._terminal.say(f"[dim]{escape(record.getMessage())}[/]")


@contextlib.contextmanager
def log_shown(terminal: Terminal) -> Iterator[None]:
    """Show what tfpipe logs while the block runs."""
    logger, notes = logging.getLogger("tfpipe"), _Notes(terminal)
    before = logger.level, logger.propagate
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.setLevel(before[0])
        logger.propagate = before[1]
