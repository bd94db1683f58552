"""The epochs: one training for the callbacks, an epoch's own data, stopping without loss."""

import os
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.errors import ConfigError, DataError, Interrupted, ModelError, TrainingError
from tfpipe.models import MLP


def points() -> Any:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


class Points(Pipeline):
    data = Arrays(points, validation=0.2, test=0.2)
    model = MLP(units=(4,), dropout=0.1)
    batch_size = 12
    epochs = 3


class Heard(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.events.append("begin")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.events.append(f"epoch {epoch}")

    def on_train_end(self, logs: Any = None) -> None:
        self.events.append("end")


def run(pipeline: Pipeline, root: Path, export: bool = False) -> Any:
    return tfpipe.run(pipeline, root=root, export=export, quiet=True)


def test_callbacks_hear_of_one_training(tmp_path: Path) -> None:
    heard = Heard()

    class Listening(Points):
        def build_callbacks(self) -> list[Any]:
            return [heard]

    run(Listening(), tmp_path)
    assert heard.events == ["begin", "epoch 0", "epoch 1", "epoch 2", "end"]


def test_the_same_seed_trains_the_same_weights(tmp_path: Path) -> None:
    first, again, other = (run(Points(seed=s), tmp_path) for s in (1, 1, 2))
    for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.history == again.history
    assert first.history != other.history


def test_early_stopping_ends_the_run_and_says_so(tmp_path: Path, capsys: Any) -> None:
    early = tfpipe.keras.callbacks.EarlyStopping(monitor="loss", patience=1, min_delta=1e9)
    result = tfpipe.run(Points(epochs=9, callbacks=(early,)), root=tmp_path, export=False)
    assert len(result.history["loss"]) == 2
    assert "stopped early, after epoch 2 of 9" in capsys.readouterr().out


def test_an_own_input_function_gets_each_epochs_data(tmp_path: Path) -> None:
    seen = []

    class Watched(Points):
        def input_fn(self, split: str) -> Any:  # type: ignore[override]
            dataset = super().input_fn(split)
            if split == "train":
                seen.append(next(iter(dataset))[0].numpy())
            return dataset.map(lambda x, y: (x * 2.0, y))

    result = run(Watched(), tmp_path)
    orders = {array.tobytes() for array in seen}
    assert len(orders) == 3  # the shuffle of each epoch is another
    assert result.metrics["test"]["loss"] > 0


def test_an_own_input_function_alone_is_enough(tmp_path: Path) -> None:
    class Alone(Pipeline):
        model = MLP(units=(4,))
        epochs = 1

        def input_fn(self, split: str) -> Any:  # type: ignore[override]
            if split == "test":
                return None
            return tf.data.Dataset.from_tensor_slices(points()).batch(10)

    result = run(Alone(), tmp_path)
    assert set(result.metrics) == {"train", "validation"}
    assert run(Alone(), tmp_path).history == result.history


def test_an_own_model_is_trained_and_exported(tmp_path: Path) -> None:
    class Own(Points):
        model = None

        def build_model(self) -> Any:
            return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])

    assert run(Own(), tmp_path, export=True).exported[0].is_dir()


def test_an_own_model_of_the_wrong_width_is_refused(tmp_path: Path) -> None:
    class Narrow(Points):
        data = Arrays(lambda: (points()[0], np.arange(60) % 5))

        def build_model(self) -> Any:
            return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])

    with pytest.raises(
        ModelError,
        match=r"Narrow.build_model\(\) gave 3 output\(s\) a sample; the task, classification, "
        r"needs 5\.",
    ):
        run(Narrow(), tmp_path)
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_monitor_that_is_not_measured_is_named(tmp_path: Path) -> None:
    early = tfpipe.keras.callbacks.EarlyStopping(monitor="val_acc")
    with pytest.raises(
        ConfigError,
        match=r"watches 'val_acc', which is not measured. Did you mean 'val_accuracy'",
    ):
        run(Points(callbacks=(early,)), tmp_path)


def test_a_loss_that_is_not_a_number_names_epoch_and_step(tmp_path: Path) -> None:
    class Wild(Points):
        optimizer = tfpipe.keras.optimizers.SGD(learning_rate=1e30)

    with pytest.raises(TrainingError, match=r"The loss became \w+ in epoch 1, step 2") as caught:
        run(Wild(), tmp_path)
    assert "optimizer.learning_rate" in str(caught.value)
    (directory,) = tmp_path.glob("runs/*/*")
    status = (directory / "status.json").read_text()
    assert '"state": "failed"' in status
    assert "epoch 1, step 2" in status


def test_weights_that_are_not_numbers_are_noticed_behind_a_finite_loss(tmp_path: Path) -> None:
    class Poisoned(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            weights = self.model.get_weights()
            self.model.set_weights([np.full_like(weights[0], np.nan), *weights[1:]])

    class Quiet(Points):
        model = MLP(units=(4,))
        steps_per_epoch = 1

        def build_callbacks(self) -> list[Any]:
            return [Poisoned()]

    with pytest.raises(TrainingError, match=r"The weights .*kernel are no longer finite numbers"):
        run(Quiet(), tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_with_the_state_saved(tmp_path: Path, number: int) -> None:
    class Stopper(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                os.kill(os.getpid(), number)

    class Stopped(Points):
        def build_callbacks(self) -> list[Any]:
            return [Stopper()]

    with pytest.raises(Interrupted, match=r"Stopped in epoch 1 after step 2; the state is saved."):
        run(Stopped(), tmp_path)
    (directory,) = tmp_path.glob("runs/*/*")
    assert '"state": "interrupted"' in (directory / "status.json").read_text()
    assert [p.name for p in directory.glob("checkpoints/state-*")] == ["state-0000-000002"]


def test_states_are_saved_every_so_many_steps(tmp_path: Path) -> None:
    class Killed(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 3:
                raise MemoryError

    class Often(Points):
        checkpoint_every = 2

        def build_callbacks(self) -> list[Any]:
            return [Killed()]

    with pytest.raises(TrainingError, match=r"The memory ran out. Use a smaller batch_size"):
        run(Often(), tmp_path)
    (directory,) = tmp_path.glob("runs/*/*")
    assert [p.name for p in directory.glob("checkpoints/state-*")] == ["state-0000-000002"]


def test_an_input_function_must_return_a_dataset(tmp_path: Path) -> None:
    class Wrong(Points):
        def input_fn(self, split: str) -> Any:  # type: ignore[override]
            return points()

    with pytest.raises(DataError, match=r"Wrong.input_fn\('train'\) should return a tf.data.Dat"):
        run(Wrong(), tmp_path)


def test_a_tensorboard_of_ones_own_writes_into_the_run(tmp_path: Path) -> None:
    board = tfpipe.keras.callbacks.TensorBoard(histogram_freq=1)
    result = run(Points(epochs=1, callbacks=(board,)), tmp_path)
    folders = {p.parent.name for p in result.directory.glob("tensorboard/*/events*")}
    assert folders == {"train", "validation", "test"}
    assert not Path("logs").exists()


def test_the_best_model_is_plain_keras(tmp_path: Path) -> None:
    result = run(Points(), tmp_path)
    best = keras.models.load_model(result.directory / "checkpoints" / "best.keras")
    assert best.count_params() == result.model.count_params()
