"""Picking a device and a strategy, and saying why."""

import contextlib
from dataclasses import dataclass
from typing import Any

from tfpipe.errors import DeviceError, suggest

KNOWN = ("auto", "cpu", "gpu")


@dataclass(frozen=True)
class Picked:
    """What training runs on.

    Args:
        strategy: the tf.distribute strategy; models are built inside its scope.
        device: what it is, for people: "CPU", "GPU".
        reason: why it was picked.
    """

    strategy: Any
    device: str
    reason: str


def pick(device: str = "auto") -> Picked:
    """The strategy for a declared device.

    Args:
        device: "cpu", "gpu", or "auto" for a GPU where there is one and the CPU otherwise.

    Raises:
        DeviceError: for an unknown device, or one that was asked for and cannot be used.
    """
    import tensorflow as tf

    if device not in KNOWN:
        raise DeviceError(f"There is no device {device!r}. {suggest(device, KNOWN)}")
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        built = "with" if tf.test.is_built_with_gpu_support() else "without"
        raise DeviceError(
            f"device='gpu' was asked for, and TensorFlow (built {built} GPU support) finds none. "
            "Check the driver, install 'tfpipe[cuda]', or use device=auto."
        )
    if gpus and device != "cpu":
        for gpu in gpus:
            with contextlib.suppress(RuntimeError):  # already in use: its memory is as it is
                tf.config.experimental.set_memory_growth(gpu, True)
        if len(gpus) == 1:
            strategy = tf.distribute.OneDeviceStrategy("/gpu:0")
            return Picked(strategy, "GPU", _because(device, "one GPU was found"))
        reason = _because(device, f"{len(gpus)} GPUs were found")
        return Picked(tf.distribute.MirroredStrategy(), f"{len(gpus)} GPUs", reason)
    # The default strategy puts work on a GPU where there is one.
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0") if gpus else tf.distribute.get_strategy()
    return Picked(strategy, "CPU", _because(device, "no GPU was found"))


def _because(device: str, finding: str) -> str:
    return finding if device == "auto" else "asked for"
