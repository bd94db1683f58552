"""Reading a declared device."""

import pytest

from tfpipe.devices.device_spec import DeviceSpec, read
from tfpipe.errors import DeviceError


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        ("auto", DeviceSpec("auto", "auto")),
        ("cpu", DeviceSpec("cpu", "cpu")),
        ("cpu:2", DeviceSpec("cpu:2", "cpu", cpus=2)),
        ("gpu", DeviceSpec("gpu", "gpu")),
        ("gpu:1", DeviceSpec("gpu:1", "gpu", gpus=(1,))),
        ("gpu:2, 0", DeviceSpec("gpu:2, 0", "gpu", gpus=(2, 0))),
        ("tpu", DeviceSpec("tpu", "tpu")),
        ("tpu:my-tpu", DeviceSpec("tpu:my-tpu", "tpu", tpu="my-tpu")),
    ],
)
def test_what_a_device_means(device: str, wanted: DeviceSpec) -> None:
    assert read(device) == wanted


def test_an_address_of_a_tpu_may_have_colons() -> None:
    assert read("tpu:grpc://10.0.0.2:8470").tpu == "grpc://10.0.0.2:8470"


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpus", "There is no device 'gpus'. Did you mean 'gpu'"),
        ("GPU", "There is no device 'GPU'. Did you mean 'gpu'"),
        ("auto:2", "There is no device 'auto:2'. Did you mean 'auto'"),
        (
            "quantum",
            "There is no device 'quantum'. There is: auto, cpu, cpu:2, gpu, gpu:0,1, tpu, "
            "tpu:NAME.",
        ),
        ("cpu:0", "device='cpu:0': after cpu: comes how many logical CPUs to make, as in cpu:2."),
        ("cpu:two", "device='cpu:two': after cpu: comes how many logical CPUs to make"),
        ("gpu:", "device='gpu:': after gpu: come the numbers of GPUs, as in gpu:0 or gpu:0,1."),
        ("gpu:0-3", "device='gpu:0-3': after gpu: come the numbers of GPUs"),
        ("gpu:1,0,1", "device='gpu:1,0,1' names GPU 1 twice. Name each GPU once."),
        ("tpu: ", "device='tpu: ': after tpu: comes the TPU's name, as in tpu:my-tpu."),
    ],
)
def test_what_a_device_cannot_mean(device: str, said: str) -> None:
    with pytest.raises(DeviceError) as caught:
        read(device)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("device", ["ps", "parameter_server", "parameter-server"])
def test_parameter_servers_are_not_offered(device: str) -> None:
    with pytest.raises(DeviceError) as caught:
        read(device)
    assert str(caught.value) == (
        f"device={device!r}: Keras 3's fit refuses ParameterServerStrategy, so tfpipe does not "
        "offer it. Use all GPUs of one computer (device=gpu), or several workers that train in "
        "step (MultiWorkerMirroredStrategy)."
    )
