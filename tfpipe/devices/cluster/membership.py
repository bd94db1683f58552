"""Which workers train together, and which of them this process is."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfpipe.devices.startup import start_tensorflow
from tfpipe.errors import ConfigError

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:,/\[\]]+):(\d{1,5})")
# A step's tasks, by the environment of SLURM; the names of its own resolver.
_SLURM_STEP = ("SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE")


@dataclass(frozen=True)
class Cluster:
    """The workers of a training, of which this process is one.

    Args:
        workers: their addresses as `host:port`, the same list in the same order on each of them.
        index: which of them this process is; 0 is the chief, which writes the run's directory.

    Raises:
        ConfigError: for an address without a port, one named twice, or an index out of range.
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        for address in self.workers:
            match = _ADDRESS.fullmatch(address)
            if not match or not 0 < int(match[2]) < 65536:
                raise ConfigError(
                    f"{address!r} is no address of a worker; write host:port, such as "
                    "host-a:2222, and separate several by commas."
                )
        twice = sorted({a for a in self.workers if self.workers.count(a) > 1})
        if twice:
            raise ConfigError(
                f"{', '.join(twice)} is named more than once in the cluster; each worker needs an "
                "address of its own (on one machine: a port of its own)."
            )
        if not 0 <= self.index < len(self.workers):
            raise ConfigError(
                f"There is no worker {self.index} in a cluster of {len(self.workers)}; they are "
                f"numbered from 0 to {len(self.workers) - 1}."
            )

    @property
    def chief(self) -> bool:
        """Whether this process writes the run's directory."""
        return self.index == 0

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self.workers)

    @property
    def address(self) -> str:
        """The address of this process."""
        return self.workers[self.index]

    def tf_config(self) -> str:
        """The cluster as TensorFlow reads it from the environment variable TF_CONFIG."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.workers)}, "task": task})


def find_cluster(
    addresses: str | None, index: int | None, environ: Mapping[str, str]
) -> Cluster | None:
    """The cluster that this process belongs to; None when it trains alone.

    The command line comes first, then TF_CONFIG, then SLURM.

    Args:
        addresses: what `--cluster` was given: `host:port,host:port`.
        index: what `--worker` was given.
        environ: the environment variables.

    Raises:
        ConfigError: when what describes the cluster is incomplete or wrong.
    """
    members = None
    if addresses is not None or index is not None:
        members = _from_options(addresses, index)
    elif environ.get("TF_CONFIG", "").strip():
        members = _from_tf_config(environ["TF_CONFIG"])
    elif "SLURM_PROCID" in environ and _slurm_tasks(environ) > 1:
        members = _from_slurm(environ)
    return members if members is not None and members.size > 1 else None


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of `host:port`, without the brackets of an IPv6 address."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _from_options(addresses: str | None, index: int | None) -> Cluster:
    if addresses is None:
        raise ConfigError(
            f"--worker {index} says which worker this is, and not who the others are; add "
            "--cluster host-a:2222,host-b:2222."
        )
    if index is None:
        raise ConfigError(
            f"--cluster {addresses} says who the workers are, and not which one this is; add "
            "--worker 0 on the first, --worker 1 on the second, and so on."
        )
    return Cluster(tuple(a.strip() for a in addresses.split(",")), index)


def _from_tf_config(text: str) -> Cluster | None:
    """The workers of TF_CONFIG; a chief comes first, as TensorFlow counts them."""
    try:
        config = json.loads(text)
        jobs = {str(name): list(addresses) for name, addresses in config.get("cluster", {}).items()}
        task = config.get("task", {})
        kind, number = str(task.get("type", "")), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"TF_CONFIG is not what TensorFlow expects ({error}): {text!r}. It should look like "
            '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, '
            '"task": {"type": "worker", "index": 0}}; unset it to train on this machine alone.'
        ) from None
    if not any(jobs.values()):
        return None
    _check_jobs({name for name, addresses in jobs.items() if addresses} | ({kind} - {""}))
    if kind not in jobs:
        raise ConfigError(
            f"TF_CONFIG says that this process is {kind!r}, and its cluster has "
            f"{', '.join(sorted(jobs))}. Set task.type to one of them."
        )
    chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
    if not 0 <= number < len(jobs[kind]):
        raise ConfigError(
            f"TF_CONFIG says that this process is {kind} {number}, and its cluster has "
            f"{len(jobs[kind])} of them, numbered from 0."
        )
    offset = len(chiefs) if kind == "worker" else 0
    return Cluster(tuple(str(a) for a in (*chiefs, *workers)), number + offset)


def _check_jobs(names: set[str]) -> None:
    """Refuse tasks that no training with Keras 3 has."""
    if "ps" in names:
        raise ConfigError(
            "TF_CONFIG has parameter servers (ps), and Keras 3's fit does not support "
            "ParameterServerStrategy. Give the job workers only; every one of them trains."
        )
    if "evaluator" in names:
        raise ConfigError(
            "TF_CONFIG has an evaluator. The workers evaluate together, and Keras 3's fit does not "
            "support ParameterServerStrategy, whose part it is. Give the job workers only."
        )
    unknown = sorted(names - {"chief", "worker"})
    if unknown:
        raise ConfigError(
            f"TF_CONFIG has tasks that tfpipe does not know: {', '.join(unknown)}. It knows chief "
            "and worker."
        )


def _slurm_tasks(environ: Mapping[str, str]) -> int:
    text = environ.get("SLURM_STEP_NUM_TASKS") or environ.get("SLURM_NTASKS") or "1"
    if not text.isdigit():
        raise ConfigError(f"SLURM_NTASKS should be a number, got {text!r}.")
    return int(text)


def _from_slurm(environ: Mapping[str, str]) -> Cluster:
    """The tasks of a job step; TensorFlow's own resolver reads them from os.environ.

    The resolver sorts the nodes as text, so that its order may differ from SLURM's (n10 before
    n2). All workers see the same order, and each finds itself in it by its node and its place on
    that node; its SLURM_PROCID may be another number.
    """
    missing = [name for name in _SLURM_STEP if not environ.get(name)]
    if missing:
        raise ConfigError(
            f"SLURM gave this job {_slurm_tasks(environ)} tasks, and this process is not one of "
            f"them ({', '.join(missing)} not set). Start it by srun: srun tfpipe run ...; or by "
            "srun --ntasks=1 to train alone."
        )
    addresses = _slurm_addresses(_slurm_port(environ), _slurm_tasks(environ))
    node, place = environ.get("SLURMD_NODENAME"), environ.get("SLURM_LOCALID", "0")
    here = [a for a in addresses if host_and_port(a)[0] == node]
    if not here or not place.isdigit() or int(place) >= len(here):
        raise ConfigError(
            f"This process is task {place} of node {node} (SLURM_LOCALID, SLURMD_NODENAME), which "
            f"is not among the workers {', '.join(addresses)}. Name them with --cluster and "
            "--worker instead."
        )
    return Cluster(tuple(addresses), addresses.index(here[int(place)]))


def _slurm_addresses(port: int, tasks: int) -> list[str]:
    tf: Any = start_tensorflow()
    try:
        # SLURM itself hands out the GPUs. Without a number of them the resolver calls nvidia-smi,
        # and with none it fails; as many as tasks, one each, only lets it count the tasks.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        return [str(a) for a in resolver.cluster_spec().as_dict()["worker"]]
    except (RuntimeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"SLURM's description of the job step cannot be read: {error} Name the workers with "
            "--cluster and --worker instead."
        ) from error


def _slurm_port(environ: Mapping[str, str]) -> int:
    """A port for the first task of each node, of its own for each job that shares a node."""
    job = environ.get("SLURM_JOB_ID", "0")
    return 12000 + 64 * (int(job) % 300 if job.isdigit() else 0)
