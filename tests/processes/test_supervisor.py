"""The supervisor of local workers, with small programs in the place of training."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from tfpipe.processes.supervisor import Limits, Supervisor

# A worker that is told its index, the attempt, its cluster and a folder for what it leaves.
BEGIN = """
import os, signal, subprocess, sys, time
from pathlib import Path
from tfpipe.processes.lifeline import attend, ready
attend()
index, attempt, addresses, folder = sys.argv[1:]
index, attempt, folder = int(index), int(attempt), Path(folder)
(folder / f"{index}-{attempt}").write_text(f"{os.getpid()} {addresses}")
"""
FOREVER = "ready()\nwhile True: time.sleep(0.05)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER
QUICK = Limits(deadline=60, restarts=2, backoff=0, grace=60)
IMPATIENT = Limits(grace=0.2)


def commands(program, folder):
    """A command factory: the same program for every worker."""

    def command(cluster, attempt):
        words = [cluster.index, attempt, ",".join(cluster.workers), folder]
        return [sys.executable, "-c", BEGIN + program, *map(str, words)]

    return command


@pytest.fixture
def job(tmp_path):
    """Runs a program on workers: the exit code; what was said is in `job.said`."""

    def run(program, workers=2, limits=QUICK):
        run.said = []
        command = commands(textwrap.dedent(program), tmp_path)
        return Supervisor(command, workers, tmp_path / "logs", run.said.append, limits).run()

    run.folder = tmp_path
    run.log = lambda index: (tmp_path / "logs" / f"worker-{index}.log").read_text()
    yield run
    until(lambda: left_of(tmp_path) == [])


def left_of(folder):
    """The processes that the workers in a folder have left."""
    texts = [file.read_text() for file in folder.glob("*-*")]
    # One that was ended while it wrote has left nothing in its file.
    return [text for text in texts if text and is_running(int(text.split()[0]))]


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition):
    """Wait for something that other processes do."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.02)


def test_all_finish(job, capfd):
    program = """
    ready()
    sys.stdout.write(f"hello from {index}\\n")
    sys.stderr.write("careful\\n")
    """
    assert job(program, 3) == 0
    assert job.said == []
    assert capfd.readouterr() == ("hello from 0\n", "")
    assert sorted(job.log(0).splitlines()) == ["careful", "hello from 0"]
    assert job.log(2) == "hello from 2\ncareful\n" or job.log(2) == "careful\nhello from 2\n"


def test_all_are_told_the_same_cluster(job):
    job("ready()", 3)
    told = {(job.folder / f"{i}-0").read_text().split()[1] for i in range(3)}
    assert len(told) == 1
    assert len(set(told.pop().split(","))) == 3


def test_the_death_of_one_starts_all_again(job):
    program = f"""
    if attempt == 0 and index == 1:
        while not (folder / "logs" / "worker-0.ready").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    if attempt == 0:
        {FOREVER.replace(chr(10), chr(10) + " " * 8)}
    ready()
    """
    assert job(program) == 0
    first, second = ((job.folder / f"0-{i}").read_text().split() for i in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]  # new ports
    assert job.said == [
        f"Worker 1 died (by SIGKILL); its log: {job.folder / 'logs' / 'worker-1.log'}",
        "Starting all workers again from the last state in 0 s (restart 1 of 2).",
    ]


def test_restarts_are_bounded(job):
    assert job("sys.exit(7)") == 1
    assert len(job.said[0:5:2]) == len([s for s in job.said if "died (exit code 7)" in s]) == 3
    assert job.said[-1] == "All 2 restarts are used up. The last state is intact."


def test_workers_that_are_deaf_to_sigterm_are_killed(job):
    program = f"if index: sys.exit(1)\n{DEAF}"
    assert job(program, limits=Limits(restarts=0, grace=0.2)) == 1


def test_a_worker_that_never_comes_up_ends_the_job(job):
    program = f"if index == 1:\n    while True: time.sleep(1)\n{FOREVER}"
    assert job(program, limits=Limits(deadline=3, grace=0.2)) == 1
    log = job.folder / "logs" / "worker-1.log"
    assert f"Worker 1 did not come up within 3 s. Its log says why: {log}" in job.said


@pytest.mark.parametrize("code", [2, 3, 130])
def test_what_the_chief_ends_on_purpose_is_passed_on(job, capfd, code):
    program = f"""
    if index:
        {FOREVER.replace(chr(10), chr(10) + " " * 8)}
    print("Error: no such field", file=sys.stderr)
    sys.exit({code})
    """
    assert job(program) == code
    assert job.said == []
    assert capfd.readouterr().err == "Error: no such field\n"


def test_the_chief_is_heard_when_another_says_it_first(job, capfd):
    program = """
    time.sleep(0 if index else 0.3)
    print("Error: from", index, file=sys.stderr)
    sys.exit(2)
    """
    assert job(program) == 2
    assert capfd.readouterr().err == "Error: from 0\n"


def test_what_only_another_worker_has_to_say_is_passed_on(job, capfd):
    program = f"if index: sys.exit(print('Error: no data here', file=sys.stderr) or 2)\n{FOREVER}"
    assert job(program, limits=IMPATIENT) == 2
    assert capfd.readouterr().err == "Error: no data here\n"
    assert job.said[0].startswith("Worker 1 ended the job; its log: ")


def test_a_finished_chief_is_enough(job):
    assert job(f"if index == 0: ready(); sys.exit(0)\n{DEAF}", limits=IMPATIENT) == 0


def test_a_command_that_does_not_start_leaves_no_other(job, tmp_path):
    good = commands(FOREVER, tmp_path)

    def command(cluster, attempt):
        return ["/no/such/program"] if cluster.index else good(cluster, attempt)

    with pytest.raises(FileNotFoundError):
        Supervisor(command, 2, tmp_path / "logs", print, QUICK).run()


def test_what_a_worker_has_started_ends_with_it(job):
    program = f"""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / f"{{index}}-child").write_text(str(child.pid))
    if index == 0:
        child.kill()
        sys.exit(2)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    {FOREVER.replace(chr(10), chr(10) + " " * 4)}
    """
    assert job(program, limits=IMPATIENT) == 2


def test_pauses_grow_and_end_early_for_a_person(tmp_path):
    assert [Limits().pause(n) for n in (1, 2, 3, 9)] == [2, 4, 8, 60]
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds
        time.sleep(0.001)

    supervisor = Supervisor(
        commands("sys.exit(1)", tmp_path),
        1,
        tmp_path / "logs",
        lambda text: None,
        Limits(deadline=1e9, backoff=100, longest_backoff=150, restarts=2),
        sleep,
        lambda: now[0],
    )
    assert supervisor.run() == 1
    assert now[0] >= 250


# The supervisor as a program of its own, for signals


SUPERVISOR = """
import sys
from pathlib import Path
from tfpipe.processes.supervisor import Limits, Supervisor
folder, program = Path(sys.argv[1]), sys.argv[2]
def command(cluster, attempt):
    words = [cluster.index, attempt, ",".join(cluster.workers), folder]
    return [sys.executable, "-c", program, *map(str, words)]
limits = Limits(backoff=600, longest_backoff=600, grace=0.5, stop_grace=float(sys.argv[3]))
sys.exit(Supervisor(command, 2, folder / "logs", print, limits).run())
"""


@pytest.fixture
def supervisor(tmp_path):
    """Starts a supervisor in a process of its own, and waits until its workers are up."""
    started = []

    def start(program, stop_grace=60):
        words = [sys.executable, "-u", "-c", SUPERVISOR, str(tmp_path), BEGIN + program]
        started.append(
            subprocess.Popen([*words, str(stop_grace)], stdout=subprocess.PIPE, text=True)
        )
        until(lambda: len(list((tmp_path / "logs").glob("*.ready"))) == 2)
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()
    until(lambda: left_of(tmp_path) == [])


SAVING = """
def save(*_):
    (folder / f"{index}.saved").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, save)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_person_stops_all_and_the_state_is_saved(supervisor, tmp_path, number):
    process = supervisor(SAVING + FOREVER)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert len(list(tmp_path.glob("*.saved"))) == 2
    assert left_of(tmp_path) == []


def test_a_second_time_means_at_once(supervisor, tmp_path):
    process = supervisor(DEAF, stop_grace=600)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline().startswith("Stopping all workers")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert left_of(tmp_path) == []


def test_a_person_stops_it_while_it_waits_to_start_again(supervisor, tmp_path):
    process = supervisor(FOREVER)
    victim = int((tmp_path / "1-0").read_text().split()[0])
    os.kill(victim, signal.SIGKILL)
    while "Starting all workers again" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert left_of(tmp_path) == []


def test_a_killed_supervisor_takes_its_workers_along(supervisor, tmp_path):
    process = supervisor(DEAF)
    assert len(left_of(tmp_path)) == 2
    process.kill()
    until(lambda: left_of(tmp_path) == [])


# The worker's side


def test_without_a_supervisor_nothing_is_attended(monkeypatch):
    from tfpipe.processes import lifeline

    monkeypatch.delenv(lifeline.READY, raising=False)
    before = threading.active_count()
    lifeline.attend()
    lifeline.ready()
    assert threading.active_count() == before


def test_what_a_worker_starts_is_no_worker(job):
    program = """
    ready()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import tfpipe.processes.lifeline as s; s.attend(); print('alive')",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    sys.exit(0 if done.stdout == "alive\\n" else 3)
    """
    assert job(program, 1) == 0
