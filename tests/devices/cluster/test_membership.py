"""Which workers train together, by the command line, TF_CONFIG and SLURM."""

import json
import re

import pytest

from tfpipe.devices.cluster.membership import Cluster, find_cluster, host_and_port
from tfpipe.errors import ConfigError

TWO = ("host-a:2222", "host-b:2222")


def tf_config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def test_nothing_says_that_there_are_others():
    assert find_cluster(None, None, {}) is None


def test_the_command_line():
    cluster = find_cluster("host-a:2222, host-b:2222", 1, {})
    assert cluster == Cluster(TWO, 1)
    assert (cluster.size, cluster.chief, cluster.address) == (2, False, "host-b:2222")


def test_the_command_line_comes_before_the_environment():
    environ = tf_config({"worker": ["x:1", "y:1", "z:1"]}) | {"SLURM_PROCID": "0"}
    assert find_cluster("host-a:2222,host-b:2222", 0, environ) == Cluster(TWO, 0)


def test_a_cluster_of_one_trains_alone():
    assert find_cluster("host-a:2222", 0, {}) is None
    assert find_cluster(None, None, tf_config({"worker": ["host-a:2222"]})) is None
    assert find_cluster(None, None, {"TF_CONFIG": "{}"}) is None
    assert find_cluster(None, None, {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}) is None


def test_what_tensorflow_reads_is_what_tfpipe_reads():
    cluster = Cluster(TWO, 1)
    assert find_cluster(None, None, {"TF_CONFIG": cluster.tf_config()}) == cluster


def test_an_ipv6_address():
    assert Cluster(("[::1]:2222", "[::1]:2223"), 0).chief
    assert host_and_port("[::1]:2222") == ("::1", 2222)


@pytest.mark.parametrize(("kind", "index", "place"), [("chief", 0, 0), ("worker", 1, 2)])
def test_a_chief_comes_before_the_workers(kind, index, place):
    environ = tf_config({"worker": ["b:1", "c:1"], "chief": ["a:1"]}, kind, index)
    assert find_cluster(None, None, environ) == Cluster(("a:1", "b:1", "c:1"), place)


@pytest.mark.parametrize(
    ("addresses", "index", "message"),
    [
        (None, 1, "add --cluster host-a:2222,host-b:2222"),
        ("a:1,b:1", None, "add --worker 0 on the first"),
        ("a:1,b", 0, "'b' is no address of a worker; write host:port"),
        ("a:1,", 0, "'' is no address"),
        ("a:1,b:99999", 0, "'b:99999' is no address"),
        ("a:1,a:1", 0, "a:1 is named more than once"),
        ("a:1,b:1", 2, "There is no worker 2 in a cluster of 2; they are numbered from 0 to 1"),
        ("a:1,b:1", -1, "There is no worker -1"),
    ],
)
def test_a_wrong_command_line(addresses, index, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        find_cluster(addresses, index, {})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"TF_CONFIG": "{worker"}, "TF_CONFIG is not what TensorFlow expects"),
        ({"TF_CONFIG": "[1]"}, "TF_CONFIG is not what TensorFlow expects"),
        (tf_config({"worker": 3}), "TF_CONFIG is not what TensorFlow expects"),
        (tf_config({"worker": ["a:1"], "ps": ["b:1"]}), "does not support ParameterServerStrategy"),
        (tf_config({"worker": ["a:1"]}, "evaluator"), "Give the job workers only"),
        (tf_config({"worker": ["a:1"], "boss": ["b:1"]}), "does not know: boss"),
        (tf_config({"worker": ["a:1", "b:1"]}, "chief"), "says that this process is 'chief'"),
        (tf_config({"worker": ["a:1", "b:1"]}, "worker", 2), "its cluster has 2 of them"),
        (tf_config({"worker": ["a", "b:1"]}), "'a' is no address"),
    ],
)
def test_a_wrong_tf_config(environ, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        find_cluster(None, None, environ)


# SLURM


@pytest.fixture
def slurm(monkeypatch):
    """A step of three tasks on two nodes: SLURM orders them as numbers, the resolver as text."""
    environ = {
        "SLURM_JOB_ID": "301",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NTASKS": "3",
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "n[2,10]",
        "SLURM_STEP_TASKS_PER_NODE": "1,2",
        "SLURMD_NODENAME": "n2",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)  # where TensorFlow's resolver reads them
    return environ


SLURM_WORKERS = ("n10:12064", "n10:12065", "n2:12064")


@pytest.mark.parametrize(
    ("node", "local", "index"), [("n2", "0", 2), ("n10", "0", 0), ("n10", "1", 1)]
)
def test_each_task_of_slurm_finds_itself(slurm, node, local, index):
    slurm |= {"SLURMD_NODENAME": node, "SLURM_LOCALID": local}
    assert find_cluster(None, None, slurm) == Cluster(SLURM_WORKERS, index)


def test_a_job_that_was_not_started_by_srun(slurm):
    del slurm["SLURM_STEP_NODELIST"]
    with pytest.raises(ConfigError, match=r"Start it by srun: srun tfpipe run"):
        find_cluster(None, None, slurm)


def test_a_step_of_one_task_in_a_larger_job(slurm):
    assert find_cluster(None, None, slurm | {"SLURM_STEP_NUM_TASKS": "1"}) is None


def test_a_node_that_is_not_in_the_step(slurm):
    with pytest.raises(ConfigError, match="not among the workers n10:12064"):
        find_cluster(None, None, slurm | {"SLURMD_NODENAME": "login"})


@pytest.mark.parametrize(
    ("name", "value"), [("SLURM_STEP_NODELIST", "n[2"), ("SLURM_STEP_TASKS_PER_NODE", "many")]
)
def test_a_step_that_cannot_be_read(slurm, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="description of the job step cannot be read"):
        find_cluster(None, None, slurm)
