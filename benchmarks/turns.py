"""Contenders that take turns, each in a process of its own, and the medians of their figures."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
TFPIPE = [sys.executable, "-m", "tfpipe"]


def measured(
    command: list[str], environment: dict[str, str] | None = None, folder: Path = ROOT
) -> dict[str, float]:
    """Wall-clock start and seconds, and peak memory, of a command that must succeed."""
    started = time.time()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{errors.decode()[-2000:]}")
    seconds = time.time() - started
    return {"started": started, "seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}


def in_turns(
    ways: list[str], run: Callable[[str], dict[str, float]], rounds: int = 3
) -> dict[str, dict[str, float]]:
    """The medians of each contender's figures; they take turns, as a machine's speed may drift."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            found[way].append(run(way))
            print(f"  round {number + 1}: {way}", flush=True)
    return {way: medians(figures) for way, figures in found.items()}


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
