"""What a run ran on, for environment.json: versions, hardware, strategy, command line, commit."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tfpipe.jobs.plan import Prepared

_PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "tensorboard")


def environment(prepared: Prepared, file: Path | None) -> dict[str, Any]:
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
