"""Why a child ended that left no word."""

import signal
from pathlib import Path

import pytest

from tfpipe.processes import exit_reason
from tfpipe.processes.child import ChildJob
from tfpipe.processes.exit_reason import described, explain, is_about_memory, kills_for_memory

GB = 10**9
FATAL = """epoch 1
Fatal Python error: Segmentation fault

Thread 0x00007f (most recent call first):
  File "x.py", line 3 in main

Extension modules: numpy._core, h5py._errors (total: 2)
"""


@pytest.fixture
def job(tmp_path: Path) -> ChildJob:
    return ChildJob("a.b", "", tmp_path / "log.txt")


def limited(job: ChildJob, limit: int) -> ChildJob:
    return ChildJob(job.module, job.argument, job.log, memory=limit)


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
def test_what_says_that_memory_could_not_be_had(job: ChildJob, said: str) -> None:
    assert is_about_memory(said)
    job.log.write_text(said)
    assert explain(job, 1, peak=2 * GB) == (
        "memory",
        "The trial ran out of memory (exit code 1) when it held 2.0 GB. Use a smaller batch_size "
        f"or a smaller model. Its log: {job.log}",
    )


def test_what_does_not() -> None:
    for said in ("", "ROOM for improvement", "ValueError: shapes do not fit", "zoom"):
        assert not is_about_memory(said)


def test_the_system_ends_a_trial_for_its_memory(job: ChildJob) -> None:
    assert explain(job, -signal.SIGKILL, peak=3 * GB, kernel=True) == (
        "memory",
        "The memory of this computer ran out, and the system ended the trial (SIGKILL when it held "
        "3.0 GB). Use a smaller batch_size, a smaller model or fewer workers.",
    )


def test_somebody_ends_a_trial(job: ChildJob) -> None:
    job.log.write_text("MemoryError")  # it was not that which ended it
    for kernel, more in ((False, ""), (None, " The system does so when memory runs out.")):
        assert explain(job, -signal.SIGKILL, kernel=kernel) == (
            "killed",
            f"Something else than the search ended the trial (SIGKILL).{more}",
        )
    assert explain(job, -signal.SIGTERM, kernel=True)[0] == "killed"
    assert explain(job, -signal.SIGKILL, asked=True, kernel=True) == (
        "killed",
        "The search ended the trial (SIGKILL).",
    )


def test_a_crash_is_told_by_its_last_words(job: ChildJob) -> None:
    assert explain(job, -signal.SIGSEGV) == (
        "crashed",
        f"The trial's process ended (SIGSEGV); its log: {job.log}.",
    )
    job.log.write_text(FATAL)
    assert explain(job, -signal.SIGSEGV, peak=GB) == (
        "crashed",
        f"The trial's process ended (SIGSEGV) when it held 1.0 GB; its log: {job.log}. Its last "
        "words: Fatal Python error: Segmentation fault",
    )
    job.log.write_text("one\n\n  two  \n\n")
    assert explain(job, 3)[1].endswith("Its last words: two")


def test_the_words_of_an_earlier_attempt_are_not_its_own(job: ChildJob) -> None:
    job.log.write_text("MemoryError\n")
    assert explain(job, 1, since=12)[0] == "crashed"
    job.log.write_text("x" * 100_000 + "\nMemoryError\n")
    assert explain(job, 1, since=12)[0] == "memory"


def test_a_crash_near_the_limit_is_one_of_memory(job: ChildJob) -> None:
    crashes = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, 127)
    for code in crashes:
        assert explain(limited(job, 4 * GB), code, peak=3 * GB) == (
            "memory",
            f"The trial ran out of memory ({described(code)}) when it held 3.0 GB. It may hold "
            f"4.0 GB (--memory). Use a smaller batch_size or a smaller model. Its log: {job.log}",
        )
        assert explain(limited(job, 4 * GB), code, peak=GB)[0] == "crashed"
        assert explain(job, code, peak=3 * GB)[0] == "crashed"
    assert explain(limited(job, 4 * GB), 1, peak=3 * GB)[0] == "crashed"


def test_how_a_process_ended() -> None:
    assert [described(code) for code in (0, 2, -signal.SIGKILL, -99)] == [
        "exit code 0",
        "exit code 2",
        "SIGKILL",
        "exit code -99",
    ]


def test_the_system_counts_whom_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "vmstat"
    monkeypatch.setattr(exit_reason, "_COUNTS", stat)
    assert kills_for_memory() is None
    stat.write_text("nr_free_pages 17\noom_kill 3\noom_kill_disable 0\n")
    assert kills_for_memory() == 3
    stat.write_text("nr_free_pages 17\n")
    assert kills_for_memory() is None
