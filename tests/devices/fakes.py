"""A computer with any hardware: what is faked is `tfpipe.devices.machine`, and nothing else."""

import fnmatch
from types import SimpleNamespace
from typing import Any

from tfpipe.devices import Gpu, Machine
from tfpipe.devices.startup import check_installed
from tfpipe.errors import DeviceError

CUDA = {
    "is_cuda_build": True,
    "is_rocm_build": False,
    "cuda_version": "12.5.1",
    "cudnn_version": "9",
}
ROCM = {"is_cuda_build": False, "is_rocm_build": True}
PLAIN = {"is_cuda_build": False, "is_rocm_build": False}
A100 = ("NVIDIA A100", (8, 0))


class FakeMachine(Machine):
    """A laptop with nothing but a CPU, unless told otherwise; remembers what was asked of it.

    Args:
        gpus: name and compute capability of each GPU that TensorFlow finds.
        build: what TensorFlow was built with.
        installed: the TensorFlow distributions.
        packages: other installed packages.
        running: the version that is imported; that of the first distribution when None.
        files: what exists; those in `closed`, with their group, may not be opened.
        fails: strategies under which the step fails, by how they print, and the error. `xla `
            before the name is the step compiled with XLA.
    """

    def __init__(
        self,
        *,
        gpus: tuple[tuple[str, Any], ...] = (),
        build: dict[str, Any] = CUDA,
        installed: dict[str, str] | None = None,
        packages: dict[str, str] | None = None,
        cards: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        closed: dict[str, str] | None = None,
        groups: tuple[str, ...] = ("users",),
        programs: tuple[str, ...] = (),
        gfx: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
        environ: dict[str, str] | None = None,
        fails: dict[str, Exception] | None = None,
        running: str | None = None,
        tpu: Any = None,
    ) -> None:
        self._gpus = tuple(Gpu(i, *found) for i, found in enumerate(gpus))
        self._build = build
        self._installed = {"tensorflow": "2.21.0"} if installed is None else installed
        self._running = running or next(iter(self._installed.values()), "")
        self._packages = packages or {}
        self._cards, self._files, self._closed = set(cards), files, closed or {}
        self._groups, self._programs = set(groups), programs
        self._gfx, self._flags = gfx, frozenset(flags)
        self.environ = environ or {}
        self._fails, self._tpu = fails or {}, tpu
        self.asked: list[str] = []

    def start(self) -> None:
        if wrong := check_installed(self._installed):
            raise DeviceError(". ".join(wrong))

    def exists(self, path: str) -> bool:
        return path in (*self._files, *self._closed) or any(
            name.startswith(f"{path}/") for name in (*self._files, *self._closed)
        )

    def glob(self, pattern: str) -> list[str]:
        return fnmatch.filter(sorted((*self._files, *self._closed)), pattern)

    def accessible(self, path: str) -> bool:
        return path not in self._closed

    def group(self, path: str) -> str:
        return self._closed[path]

    def groups(self) -> set[str]:
        return self._groups

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self._programs else None

    def cards(self) -> set[str]:
        return self._cards

    def gfx(self) -> tuple[str, ...]:
        return self._gfx

    def cpu_flags(self) -> frozenset[str]:
        return self._flags

    def cores(self) -> int:
        return 8

    def usable_cores(self) -> tuple[int, ...]:
        return tuple(range(8))

    def distributions(self) -> dict[str, str]:
        return self._installed

    def version(self, package: str) -> str | None:
        return {**self._installed, **self._packages}.get(package)

    def tensorflow_version(self) -> str:
        return self._running

    def build(self) -> dict[str, Any]:
        return self._build

    def gpus(self) -> tuple[Gpu, ...]:
        return self._gpus

    def count_gpus(self) -> int:
        return len(self._gpus)

    def cpu_strategy(self, count: int) -> Any:
        return strategy(f"cpu x {count}", count)

    def gpu_strategy(self, chosen: Any) -> Any:
        return strategy(f"gpu {','.join(str(g.index) for g in chosen)}", len(chosen))

    def tpu_strategy(self, name: str) -> Any:
        self.asked.append(f"tpu {name}")
        if isinstance(self._tpu, Exception):
            raise self._tpu
        return strategy(f"tpu {name}", self._tpu or 1)

    def step(self, strategy: Any, xla: bool) -> None:
        name = f"xla {strategy.name}" if xla else strategy.name
        self.asked.append(f"step {name}")
        if name in self._fails:
            raise self._fails[name]


def strategy(name: str, replicas: int) -> Any:
    """What stands for a tf.distribute strategy."""
    return SimpleNamespace(name=name, num_replicas_in_sync=replicas)


NVIDIA_DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl")
AMD_DEVICES = ("/dev/kfd", "/dev/dri/renderD128")
ROCM_WHEEL = {"tensorflow-rocm": "2.19.0"}
TPU_WHEEL = {"tensorflow-tpu": "2.20.0"}

# Every kind of computer that a test or a reader may want to see.
MACHINES: dict[str, dict[str, Any]] = {
    "laptop": {},
    "one gpu": {"gpus": (A100,), "cards": ("NVIDIA",), "files": NVIDIA_DRIVER},
    "four gpus": {"gpus": (A100,) * 4, "cards": ("NVIDIA",), "files": NVIDIA_DRIVER},
    "no driver": {"cards": ("NVIDIA",)},
    "driver not loaded": {"cards": ("NVIDIA",), "programs": ("nvidia-smi",)},
    "no device file": {"cards": ("NVIDIA",), "files": NVIDIA_DRIVER[:1]},
    "no libraries": {"cards": ("NVIDIA",), "files": NVIDIA_DRIVER},
    "old driver": {
        "cards": ("NVIDIA",),
        "files": NVIDIA_DRIVER,
        "packages": {"nvidia-cudnn-cu12": "9.3.0"},
    },
    "hidden": {
        "cards": ("NVIDIA",),
        "files": NVIDIA_DRIVER,
        "environ": {"CUDA_VISIBLE_DEVICES": "-1"},
    },
    "built without": {
        "cards": ("NVIDIA",),
        "files": NVIDIA_DRIVER,
        "build": PLAIN,
        "installed": {"tensorflow-cpu": "2.21.0"},
    },
    "amd with cuda build": {"cards": ("AMD",)},
    "amd built without": {
        "cards": ("AMD",),
        "build": PLAIN,
        "installed": {"tensorflow-cpu": "2.21.0"},
    },
    "rocm": {
        "gpus": (("AMD Instinct MI250X", None),),
        "build": ROCM,
        "installed": ROCM_WHEEL,
        "cards": ("AMD",),
        "files": AMD_DEVICES,
        "gfx": ("gfx90a",),
        "programs": ("rocminfo",),
    },
    "rocm no kfd": {"build": ROCM, "installed": ROCM_WHEEL, "cards": ("AMD",)},
    "rocm no dri": {"build": ROCM, "installed": ROCM_WHEEL, "files": ("/dev/kfd",)},
    "rocm group": {
        "build": ROCM,
        "installed": ROCM_WHEEL,
        "cards": ("AMD",),
        "closed": {"/dev/kfd": "render", "/dev/dri/renderD128": "video"},
    },
    "rocm rights": {
        "build": ROCM,
        "installed": ROCM_WHEEL,
        "files": ("/dev/dri/renderD128",),
        "closed": {"/dev/kfd": "render"},
        "groups": ("users", "render"),
    },
    "rocm hidden": {
        "build": ROCM,
        "installed": ROCM_WHEEL,
        "files": AMD_DEVICES,
        "environ": {"HIP_VISIBLE_DEVICES": ""},
    },
    "rocm no rocminfo": {"build": ROCM, "installed": ROCM_WHEEL, "files": AMD_DEVICES},
    "rocm finds none": {
        "build": ROCM,
        "installed": ROCM_WHEEL,
        "files": AMD_DEVICES,
        "programs": ("rocminfo",),
    },
    "rocm with nvidia": {"build": ROCM, "installed": ROCM_WHEEL, "cards": ("NVIDIA",)},
    "rocm without a gpu": {"build": ROCM, "installed": ROCM_WHEEL},
    "tpu": {
        "build": PLAIN,
        "installed": TPU_WHEEL,
        "files": ("/dev/accel0", "/dev/accel1"),
        "tpu": 8,
    },
    "tpu over vfio": {
        "build": PLAIN,
        "installed": TPU_WHEEL,
        "files": ("/dev/vfio/0", "/dev/vfio/vfio"),
    },
    "tpu without wheel": {"files": ("/dev/accel0",)},
    "tpu wheel of another version": {
        "files": ("/dev/accel0",),
        "installed": TPU_WHEEL,
        "running": "2.21.0",
    },
    "tpu that fails": {
        "build": PLAIN,
        "installed": TPU_WHEEL,
        "files": ("/dev/accel0",),
        "tpu": RuntimeError("TPUs not found in the cluster.\nmore"),
    },
    "libtpu alone": {"packages": {"libtpu": "0.0.7"}},
    "two tensorflows": {
        "installed": {"tensorflow": "2.21.0", "tensorflow-cpu": "2.21.0"},
        "cards": ("NVIDIA",),
    },
    "no tensorflow": {"installed": {}},
    "no tensorflow, all hardware": {
        "installed": {},
        "cards": ("NVIDIA",),
        "files": ("/dev/accel0",),
    },
    "no tensorflow, amd": {"installed": {}, "cards": ("AMD",)},
}


def fake(name: str, **changes: Any) -> FakeMachine:
    """One of the machines, by name, with changes."""
    return FakeMachine(**{**MACHINES[name], **changes})
