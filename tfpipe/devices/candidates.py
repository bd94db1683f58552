"""The devices that `auto` goes through, each usable or not, and why."""

from tfpipe.devices import gpu, tpu
from tfpipe.devices.candidate import Candidate
from tfpipe.devices.machine import Machine
from tfpipe.devices.startup import check_installed
from tfpipe.errors import DeviceError, MissingDependency

INSTALL = {
    "NVIDIA": f"Install it with: {gpu.INSTALL_CUDA}",
    "AMD": "Install AMD's tensorflow-rocm wheel (tfpipe devices shows the commands).",
}


def candidates(machine: Machine | None = None) -> tuple[Candidate, ...]:
    """TPU, GPU and CPU, best first, without trying any of them.

    Args:
        machine: the computer to look at; this one when None.
    """
    machine = machine or Machine()
    wrong = tensorflow_problem(machine)
    if wrong is not None:
        return _without_tensorflow(machine, *wrong)
    return tpu.probe(machine), gpu.probe(machine), probe_cpu(machine)


def tensorflow_problem(machine: Machine) -> tuple[str, str] | None:
    """What keeps TensorFlow from starting, and the repair; None when it starts."""
    try:
        machine.start()
    except (DeviceError, MissingDependency) as error:
        distributions = machine.distributions()
        return check_installed(distributions) or (
            str(error),
            f"Install it again with: pip install --force-reinstall {' '.join(distributions)}",
        )
    return None


def probe_cpu(machine: Machine) -> Candidate:
    """The CPU, which is always there."""
    cores = machine.cores()
    return Candidate("cpu", True, "one core" if cores == 1 else f"{cores} cores")


def _without_tensorflow(machine: Machine, what: str, repair: str) -> tuple[Candidate, ...]:
    """Nothing is usable; hardware that is not there either needs no TensorFlow for it."""
    maker = gpu.maker(machine)
    repairs = {"tpu": repair, "gpu": repair, "cpu": repair}
    if not machine.distributions():  # which one to install depends on the hardware
        repairs["tpu"] = "Install it with: pip install 'tfpipe[tpu]'"
        repairs["gpu"] = INSTALL.get(maker or "", repair)
    candidates = [Candidate(name, False, what, repair) for name, repair in repairs.items()]
    if not tpu.device_files(machine):
        candidates[0] = Candidate("tpu", False, tpu.NONE_FOUND)
    if maker is None:
        candidates[1] = Candidate("gpu", False, gpu.NONE_FOUND)
    return tuple(candidates)
