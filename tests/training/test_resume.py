"""A run that was interrupted and resumed ends as the one that ran straight, bit for bit."""

import gc
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from killing import (
    KillAt,
    Killed,
    assert_equal,
    curves,
    killed,
    outcome,
    resumed,
    run,
    weights,
)

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.declare.loading import load
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6, MLP, WhitenedCNN
from tfpipe.training import checkpoint


def images() -> Any:
    """Pictures whose labels are half chance, so that validation soon gets worse."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 75)
    x = rng.integers(0, 120, (75, 8, 8, 1)) + 40 * y[:, None, None, None]
    return x.astype("uint8"), np.where(rng.random(75) < 0.4, 1 - y, y)


def points() -> Any:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


class Job(Pipeline):
    """Everything that has a memory: 4 steps of 10 and one of 5 an epoch, stopped early."""

    data = Arrays(images, validation=0.25, test=0.2)
    augment = (augment.flip(), augment.shift(0.1))
    model = CNN_2_4_6(convs=2, dropout=0.3, batch_norm=True, units=4)
    optimizer = tfpipe.keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
    batch_size = 10
    seed = 1
    epochs = 12
    checkpoint_every = 2
    callbacks = (
        tfpipe.keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=3, restore_best_weights=True
        ),
        tfpipe.keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
    )


class Points(Pipeline):
    """The smallest with dropout and batch norm: 6 steps an epoch, with states in between."""

    data = Arrays(points, validation=0.25, test=0.2)
    model = MLP(units=(4,), dropout=0.2, batch_norm=True)
    batch_size = 6
    epochs = 2
    checkpoint_every = 2


@pytest.fixture(autouse=True)
def plain_keras() -> Iterator[None]:
    """A pipeline's precision does not outlive its test."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int, bool], None]:
    """Makes the saving of one state fail: before anything is written, or half way."""

    def die(epoch: int, step: int, half: bool) -> None:
        save = checkpoint.save

        def dying_save(folder: Path, model: Any, now: checkpoint.State, *words: Any) -> Any:
            if (now.epoch, now.step) != (epoch, step):
                return save(folder, model, now, *words)
            if half:
                left = folder / f".state-{epoch:04d}-{step:06d}.abc"
                left.mkdir()
                (left / "arrays.npz").write_bytes(b"half")
            monkeypatch.setattr(checkpoint, "save", save)
            raise Killed

        monkeypatch.setattr(checkpoint, "save", dying_save)

    return die


# The network with everything, killed at one moment after the other


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The straight run's outcome and its final weights."""
    result = run(Job(), tmp_path_factory.mktemp("straight"))
    return {"outcome": outcome(result.directory), "weights": weights(result)}


def test_the_straight_run_has_all_that_makes_resuming_hard(wanted: dict[str, Any]) -> None:
    rows = wanted["outcome"]["metrics.csv"]
    assert 4 <= len(rows) < 12  # stopped early
    assert wanted["outcome"]["position"] == (len(rows), 0, True)
    assert len({row["learning_rate"] for row in rows}) > 2
    memory = wanted["outcome"]["callbacks"]
    assert memory["EarlyStopping"]["best_weights"] > 0
    assert set(memory) == {"EarlyStopping", "ReduceLROnPlateau", "BestModel"}


# A moment: a step of an epoch, the end of one, the end of training, or (epoch, step, half written)
# of a state that is not written. Each run is killed at one moment after the other.
MOMENTS: dict[str, list[Any]] = {
    "within an epoch": [
        (0, 1),  # before any state
        (0, 3),  # in the first epoch, after a state
        (1, 4),  # the very step that saves; the smaller last batch comes next
        (2, 2, True),  # while a state is written
        (2, 5),  # the last step
    ],
    "between epochs": [
        (1, 0, False),  # between metrics.csv and the state, in the first epoch
        (1, 0, True),  # while that state is written
        (1, 1),
        (3, 0, False),
        (3, 0, True),
        (3, None),  # after the state
    ],
}


def assert_ends_as(result: Any, wanted: dict[str, Any]) -> None:
    assert_equal(result.directory, wanted["outcome"])
    assert weights(result) == wanted["weights"]


@pytest.mark.parametrize("name", MOMENTS)
def test_killed_and_resumed_ends_as_the_straight_run(
    tmp_path: Path,
    wanted: dict[str, Any],
    dying: Callable[[int, int, bool], None],
    name: str,
) -> None:
    begun = False
    for moment in MOMENTS[name]:
        if len(moment) == 3:
            dying(*moment)
        extra = [KillAt(*moment)] if len(moment) == 2 else []
        with pytest.raises(Killed):
            (resumed if begun else run)(Job(), tmp_path, *extra)
        begun = True
    assert_ends_as(resumed(Job(), tmp_path), wanted)


def test_killed_when_it_had_stopped_early(
    tmp_path: Path, wanted: dict[str, Any], dying: Callable[[int, int, bool], None]
) -> None:
    epochs = len(wanted["outcome"]["metrics.csv"])
    dying(epochs, 0, False)  # metrics.csv has the last epoch, no state knows that it is the last
    with pytest.raises(Killed):
        run(Job(), tmp_path)
    for moment in ((epochs - 1, None), (None, None)):  # and before the test evaluation
        with pytest.raises(Killed):
            resumed(Job(), tmp_path, KillAt(*moment))
    assert_ends_as(resumed(Job(), tmp_path), wanted)


def test_stopped_by_a_person_and_a_damaged_newest_state_cost_only_time(
    tmp_path: Path, wanted: dict[str, Any]
) -> None:
    class Stopper(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(tfpipe.errors.Interrupted):
        run(Job(), tmp_path, Stopper())
    with pytest.raises(Killed):
        resumed(Job(), tmp_path, KillAt(2, 3))
    (directory,) = tmp_path.glob("runs/*/*")
    arrays = directory / "checkpoints" / "state-0002-000002" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1])
    result = resumed(Job(), tmp_path)
    assert (directory / "checkpoints" / "damaged-0002-000002").is_dir()
    assert_ends_as(result, wanted)


# Other declarations


class Own(Points):
    """An input function of one's own over the declared data."""

    def input_fn(self, split: str) -> Any:  # type: ignore[override]
        return super().input_fn(split).map(lambda x, y: (2.0 * x, y))


class Alone(Pipeline):
    """An input function of one's own and no declared data."""

    model = MLP(units=(4,), dropout=0.2)
    epochs = 2
    checkpoint_every = 2

    def input_fn(self, split: str) -> Any:  # type: ignore[override]
        dataset = tf.data.Dataset.from_tensor_slices(points())
        return None if split == "test" else dataset.shuffle(60, seed=1).batch(12)


class Falling(keras.callbacks.Callback):
    """Lowers the learning rate with every step, which nothing but itself remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1
        self.model.optimizer.learning_rate = 0.1 / self.steps

    def get_state(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def set_state(self, held: dict[str, Any]) -> None:
        self.steps = held["steps"]


class Custom(Own):
    def build_callbacks(self) -> list[Any]:
        return [Falling(), keras.callbacks.TerminateOnNaN()]


SCHEDULE = tfpipe.keras.optimizers.SGD(
    tfpipe.keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
)
STOPPING = tfpipe.keras.callbacks.EarlyStopping(
    monitor="val_loss", patience=1, min_delta=1.0, restore_best_weights=True
)
LOOKAHEAD = tfpipe.deferred("tfpipe.optimizers").LookaheadSGD(
    tfpipe.deferred("tfpipe.optimizers").Triangular(0.1),
    momentum=0.85,
    nesterov=True,
    every=3,
    weight_decay=0.01,
    rates={"*/beta": 8.0},
)


class Whitened(Job):
    """The recipe of the fast pipelines: 5 steps of 10 an epoch."""

    augment = (augment.flip(alternate=True), augment.crop(1))
    model = WhitenedCNN(widths=(4, 4))
    optimizer = LOOKAHEAD
    loss = tfpipe.keras.losses.BinaryCrossentropy(label_smoothing=0.2)
    callbacks = ()
    epochs = 3


DECLARED: dict[str, tuple[Pipeline, list[Any]]] = {
    "a lookahead average, flips that alternate, and a whitened network": (
        Whitened(),
        [(1, 4), (2, 2)],
    ),
    "the same in bfloat16, several steps in one call": (
        Whitened(precision="bfloat16", steps_per_execution=2),
        [(1, 4)],
    ),
    "a learning rate schedule, and a last batch that is smaller": (
        Points(optimizer=SCHEDULE, batch_size=8),
        [(1, 4)],
    ),
    "steps_per_epoch and clip_norm": (Points(steps_per_epoch=7, clip_norm=1.0), [(1, 5)]),
    "drop_remainder and gradient_accumulation": (
        Points(drop_remainder=True, batch_size=8, gradient_accumulation=3),
        [(1, 3)],
    ),
    "an own input_fn with steps_per_epoch, and an own callback": (
        Custom(steps_per_epoch=7),
        [(1, 7)],
    ),
    "an own input_fn alone": (Alone(), [(1, 3)]),
    "ema": (Points(ema=0.9), [(0, None), (1, 3), (None, None)]),
    "ema in float16, stopped early": (
        Points(ema=0.9, precision="float16", callbacks=(STOPPING,), epochs=4),
        [(1, 3)],
    ),
    "all at once": (
        Points(
            ema=0.9,
            gradient_accumulation=3,
            clip_norm=1.0,
            precision="bfloat16",
            steps_per_execution=4,
            callbacks=(STOPPING,),
            epochs=4,
        ),
        [(1, 4)],
    ),
}


@pytest.mark.parametrize("name", DECLARED)
def test_every_declaration_is_resumed_exactly(tmp_path: Path, name: str) -> None:
    pipeline, (first, *others) = DECLARED[name]
    ran = run(pipeline, tmp_path / "straight")
    killed(pipeline, tmp_path / "killed", KillAt(*first))
    for moment in others:
        with pytest.raises(Killed):
            resumed(pipeline, tmp_path / "killed", KillAt(*moment))
    result = resumed(pipeline, tmp_path / "killed")
    assert_equal(result.directory, outcome(ran.directory))
    assert weights(result) == weights(ran)
    assert set(result.history) == set(ran.history)
    for metric, values in ran.history.items():  # the first are read from metrics.csv
        assert result.history[metric] == pytest.approx(values, rel=1e-7)


def test_more_epochs_end_as_a_longer_run(tmp_path: Path) -> None:
    long = run(Points(epochs=4), tmp_path / "long")
    short = run(Points(epochs=2), tmp_path / "short")
    result = tfpipe.resume(
        short.name,
        pipeline=Points(epochs=4),
        root=tmp_path / "short",
        export=False,
        quiet=True,
    )
    got, wanted = outcome(result.directory), outcome(long.directory)
    for held in (got, wanted):  # the first end was evaluated too
        held["tensorboard"] = {
            t: p for t, p in held["tensorboard"].items() if not t.startswith("test/")
        }
    assert [name for name in wanted if got[name] != wanted[name]] == []
    assert weights(result) == weights(long)


# The real signal

KILLED = """
import os, signal
import keras, numpy as np
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.models import MLP

def points():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)

def dying(*words, **named):
    global left
    left -= 1
    save(*words, **named)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

left, save = int(os.environ.get("DIE_IN_SAVING", 0)), np.savez
if left:
    np.savez = dying

class Killed(Pipeline):
    data = Arrays(points, validation=0.2, test=0.2)
    model = MLP(units=(4,), dropout=0.2, batch_norm=True)
    batch_size = 8
    epochs = 3
    checkpoint_every = 2
"""


@pytest.mark.slow
def test_a_real_sigkill_in_the_writing_of_a_state(tmp_path: Path) -> None:
    file = tmp_path / "killed.py"
    file.write_text(KILLED)
    environment = {**os.environ, "DIE_IN_SAVING": "5"}
    command = [sys.executable, "-m", "tfpipe", "run", str(file), "--no-export"]
    process = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL
    (directory,) = tmp_path.glob("runs/*/*")
    assert list(directory.glob("checkpoints/.state-0001-000004.*/arrays.npz"))
    assert json.loads((directory / "status.json").read_text())["state"] == "running"
    tfpipe.resume(root=tmp_path, export=False, quiet=True)
    ran = run(load(str(file)), tmp_path / "straight")
    assert_equal(directory, outcome(ran.directory))


# What the fields mean


def compiled(pipeline: Pipeline) -> Any:
    from tfpipe.training.compile import compile_model

    found = compile_model(
        pipeline, pipeline.spec(), tf.distribute.get_strategy(), pipeline.precision
    )
    return found.model


@pytest.mark.parametrize("changes", [{}, {"gradient_accumulation": 2, "precision": "float16"}])
def test_the_average_is_that_of_one_fit_of_plain_keras(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    from tfpipe.training.datasets import dataset

    pipeline = Points(ema=0.9, shuffle=False, **changes)
    result = run(pipeline, tmp_path)
    # The averages of batch norm are others: after so few steps Keras's own mean nothing.
    ours = [np.array(variable) for variable in result.model.trainable_variables]
    plain = compiled(pipeline)
    plain.fit(dataset(pipeline, "train"), epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours, map(np.array, plain.trainable_variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)  # Keras compiles its steps otherwise
    saved = checkpoint.latest(result.directory / "checkpoints")
    assert saved is not None
    assert np.abs(saved.group("model")[0] - ours[0]).max() > 1e-4  # training would go on with it


def test_the_fields_reach_the_optimizer() -> None:
    optimizer = compiled(Points(gradient_accumulation=3, clip_norm=0.5, ema=0.75)).optimizer
    assert optimizer.gradient_accumulation_steps == 3
    assert optimizer.global_clipnorm == 0.5
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.75)
    plain = compiled(Points()).optimizer
    assert plain.gradient_accumulation_steps is None
    assert plain.global_clipnorm is None
    assert not plain.use_ema


def test_the_fields_reach_the_optimizer_inside_of_loss_scaling() -> None:
    optimizer = compiled(Points(gradient_accumulation=3, clip_norm=0.5, precision="float16"))
    inner = optimizer.optimizer.inner_optimizer
    assert (inner.gradient_accumulation_steps, inner.global_clipnorm) == (3, 0.5)


def test_two_ways_to_clip_are_refused() -> None:
    clipping = tfpipe.keras.optimizers.SGD(learning_rate=0.1, clipnorm=1.0)
    with pytest.raises(
        ConfigError,
        match=r"^SGD does not take clip_norm together with its own arguments: Only one of "
        r"`clipnorm`, `clipvalue` and `global_clipnorm` can be set",
    ):
        compiled(Points(optimizer=clipping, clip_norm=1.0))


def test_curves_by_the_batch_and_the_file_of_a_csv_logger_have_nothing_twice(
    tmp_path: Path,
) -> None:
    def logged(file: Path) -> Pipeline:
        board = tfpipe.keras.callbacks.TensorBoard(update_freq=1)
        return Points(callbacks=(board, tfpipe.keras.callbacks.CSVLogger(str(file))))

    ran = run(logged(tmp_path / "straight.csv"), tmp_path / "straight")
    pipeline = logged(tmp_path / "killed.csv")
    killed(pipeline, tmp_path / "killed", KillAt(1, 3))
    with warnings.catch_warnings():  # what is killed closes nothing
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    result = resumed(pipeline, tmp_path / "killed")
    straight, pieces = (
        {tag: [step for step, _ in points] for tag, points in curves(r / "tensorboard").items()}
        for r in (ran.directory, result.directory)
    )
    assert pieces == straight
    lines = (tmp_path / "killed.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1"]
