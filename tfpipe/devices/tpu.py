"""Is there a TPU that TensorFlow may try, and if not, what is missing?

Whether a TPU works, only initialising it tells; and where there is none, that may take minutes. So
it is tried only where these look-ups make one plausible.
"""

from tfpipe.devices.candidate import Candidate
from tfpipe.devices.machine import Machine

LOCAL = "local"
NONE_FOUND = "no TPU was found"
WHEEL = "tensorflow-tpu"
REPAIR = (
    "See that no other process uses the TPU, that its name is right, and that its runtime suits "
    "this TensorFlow."
)


def probe(machine: Machine, name: str | None = None, explicit: bool = False) -> Candidate:
    """Whether a TPU may be tried.

    Args:
        name: its name or address; `TPU_NAME`, or the one in this computer, when None.
        explicit: a person asked for it: then one is plausible without a device file.
    """
    name = name_of(machine, name)
    if name != LOCAL:  # the TPU's own host computes, so this computer needs no wheel for it
        return Candidate("tpu", True, f"the TPU {name!r}")
    files = device_files(machine)
    wheel = machine.distributions().get(WHEEL)
    if not files and not (explicit and wheel):
        library = ", although libtpu is installed" if _library(machine) else ""
        return Candidate("tpu", False, f"{NONE_FOUND}{library}")
    running = machine.tensorflow_version()
    if wheel is None:
        others = " ".join(machine.distributions()) or "tensorflow"
        return Candidate(
            "tpu",
            False,
            f"a TPU is there, but TensorFlow {running} is not {WHEEL}",
            f"Replace it with: pip uninstall -y {others} && pip install 'tfpipe[tpu]'",
        )
    if wheel != running:
        return Candidate(
            "tpu",
            False,
            f"{WHEEL} {wheel} is installed, but the TensorFlow that is imported is {running}",
            f"Repair it with: pip install --force-reinstall '{WHEEL}=={wheel}'",
        )
    return Candidate("tpu", True, f"a TPU in this computer; {WHEEL} {wheel}")


def name_of(machine: Machine, name: str | None) -> str:
    """The TPU to connect to: the one that was named, `TPU_NAME`, or the local one."""
    return name or machine.environ.get("TPU_NAME", "").strip() or LOCAL


def device_files(machine: Machine) -> list[str]:
    """The files through which a process reaches the TPU of its computer."""
    # Virtual machines hand on all kinds of devices as vfio; with libtpu beside it, it is a TPU.
    files = machine.glob("/dev/accel[0-9]*")
    return files or (machine.glob("/dev/vfio/[0-9]*") if _library(machine) else [])


def _library(machine: Machine) -> bool:
    return machine.version("libtpu") is not None or machine.version(WHEEL) is not None
