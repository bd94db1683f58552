"""Steps in one call or in many: the same numbers to the last bit, stopped and resumed too."""

import csv
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe
from tests.killing import assert_equal, outcome, resumed, run
from tfpipe import Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.errors import Interrupted, TrainingError
from tfpipe.models import MLP, TextClassifier
from tfpipe.training import checkpoint
from tfpipe.training.epochs import Grouping, asks_for_batches


def points() -> Any:
    x = np.random.default_rng(0).normal(size=(130, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def columns() -> Any:
    rng = np.random.default_rng(1)
    table = {"size": rng.normal(size=130).astype("float32"), "kind": rng.choice(["a", "b"], 130)}
    return table, (table["size"] * 2 + (table["kind"] == "a")).astype("float32")


def images() -> Any:
    x = np.random.default_rng(2).integers(0, 256, (130, 8, 8, 3)).astype("uint8")
    return x, (x.mean((1, 2, 3)) > 127).astype(int)


def texts() -> Any:
    words = np.random.default_rng(3).choice(["good", "bad", "film", "plot", "the"], (130, 6))
    return np.array([" ".join(row) for row in words]), (words == "good").any(1).astype(int)


class Points(Pipeline):
    data = Arrays(points, validation=0.2, test=0.1)
    model = MLP(units=(6,), dropout=0.2)
    optimizer = tfpipe.keras.optimizers.Adam(
        tfpipe.keras.optimizers.schedules.CosineDecay(0.05, decay_steps=40)
    )
    batch_size = 12
    epochs = 5


class Averaged(Points):
    optimizer = tfpipe.keras.optimizers.SGD(0.1, momentum=0.9)
    ema = 0.9
    clip_norm = 0.5
    gradient_accumulation = 2
    class_weights = {"0": 2.0}  # noqa: RUF012


class Table(Points):
    data = Arrays(columns, validation=0.2)
    callbacks = (
        tfpipe.keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        tfpipe.keras.callbacks.ReduceLROnPlateau(patience=1),
    )
    optimizer = tfpipe.keras.optimizers.RMSprop(0.01)


class Images(Points):
    data = Arrays(images, validation=0.2)
    model = None
    augment = (augment.flip(), augment.shift(0.2))
    steps_per_epoch = 7

    def build_model(self) -> Any:
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(8, 3),
                keras.layers.BatchNormalization(momentum=0.5),
                keras.layers.ReLU(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(1),
            ]
        )


class Texts(Points):
    data = Arrays(texts, validation=0.2)
    model = TextClassifier()


@pytest.mark.parametrize("pipeline", [Points, Averaged, Table, Images, Texts])
def test_the_same_bits_one_by_one_and_together(pipeline: type[Pipeline], tmp_path: Path) -> None:
    found = [
        outcome(run(pipeline(steps_per_execution=steps), tmp_path / str(steps)).directory)
        for steps in (1, "auto", 3)
    ]
    assert len(found[0]["metrics.csv"]) > 1
    for other in found[1:]:
        assert [name for name in found[0] if other[name] != found[0][name]] == []


def test_stopped_between_two_saved_states_it_ends_the_same(tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                signal.raise_signal(signal.SIGINT)

    straight = outcome(run(Table(), tmp_path / "straight").directory)
    with pytest.raises(Interrupted, match=r"^Stopped after epoch 3; the state is saved\.$"):
        run(Table(), tmp_path, Stop())
    (directory,) = tmp_path.glob("runs/*/*")
    assert (directory / "checkpoints" / "best.keras").is_file()
    assert checkpoint.states(directory / "checkpoints")[-1].name == "state-0003-000000"
    resumed(Table(), tmp_path)
    assert_equal(directory, straight)


def test_a_number_that_is_none_stops_a_call_and_names_the_step(tmp_path: Path) -> None:
    wild = tfpipe.keras.optimizers.SGD(1e30)
    said = r"^The loss became nan in epoch 1, one of the steps \d+ to \d+\."
    with pytest.raises(TrainingError, match=said):
        run(Table(optimizer=wild, steps_per_execution=8), tmp_path)
    (directory,) = tmp_path.glob("runs/*/*")
    assert not (directory / "metrics.csv").exists()


class Own(keras.Model):
    """A model with the training step of Keras's guide, which gives its metrics by name."""

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, self(x, training=True))
        return {metric.name: metric.result() for metric in self.metrics}


class OwnStep(Points):
    model = None

    def build_model(self) -> keras.Model:
        inputs = keras.Input((4,))
        return Own(inputs, keras.layers.Dense(1)(inputs))


class Fails(keras.callbacks.Callback):
    """Raises after some epochs."""

    takes_calls = True

    def __init__(self, after: int, stops: bool = False) -> None:
        super().__init__()
        self._after, self._stops = after, stops

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch + 1 == self._after:
            if not self._stops:
                raise RuntimeError("this one failed")
            self.model.stop_training = True


class Slow(Points):
    """Its validation loss falls from epoch to epoch."""

    optimizer = tfpipe.keras.optimizers.SGD(1e-3)
    model = MLP(units=())
    epochs = 30


@pytest.mark.parametrize("stops", [False, True], ids=["fails", "stops"])
def test_the_best_model_is_kept_however_training_ends(tmp_path: Path, stops: bool) -> None:
    words = {"root": tmp_path, "quiet": True, "export": False, "extra": [Fails(9, stops)]}
    if stops:
        tfpipe.run(Slow(), **words)
    else:
        with pytest.raises(RuntimeError, match="this one failed"):
            tfpipe.run(Slow(), **words)
    (directory,) = tmp_path.glob("runs/*/*")
    rows = [*csv.DictReader((directory / "metrics.csv").read_text().splitlines())]
    losses = [float(row["val_loss"]) for row in rows]
    best = keras.models.load_model(directory / "checkpoints" / "best.keras")
    a_step = int(best.optimizer.iterations) / (1 + losses.index(min(losses)))
    assert len(rows) in ((9,) if stops else (8, 9))
    assert a_step == 8  # of each epoch
    if stops:
        assert checkpoint.latest(directory / "checkpoints").state.epoch == 9


def test_a_training_step_of_ones_own_may_give_nested_metrics(tmp_path: Path) -> None:
    trained = [
        tfpipe.run(
            OwnStep(steps_per_execution=steps), root=tmp_path, quiet=True, export=False
        ).history["loss"]
        for steps in (1, "auto")
    ]
    assert trained[0] == trained[1]
    assert tfpipe.check(OwnStep())["name"]


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def grouping(declared: int | str = "auto", seen: bool = False, every: int | None = None) -> Any:
    """A grouping, what it has told, and a call that takes so many seconds."""
    clock, told = Clock(), []
    made = Grouping(declared, seen, every, lambda *words: told.append(words), clock)

    def call(steps: int, seconds: float) -> dict[str, Any]:
        def taking() -> dict[str, float]:
            clock.now += seconds
            return {"loss": 1.0}

        found = made.timed(steps, taking)
        made.settle(50)
        return found

    return made, told, call


def test_short_steps_are_taken_together_once_they_are_measured() -> None:
    made, told, call = grouping()
    for seconds in (2.0, 0.004, 0.002, 0.003):  # the first makes the function
        assert (made.together, made.size(50)) == (True, 1)
        assert call(1, seconds) == {"loss": 1.0}
    assert told == [(50, pytest.approx(0.002))]
    assert (made.together, made.size(50), made.size(9)) == (True, 50, 9)
    assert made.size(1000) == 250  # half a second
    call(100, 0.1)
    assert made.size(1000) > 450
    assert len(told) == 1


def test_long_steps_are_taken_one_by_one() -> None:
    made, told, call = grouping()
    for _ in range(4):
        call(1, 0.02)
    assert not made.together
    assert told == []


def test_a_number_and_callbacks_that_ask_for_batches_decide() -> None:
    made, told, call = grouping(7)
    for _ in range(5):
        call(7, 0.001)
    assert (made.together, made.size(50), made.size(3), told) == (True, 7, 3, [])
    assert not grouping(1)[0].together
    made, _, _ = grouping(seen=True)
    assert (made.together, made.size(50)) == (False, 1)
    assert grouping(5, seen=True)[0].size(50) == 5


def test_a_state_that_is_due_ends_a_call() -> None:
    made, _, _ = grouping(every=20)
    assert [made.until_saved(step, 50) for step in (0, 15, 20, 39)] == [20, 5, 20, 1]
    assert grouping()[0].until_saved(3, 50) == 50


class Batches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...


@pytest.mark.parametrize(
    ("callback", "asks"),
    [
        (keras.callbacks.EarlyStopping(), False),
        (keras.callbacks.TerminateOnNaN(), False),
        (keras.callbacks.ModelCheckpoint("a.keras"), False),
        (keras.callbacks.ModelCheckpoint("a.keras", save_freq=10), True),
        (keras.callbacks.TensorBoard("a"), False),
        (keras.callbacks.TensorBoard("a", update_freq=5), True),
        (keras.callbacks.TensorBoard("a", profile_batch=3), True),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), False),
        (keras.callbacks.LambdaCallback(on_train_batch_begin=print), True),
        (Batches(), True),
    ],
)
def test_who_asks_for_batches(callback: keras.callbacks.Callback, asks: bool) -> None:
    assert asks_for_batches(callback) is asks


def test_a_callback_that_asks_gets_each_batch(tmp_path: Path) -> None:
    class Counting(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.batches += 1

    counting = Counting()
    run(Points(epochs=2), tmp_path, counting)
    assert counting.batches == 2 * 8


KILLED = """
import os, signal
import keras
from pathlib import Path
from tests.training.test_epochs import Table, run


class Kill(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)


run(Table(callbacks=()), Path({root!r}), Kill())
"""


def test_killed_while_records_are_held_it_ends_the_same(
    python: Callable[..., Any], tmp_path: Path
) -> None:
    pipeline = Table(callbacks=())
    straight = outcome(run(pipeline, tmp_path / "straight").directory)
    process = python("-c", KILLED.format(root=str(tmp_path)), cwd=Path(__file__).parents[2])
    process.wait()
    assert process.returncode == -signal.SIGKILL
    (directory,) = tmp_path.glob("runs/*/*")
    saved = checkpoint.latest(directory / "checkpoints")
    assert saved is not None
    with (directory / "metrics.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) >= saved.state.epoch
    resumed(pipeline, tmp_path)
    assert_equal(directory, straight)
