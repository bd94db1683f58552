"""What each worker of a search gets of the machine: cores and GPUs that no other worker uses."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tfpipe.devices import gpu, tpu
from tfpipe.devices.device_spec import DeviceSpec, read
from tfpipe.devices.machine import Machine
from tfpipe.errors import ConfigError

_CUDA, _HIP = "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Share:
    """One worker's part of the machine.

    Args:
        cpus: the numbers of its cores; all of them when None.
        environ: the environment variables that show it its GPUs.
        described: what it is, for people: `cores 0-3`, `GPU 0, cores 0-3`.
    """

    cpus: tuple[int, ...] | None = None
    environ: dict[str, str] = field(default_factory=dict)
    described: str = "the whole machine"


def shares(workers: int, machine: Machine, device: str = "auto") -> list[Share]:
    """The parts of a machine that workers train on at once.

    One worker has all of it, without any limit. Several have as many cores each, or all but, and
    exactly as many GPUs each, so that their trials can be compared: what is left over is idle.

    Args:
        workers: how many.
        machine: the computer.
        device: what the pipeline declares; see `tfpipe.devices.pick`.

    Raises:
        ConfigError: for no worker, more of them than GPUs, or a device that cannot be divided.
        DeviceError: when the GPUs cannot be counted.
    """
    if workers < 1:
        raise ConfigError(f"--workers {workers} trains nothing. Give 1 or more.")
    if workers == 1:
        return [Share()]
    spec = read(device)
    if spec.kind == "tpu" or (spec.kind == "auto" and _has_tpu(machine)):
        raise ConfigError(
            f"--workers {workers} cannot divide a TPU: it is one worker's alone. Use --workers 1, "
            "or device=cpu."
        )
    gpus = _gpus(workers, machine, spec)
    cores = machine.usable_cores()
    return [_share(worker, workers, cores, gpus, machine) for worker in range(workers)]


def _has_tpu(machine: Machine) -> bool:
    return tpu.WHEEL in machine.distributions() and bool(tpu.device_files(machine))


def _share(
    worker: int, workers: int, cores: Sequence[int], gpus: Sequence[str], machine: Machine
) -> Share:
    cpus = _part(cores, worker, workers)
    described = _cores(cpus)
    if workers > len(cores):
        described += f" ({workers} workers share {len(cores)})"
    each = len(gpus) // workers
    if not each:
        return Share(cpus, {}, described)
    own = gpus[worker * each : (worker + 1) * each]
    visible = {name: ",".join(own) for name in _variables(machine)}
    return Share(cpus, visible, f"GPU{'s' * (each > 1)} {', '.join(own)}, {described}")


def _part(cores: Sequence[int], worker: int, workers: int) -> tuple[int, ...]:
    """A worker's cores: neighbours; one that others have too where there are too few."""
    count = len(cores)
    if workers > count:
        return (cores[worker % count],)
    return tuple(cores[worker * count // workers : (worker + 1) * count // workers])


def _cores(cpus: Sequence[int]) -> str:
    """Cores for people: `core 3`, `cores 0-3`, `cores 0, 4`."""
    first, last = min(cpus), max(cpus)
    if len(cpus) == 1:
        return f"core {first}"
    if len(cpus) > 2 and last - first == len(cpus) - 1:
        return f"cores {first}-{last}"
    return f"cores {', '.join(map(str, sorted(cpus)))}"


def _gpus(workers: int, machine: Machine, spec: DeviceSpec) -> Sequence[str]:
    """The GPUs to divide, as the variable that shows them names them; none for a CPU."""
    if spec.kind == "cpu" or gpu.maker(machine) is None:
        return ()
    if spec.gpus:
        numbers = ",".join(map(str, spec.gpus))
        raise ConfigError(
            f"device={spec.device!r} names GPUs, and each of {workers} workers sees its own ones "
            f"alone, numbered from 0. Use device=gpu, and {_variables(machine)[0]}={numbers} in "
            "the environment."
        )
    count = machine.count_gpus()
    if 0 < count < workers:
        raise ConfigError(
            f"--workers {workers} is more than the {count} GPU{'s' * (count > 1)} that TensorFlow "
            f"finds, and each worker needs one of its own. Use --workers {count}, or device=cpu."
        )
    masks = [machine.environ[name] for name in _variables(machine) if name in machine.environ]
    names = masks[0].split(",") if masks else [str(index) for index in range(count)]
    return [name.strip() for name in names[:count]]


def _variables(machine: Machine) -> list[str]:
    """The environment variables that show GPUs: those that are set, or the usual one."""
    known = [_HIP, _CUDA] if "tensorflow-rocm" in machine.distributions() else [_CUDA]
    return [name for name in known if name in machine.environ] or known[:1]
