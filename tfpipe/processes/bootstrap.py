"""What a child of the pool does, in its own process: take its place, and call what it runs."""

import contextlib
import faulthandler
import importlib
import io
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tfpipe.processes.lifeline import end_with_parent
from tfpipe.processes.memory import peak_memory

_OOM_SCORE = 500  # of 1000: the kernel, when memory runs out, takes the child first


@dataclass(frozen=True)
class ProcessSpec:
    """What a child runs, and on what part of the machine.

    Args:
        module: the module whose `main(argument) -> int` is called and returns the exit code.
        argument: the text that it gets.
        log: the file that all it prints is appended to.
        environ: environment variables beside those of the parent.
        cpus: the numbers of the cores that it may use; all of them when None. TensorFlow makes as
            many threads as there are. On Linux only.
        memory: the bytes of data that it may hold, TensorFlow's own 0.7 GB included; no limit when
            None. On Linux only. TensorFlow waits 10 seconds for memory that it cannot have.
    """

    module: str
    argument: str
    log: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    cpus: tuple[int, ...] | None = None
    memory: int | None = None


def run(spec: ProcessSpec, environ: dict[str, str], reports: Connection) -> None:
    """Run a child, in its own process; end it with an exit code.

    Args:
        spec: what it runs.
        environ: the environment of its parent, which the fork server may have in another state.
        reports: gets its peak memory in bytes, as text, at its end.
    """
    try:
        _settle(spec, environ)
        sys.exit(importlib.import_module(spec.module).main(spec.argument))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        with contextlib.suppress(OSError):
            reports.send_bytes(str(peak_memory()).encode())


def redirect_output(file: Path) -> None:
    """Append all that this process prints to a file, and give it nothing to read."""
    with open(os.devnull, "rb") as nothing, file.open("ab", buffering=0) as output:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a process that is killed flushes nothing
            stream.reconfigure(line_buffering=True)


def _settle(spec: ProcessSpec, environ: dict[str, str]) -> None:
    """Take the place that a child is given, before TensorFlow's runtime starts."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which the fork server ignores
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    redirect_output(spec.log)
    parent = multiprocessing.parent_process()
    assert parent is not None
    end_with_parent(parent.join)
    # What it starts by multiprocessing is its own, in its group, and no child of the fork server.
    multiprocessing.set_start_method(None, force=True)
    faulthandler.enable()  # so that the log says where a crash was
    os.environ.clear()
    os.environ.update(environ | dict(spec.environ))
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # children of one process would draw the same numbers
    _limit(spec)


def _limit(spec: ProcessSpec) -> None:
    """Hold this process to its cores and its memory, where the system can."""
    if spec.cpus is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, spec.cpus)
        if "numpy" in sys.modules:  # its libraries counted the cores when they were loaded
            import threadpoolctl

            threadpoolctl.threadpool_limits(len(spec.cpus))
    with contextlib.suppress(OSError, ValueError):  # not Linux, or not allowed
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(min(1000, int(score.read_text()) + _OOM_SCORE)))
    if spec.memory is not None and sys.platform == "linux":
        import resource

        # Not RLIMIT_AS: TensorFlow reserves gigabytes of addresses that it never uses.
        resource.setrlimit(resource.RLIMIT_DATA, (spec.memory, spec.memory))
