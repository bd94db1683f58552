"""Training on several workers with Keras 3, which by itself cannot.

`fit` and `evaluate` of Keras 3 fail under a MultiWorkerMirroredStrategy, see
https://github.com/keras-team/keras/issues/20585: they average the first batch and each step's
results over the replicas in ways that this strategy refuses. Neither is needed. The first batch
serves to make variables, which `tfpipe.training.compile.build_state` has made before, so `adapt`
leaves that out; the steps are functions of our own (`tfpipe.training.steps.set_functions`), which
`fit` and `evaluate` take when they are set. No class changes, so what the model saves is plain
Keras. `adapt` also lets a replica leave out the part of a last batch that has no sample for it.

All workers must do together: make variables, fit, evaluate, predict, and read a metric or its
variables (each worker holds its own part of a metric; the sum is asked for over the network). A
worker that does one of these alone waits for ever. The chief alone may: save, export, read weights,
and call the model on data of its own (`model(x, training=False)`).

Batches are global. Of declared data each worker makes its own part (`tfpipe.training.datasets`). Of
an overridden input_fn's batches TensorFlow gives each its part; their auto-shard policy must stay
AUTO or become DATA. With OFF every worker trains on all batches, cut smaller, and nothing says so.
"""

import contextlib
import faulthandler
import inspect
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfpipe.devices.cluster.membership import Cluster
from tfpipe.devices.cluster.rendezvous import meet
from tfpipe.devices.startup import start_tensorflow
from tfpipe.errors import DeviceError

WORKS_WITH = "3.15"
START_DEADLINE = 300.0
# Once all have met, TensorFlow takes a second or two.
_TENSORFLOW_DEADLINE = 60.0
# Bytes of the chief's message, the same on all workers: names and a few flags.
_MESSAGE = 16_384
# What is replaced on a model, and the methods of keras.Model that must use it.
_USED = {
    "fit": ("_maybe_symbolic_build", "make_train_function", "train_function"),
    "evaluate": ("_maybe_symbolic_build", "make_test_function", "test_function"),
}
# The methods that must leave a function alone that is set already.
_KEEPING = {"make_train_function": "train_function", "make_test_function": "test_function"}


def start(cluster: Cluster, deadline_seconds: float = START_DEADLINE) -> Any:
    """The strategy of this worker, when all workers have come.

    Call it on every worker, before TensorFlow has run anything else in this process.

    Args:
        cluster: the workers, and which of them this process is.
        deadline_seconds: how long to wait for the others.

    Raises:
        DeviceError: when a worker does not come by the deadline, or TensorFlow refuses.
    """
    tf = start_tensorflow()
    meet(cluster, deadline_seconds)
    os.environ["TF_CONFIG"] = cluster.tf_config()
    try:
        with _hard_deadline(_TENSORFLOW_DEADLINE), _signals_kept():
            # On a CPU this talks by ring; between GPUs of one kind by NCCL.
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeviceError(
            f"Worker {cluster.index} of {cluster.size} could not start at {cluster.address}: "
            f"{first} Start all workers again; a process cannot try it twice."
        ) from error


@contextlib.contextmanager
def _hard_deadline(seconds: float) -> Iterator[None]:
    """End the process when the block takes longer, as when a worker dies between meeting and start.

    TensorFlow then waits inside C++ with Python's lock held, where no Python runs. faulthandler
    has a thread that needs no lock; it writes where the process was to standard error, and ends
    it.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Give SIGTERM back to Python: TensorFlow takes it for itself when a cluster starts."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def is_multi_worker(strategy: Any) -> bool:
    """Whether a strategy trains on several workers."""
    tf = start_tensorflow()
    return (
        isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        and strategy.extended._in_multi_worker_mode()
    )


def adapt(model: Any) -> None:
    """Let `fit` and `evaluate` of a model work on several replicas; on one do nothing.

    Call it on every worker, after `build_state`; the model's functions for a step are to be set
    with `set_functions`. Replicas of one machine need it as well, for a first batch that does not
    divide among them and for one of texts: neither has a mean.

    Args:
        model: a compiled keras.Model, built in the strategy's scope, with all its variables.

    Raises:
        DeviceError: when this Keras is not as we need it.
    """
    import keras

    if model.distribute_strategy.num_replicas_in_sync > 1:
        check_keras()
        # It averages the first batch over the replicas, and fails (keras issue 20585). Its only
        # purpose is to make variables, and all are there.
        model._maybe_symbolic_build = _nothing_to_build
        if type(model).test_step is keras.Model.test_step:
            model.test_step = _test_step(model, model.test_step)


def _nothing_to_build(iterator: Any = None, data_batch: Any = None) -> None:
    """In the place of `keras.Model._maybe_symbolic_build`."""


def _test_step(model: Any, own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Keras's own, left out on a replica that has no sample of the batch.

    A last batch with fewer samples than there are replicas leaves some without. They add nothing
    to any metric, and not every operation can do without samples: TensorFlow's convolution with
    oneDNN gives a tensor of its input's shape then, and the layer after it fails.
    """
    import tensorflow as tf

    def step(data: Any) -> Any:
        size = tf.shape(tf.nest.flatten(data)[0])[0]
        return tf.cond(size > 0, lambda: own(data), model.get_metrics_result)

    return step


def check_keras() -> None:
    """Refuse a Keras that has not what training on several replicas relies on.

    Raises:
        DeviceError: it names the version and what is missing.
    """
    import keras

    missing = []
    for name in ("_maybe_symbolic_build", "_symbolic_build"):
        method = getattr(keras.Model, name, None)
        if method is None:
            missing.append(f"Model.{name}")
        elif not {"iterator", "data_batch"} <= set(inspect.signature(method).parameters):
            missing.append(f"{name}(iterator=..., data_batch=...)")
    for method_name, names in _USED.items():
        used = inspect.unwrap(getattr(keras.Model, method_name)).__code__.co_names
        missing += [f"{name} in Model.{method_name}" for name in names if name not in used]
    model = keras.Sequential(name="probe")
    for maker, function in _KEEPING.items():
        setattr(model, function, _nothing_to_build)
        getattr(model, maker, lambda: None)()
        if getattr(model, function) is not _nothing_to_build:
            missing.append(f"{function} that Model.{maker} keeps")
    if missing:
        raise DeviceError(
            f"Training on several replicas works around a gap in Keras (keras-team/keras issue "
            f"20585), and Keras {keras.__version__} has changed there: it has no "
            f"{', no '.join(missing)}. It is known to work with Keras {WORKS_WITH}: "
            f"pip install 'keras~={WORKS_WITH}.0', or train on one device."
        )


def announce(strategy: Any, index: int, message: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the chief tells all workers; every worker has to call it, and waits for the others.

    Args:
        strategy: the strategy of all workers.
        index: which worker this is.
        message: on the chief, what to tell: values that JSON can hold.

    Returns:
        The chief's message.
    """
    import tensorflow as tf

    text = json.dumps(message or {}).encode() if index == 0 else b""
    data = np.zeros(_MESSAGE, np.int32)
    data[: len(text)] = np.frombuffer(text, np.uint8)

    def own() -> Any:
        first = tf.distribute.get_replica_context().replica_id_in_sync_group == 0
        return tf.where(first, data, tf.zeros_like(data))

    @tf.function
    def sent() -> Any:
        return strategy.reduce("SUM", strategy.run(own), axis=None)

    return json.loads(bytes(sent().numpy().astype(np.uint8)).rstrip(b"\0"))
