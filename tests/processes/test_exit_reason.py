"""Why a child ended that left no word."""

import signal
from pathlib import Path

import pytest

from tfpipe.errors import DataError, OutOfMemory, TrainingError
from tfpipe.processes import memory
from tfpipe.processes.exit_reason import (
    describe,
    is_out_of_memory,
    reason_of_error,
    reason_of_exit,
)
from tfpipe.processes.memory import count_oom_kills, peak_memory

GB = 10**9
FATAL = """epoch 1
Fatal Python error: Segmentation fault

Thread 0x00007f (most recent call first):
  File "x.py", line 3 in main

Extension modules: numpy._core, h5py._errors (total: 2)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


@pytest.mark.parametrize(
    "said",
    [
        "MemoryError: Unable to allocate 2.00 GiB for an array",
        "tensorflow...ResourceExhaustedError: {{...}} OOM when allocating tensor with shape[3]",
        "RESOURCE_EXHAUSTED: failed to allocate memory",
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  bad",
        "cannot allocate memory for thread-local data: ABORT",
        "F0000 00:00 12832 env.cc:84] Thread tf_data creation via pthread_create() failed.",
        "RuntimeError: can't start new thread",
        "InvalidArgumentError: Graph execution error: Cannot parse tensor from proto: dtype",
        "CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    ],
)
def test_what_says_that_memory_could_not_be_had(log: Path, said: str) -> None:
    assert is_out_of_memory(said)
    log.write_text(said)
    assert reason_of_exit(1, log, peak=2 * GB) == (
        "memory",
        "The trial ran out of memory (exit code 1) when it held 2.0 GB. Use a smaller batch_size "
        f"or a smaller model. Its log: {log}",
    )


def test_what_does_not() -> None:
    for said in ("", "ROOM for improvement", "ValueError: shapes do not fit", "zoom"):
        assert not is_out_of_memory(said)


def test_the_system_ends_a_trial_for_its_memory(log: Path) -> None:
    assert reason_of_exit(-signal.SIGKILL, log, peak=3 * GB, oom_kills=True) == (
        "memory",
        "The memory of this computer ran out, and the system ended the trial (SIGKILL when it held "
        "3.0 GB). Use a smaller batch_size, a smaller model or fewer workers.",
    )


def test_somebody_ends_a_trial(log: Path) -> None:
    log.write_text("MemoryError")  # it was not that which ended it
    for kernel, more in ((False, ""), (None, " The system does so when memory runs out.")):
        assert reason_of_exit(-signal.SIGKILL, log, oom_kills=kernel) == (
            "killed",
            f"Something else than the search ended the trial (SIGKILL).{more}",
        )
    assert reason_of_exit(-signal.SIGTERM, log, oom_kills=True)[0] == "killed"
    assert reason_of_exit(-signal.SIGKILL, log, stopped=True, oom_kills=True) == (
        "killed",
        "The search ended the trial (SIGKILL).",
    )


def test_a_crash_is_told_by_its_last_words(log: Path) -> None:
    assert reason_of_exit(-signal.SIGSEGV, log) == (
        "crashed",
        f"The trial's process ended (SIGSEGV); its log: {log}.",
    )
    log.write_text(FATAL)
    assert reason_of_exit(-signal.SIGSEGV, log, peak=GB) == (
        "crashed",
        f"The trial's process ended (SIGSEGV) when it held 1.0 GB; its log: {log}. Its last "
        "words: Fatal Python error: Segmentation fault",
    )
    log.write_text("one\n\n  two  \n\n")
    assert reason_of_exit(3, log)[1].endswith("Its last words: two")


def test_the_words_of_an_earlier_attempt_are_not_its_own(log: Path) -> None:
    log.write_text("MemoryError\n")
    assert reason_of_exit(1, log, log_start=12)[0] == "crashed"
    log.write_text("x" * 100_000 + "\nMemoryError\n")
    assert reason_of_exit(1, log, log_start=12)[0] == "memory"


def test_a_crash_near_the_limit_is_one_of_memory(log: Path) -> None:
    crashes = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, 127)
    for code in crashes:
        assert reason_of_exit(code, log, limit=4 * GB, peak=3 * GB) == (
            "memory",
            f"The trial ran out of memory ({describe(code)}) when it held 3.0 GB. It may hold "
            f"4.0 GB (--memory). Use a smaller batch_size or a smaller model. Its log: {log}",
        )
        assert reason_of_exit(code, log, limit=4 * GB, peak=GB)[0] == "crashed"
        assert reason_of_exit(code, log, peak=3 * GB)[0] == "crashed"
    assert reason_of_exit(1, log, limit=4 * GB, peak=3 * GB)[0] == "crashed"


def test_how_a_process_ended() -> None:
    assert [describe(code) for code in (0, 2, -signal.SIGKILL, -99)] == [
        "exit code 0",
        "exit code 2",
        "SIGKILL",
        "exit code -99",
    ]


def test_the_system_counts_whom_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "vmstat"
    monkeypatch.setattr(memory, "_STATISTICS", stat)
    assert count_oom_kills() is None
    stat.write_text("nr_free_pages 17\noom_kill 3\noom_kill_disable 0\n")
    assert count_oom_kills() == 3
    stat.write_text("nr_free_pages 17\n")
    assert count_oom_kills() is None


def test_the_most_memory_is_that_of_this_process() -> None:
    before = peak_memory()
    held = bytearray(64 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    assert peak_memory() >= max(before, len(held))


def test_the_reason_of_an_error() -> None:
    assert reason_of_error(OutOfMemory("The memory ran out.")) == ("memory", "The memory ran out.")
    assert reason_of_error(TrainingError("The loss became nan.")) == ("nan", "The loss became nan.")
    assert reason_of_error(DataError("No rows.")) == ("DataError", "No rows.")
    assert reason_of_error(ValueError("\na\nb")) == ("ValueError", "ValueError: a")
    assert reason_of_error(RuntimeError("OOM when allocating"))[0] == "memory"
