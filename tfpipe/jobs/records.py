"""What a run's directory says of the run: config.json, environment.json and pipeline.py."""

import shutil
from typing import Any

from tfpipe.declare.codec import to_json
from tfpipe.declare.origins import resolved_fields
from tfpipe.errors import RunError
from tfpipe.jobs.environment import environment
from tfpipe.jobs.plan import Prepared
from tfpipe.runs.directory import RunDirectory
from tfpipe.storage import storage


def write_records(
    directory: RunDirectory,
    prepared: Prepared,
    earlier: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    """Write down what is run and on what.

    Args:
        directory: the run's.
        prepared: what is run.
        earlier: the environment.json of a run that is resumed, which is kept in the new one.
        more: further entries for config.json, such as what the run was forked from.
    """
    loaded = prepared.loaded
    directory.write_json(
        "config.json",
        {
            "name": loaded.name,
            "class": type(loaded.pipeline).__name__,
            "file": str(loaded.path) if loaded.path else None,
            "overrides": list(loaded.overrides),
            "sources": dict(loaded.sources),
            "sample": prepared.sample_size is not None,
            "sample_size": prepared.sample_size,
            "stands_for": prepared.stands_for,
            "pipeline": to_json(prepared.pipeline),
            "fields": resolved_fields(loaded),
            "spec": to_json(prepared.spec),
            **more,
        },
    )
    now = environment(prepared, loaded.path)
    if earlier is not None:
        before = {name: value for name, value in earlier.items() if name != "earlier"}
        now["earlier"] = [*earlier.get("earlier", ()), before]
    directory.write_json("environment.json", now)
    if loaded.path is not None and loaded.path.is_file():
        with storage(directory.path):
            shutil.copyfile(loaded.path, directory.path / "pipeline.py")


def read_records(directory: RunDirectory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What config.json and environment.json say; raises RunError when they are broken."""
    config, environment = (directory.read_json(f"{n}.json") for n in ("config", "environment"))
    missing = {"class", "fields", "overrides", "sample", "file", "name"} - set(config)
    if missing:
        raise RunError(
            f"{directory.path / 'config.json'} lacks {', '.join(sorted(missing))}: it was written "
            "by another version of tfpipe. Start a new run."
        )
    return config, environment
