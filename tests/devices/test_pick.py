"""Picking a device: every kind of computer is faked at its edge, logical CPUs are real."""

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tfpipe.devices import Candidate, Picked, pick
from tfpipe.errors import DeviceError

Fake = Callable[..., Any]
FAILED = RuntimeError("\nNo kernel image is available.\nmore")


# What works


@pytest.mark.parametrize(
    ("computer", "device", "strategy", "shown", "reason", "jit_compile"),
    [
        ("laptop", "auto", "cpu x 1", "CPU", "no GPU was found", False),
        ("laptop", "cpu", "cpu x 1", "CPU", "asked for", False),
        ("laptop", "cpu:3", "cpu x 3", "3 logical CPUs", "asked for", False),
        ("one gpu", "auto", "gpu 0", "GPU", "one GPU was found", "auto"),
        ("one gpu", "gpu", "gpu 0", "GPU", "asked for", "auto"),
        ("one gpu", "gpu:0", "gpu 0", "GPU", "asked for", "auto"),
        ("one gpu", "cpu", "cpu x 1", "CPU", "asked for", False),
        ("four gpus", "auto", "gpu 0,1,2,3", "4 GPUs", "4 GPUs were found", False),
        ("four gpus", "gpu:2", "gpu 2", "GPU", "asked for", "auto"),
        ("four gpus", "gpu:3,1", "gpu 3,1", "2 GPUs", "asked for", False),
        ("rocm", "auto", "gpu 0", "GPU", "one GPU was found", "auto"),
        ("tpu", "auto", "tpu local", "TPU (8 cores)", "a TPU was found", False),
        ("tpu", "tpu", "tpu local", "TPU (8 cores)", "asked for", False),
        ("tpu over vfio", "auto", "tpu local", "TPU", "a TPU was found", False),
        ("laptop", "tpu:far", "tpu far", "TPU", "asked for", False),
    ],
)
def test_what_is_picked_and_why(
    fake: Fake,
    computer: str,
    device: str,
    strategy: str,
    shown: str,
    reason: str,
    jit_compile: bool | str,
) -> None:
    found = pick(device, fake(computer))
    assert (found.strategy.name, found.device, found.reason) == (strategy, shown, reason)
    assert found.jit_compile == jit_compile
    assert found.kind == strategy[:3]


def test_the_picked_gpus_are_kept(fake: Fake) -> None:
    found = pick("gpu:3,1", fake("four gpus"))
    assert [gpu.index for gpu in found.gpus] == [3, 1]
    assert found.replicas == 2


def test_what_auto_passed_over_is_kept(fake: Fake) -> None:
    assert pick("auto", fake("laptop")).passed_over == (
        Candidate("tpu", False, "no TPU was found"),
        Candidate("gpu", False, "no GPU was found"),
    )
    assert pick("cpu", fake("laptop")).passed_over == ()


def test_three_values_make_one() -> None:
    found = Picked(tf.distribute.get_strategy(), "CPU", "asked for")
    assert (found.kind, found.jit_compile, found.replicas, found.cluster) == ("cpu", False, 1, None)


# What does not


@pytest.mark.parametrize(
    ("computer", "overlooked"),
    [
        ("no driver", "the GPU was passed over: an NVIDIA GPU is there, but it has no driver"),
        (
            "built without",
            "the GPU was passed over: an NVIDIA GPU is there, but TensorFlow (tensorflow-cpu) is "
            "built without GPU support",
        ),
        (
            "rocm group",
            "the GPU was passed over: this user may not read and write /dev/kfd and "
            "/dev/dri/renderD128: it is not in the group render or video",
        ),
        (
            "tpu without wheel",
            "no GPU was found; the TPU was passed over: a TPU is there, but TensorFlow 2.21.0 is "
            "not tensorflow-tpu",
        ),
        (
            "tpu that fails",
            "no GPU was found; the TPU was passed over: a TPU in this computer; tensorflow-tpu "
            "2.20.0 could not be initialised: TPUs not found in the cluster",
        ),
    ],
)
def test_auto_says_what_it_passed_over(fake: Fake, computer: str, overlooked: str) -> None:
    found = pick("auto", fake(computer))
    assert found.device == "CPU"
    assert found.reason == f"{overlooked}; tfpipe devices has the repair"


@pytest.mark.parametrize(
    ("computer", "device", "said"),
    [
        ("laptop", "gpu", "no GPU was found. device=auto picks one that can be. Use a computer"),
        ("laptop", "gpu:1", "no GPU was found. device=auto picks one that can be. Use a computer"),
        ("laptop", "tpu", "no TPU was found. device=auto picks one that can be. Use a computer"),
        (
            "no libraries",
            "gpu",
            "NVIDIA's driver is loaded, but CUDA's libraries are not installed. device=auto picks "
            "one that can be. Install them with: pip install 'tfpipe[cuda]'",
        ),
        (
            "tpu wheel of another version",
            "tpu",
            "tensorflow-tpu 2.20.0 is installed, but the TensorFlow that is imported is 2.21.0. "
            "device=auto picks one that can be. Repair it with: pip install --force-reinstall "
            "'tensorflow-tpu==2.20.0'",
        ),
        (
            "tpu that fails",
            "tpu:far",
            "the TPU 'far' could not be initialised: TPUs not found in the cluster. device=auto "
            "picks one that can be. See that no other process uses the TPU, that its name is "
            "right, and that its runtime suits this TensorFlow.",
        ),
    ],
)
def test_what_was_asked_for_and_cannot_be_used(
    fake: Fake, computer: str, device: str, said: str
) -> None:
    with pytest.raises(DeviceError) as caught:
        pick(device, fake(computer))
    start = f"device={device!r} was asked for and cannot be used: {said}"
    assert str(caught.value).startswith(start)


def test_a_gpu_with_a_number_that_is_not_there(fake: Fake) -> None:
    with pytest.raises(DeviceError) as caught:
        pick("gpu:0,4", fake("four gpus"))
    assert str(caught.value) == (
        "device='gpu:0,4': there is no GPU 4. TensorFlow finds GPUs 0 to 3: 4 x NVIDIA A100."
    )
    with pytest.raises(DeviceError, match=r"there is no GPU 1\. TensorFlow finds only GPU 0: "):
        pick("gpu:1", fake("one gpu"))


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu"])
def test_two_tensorflows_are_refused(fake: Fake, device: str) -> None:
    with pytest.raises(DeviceError, match=r"^2 TensorFlow packages are installed over each other"):
        pick(device, fake("two tensorflows"))


# The step that is tried


def test_the_step_is_compiled_as_training_will_be(fake: Fake) -> None:
    for computer, steps in (
        ("laptop", ["step cpu x 1"]),
        ("one gpu", ["step xla gpu 0"]),
        ("four gpus", ["step gpu 0,1,2,3"]),
        ("tpu", ["tpu local", "step tpu local"]),
    ):
        machine = fake(computer)
        pick("auto", machine)
        assert machine.asked == steps


def test_xla_that_does_not_work_is_left_off_and_said(fake: Fake) -> None:
    machine = fake("one gpu", fails={"xla gpu 0": RuntimeError("libdevice not found")})
    found = pick("auto", machine)
    assert (found.device, found.jit_compile) == ("GPU", False)
    assert found.reason == (
        "one GPU was found; XLA is off, its test step failed: libdevice not found"
    )


def test_a_gpu_that_cannot_compute_is_passed_over(fake: Fake) -> None:
    found = pick("auto", fake("one gpu", fails={"xla gpu 0": FAILED, "gpu 0": FAILED}))
    assert found.device == "CPU"
    assert found.reason == (
        "the GPU was passed over: a test step failed on NVIDIA A100: No kernel image is "
        "available; tfpipe devices has the repair"
    )
    assert found.passed_over[1].repair == (
        "TensorFlow is built with CUDA 12.5.1, cuDNN 9: the driver must be at least as new "
        "(nvidia-smi shows what it is), and the libraries those of: pip install 'tfpipe[cuda]'"
    )


def test_an_amd_gpu_that_cannot_compute(fake: Fake) -> None:
    machine = fake("rocm", gfx=("gfx1031",), fails={"xla gpu 0": FAILED, "gpu 0": FAILED})
    with pytest.raises(DeviceError) as caught:
        pick("gpu", machine)
    assert str(caught.value) == (
        "device='gpu' was asked for and cannot be used: a test step failed on AMD Instinct MI250X: "
        "No kernel image is available. device=auto picks one that can be. See that ROCm supports "
        "the architecture (gfx1031); for a close relative of a supported one set "
        "HSA_OVERRIDE_GFX_VERSION, such as 10.3.0 for gfx1031."
    )


def test_gpus_that_work_alone_but_not_together(fake: Fake) -> None:
    machine = fake("four gpus", fails={"gpu 0,1,2,3": RuntimeError("NCCL: unhandled error")})
    found = pick("auto", machine)
    assert (found.device, found.jit_compile) == ("GPU", "auto")
    assert found.reason == (
        "4 GPUs were found; the GPU was passed over: a test step failed on 4 GPUs together: NCCL: "
        "unhandled error; tfpipe devices has the repair"
    )


def test_a_tpu_that_cannot_compute(fake: Fake) -> None:
    found = pick("auto", fake("tpu", fails={"tpu local": FAILED}))
    assert found.device == "CPU"
    assert found.passed_over[0].detail == (
        "a test step failed on a TPU in this computer; tensorflow-tpu 2.20.0: No kernel image is "
        "available"
    )


def test_a_tpu_is_tried_only_where_there_may_be_one(fake: Fake) -> None:
    for computer in ("laptop", "libtpu alone", "tpu without wheel"):
        machine = fake(computer)
        pick("auto", machine)
        assert not [asked for asked in machine.asked if asked.startswith("tpu")]
    machine = fake("laptop", environ={"TPU_NAME": "far"})
    assert pick("auto", machine).device == "TPU"
    assert machine.asked[0] == "tpu far"


def test_not_even_a_cpu(fake: Fake) -> None:
    machine = fake("laptop", fails={"cpu x 1": FAILED})
    with pytest.raises(DeviceError) as caught:
        pick("auto", machine)
    assert str(caught.value) == (
        "No device works: TPU: no TPU was found; GPU: no GPU was found; CPU: a test step failed on "
        "8 cores: No kernel image is available"
    )
    with pytest.raises(DeviceError, match=r"Install TensorFlow again with: pip install --force-re"):
        pick("cpu", machine)


# For real


def test_this_computer() -> None:
    found = pick("cpu")
    assert (found.device, found.replicas) == ("CPU", 1)


def test_logical_cpus(python: Callable[..., Any]) -> None:
    answer = python(  # one that sets TensorFlow up needs a process of its own
        "-c",
        "from tfpipe.devices import pick\n"
        "import tensorflow as tf\n"
        "two = pick('cpu:2')\n"
        "print(two.device, two.replicas, type(two.strategy).__name__, two.jit_compile)\n"
        "print(len(tf.config.list_logical_devices('CPU')))\n"
        "print(pick('cpu:2').replicas, pick('cpu').replicas)",
    ).end()
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines == ["2 logical CPUs 2 MirroredStrategy False", "2", "2 1"]


def test_logical_cpus_that_are_asked_for_too_late() -> None:
    tf.zeros(3)
    with pytest.raises(DeviceError) as caught:
        pick("cpu:2")
    assert str(caught.value) == (
        "device='cpu:2' must be picked before TensorFlow starts to compute, and in this process it "
        "has started with 1. Start a new process, and pick the device first."
    )


def test_the_cpu_strategy_trains() -> None:
    import keras
    import numpy as np

    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensor_slices((np.ones((8, 2)), np.ones((8, 1)))).batch(4)
    assert len(model.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]) == 2
