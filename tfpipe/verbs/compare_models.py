"""`tfpipe compare-models`: the same training with one network after the other, and what it shows.

Each network is a run of its own in a process of its own, so that its memory is measured alone, and
so that one that fails, or is killed, is a line in the table and not the end.
"""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psutil

from tfpipe import errors
from tfpipe.data.memory import human
from tfpipe.declare.loading import Loaded, check_alone, loaded_from
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, Interrupted
from tfpipe.processes.worker import Worker, count_stops, start_worker
from tfpipe.runs.directory import check_writable, create_run
from tfpipe.storage import read_small, storage
from tfpipe.terminal import Silent, Terminal, clock
from tfpipe.verbs import comparison as stored
from tfpipe.verbs.comparison import Comparison, Entry, Numbers
from tfpipe.verbs.comparison_told import header, how_to_go_on, line, summary, write_report
from tfpipe.verbs.networks import check_comparable, chosen, with_network
from tfpipe.verbs.one_network import MEASURED, OUTCOME, PROGRESS, run_name

_POLL = 0.1
_GRACE = 60.0  # seconds to save the state in, once a person stops it
# What is wrong with the declaration or the machine, and so with every network alike.
_COMMON = (
    "ConfigError",
    "DataError",
    "DeviceError",
    "MissingDependency",
    "PipelineFileError",
    "StorageError",
)


def compare_models(
    file: str | Path | Pipeline | Loaded,
    models: str = "all",
    *,
    root: str | Path = ".",
    data_fraction: float = 1.0,
    through_base: bool = False,
    sample: int | bool | None = None,
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Comparison:
    """Train the same head on one network after the other, and compare them.

    Args:
        file: FILE or FILE::ClassName of a pipeline whose model is an `Application`, or such a
            pipeline, loaded.
        models: "all" for the published 28, or names with commas.
        root: the folder for comparisons/ and runs/.
        data_fraction: the share of the declared training data to use, above 0 and at most 1.
        through_base: train through the frozen base every epoch, instead of computing what it
            answers once.
        sample: on generated data: True, or how many samples.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        ConfigError: for a pipeline that cannot be compared, or an unknown network.
        Interrupted: when a person stopped it; `go_on` goes on.
        TrainingError: when not one network could be trained.

    Example:
        found = tfpipe.compare_models("pipelines/applications_benchmark.py", "MobileNet,VGG16")
        found.entries[0].numbers
    """
    terminal = terminal or (Silent() if quiet else Terminal())
    root = Path(root)
    names = chosen(models)
    loaded = loaded_from(file)
    training = _check(loaded, data_fraction, through_base, sample)
    check_writable(root)
    comparison = stored.create(
        root,
        loaded,
        datetime.now(),
        data_fraction=float(data_fraction),
        through_base=through_base,
        sample=sample,
        training=training,
    )
    with comparison.directory.lock():
        comparison.entries = [Entry(name) for name in names]
        comparison.write()
        return _carry_on(comparison, loaded, terminal)


def go_on(
    reference: str = "last",
    *,
    root: str | Path = ".",
    retry_failed: bool = False,
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Comparison:
    """Go on with a comparison: finished networks stay, what was interrupted resumes its run.

    Args:
        reference: its name, a unique beginning of it, its path, or "last".
        root: the folder that holds comparisons/ and runs/.
        retry_failed: whether to train those that failed again, from the beginning.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        RunError: for no such comparison, or one that another process is at.
        ConfigError: when the file declares something else now.
    """
    terminal = terminal or (Silent() if quiet else Terminal())
    found = stored.find(Path(root), reference)
    with found.directory.lock("being carried on"):
        found.directory.tidy()
        found = stored.read(found.directory.path, Path(root))  # as it is now that nobody writes
        loaded = found.load()
        for entry in found.entries:
            if retry_failed and entry.state == "failed":
                found.entries[found.entries.index(entry)] = Entry(entry.network)
        return _carry_on(found, loaded, terminal)


def _check(
    loaded: Loaded, data_fraction: float, through_base: bool, sample: int | bool | None
) -> str:
    """Refuse what cannot be compared; how the networks will be trained, for people."""
    from tfpipe.jobs.features import why_not

    if not 0 < data_fraction <= 1:
        raise ConfigError(
            f"--data-fraction {data_fraction:g} is no share of the training data. Give a number "
            "above 0 and at most 1, such as 0.07."
        )
    if sample and data_fraction < 1:
        raise ConfigError(
            "--data-fraction takes a share of the declared data, and --sample generates other: "
            "give --sample a size instead."
        )
    check_comparable(loaded.pipeline)
    check_alone(loaded, "compare-models")
    pipeline: Pipeline = resolve(loaded.pipeline)
    if through_base:
        return "through the base every epoch, as asked"
    if reason := why_not(pipeline):
        return f"through the base every epoch: {reason}"
    return "the head alone, on features that the frozen base computes once"


def _carry_on(comparison: Comparison, loaded: Loaded, terminal: Terminal) -> Comparison:
    """Train what is left, network by network, and tell of it."""
    header(comparison, loaded, terminal)
    with count_stops() as asked:
        for number, entry in enumerate(comparison.entries, 1):
            if not entry.open:
                continue
            label = f"{number:>{len(str(len(comparison.entries)))}}/{len(comparison.entries)}"
            _one(comparison, loaded, entry, terminal, label, asked)
            if entry.state == "interrupted":
                how_to_go_on(comparison, terminal)
                raise Interrupted(f"Stopped at {entry.network}; everything so far is saved.")
            comparison.write()
            write_report(comparison, loaded)
            terminal.say(line(label, entry))
    comparison.write()
    write_report(comparison, loaded)
    summary(comparison, terminal)
    return comparison


def _one(
    comparison: Comparison,
    loaded: Loaded,
    entry: Entry,
    terminal: Terminal,
    label: str,
    asked: Callable[[], int],
) -> None:
    """Train one network in a process of its own, and write down what became of it."""
    try:
        pipeline, entry.notes = with_network(loaded.pipeline, entry.network)
    except ConfigError as error:
        entry.state, entry.reason = "failed", str(error)
        return
    if comparison.sample and pipeline.model is not None:
        entry.notes += tuple(filter(None, [pipeline.model.offline()[1]]))
    _begin(comparison, entry)
    worker = _start(comparison, entry.network)
    peak = _watch(
        worker, comparison.folder(entry.network), terminal, f"{label} {entry.network}", asked
    )
    outcome = read_small(comparison.folder(entry.network) / OUTCOME)
    if outcome.get("state") == "finished":
        entry.state, entry.model = "finished", outcome["model"]
        entry.numbers = Numbers(**outcome["numbers"])
        return
    if asked() or outcome.get("state") == "interrupted":
        entry.state = "interrupted"
        comparison.write()
        return
    if outcome.get("kind") in _COMMON:
        entry.state = "waiting"
        comparison.write()
        raise getattr(errors, outcome["kind"])(outcome["reason"])
    entry.state = "failed"
    entry.reason = outcome.get("reason") or _how_it_died(worker, peak)


def _begin(comparison: Comparison, entry: Entry) -> None:
    """Have a directory for the network's run, and write down that it is being trained."""
    folder = comparison.folder(entry.network)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (OUTCOME, PROGRESS):
            (folder / name).unlink(missing_ok=True)
    if not entry.run or not (comparison.root / entry.run).is_dir():
        with storage(folder):
            (folder / MEASURED).unlink(missing_ok=True)
        made = create_run(comparison.root, run_name(comparison, entry.network), datetime.now())
        entry.run = str(made.path.relative_to(comparison.root))
    entry.state = "running"
    comparison.write()


def _start(comparison: Comparison, network: str) -> Worker:
    # Not as the first worker, whose output is shown: this one's goes to its log alone.
    return start_worker(1, _command(comparison, network), comparison.folder(network))


def _command(comparison: Comparison, network: str) -> list[str]:
    job = {
        "comparison": str(comparison.directory.path),
        "root": str(comparison.root),
        "network": network,
    }
    return [sys.executable, "-m", "tfpipe.verbs.one_network", json.dumps(job)]


def _watch(
    worker: Worker, folder: Path, terminal: Terminal, label: str, asked: Callable[[], int]
) -> int:
    """Wait for the end of a network's process, which a person may ask for; its peak memory."""
    began, peak, until = time.monotonic(), 0, float("inf")
    try:
        with _live(terminal, label) as show:
            while worker.code is None:
                now = time.monotonic()
                peak = max(peak, _memory(worker))
                show(f"{_progress(folder)}{clock(now - began)}")
                if asked() and until == float("inf"):
                    worker.process.terminate()
                    until = now + _GRACE
                if asked() > 1 or now > until:
                    break
                time.sleep(_POLL)
    finally:
        worker.kill()
        worker.close()
    return peak


def _memory(worker: Worker) -> int:
    try:
        return int(psutil.Process(worker.process.pid).memory_info().rss)
    except psutil.Error:
        return 0


def _progress(folder: Path) -> str:
    """How far a network's process is, as it says itself."""
    found = read_small(folder / PROGRESS)
    return f"{found['doing']} · " if "doing" in found else ""


@contextlib.contextmanager
def _live(terminal: Terminal, label: str) -> Iterator[Callable[[str], None]]:
    """A line that changes, on a terminal; nothing elsewhere."""
    if not terminal.live:
        yield lambda text: None
        return
    with terminal.console.status(f"[dim]{label}[/]") as status:
        yield lambda text: status.update(f"{label}  [dim]{text}[/]")


def _how_it_died(worker: Worker, peak: int) -> str:
    """Why a process ended that left no word."""
    held = f" when it held {human(peak)}" if peak else ""
    if worker.code == -signal.SIGKILL:
        return (
            f"Its process was ended by SIGKILL{held}: most likely the memory ran out. Use a "
            "smaller batch_size or model.size."
        )
    lines = [line for line in worker.last_words().splitlines() if line.strip()]
    said = f" Its last words: {lines[-1].strip()}" if lines else ""
    return f"Its process ended ({worker.how}){held}; its log: {worker.log}.{said}"
