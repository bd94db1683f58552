"""Reading what a declaration says of its device."""

from dataclasses import dataclass

from tfpipe.errors import DeviceError, suggest

KNOWN = ("auto", "cpu", "cpu:2", "gpu", "gpu:0,1", "tpu", "tpu:NAME")
PARAMETER_SERVER = ("ps", "parameter_server", "parameter-server", "parameterserver")


@dataclass(frozen=True)
class DeviceSpec:
    """A device as it was asked for.

    Args:
        device: the words of the declaration.
        kind: "auto", "cpu", "gpu" or "tpu".
        gpus: the numbers of the GPUs; all of them when empty.
        cpus: how many logical CPUs.
        tpu: the TPU's name or address; the one that this computer has when None.
    """

    device: str
    kind: str
    gpus: tuple[int, ...] = ()
    cpus: int = 1
    tpu: str | None = None


def read(device: str) -> DeviceSpec:
    """What a declared device means.

    Raises:
        DeviceError: when it means nothing, or a strategy that Keras 3 cannot train under.
    """
    kind, colon, rest = device.partition(":")
    if kind.lower() in PARAMETER_SERVER:
        raise DeviceError(
            f"device={device!r}: Keras 3's fit refuses ParameterServerStrategy, so tfpipe does not "
            "offer it. Use all GPUs of one computer (device=gpu), or several workers that train "
            "in step (MultiWorkerMirroredStrategy)."
        )
    if kind not in ("auto", "cpu", "gpu", "tpu") or (kind == "auto" and colon):
        raise DeviceError(f"There is no device {device!r}. {suggest(device, KNOWN)}")
    if not colon:
        return DeviceSpec(device, kind)
    if kind == "cpu":
        return DeviceSpec(device, kind, cpus=_cpus(device, rest))
    if kind == "gpu":
        return DeviceSpec(device, kind, gpus=_gpus(device, rest))
    if not rest.strip():
        raise DeviceError(f"device={device!r}: after tpu: comes the TPU's name, as in tpu:my-tpu.")
    return DeviceSpec(device, kind, tpu=rest.strip())


def _cpus(device: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise DeviceError(
            f"device={device!r}: after cpu: comes how many logical CPUs to make, as in cpu:2."
        )
    return int(text)


def _gpus(device: str, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise DeviceError(
            f"device={device!r}: after gpu: come the numbers of GPUs, as in gpu:0 or gpu:0,1."
        )
    numbers = tuple(map(int, words))
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise DeviceError(f"device={device!r} names GPU {twice[0]} twice. Name each GPU once.")
    return numbers
