"""What a child does before and after its trial, be it forked or `python -m tfpipe.processes.child`.

It leads a process group of its own, reads nothing, writes into its log, and ends with those who
started it (`tfpipe.processes.lifeline`).
"""

import contextlib
import faulthandler
import importlib
import io
import json
import logging
import os
import random
import signal
import sys
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tfpipe.processes.lifeline import hold

_OOM_SCORE = 500  # of 1000: the kernel, when memory runs out, takes the child first
_USUAL = ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD")


@dataclass(frozen=True)
class ChildJob:
    """What a child is to do.

    Args:
        module: the module whose `main(argument) -> int` is called; what it gives is the exit code.
        argument: the text that it gets.
        log: the file that everything printed goes to; it is written on when it is there.
        environ: environment variables beside those of the searching process.
        cpus: the numbers of the cores that it may use; all of them when None. TensorFlow makes as
            many threads as there are. On Linux only.
        memory: the bytes of data that it may hold, TensorFlow's own 0.7 GB included; without end
            when None. On Linux only. TensorFlow waits 10 seconds for memory that it cannot have.
    """

    module: str
    argument: str
    log: Path
    environ: dict[str, str] = field(default_factory=dict)
    cpus: tuple[int, ...] | None = None
    memory: int | None = None

    def to_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self) | {"log": str(self.log.absolute())})


def read_job(text: str) -> ChildJob:
    """A job from its JSON."""
    job = json.loads(text)
    cpus = None if job["cpus"] is None else tuple(job["cpus"])
    return ChildJob(**job | {"log": Path(job["log"]), "cpus": cpus})


def live(job: ChildJob, lifeline: int) -> NoReturn:
    """Do a job in this process, and end it.

    Args:
        job: which.
        lifeline: the reading end of the pipe that ends with those who started this process.
    """
    code = 1
    try:
        _settle(job, lifeline)
        code = int(importlib.import_module(job.module).main(job.argument))
    except SystemExit as error:
        code = _code(error.code)
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 (it is printed, and there is nobody to pass it on to)
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # the rest is the parent's: what it was to do at its own end


def _code(given: Any) -> int:
    """The exit code of `sys.exit(given)`."""
    if given is None or isinstance(given, int):
        return given or 0
    print(given, file=sys.stderr)  # noqa: T201 (as Python does)
    return 1


def _settle(job: ChildJob, lifeline: int) -> None:
    """Take the place that a job gives this process, before TensorFlow's runtime starts."""
    if hasattr(os, "setpgid") and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    for name in _USUAL:
        if hasattr(signal, name):
            usual = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
            signal.signal(getattr(signal, name), usual)
    if hasattr(signal, "pthread_sigmask"):  # what came since the fork comes now
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _redirect(job.log)
    hold(lifeline)
    faulthandler.enable()  # so that the log says where a crash was
    os.environ.update(job.environ)
    _limit(job)
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # children of one process would draw the same numbers


def _redirect(log: Path) -> None:
    with open(os.devnull, "rb") as nothing, log.open("ab", buffering=0) as file:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a process that is killed flushes nothing
            stream.reconfigure(line_buffering=True)


def _limit(job: ChildJob) -> None:
    """Hold this process to its cores and its memory, where the system can."""
    if job.cpus is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job.cpus)
        _fewer_threads(len(job.cpus))
    with contextlib.suppress(OSError, ValueError):  # not Linux, or not allowed
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(min(1000, int(score.read_text()) + _OOM_SCORE)))
    if job.memory is not None and sys.platform == "linux":
        import resource

        # Not RLIMIT_AS: TensorFlow reserves gigabytes of addresses that it never uses.
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory, job.memory))


def _fewer_threads(cores: int) -> None:
    """Have NumPy's and SciPy's libraries use so many threads; they counted the cores long ago."""
    if "numpy" in sys.modules:
        import threadpoolctl  # of scikit-learn's

        threadpoolctl.threadpool_limits(cores)


if __name__ == "__main__":
    # Standard input is the lifeline; the job reads nothing.
    live(read_job(sys.argv[1]), os.dup(0))
