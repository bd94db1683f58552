"""The edge: everything that picking a device asks of the computer and of TensorFlow.

What is decided from the answers is elsewhere, so that a test which fakes a `Machine` fakes exactly
this file.
"""

import contextlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tfpipe.devices.selftest import run_step
from tfpipe.devices.startup import installed, start_tensorflow
from tfpipe.errors import DeviceError

# PCI's numbers for vendors, and for the classes of display controllers and accelerators.
VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
GRAPHICS = ("0x03", "0x12")


@dataclass(frozen=True)
class Gpu:
    """A GPU that TensorFlow can use.

    Args:
        index: its number, as in `gpu:0`.
        name: what its maker calls it.
        compute_capability: CUDA's number for what it can do, such as (8, 0); None under ROCm.
    """

    index: int
    name: str
    compute_capability: tuple[int, int] | None = None


class Machine:
    """The computer that this process runs on, and its TensorFlow."""

    # The computer

    environ: Mapping[str, str] = os.environ

    def exists(self, path: str) -> bool:
        """Whether there is such a file, device or folder."""
        return os.path.exists(path)

    def glob(self, pattern: str) -> list[str]:
        """The paths that match an absolute pattern, in order."""
        return sorted(map(str, Path("/").glob(pattern.removeprefix("/"))))

    def accessible(self, path: str) -> bool:
        """Whether this user may read and write it."""
        return os.access(path, os.R_OK | os.W_OK)

    def group(self, path: str) -> str:
        """The group that a path belongs to: its name, or its number where it has none."""
        return _group_name(os.stat(path).st_gid)

    def groups(self) -> set[str]:
        """The groups that this user is in."""
        return {_group_name(number) for number in {os.getegid(), *os.getgroups()}}

    def which(self, program: str) -> str | None:
        """Where a program is."""
        return shutil.which(program)

    def cards(self) -> set[str]:
        """The makers of the graphics cards and accelerators on the PCI bus: NVIDIA, AMD."""
        vendors = set()
        for device in self.glob("/sys/bus/pci/devices/*"):
            if _text(f"{device}/class").startswith(GRAPHICS):
                vendors.add(VENDORS.get(_text(f"{device}/vendor"), ""))
        return vendors - {""}

    def gfx(self) -> tuple[str, ...]:
        """The architectures of the AMD GPUs that the kernel's driver knows, such as gfx90a."""
        targets = []
        for node in self.glob("/sys/class/kfd/kfd/topology/nodes/*/properties"):
            for line in _text(node).splitlines():
                name, _, value = line.partition(" ")
                if name == "gfx_target_version" and value.strip() not in ("", "0"):
                    targets.append(_gfx(int(value)))
        return tuple(targets)

    def cpu_flags(self) -> frozenset[str]:
        """The instruction sets of the processor, as Linux names them; empty elsewhere."""
        for line in _text("/proc/cpuinfo").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "flags":
                return frozenset(value.split())
        return frozenset()

    def cores(self) -> int:
        """How many processors the computer has."""
        return os.cpu_count() or 1

    def usable_cores(self) -> tuple[int, ...]:
        """The numbers of the processors that this process may use.

        Those that share a core, and then those that share a chip, are neighbours.
        """
        if not hasattr(os, "sched_getaffinity"):
            return tuple(range(self.cores()))
        return tuple(sorted(os.sched_getaffinity(0), key=_place))

    def distributions(self) -> dict[str, str]:
        """The installed TensorFlow distributions and their versions."""
        return installed()

    def version(self, package: str) -> str | None:
        """The version of an installed package."""
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    # TensorFlow

    def start(self) -> None:
        """Import TensorFlow; raises DeviceError or MissingDependency where that cannot be done."""
        start_tensorflow()

    def tensorflow_version(self) -> str:
        """The version of the TensorFlow that is imported."""
        return str(start_tensorflow().__version__)

    def build(self) -> Mapping[str, Any]:
        """What TensorFlow was built with: is_cuda_build, cuda_version and so on."""
        return dict(start_tensorflow().sysconfig.get_build_info())

    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that TensorFlow can use."""
        tf = start_tensorflow()
        gpus = []
        for index, device in enumerate(tf.config.list_physical_devices("GPU")):
            details: Mapping[str, Any] = {}
            with contextlib.suppress(tf.errors.OpError, ValueError):
                details = tf.config.experimental.get_device_details(device)
            name = str(details.get("device_name", f"GPU {index}"))
            gpus.append(Gpu(index, name, details.get("compute_capability")))
        return tuple(gpus)

    def count_gpus(self) -> int:
        """How many GPUs TensorFlow can use, as another process finds: this one asks no driver.

        Raises:
            DeviceError: when TensorFlow does not start there.
        """
        text = "from tfpipe.devices import Machine; print(len(Machine().gpus()))"
        process = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        if process.returncode:
            last = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
            raise DeviceError(f"The GPUs of this computer cannot be counted: {last}")
        return int(process.stdout.split()[-1])

    def cpu_strategy(self, count: int) -> Any:
        """The strategy for one CPU, or for several logical ones.

        Raises:
            DeviceError: when TensorFlow has started computing with fewer logical CPUs.
        """
        tf = start_tensorflow()
        if count == 1:
            # The default strategy puts work on a GPU where there is one.
            gpus = tf.config.list_physical_devices("GPU")
            return (
                tf.distribute.OneDeviceStrategy("/cpu:0") if gpus else tf.distribute.get_strategy()
            )
        cpu = tf.config.list_physical_devices("CPU")[0]
        now = tf.config.get_logical_device_configuration(cpu) or ()
        if len(now) < count:
            parts = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
            try:
                tf.config.set_logical_device_configuration(cpu, parts)
            except RuntimeError:
                raise DeviceError(
                    f"device='cpu:{count}' must be picked before TensorFlow starts to compute, and "
                    f"in this process it has started with {len(now) or 1}. Start a new process, "
                    "and pick the device first."
                ) from None
        return _mirrored(
            tf.distribute.MirroredStrategy, *(f"/cpu:{index}" for index in range(count))
        )

    def gpu_strategy(self, chosen: Sequence[Gpu]) -> Any:
        """The strategy for some of the GPUs; they take memory as they need it.

        The others are hidden, or TensorFlow would take memory on them too.

        Raises:
            DeviceError: when TensorFlow has started computing with other GPUs.
        """
        tf = start_tensorflow()
        present = tf.config.list_physical_devices("GPU")
        devices = [present[gpu.index] for gpu in chosen]
        with contextlib.suppress(RuntimeError):  # already started: they are as they are
            if devices != tf.config.get_visible_devices("GPU"):
                tf.config.set_visible_devices(devices, "GPU")
            for device in devices:
                tf.config.experimental.set_memory_growth(device, True)
        visible = tf.config.get_visible_devices("GPU")
        if missing := [gpu.index for gpu in chosen if present[gpu.index] not in visible]:
            raise DeviceError(
                f"GPU {missing[0]} was hidden when TensorFlow started to compute in this process. "
                "Start a new process, and pick the device first."
            )
        names = [f"/gpu:{visible.index(device)}" for device in devices]
        if len(names) == 1:
            return tf.distribute.OneDeviceStrategy(names[0])
        return _mirrored(tf.distribute.MirroredStrategy, *names)

    def use_gpus(self, used: bool) -> None:
        """Let this process use all of its GPUs, with memory as they need it, or none of them."""
        tf = start_tensorflow()
        for device in tf.config.list_physical_devices("GPU") if used else ():
            tf.config.experimental.set_memory_growth(device, True)
        if not used:
            tf.config.set_visible_devices([], "GPU")

    def tpu_strategy(self, name: str) -> Any:
        """Find a TPU, connect to it and initialise it: only the last tells whether there is one.

        Args:
            name: the TPU's name or address, or "local".
        """
        tf = start_tensorflow()
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)

    def step(self, strategy: Any, xla: bool) -> None:
        """Run a small compiled step under a strategy; raises whatever TensorFlow does."""
        run_step(strategy, xla)


@cache
def _mirrored(strategy: Any, *devices: str) -> Any:
    """The one strategy of a process for some devices.

    A second would number its collective operations from the start again, and TensorFlow takes those
    for the ones that it has seen: "Shape mismatch in the collective instance".
    """
    return strategy(list(devices))


def _place(number: int) -> tuple[int, int, int]:
    """Where a processor is: its chip, its core, and its number."""
    there = f"/sys/devices/system/cpu/cpu{number}/topology"
    chip, core = _text(f"{there}/physical_package_id"), _text(f"{there}/core_id")
    return int(chip or 0), int(core or number), number


def _group_name(number: int) -> str:
    import grp  # which Windows does not have

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:  # a container that shares devices but not /etc/group
        return str(number)


def _gfx(version: int) -> str:
    """90010 is gfx90a: two digits each for minor and stepping, which the name has in hex."""
    major, rest = divmod(version, 10_000)
    minor, stepping = divmod(rest, 100)
    return f"gfx{major}{minor:x}{stepping:x}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
