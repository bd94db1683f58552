"""What the package logs, shown to a person as notes on the terminal."""

import logging

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


def show_log(terminal: Terminal) -> None:
    """Show what tfpipe logs from now on."""
    logger = logging.getLogger("tfpipe")
    logger.handlers = [_Notes(terminal)]
    logger.setLevel(logging.INFO)
    logger.propagate = False
