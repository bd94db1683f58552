"""Several workers: real processes on this machine.

After an error between workers no later strategy starts in the same process.
"""

import json
import signal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.devices.cluster import strategy as multiworker
from tfpipe.devices.cluster.strategy import adapt, check_keras, is_multi_worker
from tfpipe.errors import DeviceError
from tfpipe.processes.worker import free_ports

# What every program starts with: `n` workers, of which this is `index`; n = 1 trains alone.
BEGIN = """
import json, os, signal, sys
# Keras would import these, and nothing here uses them.
sys.modules |= dict.fromkeys(("matplotlib", "pandas", "scipy", "sklearn"))
import numpy as np
from pathlib import Path
from tfpipe.devices.cluster import strategy as multiworker
from tfpipe.devices.cluster.membership import Cluster
from tfpipe.devices.startup import start_tensorflow

addresses, index, folder = tuple(sys.argv[1].split(",")), int(sys.argv[2]), Path(sys.argv[3])
n = len(addresses)
tf = start_tensorflow()
strategy = tf.distribute.get_strategy()
if n > 1:
    strategy = multiworker.start(Cluster(addresses, index), 90)
import keras
from tfpipe.training import checkpoint
from tfpipe.training.requests import Requests
from tfpipe.training.compile import build_state
from tfpipe.training.steps import InputWait, set_functions

tf.config.experimental.enable_op_determinism()
random = np.random.default_rng(0)
x = random.normal(size=(101, 8)).astype("float32")
y = random.integers(0, 3, 101)


def batches(size, batch, epoch=None):
    "As tfpipe makes them: rows of tensors in memory, by map, and prefetched."
    order = np.arange(size)
    if epoch is not None:
        order = np.random.default_rng(epoch).permutation(size)[: size - size % batch]
    features, labels = tf.constant(x), tf.constant(y)

    def rows(start):
        taken = tf.constant(order)[start : start + batch]
        return tf.gather(features, taken), tf.gather(labels, taken)

    starts = tf.data.Dataset.range(0, len(order), batch)
    return starts.map(rows, num_parallel_calls=-1).prefetch(-1)


def compiled():
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = keras.Sequential([
            keras.Input((8,)),
            keras.layers.Dense(16),
            keras.layers.BatchNormalization(synchronized=True),
            keras.layers.ReLU(),
            keras.layers.Dense(3),
        ])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"], jit_compile=False
        )
    build_state(model, batches(101, 30))
    multiworker.adapt(model)
    set_functions(model, InputWait(), Requests(lambda: False, together=n > 1))
    return model


def trained():
    model = compiled()
    for epoch in range(2):
        model.fit(batches(101, 30, epoch), shuffle=False, verbose=0)
    return model


def answer(**values):
    (folder / f"{n}-{index}.json").write_text(json.dumps(values))
"""


Start = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def start(python: Callable[..., Any]) -> Start:
    """Starts a program on that many workers at once."""

    def workers(program: str, size: int, folder: Path) -> list[Any]:
        addresses = ",".join(f"127.0.0.1:{port}" for port in free_ports(size))
        return [python("-c", BEGIN + program, addresses, i, folder) for i in range(size)]

    return workers


# Two workers also save their shares of the metrics, and wait for their end.
EQUAL = """
model = trained()
found = dict(
    weights=[w.numpy().tolist() for w in model.weights],
    sizes={s: model.evaluate(batches(s, 30), return_dict=True, verbose=0) for s in (101, 91, 60)},
    predicted=model.predict(batches(91, 30).map(lambda x, y: x), verbose=0).tolist(),
    called=model(x[:91], training=False).numpy().tolist(),
)
if index == 0:
    model.save(folder / f"{n}.keras")
if n == 1:
    answer(**found)
    sys.exit()
saved = checkpoint.load(checkpoint.save(folder / str(index), model, checkpoint.State(1, 2)))
shares = saved.named("metrics")
other = compiled()
checkpoint.restore(other, saved)
again = checkpoint.load(checkpoint.save(folder / f"again-{index}", other, checkpoint.State(1, 2)))
sums = [float(v.numpy()) for v in other.metrics_variables]
answer(
    replicas=[len(value) for value in shares.values()],
    differ=any(value[0] != value[1] for value in shares.values()),
    equal=all(np.array_equal(a, b) for a, b in zip(saved.arrays, again.arrays, strict=True)),
    sums=list(zip(sums, [float(value.sum()) for value in shares.values()])),
    shares=[value.tolist() for value in shares.values()],
    **found,
)
os.write(1, b"up")
while True:
    signal.pause()
"""


@dataclass(frozen=True)
class Trainings:
    """What the training alone and those of two workers answered, and where the models are."""

    alone: dict[str, Any]
    two: list[dict[str, Any]]
    codes: list[int]
    folder: Path


@pytest.fixture(scope="module")
def trainings(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    """The same training alone and on two workers, which SIGTERM ends."""
    folder = tmp_path_factory.mktemp("equal")
    (alone,) = start(EQUAL, 1, folder)
    answer = alone.end()
    assert answer.code == 0, answer.err
    two = start(EQUAL, 2, folder)
    for worker in two:
        assert worker.stdout.read(2) == "up", worker.end().err
    codes = []
    for worker in two:
        worker.terminate()
        codes.append(worker.end().code)
    found = [
        json.loads((folder / name).read_text()) for name in ("1-0.json", "2-0.json", "2-1.json")
    ]
    return Trainings(found[0], found[1:], codes, folder)


@pytest.mark.slow
def test_weights_equal_one_worker(trainings: Trainings) -> None:
    for worker in trainings.two:
        assert worker["weights"] == trainings.two[0]["weights"]
        for ours, theirs in zip(worker["weights"], trainings.alone["weights"], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["101", "91", "60"])  # last batches of 11, of 1, and whole
def test_uneven_batches_are_evaluated_exactly(trainings: Trainings, size: str) -> None:
    for worker in trainings.two:
        assert worker["sizes"][size] == pytest.approx(trainings.alone["sizes"][size], abs=1e-6)


@pytest.mark.slow
def test_predictions_keep_their_order(trainings: Trainings) -> None:
    for worker in trainings.two:
        np.testing.assert_allclose(worker["predicted"], worker["called"], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_the_saved_model_is_plain_keras(trainings: Trainings) -> None:
    files = [trainings.folder / f"{n}.keras" for n in (1, 2)]
    models = [keras.saving.load_model(file) for file in files]
    assert type(models[1]) is keras.Sequential
    alone, several = (model.get_config() for model in models)
    assert several == alone | {"name": several["name"]}
    with zipfile.ZipFile(files[1]) as archive:
        assert b"tfpipe" not in archive.read("config.json")


@pytest.mark.slow
def test_metrics_of_each_replica_are_saved_and_put_back_to_the_bit(trainings: Trainings) -> None:
    assert trainings.two[0]["shares"] == trainings.two[1]["shares"]
    for worker in trainings.two:
        assert worker["replicas"] == [2] * 4
        assert worker["differ"]
        assert worker["equal"]
        for read, expected in worker["sums"]:
            assert read == pytest.approx(expected)


@pytest.mark.slow
def test_sigterm_ends_a_worker_that_has_started(trainings: Trainings) -> None:
    assert trainings.codes == [-signal.SIGTERM] * 2


UNEVEN = """
import sys
sys.modules |= dict.fromkeys(("matplotlib", "pandas", "scipy", "sklearn"))
import numpy as np
import tensorflow as tf
from tfpipe.devices.cluster.strategy import adapt
from tfpipe.training.requests import Requests
from tfpipe.training.compile import build_state
from tfpipe.training.steps import InputWait, set_functions

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras

with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    lengths = keras.layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3)
    inputs = keras.Input((), dtype="string")
    numbers = keras.layers.Dense(1)(keras.ops.cast(lengths(inputs), "float32"))
    model = keras.Model(inputs, numbers)
    model.compile("sgd", "mse")
    pictures = keras.Sequential([
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(32, 3),
        keras.layers.BatchNormalization(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
    ])
    pictures.compile("sgd", "mse", metrics=["mae"])
random = np.random.default_rng(0)
images, y = random.normal(size=(9, 8, 8, 3)).astype("float32"), np.ones((9, 1), "float32")
for used, x in ((model, np.array(["a b"] * 9)), (pictures, images)):
    everything = tf.data.Dataset.from_tensor_slices((x, y))
    build_state(used, everything.batch(4))
    adapt(used)
    set_functions(used, InputWait(), Requests(lambda: False))
    for size in (1, 3, 9):
        found = used.evaluate(everything.take(size).batch(4), verbose=0, return_dict=True)
        expected = float(np.mean((used(x[:size]).numpy() - 1) ** 2))
        assert abs(found["loss"] - expected) < 1e-5 * expected, (size, found, expected)
"""


@pytest.mark.slow
def test_batches_of_texts_and_those_that_leave_a_replica_without_a_sample(python):
    answer = python("-c", UNEVEN).end()
    assert answer.code == 0, answer.err


# Nothing of this needs another process


def test_one_replica_is_left_as_it_is():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    adapt(model)
    assert model.train_function is None
    assert "_maybe_symbolic_build" not in vars(model)
    assert not is_multi_worker(model.distribute_strategy)


def test_this_keras_is_as_the_adapter_needs_it():
    check_keras()
    assert keras.__version__.startswith(multiworker.WORKS_WITH)


def test_a_keras_without_the_method(monkeypatch):
    for cls in keras.Model.__mro__:
        if "_maybe_symbolic_build" in vars(cls):
            monkeypatch.delattr(cls, "_maybe_symbolic_build")
    with pytest.raises(DeviceError) as caught:
        check_keras()
    assert f"Keras {keras.__version__} has changed there" in str(caught.value)
    assert "it has no Model._maybe_symbolic_build." in str(caught.value)
    assert "pip install 'keras~=3.15.0'" in str(caught.value)


def test_a_keras_whose_method_takes_something_else(monkeypatch):
    monkeypatch.setattr(keras.Model, "_symbolic_build", lambda self, batch: None)
    with pytest.raises(
        DeviceError, match=r"has no _symbolic_build\(iterator=\.\.\., data_batch=\.\.\.\)\."
    ):
        check_keras()


def test_a_keras_that_does_not_call_the_method(monkeypatch):
    monkeypatch.setattr(keras.Model, "evaluate", lambda self, x: None)
    with pytest.raises(DeviceError, match=r"no _maybe_symbolic_build in Model\.evaluate, no make_"):
        check_keras()


@pytest.mark.parametrize("kind", ["train", "test"])
def test_a_keras_that_replaces_a_function_that_is_set(monkeypatch, kind):
    def make(self, force=False):
        setattr(self, f"{kind}_function", print)

    monkeypatch.setattr(keras.Model, f"make_{kind}_function", make)
    missing = rf"has no {kind}_function that Model\.make_{kind}_function keeps\."
    with pytest.raises(DeviceError, match=missing):
        check_keras()
