"""Standard input, line by line, with a look at whether the next line is there yet."""

import codecs
import select
import sys

_AT_ONCE = 1 << 16  # bytes
_PATIENCE = 0.1  # seconds


class StandardInput:
    """What another program writes, as it comes.

    Args:
        encoding: how its characters are stored; one in which a line ends with a byte of its own.
    """

    shown = "stdin"  # as the places of its lines have it

    def __init__(self, encoding: str = "utf-8") -> None:
        self._raw = sys.stdin.buffer
        self._encoding = encoding
        self._held, self._at, self._ended = b"", 0, False

    def readline(self) -> str:
        """Return the next line with its end; empty when there is none."""
        while (end := self._held.find(b"\n", self._at)) < 0 and not self._ended:
            self._fill()
        first = self._at
        self._at = len(self._held) if end < 0 else end + 1
        return self._held[first : self._at].decode(self._encoding, "surrogateescape")

    def begins_with(self) -> str:
        """Return the first character that is no space; empty where there is none."""
        while not (text := self._held[self._at :].lstrip()) and not self._ended:
            self._fill()
        return text[:1].decode("latin-1")

    def first_line(self) -> str:
        """Return the first line, which stays to be read."""
        line = self.readline()
        self._at = 0
        return line

    def late(self) -> bool:
        """Return whether the next line is not there, after a moment's patience."""
        if self._ended or self._held.find(b"\n", self._at) >= 0:
            return False
        try:
            ready, _, _ = select.select([self._raw], [], [], _PATIENCE)
        except (OSError, ValueError):  # no pipe or terminal: all of it is there
            return False
        return not ready

    def _fill(self) -> None:
        more = self._raw.read1(_AT_ONCE)  # type: ignore[union-attr]  # it is buffered
        if not self._held:
            more = more.removeprefix(codecs.BOM_UTF8)
        self._ended = not more
        self._held, self._at = self._held[self._at :] + more, 0
