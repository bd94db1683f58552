"""What a run's directory says of the run: config.json, environment.json and pipeline.py."""

import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tfpipe.declare.codec import to_json
from tfpipe.declare.origins import resolved_fields
from tfpipe.errors import RunError
from tfpipe.jobs.prepare import Prepared
from tfpipe.runs.directory import RunDirectory
from tfpipe.storage import storage

_PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "tensorboard")


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
    now = _environment(prepared, loaded.path)
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


def _environment(prepared: Prepared, file: Path | None) -> dict[str, Any]:
    """The facts that decide a run's numbers and its speed.

    Args:
        prepared: what is run: its device, strategy and precision.
        file: the pipeline's file, whose git commit is noted.
    """
    import tensorflow as tf

    picked = prepared.picked
    return {
        "python": platform.python_version(),
        "tfpipe": _version("tfpipe"),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "device": picked.device,
        "strategy": type(picked.strategy).__name__,
        "reason": picked.reason,
        "replicas": picked.replicas,
        "precision": prepared.precision.name,
        "precision_reason": prepared.precision.reason,
        "deterministic": picked.kind == "cpu",
        "command": shlex.join(sys.argv),
        "git": _git(file),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(file: Path | None) -> dict[str, Any] | None:
    """The commit that a file is in, and whether anything was changed since."""
    if file is None:
        return None

    def ask(*words: str) -> str:
        command = ["git", "-C", str(file.parent), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        commit = ask("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
