"""Several replicas on one machine (`device=cpu:2`) train what one device trains.

Logical CPUs are made before TensorFlow computes, so each device has a process of its own.
"""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.errors import ConfigError
from tfpipe.training import checkpoint
from tfpipe.training.replicas import check_replicas

# The networks are smooth, see tests/cli/training/test_workers.py. What is left in the last batch
# of 12: of `Pictures` 9 samples to train on, 3 to validate and 3 to test; of `Vectors` 3, 1 and 1,
# so that one replica has none.
BEGIN = """
import json, os, signal, sys
from pathlib import Path
import keras
import numpy as np
import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.models import MLP

device, root = sys.argv[1], Path(sys.argv[2])


def pictures(size, tests):
    rng = np.random.default_rng(0)
    y = np.arange(size + tests) % 3
    x = rng.integers(0, 200, (size + tests, 8, 8, 3)) + 20 * y[:, None, None, None]
    x = x.astype("uint8")
    return (x[:size], y[:size]), (x[size:], y[size:])


class Vectors(Pipeline):
    data = Arrays(lambda: pictures(124, 13), validation=0.2)
    model = MLP(units=(16,), activation="tanh", batch_norm=True, dropout=0.0)
    optimizer = tfpipe.keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    batch_size = 12
    epochs = 2


class Pictures(Vectors):
    data = Arrays(lambda: pictures(132, 15), validation=0.2)
    augment = (augment.flip(), augment.shift(0.1))
    model = None
    checkpoint_every = 3

    def build_model(self):
        import keras

        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(8, 3, activation="tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.Conv2D(8, 3, activation="tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(3),
            ]
        )


def run(pipeline, name, **more):
    done = tfpipe.run(pipeline.replace(device=device), root=root / name, quiet=True, **more)
    x = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3)).astype("float32")
    return {
        "directory": str(done.directory),
        "metrics": done.metrics,
        "history": done.history,
        "exported": [str(path) for path in done.exported],
        "answers": keras.ops.softmax(done.model(x)).numpy().tolist(),
    }
"""

ONE = """
# One device trains on the rest too, unless it is told to leave it out.
found = {
    "Pictures": run(Pictures(drop_remainder=True), "pictures", export=False),
    "Vectors": run(Vectors(drop_remainder=True), "vectors", export=False),
}
(root / "found.json").write_text(json.dumps({"said": []} | found))
"""

# At last one run is killed, in its second epoch.
TWO = """
import logging
said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger("tfpipe").addHandler(handler)
logging.getLogger("tfpipe").setLevel(logging.INFO)
found = {
    "Pictures": run(Pictures(), "pictures"),
    "Vectors": run(Vectors(), "vectors", export=False),
    "five": run(Pictures(steps_per_execution=5), "five", export=False),
    "bfloat16": run(Vectors(precision="bfloat16", epochs=1), "bfloat16", export=False),
}
(root / "found.json").write_text(json.dumps({"said": said} | found))


class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations.numpy() == 8 + 5:
            os.kill(os.getpid(), signal.SIGKILL)


run(Pictures(), "killed", export=False, extra=(Kill(),))
"""


@dataclass(frozen=True)
class Trained:
    """What one run left."""

    directory: Path
    metrics: dict[str, dict[str, float]]
    history: dict[str, list[float]]
    exported: list[str]
    answers: list[list[float]]

    def arrays(self, *groups: str) -> dict[str, np.ndarray]:
        """The values of the last state, by the names of the variables."""
        saved = checkpoint.latest(self.directory / "checkpoints")
        assert saved is not None
        return {
            f"{g} {n}": a for g in groups or checkpoint.GROUPS for n, a in saved.named(g).items()
        }


@dataclass(frozen=True)
class Device:
    """What the runs on one device left, by their name, what was logged, and where they are."""

    runs: dict[str, Trained]
    said: list[str]
    root: Path


def device(python: Callable[..., Any], text: str, name: str, root: Path, code: int) -> Device:
    """The runs of a program on a device, which ends with a code."""
    answer = python("-c", BEGIN + text, name, root).end()
    assert answer.code == code, answer.err
    found = json.loads((root / "found.json").read_text())
    said = found.pop("said")
    trained = {
        name: Trained(Path(values.pop("directory")), **values) for name, values in found.items()
    }
    return Device(trained, said, root)


@pytest.fixture(scope="module")
def one(python: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Device:
    """The runs on one device."""
    return device(python, ONE, "cpu", tmp_path_factory.mktemp("one"), 0)


@pytest.fixture(scope="module")
def two(python: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Device:
    """The runs on two logical CPUs, and one that was killed, in the folder "killed"."""
    return device(python, TWO, "cpu:2", tmp_path_factory.mktemp("two"), -signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Pictures", "Vectors"])
def test_weights_equal_those_of_one_device(one: Device, two: Device, name: str) -> None:
    alone, several = (d.runs[name].arrays("model", "optimizer") for d in (one, two))
    assert list(alone) == list(several)
    for variable, value in alone.items():
        # Averages of batch norm are computed once, on one device's rounding or the other's.
        atol = 1e-5 if "moving_" in variable else 1e-6
        np.testing.assert_allclose(several[variable], value, rtol=0, atol=atol, err_msg=variable)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Pictures", "Vectors"])
def test_metrics_equal_those_of_one_device(one: Device, two: Device, name: str) -> None:
    """Also with a last batch that does not divide, and one that leaves a replica without any."""
    alone, several = (d.runs[name] for d in (one, two))
    assert alone.metrics.keys() == {"train", "validation", "test"}
    for split, values in alone.metrics.items():
        assert several.metrics[split] == pytest.approx(values, abs=1e-5), split
        assert several.metrics[split]["accuracy"] == values["accuracy"], split
    for metric, values in alone.history.items():
        assert several.history[metric] == pytest.approx(values, abs=1e-5), metric


@pytest.mark.slow
def test_several_steps_in_one_call_change_nothing(two: Device) -> None:
    single, five = two.runs["Pictures"], two.runs["five"]
    # The second model in a process has other names.
    arrays = zip(single.arrays().items(), five.arrays().values(), strict=True)
    for (variable, value), other in arrays:
        assert value.tobytes() == other.tobytes(), variable
    assert five.metrics == single.metrics
    assert five.history == single.history


@pytest.mark.slow
def test_a_last_batch_that_does_not_divide_is_left_out_and_said(two: Device) -> None:
    texts = [
        f"The last {n} samples of each epoch are left out: they do not divide among 2 replicas."
        for n in (9, 3, 9, 3)
    ]
    assert [text for text in two.said if "left out" in text] == texts
    steps = [v for n, v in two.runs["Pictures"].arrays("optimizer").items() if "iter" in n]
    assert [int(step) for step in steps] == [2 * 8]


PLAIN = """
import sys
sys.modules |= dict.fromkeys(("tfpipe", "matplotlib", "pandas", "scipy", "sklearn"))
import keras, numpy as np, tensorflow as tf
best, saved, file = sys.argv[1:]
x = np.load(file)
model = keras.models.load_model(best)
serving = tf.saved_model.load(saved).signatures["serving_default"]
assert serving(image=tf.constant(x))["probabilities"].shape == (5, 3)
assert model(x).shape == (5, 3)
"""


@pytest.mark.slow
def test_what_is_saved_needs_neither_tfpipe_nor_replicas(
    two: Device, python: Callable[..., Any], tmp_path: Path
) -> None:
    run = two.runs["Pictures"]
    np.save(tmp_path / "x.npy", np.zeros((5, 8, 8, 3), np.uint8))
    files = [run.directory / "checkpoints" / "best.keras", run.exported[0], tmp_path / "x.npy"]
    answer = python("-P", "-c", PLAIN, *files, cwd=tmp_path).end()
    assert answer.code == 0, answer.err


@pytest.mark.slow
def test_the_export_of_two_replicas_answers_as_the_model_of_one(one: Device, two: Device) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3)).astype("uint8")
    (saved,) = two.runs["Pictures"].exported
    serving = tf.saved_model.load(saved).signatures["serving_default"]
    found = serving(image=tf.constant(pictures))["probabilities"].numpy()
    np.testing.assert_allclose(found, one.runs["Pictures"].answers, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_trains(two: Device) -> None:
    run = two.runs["bfloat16"]
    assert np.isfinite(run.metrics["train"]["loss"])
    model = keras.models.load_model(run.directory / "checkpoints" / "best.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"bfloat16", "float32"}
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


# Resumes what was killed, trains a convolution where one replica has no sample, and checks.
LATER = """
from tfpipe.errors import ConfigError
from tfpipe.verbs.check import check

tfpipe.resume(pipeline=Pictures(device=device), root=root / "killed", export=False, quiet=True)
data = Arrays(lambda: pictures(125, 15), validation=0.2)
run(Pictures(data=data, epochs=1), "single", export=False)
for fields in (
    {"batch_size": 13}, {"batch_size": 1}, {"clip_norm": 1.0}, {"gradient_accumulation": 4}
):
    try:
        check(Pictures(device=device, **fields))
    except ConfigError as error:
        print(error)
found = check(Pictures(device=device, steps_per_execution=5))
print(found["device"])
"""


@pytest.fixture(scope="module")
def later(two: Device, python: Callable[..., Any]) -> list[str]:
    """What a second process on two logical CPUs printed."""
    answer = python("-c", BEGIN + LATER, "cpu:2", two.root).end()
    assert answer.code == 0, answer.err
    return answer.out.splitlines()  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_end(two: Device, later: list[str]) -> None:
    (directory,) = (two.root / "killed").glob("runs/*/*")
    config = json.loads((directory / "config.json").read_text())
    (resumed,) = config["resumed"]
    assert (resumed["epoch"], resumed["step"]) == (1, 3)
    straight = two.runs["Pictures"]
    arrays = Trained(directory, {}, {}, [], []).arrays()
    for (variable, value), other in zip(straight.arrays().items(), arrays.values(), strict=True):
        assert value.tobytes() == other.tobytes(), variable
    status = json.loads((directory / "status.json").read_text())
    assert status["metrics"] == straight.metrics


@pytest.mark.slow
def test_a_convolution_on_a_replica_without_a_sample(two: Device, later: list[str]) -> None:
    (directory,) = (two.root / "single").glob("runs/*/*")
    status = json.loads((directory / "status.json").read_text())
    assert status["state"] == "finished"


@pytest.mark.slow
def test_check_refuses_what_replicas_cannot_train(later: list[str]) -> None:
    divides = "does not divide among the 2 replicas of 2 logical CPUs: it is the size over all of "
    assert later[:2] == [
        f"batch_size=13 {divides}them. Use 12 or 14.",
        f"batch_size=1 {divides}them. Use 2.",
    ]
    assert later[2].startswith("clip_norm=1 does not work on 2 logical CPUs: ")
    assert later[3].startswith("gradient_accumulation=4 does not work on 2 logical CPUs: ")
    assert later[4:] == ["2 logical CPUs"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"gradient_accumulation": 2},
            "gradient_accumulation=2 does not work on 2 logical CPUs: Keras's optimizers cannot "
            "accumulate inside of a replica. Use a larger batch_size, which the replicas share, "
            "or one device.",
        ),
        (
            {"clip_norm": 0.5},
            "clip_norm=0.5 does not work on 2 logical CPUs: Keras clips the gradients of each "
            "replica by themselves, which trains something else than one device would. Use one "
            "device.",
        ),
    ],
)
def test_what_means_something_else_on_replicas_is_refused(
    fields: dict[str, Any], text: str
) -> None:
    from tfpipe import Pipeline

    with pytest.raises(ConfigError) as error:
        check_replicas(Pipeline(**fields), "2 logical CPUs")
    assert str(error.value) == text
