"""Is there a GPU that TensorFlow can use, and if not, what is missing?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tfpipe.devices.candidate import Candidate
from tfpipe.devices.machine import Gpu, Machine
from tfpipe.text import either

NONE_FOUND = "no GPU was found"
INSTALL_CUDA = "pip install 'tfpipe[cuda]'"
INSTALL_ROCM = (
    "Replace TensorFlow by AMD's tensorflow-rocm wheel for the installed ROCm release "
    "(tfpipe devices shows the commands)."
)
ROCM_FLAGS = (
    "--device=/dev/kfd --device=/dev/dri --group-add video --ipc=host --shm-size 16G "
    "--cap-add=SYS_PTRACE --security-opt seccomp=unconfined --network=host"
)


def probe(machine: Machine) -> Candidate:
    """The GPUs that TensorFlow finds, or why it finds none."""
    gpus, build = machine.gpus(), machine.build()
    if gpus:
        return Candidate("gpu", True, f"{names(gpus)}; {build_name(build)}")
    if build.get("is_rocm_build"):
        return _rocm(machine)
    if build.get("is_cuda_build"):
        return _cuda(machine)
    return _built_without(machine)


def names(gpus: Sequence[Gpu]) -> str:
    """What the GPUs are called: `2 x NVIDIA A100`."""
    counted = Counter(gpu.name for gpu in gpus)
    return ", ".join(f"{n} x {name}" if n > 1 else name for name, n in counted.items())


def build_name(build: Mapping[str, Any]) -> str:
    """What TensorFlow was built for, with the versions it says: `CUDA 12.5.1, cuDNN 9`."""
    if build.get("is_rocm_build"):
        version = build.get("rocm_version") or build.get("rocm_version_number")
        return f"ROCm {version}" if version else "ROCm"
    if build.get("is_cuda_build"):
        parts = {"CUDA": build.get("cuda_version"), "cuDNN": build.get("cudnn_version")}
        return ", ".join(f"{name} {version}" for name, version in parts.items() if version)
    return "CPU only"


def maker(machine: Machine) -> str | None:
    """Whose GPU the computer has, as far as can be seen without TensorFlow: NVIDIA, AMD."""
    cards = machine.cards()
    if "NVIDIA" in cards or _nvidia_driver(machine) or machine.which("nvidia-smi"):
        return "NVIDIA"
    return "AMD" if "AMD" in cards or machine.exists("/dev/kfd") else None


def _nvidia_driver(machine: Machine) -> bool:
    # /dev/dxg is Windows's driver, as its Linux subsystem sees it.
    return machine.exists("/proc/driver/nvidia/version") or machine.exists("/dev/dxg")


def _no(detail: str, repair: str = "") -> Candidate:
    return Candidate("gpu", False, detail, repair)


def _hidden(machine: Machine, *variables: str) -> Candidate | None:
    for name in variables:
        value = machine.environ.get(name)
        if value is not None and value.strip() in ("", "-1"):
            return _no(f"{name}={value!r} hides the GPUs", f"Unset it: unset {name}")
    return None


def _cuda(machine: Machine) -> Candidate:
    """Why a TensorFlow that was built for CUDA finds no GPU."""
    cards = maker(machine)
    if cards is None:
        return _no(NONE_FOUND)
    if cards == "AMD":
        return _no("an AMD GPU is there, but TensorFlow is built for CUDA", INSTALL_ROCM)
    if hidden := _hidden(machine, "CUDA_VISIBLE_DEVICES"):
        return hidden
    if not _nvidia_driver(machine):
        if machine.which("nvidia-smi"):
            return _no(
                "NVIDIA's driver is installed, but not loaded",
                "Load it with: sudo modprobe nvidia; after an update, restart the computer.",
            )
        return _no(
            "an NVIDIA GPU is there, but it has no driver",
            "Install NVIDIA's driver and restart the computer; nvidia-smi then lists the GPU.",
        )
    if not machine.exists("/dev/nvidiactl") and not machine.exists("/dev/dxg"):
        return _no(
            "NVIDIA's driver is loaded, but there is no /dev/nvidiactl",
            "In a container, start it with: docker run --gpus all",
        )
    if machine.version("nvidia-cudnn-cu12") is None:
        return _no(
            "NVIDIA's driver is loaded, but CUDA's libraries are not installed",
            f"Install them with: {INSTALL_CUDA}",
        )
    needed = build_name(machine.build())
    return _no(
        "NVIDIA's driver and CUDA's libraries are there, but TensorFlow finds no GPU",
        f"TensorFlow is built with {needed}, which needs a driver at least as new: update it "
        "(nvidia-smi shows what it is). What TensorFlow says: tfpipe devices --debug",
    )


def _rocm(machine: Machine) -> Candidate:
    """Why a TensorFlow that was built for ROCm finds no GPU."""
    cards = maker(machine)
    if cards is None:
        return _no(NONE_FOUND)
    if cards == "NVIDIA":
        return _no(
            "an NVIDIA GPU is there, but TensorFlow is built for ROCm",
            f"Replace it with: pip uninstall -y tensorflow-rocm && {INSTALL_CUDA}",
        )
    if not machine.exists("/dev/kfd"):
        return _no(
            "an AMD GPU is there, but there is no /dev/kfd",
            "Load the driver with: sudo modprobe amdgpu; start a container with: docker run "
            f"{ROCM_FLAGS}",
        )
    if not machine.exists("/dev/dri"):
        return _no("there is no /dev/dri", f"Start the container with: docker run {ROCM_FLAGS}")
    if forbidden := _forbidden(machine):
        return forbidden
    if hidden := _hidden(machine, "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        return hidden
    if not machine.which("rocminfo") and not machine.exists("/opt/rocm/bin/rocminfo"):
        return _no(
            "rocminfo is not there: ROCm is not installed",
            "Install ROCm from AMD's repository, in the release that the TensorFlow wheel names.",
        )
    return _no(
        "ROCm is installed, but TensorFlow finds no GPU",
        "Compare the release in /opt/rocm/.info/version with the one that the TensorFlow wheel "
        "names, and see that rocminfo lists the GPU. What TensorFlow says: tfpipe devices --debug",
    )


def _forbidden(machine: Machine) -> Candidate | None:
    """Missing rights on the devices that ROCm opens."""
    paths = ["/dev/kfd", *machine.glob("/dev/dri/renderD*")]
    closed = [path for path in paths if not machine.accessible(path)]
    if not closed:
        return None
    missing = sorted({machine.group(path) for path in closed} - machine.groups())
    what = f"this user may not read and write {' and '.join(closed)}"
    if not missing:
        return _no(what, f"Allow it, in a container with: docker run {ROCM_FLAGS}")
    added = " ".join(f"--group-add {group}" for group in missing)
    return _no(
        f"{what}: it is not in the group {either(missing)}",
        f"Add it with: sudo usermod -aG {','.join(missing)} $USER, and log in again; start a "
        f"container with: docker run {added}",
    )


def _built_without(machine: Machine) -> Candidate:
    """Why a TensorFlow for CPUs finds no GPU."""
    cards = maker(machine)
    installed = " ".join(machine.distributions()) or "this one"
    if cards == "NVIDIA":
        return _no(
            f"an NVIDIA GPU is there, but TensorFlow ({installed}) is built without GPU support",
            f"Replace it with: pip uninstall -y {installed} && {INSTALL_CUDA}",
        )
    if cards == "AMD":
        return _no(
            f"an AMD GPU is there, but TensorFlow ({installed}) is built without GPU support",
            INSTALL_ROCM,
        )
    return _no(NONE_FOUND)


def repair_step(machine: Machine) -> str:
    """What to do when GPUs are found, and fail to compute."""
    build = machine.build()
    if build.get("is_rocm_build"):
        targets = either(sorted(set(machine.gfx()))) if machine.gfx() else "what rocminfo shows"
        return (
            f"See that ROCm supports the architecture ({targets}); for a close relative of a "
            "supported one set HSA_OVERRIDE_GFX_VERSION, such as 10.3.0 for gfx1031."
        )
    return (
        f"TensorFlow is built with {build_name(build)}: the driver must be at least as new "
        f"(nvidia-smi shows what it is), and the libraries those of: {INSTALL_CUDA}"
    )
