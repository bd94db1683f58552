"""Picking a device: what is found is faked where TensorFlow is asked."""

from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from tfpipe.devices import pick
from tfpipe.errors import DeviceError


class Hardware:
    """What TensorFlow finds, and what it was told to do."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.gpus: list[Any] = []
        self.growing: list[str] = []
        self.in_use = False
        patch.setattr(tf.config, "list_physical_devices", lambda kind=None: list(self.gpus))
        patch.setattr(tf.config.experimental, "set_memory_growth", self._grow)
        patch.setattr(tf.distribute, "OneDeviceStrategy", lambda device: f"one: {device}")
        patch.setattr(tf.distribute, "MirroredStrategy", lambda: "mirrored")

    def has_gpus(self, count: int) -> None:
        self.gpus = [SimpleNamespace(name=f"GPU:{i}") for i in range(count)]

    def _grow(self, gpu: Any, on: bool) -> None:
        if self.in_use:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        self.growing.append(gpu.name)


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch) -> Hardware:
    return Hardware(monkeypatch)


@pytest.mark.parametrize(
    ("gpus", "device", "picked", "reason"),
    [
        (0, "auto", "CPU", "no GPU was found"),
        (0, "cpu", "CPU", "asked for"),
        (1, "auto", "GPU", "one GPU was found"),
        (1, "gpu", "GPU", "asked for"),
        (1, "cpu", "CPU", "asked for"),
        (4, "auto", "4 GPUs", "4 GPUs were found"),
        (4, "gpu", "4 GPUs", "asked for"),
    ],
)
def test_what_is_picked_and_why(
    hardware: Hardware, gpus: int, device: str, picked: str, reason: str
) -> None:
    hardware.has_gpus(gpus)
    found = pick(device)
    assert (found.device, found.reason) == (picked, reason)


def test_a_cpu_alone_needs_no_strategy(hardware: Hardware) -> None:
    assert pick("auto").strategy is tf.distribute.get_strategy()


def test_the_cpu_is_used_although_there_is_a_gpu(hardware: Hardware) -> None:
    hardware.has_gpus(1)
    assert pick("cpu").strategy == "one: /cpu:0"
    assert hardware.growing == []


def test_one_gpu_and_several(hardware: Hardware) -> None:
    hardware.has_gpus(1)
    assert pick("auto").strategy == "one: /gpu:0"
    hardware.has_gpus(2)
    assert pick("auto").strategy == "mirrored"


def test_gpus_take_memory_as_they_need_it(hardware: Hardware) -> None:
    hardware.has_gpus(2)
    pick("gpu")
    assert hardware.growing == ["GPU:0", "GPU:1"]


def test_a_gpu_that_is_already_in_use_is_picked_all_the_same(hardware: Hardware) -> None:
    hardware.has_gpus(1)
    hardware.in_use = True
    assert pick("auto").device == "GPU"


@pytest.mark.parametrize("built", [True, False])
def test_a_gpu_that_is_not_there(
    hardware: Hardware, monkeypatch: pytest.MonkeyPatch, built: bool
) -> None:
    monkeypatch.setattr(tf.test, "is_built_with_gpu_support", lambda: built)
    with pytest.raises(DeviceError) as caught:
        pick("gpu")
    assert str(caught.value) == (
        f"device='gpu' was asked for, and TensorFlow (built {'with' if built else 'without'} GPU "
        "support) finds none. Check the driver, install 'tfpipe[cuda]', or use device=auto."
    )


def test_an_unknown_device() -> None:
    with pytest.raises(DeviceError, match=r"^There is no device 'gpus'\. Did you mean 'gpu'"):
        pick("gpus")
    with pytest.raises(DeviceError) as caught:
        pick("quantum")
    assert str(caught.value) == "There is no device 'quantum'. There is: auto, cpu, gpu."


def test_the_cpu_strategy_trains() -> None:
    import keras
    import numpy as np

    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensor_slices((np.ones((8, 2)), np.ones((8, 1)))).batch(4)
    assert len(model.fit(data, epochs=2, shuffle=False, verbose=0).history["loss"]) == 2
