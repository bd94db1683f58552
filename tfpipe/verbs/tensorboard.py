"""`tfpipe tensorboard`: TensorBoard on runs and searches, under the names that people know."""

import contextlib
import errno
import io
import os
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.errors import ConfigError, RunError
from tfpipe.runs.directory import (
    PROFILE,
    RunDirectory,
    find_run,
    list_directories,
    list_profiles,
    list_runs,
    run_at,
)
from tfpipe.tuning.store import find_search

if TYPE_CHECKING:
    from tensorboard.program import WerkzeugServer

PORT = 6006  # TensorBoard's own
LOOPBACK = "127.0.0.1"
_TRIED = 100  # ports from that one on
_RANGES = "/ranges"  # of a search, which are no run
_REFRESH = 5.0  # seconds, as often as TensorBoard looks for new event files

# The folders of event files by the name under which TensorBoard shows them.
Boards = dict[str, Path]


@dataclass(frozen=True)
class Board:
    """A TensorBoard that is up.

    Args:
        address: where a browser finds it.
        names: what it shows now: runs, and of a search its trials.
        moved: whether another program has the usual port.
    """

    address: str
    names: tuple[str, ...]
    moved: bool = False


@contextlib.contextmanager
def tensorboard(
    references: Iterable[str] = (),
    *,
    root: str | Path = ".",
    port: int | None = None,
    host: str = LOOPBACK,
) -> Iterator[Board]:
    """Serve TensorBoard on runs and searches while the block runs.

    New runs and trials among them appear as they begin. TensorFlow is not loaded.

    Args:
        references: runs, profiles or searches: a name, a beginning of one, which may be that of
            several runs, a path, or "last". All runs below the root when there are none.
        root: the folder with runs/ and searches/.
        port: where to listen, 0 for any port that is free; 6006 or the next free one when None.
        host: the address to listen at: that of this machine alone, unless another is given.

    Raises:
        RunError: when there is no such run or search.
        ConfigError: for a port that is taken, or an address that is not this machine's.

    Example:
        with tensorboard(["last"]) as served:
            webbrowser.open(served.address)
    """
    boards = boards_of(Path(root), tuple(references))
    chosen = _free_port(host, port)
    with (
        tempfile.TemporaryDirectory(prefix="tfpipe-tensorboard-") as name,
        _linked(Path(name), boards),
    ):
        server = _start(Path(name), host, chosen)
        try:
            names = tuple(n for n in boards() if not n.endswith(_RANGES))
            yield Board(server.get_url(), names, port is None and chosen != PORT)
        finally:
            server.shutdown()
            server.server_close()


def boards_of(root: Path, references: Sequence[str]) -> Callable[[], Boards]:
    """Return what gives the boards that are meant, as they are when it is called.

    Args:
        root: the folder with runs/ and searches/.
        references: as for `tensorboard`.

    Raises:
        RunError: when there is no such run or search.
    """
    if not references:
        if not _runs(root):
            raise RunError(f"There are no runs in {root / 'runs'}. Start one with tfpipe run FILE.")
        return lambda: {run.name: run.tensorboard for run in _runs(root)}
    finders = [_finder(root, reference) for reference in references]
    return lambda: {name: path for find in finders for name, path in find().items()}


def _runs(root: Path) -> list[RunDirectory]:
    """All runs, and the profiles among them."""
    return [*list_runs(root), *list_profiles(root)]


def _finder(root: Path, reference: str) -> Callable[[], Boards]:
    """Return what gives the boards of one name; raise RunError where nothing has it."""
    if reference != "last" and _named(root, reference):
        return lambda: _named(root, reference)
    if (Path(reference) / PROFILE).is_file():
        there = run_at(Path(reference).resolve())
        return lambda: {there.name: there.tensorboard}
    try:
        run = find_run(root, reference)
    except RunError as error:
        with contextlib.suppress(RunError):
            search = find_search(root, reference).directory
            return lambda: _of_search(search)
        raise error
    return lambda: {run.name: run.tensorboard}


def _named(root: Path, beginning: str) -> Boards:
    """The boards of the runs whose names begin so; where there are none, of such searches.

    What is a pipeline's whole name means no other pipeline that begins with it.
    """

    def some(there: Sequence[RunDirectory]) -> list[RunDirectory]:
        own = [one for one in there if one.name.startswith(f"{beginning}/")]
        return own or [one for one in there if one.name.startswith(beginning)]

    if runs := some(_runs(root)):
        return {run.name: run.tensorboard for run in runs}
    searches = some(list_directories(root, "searches", "search.json"))
    return {name: path for search in searches for name, path in _of_search(search).items()}


def _of_search(search: RunDirectory) -> Boards:
    """The ranges of a search for the HParams page, and its trials."""
    trials = sorted((search.path / "trials").glob("*/tensorboard"))
    numbered = {f"{search.name}/{path.parent.name}": path for path in trials}
    return {f"{search.name}{_RANGES}": search.tensorboard, **numbered}


@contextlib.contextmanager
def _linked(folder: Path, boards: Callable[[], Boards]) -> Iterator[None]:
    """Keep links to the files of each board in a folder, at the place that is its name there."""

    def keep() -> None:
        while not over.wait(_REFRESH):
            with contextlib.suppress(OSError):  # a run that is removed meanwhile
                _link(folder, boards())

    over = threading.Event()
    _link(folder, boards())
    thread = threading.Thread(target=keep, name="links to runs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _link(folder: Path, boards: Boards) -> None:
    """Link what is new, and take away the links to what is gone.

    The folders are real ones: the Profile page does not look into links to folders.
    """
    for link in folder.rglob("*"):
        if link.is_symlink() and not link.exists():
            link.unlink()
    for name, board in boards.items():
        for inside, _, files in os.walk(board.resolve()):
            place = folder / name / Path(inside).relative_to(board.resolve())
            place.mkdir(parents=True, exist_ok=True)
            for file in files:
                if not file.startswith(".") and not (place / file).is_symlink():
                    (place / file).symlink_to(Path(inside, file))


def _start(folder: Path, host: str, port: int) -> "WerkzeugServer":
    """Start TensorBoard in a thread of its own, its reader of event files in a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from what TensorBoard imports
        from tensorboard import default, program

        plugins = default.get_plugins()
    servers: list[WerkzeugServer] = []

    def listen(application: object, flags: object) -> "WerkzeugServer":
        servers.append(program.WerkzeugServer(application, flags))
        return servers[0]

    board = program.TensorBoard(plugins=plugins, server_class=listen)
    board.configure(logdir=str(folder), host=host, port=port, reload_interval=_REFRESH)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # advice on an option that is not offered
            board.launch()
    except program.TensorBoardServerException as error:
        raise ConfigError(f"TensorBoard cannot listen at {host}:{port}: {error.msg}.") from None
    servers[0].board = board  # which keeps the process that reads
    return servers[0]


def _free_port(host: str, port: int | None) -> int:
    """Return the port to listen at; raise ConfigError where it is taken, or the host not ours."""
    tried = range(PORT, PORT + _TRIED) if port is None else (port,)
    known = ""
    for number in tried:
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            with socket.create_server((host, number), family=family) as server:
                return int(server.getsockname()[1])
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise ConfigError(
                    f"{host!r} is no address of this machine. Listen at {LOOPBACK}, which only "
                    "this machine reaches, or at 0.0.0.0, which others reach too."
                ) from None
            known = os.strerror(error.errno or 0)
    raise ConfigError(
        f"Port {tried[0]} cannot be used ({known}): give another with --port, or leave --port "
        "out for the next free one."
    )
