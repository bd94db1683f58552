"""What each worker gets of the machine."""

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfpipe.devices import Machine
from tfpipe.devices import machine as module
from tfpipe.devices.shares import Share, shares
from tfpipe.errors import ConfigError, DeviceError


@pytest.fixture(scope="session")
def fake() -> Callable[..., Any]:
    """Makes one of the computers of the tests of devices, by name."""
    there = Path(__file__).parent / "fakes.py"
    return runpy.run_path(str(there))["fake"]  # type: ignore[no-any-return]


def parts(found: list[Share], variable: str = "CUDA_VISIBLE_DEVICES") -> list[Any]:
    return [(s.cpus, s.environ.get(variable)) for s in found]


def test_one_worker_has_all_without_a_limit(fake: Any) -> None:
    for name in ("laptop", "four gpus", "tpu"):
        assert shares(1, fake(name)) == [Share(None, {}, "the whole machine")]


def test_no_worker_is_refused(fake: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        shares(0, fake("laptop"))
    assert str(caught.value) == "--workers 0 trains nothing. Give 1 or more."


def test_cores_are_divided(fake: Any) -> None:
    found = shares(3, fake("laptop"))
    assert parts(found) == [((0, 1), None), ((2, 3, 4), None), ((5, 6, 7), None)]
    assert [s.described for s in found] == ["cores 0, 1", "cores 2-4", "cores 5-7"]
    assert [s.described for s in shares(8, fake("laptop"))][:2] == ["core 0", "core 1"]


def test_more_workers_than_cores_share_them(fake: Any) -> None:
    found = shares(10, fake("laptop"))
    assert [s.cpus for s in found] == [(n % 8,) for n in range(10)]
    assert found[9].described == "core 1 (10 workers share 8)"


def test_cores_that_are_no_neighbours_are_all_named(fake: Any) -> None:
    machine = fake("laptop")
    machine.usable_cores = lambda: (0, 4, 2, 6)  # 0 and 4 are two threads of one core
    assert [s.described for s in shares(2, machine)] == ["cores 0, 4", "cores 2, 6"]


def test_gpus_are_divided(fake: Any) -> None:
    found = shares(2, fake("four gpus"))
    assert parts(found) == [((0, 1, 2, 3), "0,1"), ((4, 5, 6, 7), "2,3")]
    assert [s.described for s in found] == ["GPUs 0, 1, cores 0-3", "GPUs 2, 3, cores 4-7"]
    assert shares(4, fake("four gpus"), "gpu")[3].described == "GPU 3, cores 6, 7"


def test_each_worker_has_as_many_gpus(fake: Any) -> None:
    """Or the trials of one would be of other batches than those of the next."""
    assert [g for _, g in parts(shares(3, fake("four gpus")))] == ["0", "1", "2"]


def test_gpus_that_are_hidden_already_stay_so(fake: Any) -> None:
    ids = {"CUDA_VISIBLE_DEVICES": "3, GPU-8932f937, 1,2"}
    found = shares(2, fake("four gpus", environ=ids))
    assert [g for _, g in parts(found)] == ["3,GPU-8932f937", "1,2"]
    none = shares(2, fake("hidden"))
    assert [s.environ for s in none] == [{}, {}]


def test_gpus_of_amd_have_a_variable_of_their_own(fake: Any) -> None:
    two = {"gpus": (("AMD Instinct MI250X", None),) * 2}
    assert shares(2, fake("rocm", **two))[1].environ == {"HIP_VISIBLE_DEVICES": "1"}
    given = {"CUDA_VISIBLE_DEVICES": "4,5"}
    found = shares(2, fake("rocm", **two, environ=given))
    assert [s.environ for s in found] == [
        {"CUDA_VISIBLE_DEVICES": "4"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]


@pytest.mark.parametrize("device", ["auto", "gpu"])
def test_more_workers_than_gpus_are_refused(fake: Any, device: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shares(5, fake("four gpus"), device)
    assert str(caught.value) == (
        "--workers 5 is more than the 4 GPUs that TensorFlow finds, and each worker needs one of "
        "its own. Use --workers 4, or device=cpu."
    )
    with pytest.raises(ConfigError, match="more than the 1 GPU that"):
        shares(2, fake("one gpu"), device)


def test_a_pipeline_on_a_cpu_asks_for_no_gpu(fake: Any) -> None:
    machine = fake("one gpu")
    machine.count_gpus = lambda: pytest.fail("counted")
    assert parts(shares(2, machine, "cpu")) == [((0, 1, 2, 3), None), ((4, 5, 6, 7), None)]


def test_numbered_gpus_are_not_divided(fake: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        shares(2, fake("four gpus"), "gpu:1,3")
    assert str(caught.value) == (
        "device='gpu:1,3' names GPUs, and each of 2 workers sees its own ones alone, numbered from "
        "0. Use device=gpu, and CUDA_VISIBLE_DEVICES=1,3 in the environment."
    )


def test_a_tpu_is_not_divided(fake: Any) -> None:
    for device in ("auto", "tpu", "tpu:my-tpu"):
        with pytest.raises(ConfigError) as caught:
            shares(2, fake("tpu"), device)
        assert str(caught.value) == (
            "--workers 2 cannot divide a TPU: it is one worker's alone. Use --workers 1, or "
            "device=cpu."
        )
    assert len(shares(2, fake("tpu"), "cpu")) == 2
    assert len(shares(2, fake("tpu without wheel"))) == 2


# The edge


def test_threads_of_a_core_are_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    chips = {"0": ("0", "0"), "1": ("0", "1"), "2": ("1", "0"), "4": ("0", "0"), "6": ("1", "0")}

    def text(path: str) -> str:
        number, what = path.split("cpu/cpu")[1].split("/topology/")
        return chips[number][what == "core_id"]

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 4, 6}, raising=False)
    monkeypatch.setattr(module, "_text", text)
    assert Machine().usable_cores() == (0, 4, 1, 2, 6)
    monkeypatch.setattr(module, "_text", lambda path: "")  # a system that does not say
    assert Machine().usable_cores() == (0, 1, 2, 4, 6)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert Machine().usable_cores() == tuple(range(os.cpu_count() or 1))


def test_gpus_are_counted_by_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    class Done:
        returncode, stdout, stderr = 0, "chatter\n3\n", ""

    def run(command: list[str], **given: Any) -> Done:
        ran.append(command)
        return Done()

    monkeypatch.setattr(module.subprocess, "run", run)
    assert Machine().count_gpus() == 3
    assert ran[0][2] == "from tfpipe.devices import Machine; print(len(Machine().gpus()))"
    Done.returncode, Done.stderr = 1, "Traceback\nImportError: no\n"
    with pytest.raises(DeviceError) as caught:
        Machine().count_gpus()
    assert str(caught.value) == "The GPUs of this computer cannot be counted: ImportError: no"
