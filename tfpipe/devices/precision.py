"""Choosing the type of the arithmetic, by what the hardware does natively.

Variables, and the last layer, stay in float32 whatever is chosen. float16 has a narrow range, so
its gradients are scaled: Keras's policy `mixed_float16` does that itself, when the model is
compiled.
"""

from dataclasses import dataclass

from tfpipe.devices import gpu
from tfpipe.devices.machine import Gpu, Machine
from tfpipe.devices.pick import Picked
from tfpipe.errors import ConfigError, DeviceError, suggest

PRECISIONS = ("auto", "float32", "bfloat16", "float16")

# Ampere: the first whose Tensor Cores multiply bfloat16.
CUDA_BFLOAT16 = (8, 0)
# Volta: the first with Tensor Cores, which multiply float16.
CUDA_FLOAT16 = (7, 0)
# AMD Instinct MI200, MI300 and MI350.
ROCM_BFLOAT16 = ("gfx90a", "gfx94", "gfx95")
CPU_BFLOAT16 = {"avx512_bf16": "AVX512_BF16", "amx_bf16": "AMX"}


@dataclass(frozen=True)
class ChosenPrecision:
    """The type of the arithmetic.

    Args:
        name: "float32", "bfloat16" or "float16".
        reason: why, and what to expect of it.
    """

    name: str
    reason: str


def choose_precision(
    requested: str, picked: Picked, machine: Machine | None = None
) -> ChosenPrecision:
    """The precision to train in on a picked device.

    Args:
        requested: "float32", "bfloat16", "float16", or "auto": bfloat16 where the hardware computes
            in it natively, float32 elsewhere.
        picked: the device.
        machine: the computer; this one when None.

    Raises:
        ConfigError: for an unknown precision.
        DeviceError: for bfloat16 on a CPU without oneDNN, and float16 on a TPU: neither can train.
    """
    if requested not in PRECISIONS:
        raise ConfigError(f"There is no precision {requested!r}. {suggest(requested, PRECISIONS)}")
    machine = machine or Machine()
    if requested == "float32":
        return ChosenPrecision(requested, "asked for")
    if requested == "float16":
        return ChosenPrecision(requested, _float16(picked))
    native, why = _native(picked, machine)
    if requested == "auto":
        return ChosenPrecision("bfloat16" if native else "float32", why)
    if picked.kind == "cpu" and not _onednn(machine):
        raise DeviceError(
            "precision='bfloat16' needs oneDNN on a CPU, and TF_ENABLE_ONEDNN_OPTS="
            f"{machine.environ['TF_ENABLE_ONEDNN_OPTS']} switches it off. Unset that variable, or "
            "use precision=float32."
        )
    return ChosenPrecision(requested, "asked for" if native else f"asked for; emulated: {why}")


def _native(picked: Picked, machine: Machine) -> tuple[bool, str]:
    """Whether the device computes in bfloat16, and how that is known."""
    if picked.kind == "tpu":
        return True, "a TPU computes in bfloat16"
    if picked.kind == "gpu":
        gpus = picked.gpus or machine.gpus()
        if machine.build().get("is_rocm_build"):
            return _native_rocm(machine.gfx())
        return _native_cuda(gpus)
    return _native_cpu(machine)


def _native_cuda(gpus: tuple[Gpu, ...]) -> tuple[bool, str]:
    for card in gpus:
        can = card.compute_capability
        if can is None:
            return False, f"the compute capability of {card.name} is not known"
        if can < CUDA_BFLOAT16:
            return False, f"{_capable(card)} has no bfloat16, which begins with 8.0"
    verb = "compute" if len(gpus) > 1 else "computes"
    first = f"{gpu.names(gpus)} {verb}" if len(gpus) > 1 else f"{_capable(gpus[0])} {verb}"
    return True, f"{first} in bfloat16"


def _native_rocm(architectures: tuple[str, ...]) -> tuple[bool, str]:
    if not architectures:
        return False, "the architecture of the AMD GPU is not known"
    for name in architectures:
        if not name.startswith(ROCM_BFLOAT16):
            return False, f"{name} is not one of AMD's MI200 and later, which compute in bfloat16"
    return True, f"{architectures[0]} computes in bfloat16"


def _native_cpu(machine: Machine) -> tuple[bool, str]:
    flags = machine.cpu_flags()
    names = [name for flag, name in CPU_BFLOAT16.items() if flag in flags]
    if not names:
        return False, "the CPU has neither AVX512_BF16 nor AMX"
    if not _onednn(machine):
        return False, f"the CPU has {names[0]}, but oneDNN is off (TF_ENABLE_ONEDNN_OPTS)"
    return True, f"the CPU has {' and '.join(names)}"


def _onednn(machine: Machine) -> bool:
    return machine.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").strip().lower() not in ("0", "false")


def _float16(picked: Picked) -> str:
    """What to expect of float16; raises DeviceError where it cannot train."""
    if picked.kind == "tpu":
        raise DeviceError(
            "precision='float16' cannot be used on a TPU, which computes in bfloat16. Use "
            "precision=bfloat16, which needs no loss scaling either."
        )
    if picked.kind == "cpu":
        return "asked for; a CPU is slow in float16, bfloat16 or float32 are faster"
    for card in picked.gpus:
        can = card.compute_capability
        if can is not None and can < CUDA_FLOAT16:
            return f"asked for; saves memory, but {_capable(card)} has no Tensor Cores for it"
    return "asked for"


def _capable(card: Gpu) -> str:
    major, minor = card.compute_capability or (0, 0)
    return f"{card.name} (compute capability {major}.{minor})"
