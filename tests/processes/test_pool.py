"""Children that begin with everything imported, and outlive nobody."""

import contextlib
import errno
import json
import multiprocessing.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.forkserver import _forkserver
from pathlib import Path

import psutil
import pytest

from tfpipe.declare.loading import load
from tfpipe.processes.pool import Child, ProcessPool, ProcessSpec
from tfpipe.text import byte_size

JOBS = """
import json, os, random, resource, signal, subprocess, sys, time
from pathlib import Path

def main(argument):
    word, _, rest = argument.partition(" ")
    return globals()[word](rest) or 0

def leave(code):
    print("began")
    return int(code)

def sleep(seconds):
    print("asleep")
    time.sleep(float(seconds))

def give_up(text):
    sys.exit(text)

def fail(text):
    raise ValueError(text)

def crash(text):
    print("before", "x" * 100)
    os.abort()

def save(text):
    def stop(number, frame):
        print("saved")
        sys.exit(130)
    signal.signal(signal.SIGTERM, stop)
    print("ready")
    time.sleep(60)

def leave_behind(rest):
    started = subprocess.Popen(["sleep", "60"])
    print(started.pid)
    if rest:
        time.sleep(60)

def hold(megabytes):
    return len(bytearray(int(megabytes) << 20)) == 0

def show(rest):
    import numpy
    numbers = [random.random(), float(numpy.random.random())]
    print(json.dumps({
        "pid": os.getpid(), "group": os.getpgrp(), "input": sys.stdin.read(),
        "cores": sorted(os.sched_getaffinity(0)), "asked": os.environ.get("ASKED"),
        "score": int(Path("/proc/self/oom_score_adj").read_text()), "numbers": numbers,
        "limit": resource.getrlimit(resource.RLIMIT_DATA)[0],
        "usual": [signal.getsignal(n) == signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP)]
        + [signal.getsignal(signal.SIGINT) == signal.default_int_handler],
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    }))

def pools(rest):
    import threadpoolctl
    import tensorflow as tf
    before = len(os.listdir("/proc/self/task"))
    x = tf.ones((400, 400))
    assert float(tf.reduce_sum(x @ x)) == 400.0 ** 3
    blas = [e["num_threads"] for e in threadpoolctl.threadpool_info()]
    print(json.dumps([blas, before, len(os.listdir("/proc/self/task")), "keras" in sys.modules]))
"""

SEARCH = """
import json, sys, time
from pathlib import Path
from multiprocessing.forkserver import _forkserver
from tfpipe.processes.pool import ProcessPool, ProcessSpec

folder = Path(sys.argv[1])
forking, alone = ProcessPool(tensorflow=False), ProcessPool(fork=False)
children = [p.start(ProcessSpec("jobs", "leave_behind x", folder / f"{i}.txt"))
            for i, p in enumerate((forking, forking, alone))]
while not all((folder / f"{i}.txt").exists() and (folder / f"{i}.txt").read_text().endswith("\\n")
              for i in range(3)):
    forking.poll(0.05)
print(json.dumps([_forkserver._forkserver_pid, *(c.pid for c in children)]), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module", autouse=True)
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the module of the jobs, where children find it."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.py").write_text(JOBS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield folder


@pytest.fixture
def quick() -> Iterator[ProcessPool]:
    """A pool that forks, and imports nothing before."""
    with ProcessPool(["numpy"], tensorflow=False) as pool:
        yield pool


@pytest.fixture
def alone() -> Iterator[ProcessPool]:
    """A pool that starts a Python for each child."""
    with ProcessPool(fork=False) as pool:
        yield pool


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., ProcessSpec]:
    return lambda argument, **given: ProcessSpec("jobs", argument, tmp_path / "log.txt", **given)


def ended(pool: ProcessPool, *children: Child) -> list[Child]:
    """The children, when all have ended."""
    until = time.monotonic() + 120
    while any(child.exit_code is None for child in children):
        assert time.monotonic() < until
        pool.poll(0.1)
    return list(children)


def saying(pool: ProcessPool, child: Child, text: str) -> Child:
    """The child, when it has said something."""
    until = time.monotonic() + 120
    while not (child.log.exists() and text in child.log.read_text()):
        assert time.monotonic() < until
        assert child.exit_code is None, child.log.read_text()
        pool.poll(0.05)
    return child


def gone(pids: list[int]) -> bool:
    """Whether all these processes end within a while."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in found):
            return True
        time.sleep(0.05)
    return False


both = pytest.mark.parametrize("kind", ["quick", "alone"])


@pytest.fixture
def pool(kind: str, request: pytest.FixtureRequest) -> ProcessPool:
    return request.getfixturevalue(kind)  # type: ignore[no-any-return]


@both
def test_how_children_end(pool: ProcessPool, kind: str, tmp_path: Path) -> None:
    words = ("leave 0", "leave 7", "give_up no more", "fail a\nb", "crash", "nothing")
    files = [tmp_path / f"{n}.txt" for n in range(len(words))]
    files[1].write_text("an earlier attempt\n")
    children = [pool.start(ProcessSpec("jobs", w, f)) for w, f in zip(words, files, strict=True)]
    ended(pool, *children)
    assert [c.exit_code for c in children] == [0, 7, 1, 1, -signal.SIGABRT, 1]
    assert [c.how for c in children[:2]] == ["exit code 0", "exit code 7"]
    assert {c.forked for c in children} == {kind == "quick"}
    assert all(c.peak_memory > 2**20 and c.pid for c in children)
    assert files[0].read_text() == "began\n"
    assert files[1].read_text() == "an earlier attempt\nbegan\n"
    assert files[2].read_text() == "no more\n"
    assert "Traceback" in files[3].read_text()
    assert [c.exit_reason()[0] for c in children] == ["crashed"] * 6
    assert (
        children[3].exit_reason()[1].endswith(f"its log: {files[3]}. Its last words: ValueError: a")
    )
    assert "ended (SIGABRT) when it held " in children[4].exit_reason()[1]
    assert "Its last words: Fatal Python error: Aborted" in children[4].exit_reason()[1]
    assert "KeyError: 'nothing'" in children[5].exit_reason()[1]


@both
def test_a_child_has_its_place(pool: ProcessPool, kind: str, tmp_path: Path) -> None:
    own = min(os.sched_getaffinity(0))
    score = int(Path("/proc/self/oom_score_adj").read_text())
    jobs = [
        ProcessSpec("jobs", "show", tmp_path / "0.txt", {"ASKED": "yes"}, (own,), 2**33),
        ProcessSpec("jobs", "show", tmp_path / "1.txt"),
    ]
    children = ended(pool, *map(pool.start, jobs))
    first, second = (json.loads(c.log.read_text()) for c in children)
    assert [first[n] for n in ("cores", "asked", "limit")] == [[own], "yes", 2**33]
    assert second["cores"] == sorted(os.sched_getaffinity(0))
    assert (second["asked"], second["limit"]) == (None, -1)
    assert first["pid"] == first["group"] == children[0].pid
    assert first["input"] == ""
    assert first["score"] == min(1000, score + 500)
    assert (first["usual"], first["blocked"]) == ([True] * 3, 0)
    for mine, other in zip(first["numbers"], second["numbers"], strict=True):
        assert mine != other


@both
def test_a_child_is_asked_to_end_and_may_save(
    pool: ProcessPool, kind: str, spec: Callable[..., ProcessSpec]
) -> None:
    child = saying(pool, pool.start(spec("save")), "ready")
    child.terminate()
    ended(pool, child)
    assert (child.exit_code, child.log.read_text()) == (130, "ready\nsaved\n")
    child.terminate()  # it is over
    assert child.signals == [signal.SIGTERM]


@both
def test_a_child_is_ended_with_all_it_has_started(
    pool: ProcessPool, kind: str, tmp_path: Path
) -> None:
    stays = pool.start(ProcessSpec("jobs", "leave_behind x", tmp_path / "stays.txt"))
    leaves = pool.start(ProcessSpec("jobs", "leave_behind", tmp_path / "leaves.txt"))
    ended(pool, leaves)
    saying(pool, stays, "\n").kill()
    ended(pool, stays)
    assert (leaves.exit_code, stays.exit_code) == (0, -signal.SIGKILL)
    assert gone([int(c.log.read_text()) for c in (stays, leaves)])
    assert stays.exit_reason() == (
        "killed",
        f"The search ended the trial (SIGKILL when it held {byte_size(stays.peak_memory)}).",
    )


def test_a_child_that_is_asked_at_once_ends(
    quick: ProcessPool, spec: Callable[..., ProcessSpec]
) -> None:
    child = quick.start(spec("sleep 60"))
    child.terminate()
    assert ended(quick, child)[0].exit_code == -signal.SIGTERM


def test_a_child_that_something_else_ends(
    quick: ProcessPool, spec: Callable[..., ProcessSpec]
) -> None:
    child = saying(quick, quick.start(spec("sleep 60")), "asleep")
    os.kill(child.pid or 0, signal.SIGKILL)
    ended(quick, child)
    assert child.exit_reason() == (
        "killed",
        "Something else than the search ended the trial (SIGKILL when it held "
        f"{byte_size(child.peak_memory)}).",
    )


@both
def test_a_child_may_hold_so_much(
    pool: ProcessPool, kind: str, spec: Callable[..., ProcessSpec]
) -> None:
    (child,) = ended(pool, pool.start(spec("hold 2000", memory=10**9)))
    assert child.exit_code == 1
    what, why = child.exit_reason()
    assert what == "memory"
    assert "It may hold 1.0 GB (--memory). Use a smaller batch_size or a smaller model." in why
    (child,) = ended(pool, pool.start(spec("hold 100", memory=10**9)))
    assert child.exit_code == 0


def test_poll_waits_for_the_first_to_end(quick: ProcessPool, tmp_path: Path) -> None:
    logs = [tmp_path / "0.txt", tmp_path / "1.txt"]
    short, long = (
        quick.start(ProcessSpec("jobs", f"sleep {s}", log))
        for s, log in zip((0.3, 60), logs, strict=True)
    )
    saying(quick, long, "asleep")
    began = time.monotonic()
    assert quick.poll(30) == [short]
    assert time.monotonic() - began < 20
    assert quick.poll() == []
    long.kill()
    assert quick.poll(30) == [long]


@both
def test_a_child_that_ends_before_the_next_starts_is_told_of_once(
    pool: ProcessPool, kind: str, tmp_path: Path
) -> None:
    first = pool.start(ProcessSpec("jobs", "leave 3", tmp_path / "0.txt"))
    until = time.monotonic() + 60
    while first.poll() is None and time.monotonic() < until:
        second = pool.start(ProcessSpec("jobs", "leave 4", tmp_path / "1.txt"))
        time.sleep(0.05)
    found = []
    while second not in found and time.monotonic() < until:
        found += pool.poll(0.1)
    assert [c for c in found if c is first] == [first]
    assert len(found) == len(set(found))
    assert {c.exit_code for c in found} == {3, 4}


def test_nobody_outlives_the_search(jobs: Path, tmp_path: Path) -> None:
    search = subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert search.stdout
    with search:
        pids = json.loads(search.stdout.readline())
        started = [int((tmp_path / f"{i}.txt").read_text()) for i in range(3)]
        assert all(psutil.pid_exists(pid) for pid in (*pids, *started))
        search.kill()
        assert gone([*pids, *started])


def test_children_end_with_the_pool_and_the_next_has_a_new_one(tmp_path: Path) -> None:
    with ProcessPool(tensorflow=False) as pool:
        logs = [tmp_path / f"{n}.txt" for n in range(3)]
        child = saying(pool, pool.start(ProcessSpec("jobs", "leave_behind x", logs[0])), "\n")
        first = _forkserver._forkserver_pid
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(first, number)  # what a terminal or a batch system sends to all
        assert ended(pool, pool.start(ProcessSpec("jobs", "leave 3", logs[1])))[0].exit_code == 3
        os.kill(first, signal.SIGKILL)
        assert pool.poll(0.5) == []  # it goes on without the process that it was forked from
        child.kill()
        ended(pool, child)
        assert (child.exit_code, child.exit_reason()[0]) == (-signal.SIGKILL, "killed")
        assert gone([child.pid or 0, int(logs[0].read_text())])
        again = pool.start(ProcessSpec("jobs", "leave 4", logs[2]))
        assert ended(pool, again)[0].exit_code == 4
        assert again.forked


def test_children_are_started_where_none_can_be_forked(jobs: Path, tmp_path: Path) -> None:
    (jobs / "threads.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    with ProcessPool(["threads"], tensorflow=False) as pool:
        stays, leaves = (
            pool.start(ProcessSpec("jobs", word, tmp_path / f"{word[:5]}.txt"))
            for word in ("sleep 60", "leave 5")
        )
        stays.kill()  # before it began
        ended(pool, stays, leaves)
        assert (leaves.exit_code, leaves.forked, stays.exit_code) == (5, False, -signal.SIGKILL)
        assert not stays.log.exists()
        assert pool.why_not == "1 unknown thread runs in it"
    log = tmp_path / "pool.txt"
    with ProcessPool(["no_such_module"], tensorflow=False, log=log) as pool:
        child = pool.start(ProcessSpec("jobs", "leave 6", tmp_path / "6.txt"))
        assert ended(pool, child)[0].exit_code == 6
        assert pool.why_not == (
            "it cannot import what training needs: No module named 'no_such_module'"
        )
    assert "No module named 'no_such_module'" in log.read_text()


@both
def test_modules_beside_a_pipeline_file_are_not_pythons(
    pool: ProcessPool,
    kind: str,
    spec: Callable[..., ProcessSpec],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "random.py").write_text(
        "from tfpipe import Pipeline\n\n"
        "class P(Pipeline):\n    def input_fn(self, split): ...\n    def build_model(self): ...\n"
    )
    load(str(tmp_path / "random.py"))
    assert ended(pool, pool.start(spec("leave 7")))[0].exit_code == 7


def test_a_process_that_cannot_start_has_ended(
    alone: ProcessPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    spec = ProcessSpec("jobs", "leave 0", tmp_path / "0.txt")
    with monkeypatch.context() as patch:
        patch.setattr(multiprocessing.util, "spawnv_passfds", refuse)
        child = alone.start(spec)
    assert alone.poll() == [child]
    assert (child.exit_code, child.pid) == (1, None)
    assert spec.log.read_text() == (
        "The process cannot be started: [Errno 12] Cannot allocate memory\n"
    )
    assert child.exit_reason()[0] == "memory"


def test_a_process_that_has_opened_a_driver_is_not_forked(tmp_path: Path) -> None:
    text = (
        "import tfpipe.processes.preload as f; print(repr(f.why_not_fork()));"
        "f._DRIVERS = ('/dev/zero',); file = open('/dev/zero'); print(f.why_not_fork())"
    )
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["''", "it has opened /dev/zero"]


def test_closing_ends_all_at_once(tmp_path: Path) -> None:
    with ProcessPool(tensorflow=False) as pool:
        child = saying(pool, pool.start(ProcessSpec("jobs", "save", tmp_path / "log.txt")), "ready")
        server = _forkserver._forkserver_pid
    assert (child.exit_code, child.signals) == (-signal.SIGKILL, [signal.SIGKILL])
    assert not psutil.pid_exists(server)
    began = time.monotonic()
    with ProcessPool() as pool:  # which imports for seconds
        child = pool.start(ProcessSpec("jobs", "sleep 60", tmp_path / "log.txt"))
    assert child.exit_code == -signal.SIGKILL
    assert time.monotonic() - began < 3


def test_tensorflow_is_imported_and_counts_the_cores_of_its_child(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    with ProcessPool(["keras"], log=tmp_path / "pool.txt") as pool:
        few = ProcessSpec("jobs", "pools", tmp_path / "few.txt", cpus=(cores[0],))
        all_of_them = ProcessSpec("jobs", "pools", tmp_path / "all.txt")
        children = ended(pool, pool.start(few), pool.start(all_of_them))
    assert pool.why_not == ""
    assert (tmp_path / "pool.txt").read_text() == ""
    (blas, before, after, keras), (_, before_all, after_all, _) = (
        json.loads(c.log.read_text()) for c in children
    )
    assert keras
    assert set(blas) == {1}
    assert (after_all - before_all) - (after - before) >= len(cores) - 1
