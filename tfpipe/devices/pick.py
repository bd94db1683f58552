"""Picking a device and a strategy, trying it, and saying why.

pick("auto")     a TPU, else the GPUs, else the CPU: the first that computes
pick("gpu:0,1")  exactly these, or an error that says what is missing
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tfpipe.devices import gpu, tpu
from tfpipe.devices.candidate import Candidate
from tfpipe.devices.candidates import probe_cpu
from tfpipe.devices.cluster import strategy as multiworker
from tfpipe.devices.cluster.membership import Cluster
from tfpipe.devices.device_spec import DeviceSpec, read
from tfpipe.devices.machine import Gpu, Machine
from tfpipe.devices.probe import first_line, tried
from tfpipe.errors import DeviceError

# The end of a reason that passed something over.
HINT = "; tfpipe devices has the repair"


@dataclass(frozen=True)
class Picked:
    """What training runs on.

    Args:
        strategy: the tf.distribute strategy; models are built inside its scope.
        device: what it is, for people: "CPU", "GPU", "4 GPUs", "TPU (8 cores)".
        reason: why it was picked, and what was passed over where that may surprise.
        kind: "cpu", "gpu" or "tpu".
        jit_compile: what Keras's `compile` is given: "auto" (XLA where every layer can) for one
            GPU, where it pays; False elsewhere. On a CPU it slows training, several replicas
            fail with it, and a TPU compiles with XLA of itself.
        passed_over: what `auto` could not use, best first.
        gpus: the GPUs, where it is some.
        cluster: the workers that train together, where there are several.
    """

    strategy: Any
    device: str
    reason: str
    kind: str = "cpu"
    jit_compile: bool | str = False
    passed_over: tuple[Candidate, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    cluster: Cluster | None = None

    @property
    def replicas(self) -> int:
        """How many copies of the model train in step; batches are divided among them."""
        return int(self.strategy.num_replicas_in_sync)


def pick(device: str = "auto", machine: Machine | None = None) -> Picked:
    """The strategy for a declared device, after a small compiled step has run under it.

    Call it before anything else computes: logical CPUs, hidden GPUs and memory that grows are
    settled when TensorFlow starts to.

    Args:
        device: "cpu", "cpu:2" (that many logical CPUs), "gpu" (all of them), "gpu:0,1", "tpu",
            "tpu:NAME", or "auto" for the first of TPU, GPU and CPU that works.
        machine: the computer to pick from; this one when None.

    Raises:
        DeviceError: for an unknown device, or one that was asked for and cannot be used.
        MissingDependency: when TensorFlow is not installed.
    """
    spec = read(device)
    machine = machine or Machine()
    machine.start()
    if spec.kind == "auto":
        return _auto(machine)
    picked = _start(spec, machine)
    if isinstance(picked, Candidate):
        repair = picked.repair or "Use a computer that has one."
        raise DeviceError(
            f"device={device!r} was asked for and cannot be used: {picked.detail}. "
            f"device=auto picks one that can be. {repair}"
        )
    return picked


def join(cluster: Cluster, device: str, deadline: float, machine: Machine | None = None) -> Picked:
    """The strategy of one of several workers, when all of them have come and a step has run.

    Each worker uses all GPUs that its process sees, or its CPU.

    Args:
        cluster: the workers, and which of them this process is.
        device: "auto", "cpu" or "gpu", the same for all workers.
        deadline: how many seconds to wait for the others.
        machine: this computer.

    Raises:
        DeviceError: for another device, a GPU that is not there, or a worker that does not come.
    """
    spec = read(device)
    machine = machine or Machine()
    machine.start()
    if spec.kind == "tpu" or spec.gpus or spec.cpus > 1:
        raise DeviceError(
            f"device={device!r} cannot be used with several workers: each has the GPUs that its "
            "process sees, or its CPU. Use device=auto, cpu or gpu, and CUDA_VISIBLE_DEVICES for "
            "some of its GPUs."
        )
    candidate = gpu.probe(machine)
    if spec.kind == "gpu" and not candidate.usable:
        raise DeviceError(
            f"device={device!r} was asked for and cannot be used: {candidate.detail}. "
            f"{candidate.repair}"
        )
    kind = "gpu" if candidate.usable and spec.kind != "cpu" else "cpu"
    machine.use_gpus(kind == "gpu")
    strategy = multiworker.start(cluster, deadline)
    _, error = tried(lambda: machine.step(strategy, False))
    if error is not None:
        raise DeviceError(f"A test step over {cluster.size} workers failed: {first_line(error)}")
    each = "a CPU each" if kind == "cpu" else f"{strategy.num_replicas_in_sync} GPUs"
    reason = f"asked for; this is worker {cluster.index}, at {cluster.address}"
    return Picked(
        strategy,
        f"{cluster.size} workers with {each}",
        reason,
        kind,
        gpus=machine.gpus() if kind == "gpu" else (),
        cluster=cluster,
    )


def _auto(machine: Machine) -> Picked:
    passed: list[Candidate] = []
    for spec in _attempts(machine):
        try:
            picked = _start(spec, machine)
        except DeviceError as error:  # what an earlier pick in this process has settled
            picked = Candidate(spec.kind, False, str(error).rstrip("."), "Start a new process.")
        if isinstance(picked, Picked):
            reason = _reason_of(picked, passed)
            return replace(picked, reason=reason, passed_over=tuple(passed))
        passed.append(picked)
    raise DeviceError(
        "No device works: " + "; ".join(f"{c.name.upper()}: {c.detail}" for c in passed)
    )


def _attempts(machine: Machine) -> Iterator[DeviceSpec]:
    """What `auto` tries, best first; the next only when the one before it has failed."""
    yield DeviceSpec("auto", "tpu")
    yield DeviceSpec("auto", "gpu")
    if len(machine.gpus()) > 1:  # which work alone, where their communication is broken
        yield DeviceSpec("auto", "gpu", gpus=(0,))
    yield DeviceSpec("auto", "cpu")


def _reason_of(picked: Picked, passed: list[Candidate]) -> str:
    """What was found, and what was passed over although the hardware is there."""
    overlooked = [c for c in passed if c.repair]
    parts = [f"the {c.name.upper()} was passed over: {c.detail}" for c in overlooked]
    # For the CPU there is no other reason than that nothing better works.
    if picked.kind != "cpu" or "gpu" not in {c.name for c in overlooked}:
        parts.insert(0, picked.reason)
    return "; ".join(parts) + (HINT if overlooked else "")


def _start(spec: DeviceSpec, machine: Machine) -> Picked | Candidate:
    """The device with its strategy, tried; or why it cannot be used."""
    starts = {"tpu": _start_tpu, "gpu": _start_gpu, "cpu": _start_cpu}
    return starts[spec.kind](spec, machine)


def _start_tpu(spec: DeviceSpec, machine: Machine) -> Picked | Candidate:
    candidate = tpu.probe(machine, spec.tpu, explicit=spec.device != "auto")
    if not candidate.usable:
        return candidate
    name = tpu.name_of(machine, spec.tpu)
    strategy, error = tried(lambda: machine.tpu_strategy(name))
    if error is not None:
        what = f"{candidate.detail} could not be initialised: {first_line(error)}"
        return Candidate("tpu", False, what, tpu.REPAIR)
    _, error = tried(lambda: machine.step(strategy, False))
    if error is not None:
        what = f"a test step failed on {candidate.detail}: {first_line(error)}"
        return Candidate("tpu", False, what, tpu.REPAIR)
    cores = int(strategy.num_replicas_in_sync)
    device = f"TPU ({cores} cores)" if cores > 1 else "TPU"
    return Picked(strategy, device, _why(spec, "a TPU was found"), "tpu")


def _start_gpu(spec: DeviceSpec, machine: Machine) -> Picked | Candidate:
    candidate = gpu.probe(machine)
    if not candidate.usable:
        return candidate
    present = machine.gpus()
    chosen = _chosen(spec, present)
    strategy, error = tried(lambda: machine.gpu_strategy(chosen))
    xla, without = len(chosen) == 1, ""
    if error is None:
        _, error = tried(lambda: machine.step(strategy, xla))
    if error is not None and strategy is not None and xla:
        xla, without = False, f"; XLA is off, its test step failed: {first_line(error)}"
        _, error = tried(lambda: machine.step(strategy, False))
    if error is not None:
        together = f"{len(chosen)} GPUs together" if len(chosen) > 1 else gpu.names(chosen)
        what = f"a test step failed on {together}: {first_line(error)}"
        return Candidate("gpu", False, what, gpu.repair_step(machine))
    device = "GPU" if len(chosen) == 1 else f"{len(chosen)} GPUs"
    count = "one GPU was found" if len(present) == 1 else f"{len(present)} GPUs were found"
    reason = _why(spec, count) + without
    return Picked(strategy, device, reason, "gpu", "auto" if xla else False, gpus=chosen)


def _start_cpu(spec: DeviceSpec, machine: Machine) -> Picked | Candidate:
    strategy = machine.cpu_strategy(spec.cpus)
    _, error = tried(lambda: machine.step(strategy, False))
    if error is not None:
        what = f"a test step failed on {probe_cpu(machine).detail}: {first_line(error)}"
        names = " ".join(machine.distributions())
        repair = f"Install TensorFlow again with: pip install --force-reinstall {names}"
        return Candidate("cpu", False, what, repair)
    device = "CPU" if spec.cpus == 1 else f"{spec.cpus} logical CPUs"
    return Picked(strategy, device, _why(spec, gpu.NONE_FOUND), "cpu")


def _why(spec: DeviceSpec, reason: str) -> str:
    return reason if spec.device == "auto" else "asked for"


def _chosen(spec: DeviceSpec, present: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """The GPUs that were asked for; raises DeviceError for one that is not there."""
    missing = [number for number in spec.gpus if number >= len(present)]
    if missing:
        there = "only GPU 0" if len(present) == 1 else f"GPUs 0 to {len(present) - 1}"
        raise DeviceError(
            f"device={spec.device!r}: there is no GPU {missing[0]}. TensorFlow finds {there}: "
            f"{gpu.names(present)}."
        )
    return tuple(present[number] for number in spec.gpus) or present
