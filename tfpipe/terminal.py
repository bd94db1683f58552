"""What a person sees: a header, a live line, a row an epoch, results, and the next commands.

On a terminal the output has colours and one live line; piped it is plain, one line an epoch. Both
are a `Terminal`; nothing else in tfpipe prints.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from tfpipe.text import clock, number

_SMALL = 1e-3  # below it four decimals say little
SHORT = {
    "examples_per_second": "examples/s",
    "learning_rate": "lr",
    "val_accuracy": "val acc",
    "accuracy": "acc",
    "val_loss": "val loss",
}


class _Console(Console):
    """rich's console, which lets what is done go on when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Write nowhere from now on, as after `| head`: a training that runs is not lost for it."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError):  # of a stream without a file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


class Terminal:
    """Writes for people.

    Args:
        stream: where to; standard output when None.
        live: whether to draw colours and a live line; when None, whether the stream is a terminal.
        width: columns; found out when None.
    """

    def __init__(
        self, stream: IO[str] | None = None, live: bool | None = None, width: int | None = None
    ) -> None:
        stream = stream or sys.stdout
        self.live = stream.isatty() if live is None else live
        self.console = _Console(
            file=stream,
            force_terminal=self.live,
            no_color=None if self.live else True,
            width=width if width or self.live else 200,
            highlight=False,
            emoji=False,  # `:name:` in a person's text stays as it is
            soft_wrap=not self.live,
        )
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._columns: list[str] = []
        self._drawn = 0.0
        self._epoch_began: float | None = None
        self._epoch_seconds: list[float] = []

    def header(self, title: str, facts: Mapping[str, str]) -> None:
        """The facts of a run, one a line."""
        self.say(f"[bold]{escape(title)}[/]")
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.say(f"  [dim]{name:<{width}}[/]  {escape(value)}")

    def say(self, text: str = "") -> None:
        """A line with rich's markup."""
        self.console.print(text)

    def note(self, text: str) -> None:
        """A line that a person should not miss, but that is no error."""
        self.say(f"[yellow]{escape(text)}[/]")

    def results(self, title: str, values: Mapping[str, float]) -> None:
        """Metrics of a split on one line."""
        shown = "  ".join(f"{SHORT.get(n, n)} [bold]{_figure(v)}[/]" for n, v in values.items())
        self.say(f"{title}  {shown}")

    def commands(self, commands: Iterable[tuple[str, str]]) -> None:
        """The next useful commands, each with what it does."""
        listed = list(commands)
        width = max((len(command) for command, _ in listed), default=0)
        self.say("[dim]Next:[/]")
        for command, purpose in listed:
            text = f"  [cyan]{escape(f'{command:<{width}}')}[/]  [dim]{escape(purpose)}[/]"
            self.console.print(text, soft_wrap=True)  # so that a long one is copied in one piece

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table: drawn on a terminal, in columns of plain text, however wide, otherwise."""
        if not self.live:
            lines = [tuple(columns), *map(tuple, rows)]
            widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
            for line in lines:
                padded = (f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True))
                self.say(escape("  ".join(padded).rstrip()))
            return
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say what is going on while something silent and slow happens; gone when it is over."""
        if not self.live:
            yield
            return
        with self.console.status(f"[dim]{escape(what)}[/]"):
            yield

    @contextlib.contextmanager
    def counting(self, nouns: str) -> Iterator[Callable[[int, int], None]]:
        """A live line that says how many are done, how fast, and how many failed; then it is gone.

        Args:
            nouns: what is counted: "files".

        Yields:
            takes how many are done, and how many of them failed.
        """
        if not self.live:
            yield lambda done, failed: None
            return
        began = drawn = time.monotonic()
        with self.console.status("") as status:

            def show(done: int, failed: int) -> None:
                nonlocal drawn
                if (now := time.monotonic()) - drawn >= 0.1:
                    drawn = now
                    rate = f"{done / (now - began):,.0f} {nouns}/s"
                    wrong = f"  [red]{failed:,} failed[/]" if failed else ""
                    status.update(f"[dim]{done:,} {nouns}  {rate}[/]{wrong}")

            yield show

    def features(self, done: int, total: int) -> None:
        """How many samples have gone through a frozen base; the spinner says enough."""

    def step(
        self, epoch: int, epochs: int, step: int, steps: int, rate: float, loss: float
    ) -> None:
        """Redraw the live line, at most ten times a second."""
        now = time.monotonic()
        if not self.live or now - self._drawn < 0.1:
            return
        self._drawn = now
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[facts]}"),
                console=self.console,
                transient=True,
                auto_refresh=False,
            )
            self._progress.start()
            self._task = self._progress.add_task("", total=steps, facts="")
        assert self._task is not None
        if self._epoch_began is None:
            self._epoch_began = now
        left = (steps - step) * (now - self._epoch_began) / max(1, step)
        facts = f"{step}/{steps}  {rate:,.0f} examples/s  loss {loss:.4f}  {clock(left)} left"
        self._progress.update(
            self._task,
            description=f"epoch {epoch}/{epochs}",
            total=steps,
            completed=step,
            facts=facts + self._run_left(epochs - epoch, left),
            refresh=True,
        )

    def epoch(self, row: Any) -> None:
        """A finished epoch: a table row on a terminal, a plain line elsewhere."""
        self._epoch_seconds.append(row.seconds)
        self._epoch_began = None
        self.stop_live()
        if not self.live:
            shown = " ".join(f"{n}={v:.6g}" for n, v in row.metrics.items())
            wait = "" if row.input_wait is None else f" input_wait={row.input_wait:.3f}"
            seconds = f"{row.seconds:.1f}" if row.seconds >= 10 else f"{row.seconds:.2g}"
            self.say(
                f"epoch {row.epoch}/{row.epochs} {shown} seconds={seconds} "
                f"examples_per_second={row.examples_per_second:.0f}{wait}"
            )
            return
        metrics = {n: v for n, v in row.metrics.items() if n != "phase"}  # it has a line of its own
        names = ["epoch", *metrics, "seconds", "examples/s", "wait"]
        cells = [f"{row.epoch}/{row.epochs}", *map(number, metrics.values())]
        cells += [clock(row.seconds), f"{row.examples_per_second:,.0f}"]
        cells.append("" if row.input_wait is None else f"{row.input_wait:.1%}")
        if names != self._columns:
            self._columns = names
            titles = [SHORT.get(n, n) if n != "seconds" else "time" for n in names]
            self.say("[dim]" + _cells(titles, names) + "[/]")
        self.say(_cells(cells, names))

    def stop_live(self) -> None:
        """Take the live line away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _run_left(self, epochs_left: int, this_epoch: float) -> str:
        if not self._epoch_seconds or not epochs_left:
            return ""
        return f"  [dim]run {clock(epochs_left * self._epoch_seconds[-1] + this_epoch)}[/]"


class Silent(Terminal):
    """Says nothing: for `--json`, and for Python that wants no output."""

    def __init__(self) -> None:
        super().__init__(stream=sys.stderr, live=False)
        self.console.quiet = True


def _cells(cells: Sequence[str], names: Sequence[str]) -> str:
    widths = [max(9, len(SHORT.get(n, n))) for n in names]
    widths[0] = 8
    return " ".join(escape(f"{c:>{w}}") for c, w in zip(cells, widths, strict=True))


def _figure(value: float) -> str:
    """A metric with four decimals; a small one with four digits."""
    return f"{value:.4g}" if 0 < abs(value) < _SMALL else f"{value:.4f}"
