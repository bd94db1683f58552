"""Drawing: when figures are drawn, and where they go."""

import gc
import time
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from callbacks.drawing import Drawing
from tfpipe.training.callbacks.tensorboard import remove_events_after

Events = Callable[[Path], list[tuple[str, int, np.ndarray]]]


class Plain(Drawing):
    """Draws nothing but remembers what it was asked for."""

    tag = "plain"

    def __init__(self, every: int = 1) -> None:
        super().__init__(every)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.drawn: Any = None

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        figure = Figure(figsize=(2, 1))
        self.asked.append((when, logs))
        self.drawn = weakref.ref(figure)
        return figure


def begun(callback: Drawing, run: Any, model: Any = None) -> Any:
    callback.set_model(model)
    callback.set_run(run)
    callback.on_train_begin()
    return callback


def test_a_figure_every_few_epochs_and_one_at_the_end(run: Any, events: Events) -> None:
    callback = begun(Plain(every=2), run)
    for epoch in range(5):
        callback.on_epoch_end(epoch, {"loss": float(epoch)})
    callback.on_train_end({"loss": 4.0})
    assert callback.asked == [
        ("epoch 2", {"loss": 1.0}),
        ("epoch 4", {"loss": 3.0}),
        ("after training", {"loss": 4.0}),
    ]
    found = events(run.tensorboard)
    assert [(tag, step) for tag, step, _ in found] == [("plain", 1), ("plain", 3)]
    assert found[0][2].shape == (120, 240, 3)
    png = run.report / "plain.png"
    assert tf.io.decode_png(png.read_bytes()).shape == (120, 240, 3)
    assert [file.name for file in run.report.iterdir()] == ["plain.png"]


def test_each_image_is_on_disk_at_once(run: Any, events: Events) -> None:
    callback = begun(Plain(), run)
    callback.on_epoch_end(0)
    assert len(events(run.tensorboard)) == 1
    assert (run.report / "plain.png").exists()


def test_nothing_is_written_before_there_is_an_image(run: Any) -> None:
    callback = begun(Plain(every=3), run)
    callback.on_epoch_end(0)
    assert list(run.directory.iterdir()) == []


def test_a_resumed_run_has_each_image_once(run: Any, events: Events) -> None:
    killed = begun(Plain(), run)
    killed.on_epoch_end(0)
    saved = time.time()
    killed.on_epoch_end(1)  # what came after the state was saved is lost and done again
    remove_events_after(run.tensorboard, saved)
    resumed = begun(Plain(), run)
    for epoch in (1, 2):
        resumed.on_epoch_end(epoch)
    resumed.on_train_end()
    assert [step for _, step, _ in events(run.tensorboard)] == [0, 1, 2]


def test_a_drawn_figure_is_forgotten(run: Any) -> None:
    import matplotlib.pyplot as plt

    callback = begun(Plain(), run)
    callback.on_epoch_end(0)
    gc.collect()
    assert callback.drawn() is None
    assert plt.get_fignums() == []


def test_a_callback_can_train_twice(run: Any, events: Events) -> None:
    callback = begun(Plain(), run)
    for epoch in (0, 1):
        callback.on_train_begin()
        callback.on_epoch_end(epoch)
        callback.on_train_end()
    assert sorted(step for _, step, _ in events(run.tensorboard)) == [0, 1]


def test_answers_are_those_of_the_model_outside_of_training(run: Any) -> None:
    import keras

    inputs = keras.Input((3,))
    callback = begun(Plain(), run, keras.Model(inputs, keras.layers.Dropout(0.9)(inputs)))
    np.testing.assert_allclose(callback.answers(np.zeros((2, 3))), np.full((2, 3), 1 / 3), 1e-6)


def test_without_a_run_it_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="set_run") as caught:
        Plain().on_train_begin()
    assert str(caught.value) == (
        "Plain does not know its run, which tfpipe gives it before training. In a plain model.fit "
        "call its set_run(run) first, with an object that has tensorboard, report, classes, task, "
        "batches and answers."
    )


def test_any_object_with_the_same_attributes_is_a_run(tmp_path: Path) -> None:
    plain = types.SimpleNamespace(tensorboard=tmp_path / "a", report=str(tmp_path / "b"))
    begun(Plain(), plain).on_epoch_end(0)
    assert (tmp_path / "b" / "plain.png").exists()


def test_every_is_at_least_1() -> None:
    with pytest.raises(ValueError, match=r"^Plain: every is a number of epochs, not 0$"):
        Plain(every=0)
