"""A run that has stopped, as its directory has it, and the declaration to go on with."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Parts that only tfpipe declares; they are known once they are imported, and a run may name them.
import tfpipe.data.sources.features
import tfpipe.data.sources.subset  # noqa: F401
from tfpipe.declare.codec import from_json, in_module
from tfpipe.declare.loading import Loaded, load, loaded_from
from tfpipe.declare.origins import PYTHON
from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import RunError
from tfpipe.jobs.records import read_records
from tfpipe.runs.directory import RunDirectory, Status, find_run, list_runs, newest_unfinished
from tfpipe.terminal import Terminal

logger = logging.getLogger("tfpipe.verbs")


@dataclass(frozen=True)
class Stopped:
    """A run as its directory has it.

    Args:
        directory: the run's.
        config: its config.json.
        environment: its environment.json.
        status: its status.json.
    """

    directory: RunDirectory
    config: dict[str, Any]
    environment: dict[str, Any]
    status: Status

    @property
    def name(self) -> str:
        """As `tfpipe runs ls` shows it."""
        return self.directory.name

    @property
    def declared_epochs(self) -> int:
        """The epochs of all its phases."""
        pipeline = self.config.get("pipeline", {})
        return int(pipeline.get("epochs") or self.config["fields"]["epochs"]["value"])

    @property
    def sample(self) -> int | bool | None:
        """What `--sample` was."""
        return self.config.get("sample_size") or self.config["sample"] or None


def read_stopped(run: RunDirectory) -> Stopped:
    """What a run's directory says of it; raises RunError when it is broken."""
    return Stopped(run, *read_records(run), run.status_so_far())


def declaration(reference: str, overrides: Iterable[str], root: Path) -> tuple[Loaded, Any]:
    """The declaration that a run goes on with, and its `--sample`, for a worker that follows."""
    run = find_run(root, reference)
    stopped = read_stopped(run)
    return redeclare(stopped, tuple(overrides), None), stopped.sample


def find(root: Path, reference: str | None, terminal: Terminal) -> RunDirectory:
    """The run that is named; the newest unfinished one when none is, which is said."""
    if reference is not None:
        return find_run(root, reference)
    run = newest_unfinished(root)
    if run is None:
        finished = [r.name for r in list_runs(root)]
        more = (
            f"Extend a finished one with: tfpipe resume {finished[-1]} epochs=N"
            if finished
            else "Start one with: tfpipe run FILE"
        )
        raise RunError(f"There is no unfinished run in {root / 'runs'}. {more}")
    terminal.say(f"resuming [bold]{run.name}[/], the newest unfinished run")
    return run


def redeclare(
    stopped: Stopped, overrides: tuple[str, ...], pipeline: Pipeline | Loaded | None
) -> Loaded:
    """The declaration to go on with: the run's own, as its file has it now, and what is asked."""
    config, name = stopped.config, stopped.config["name"]
    if pipeline is not None:
        given = loaded_from(pipeline)
        changed = apply_overrides(given.pipeline, overrides)
        return replace(given, pipeline=changed, overrides=(*given.overrides, *overrides), name=name)
    if config["file"] is None:
        raise RunError(
            f"{stopped.name} was started from Python, and no file declares its pipeline: go on "
            f"from Python too, with tfpipe.resume({stopped.name!r}, pipeline=...)."
        )
    file, copy = Path(config["file"]), stopped.directory.path / "pipeline.py"
    if not file.is_file():
        logger.warning("%s is gone: the copy in the run's directory is used.", file)
    recorded = tuple(config["overrides"])
    loaded = load(f"{file}::{config['class']}", recorded, copy)
    given_in_python = {
        field: from_json(in_module(entry["value"], type(loaded.pipeline).__module__))
        for field, entry in config["fields"].items()
        if entry["origin"] == PYTHON and "." not in field
    }
    whole = loaded.pipeline.replace(**given_in_python) if given_in_python else loaded.pipeline
    return Loaded(
        apply_overrides(whole, overrides),
        whole,
        loaded.path,
        name,
        (*recorded, *overrides),
        config.get("sources", {}),
    )
