"""Phase curves: what is drawn of a training in phases, and that a resume goes on with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.phase_curves import PhaseCurves

Events = Callable[[Path], list[tuple[str, int, np.ndarray]]]


def logs(epoch: int, phase: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "accuracy": 0.5 + epoch / 20,
        "loss": np.float32(1.0 - epoch / 20),
        "val_accuracy": 0.4 + epoch / 20,
        "val_loss": 1.1 - epoch / 20,
        "learning_rate": 0.01,
    }
    return found if phase is None else found | {"phase": float(phase)}


def begun(callback: PhaseCurves, run: Any) -> PhaseCurves:
    callback.set_model(None)
    callback.set_run(run)
    callback.on_train_begin()
    return callback


def trained(run: Any, phases: list[int | None], **arguments: Any) -> PhaseCurves:
    callback = begun(PhaseCurves(**arguments), run)
    for epoch, phase in enumerate(phases):
        callback.on_epoch_end(epoch, logs(epoch, phase))
    return callback


def panels(callback: PhaseCurves) -> list[Any]:
    return list(callback.draw("epoch 5", {}).axes)


def curves(axes: Any) -> dict[str, list[tuple[float, float]]]:
    """The points of each line that is no mark of a phase."""
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    return {
        line.get_label(): [(int(x), round(float(y), 3)) for x, y in line.get_xydata()]
        for line in lines
    }


def marks(axes: Any) -> list[float]:
    return [
        float(line.get_xdata()[0]) for line in axes.lines if line.get_label().startswith("_child")
    ]


def test_training_and_validation_over_all_epochs(run: Any) -> None:
    accuracy, loss = panels(trained(run, [1, 1, 1, 2, 2]))
    assert accuracy.get_ylabel() == "accuracy"
    assert curves(accuracy) == {
        "training 0.700": [(n + 1, round(0.5 + n / 20, 3)) for n in range(5)],
        "validation 0.600": [(n + 1, round(0.4 + n / 20, 3)) for n in range(5)],
    }
    assert loss.get_ylabel() == "loss"
    assert curves(loss)["training 0.800"][0] == (1, 1.0)


def test_a_line_and_a_label_where_a_phase_begins(run: Any) -> None:
    for axes in panels(trained(run, [1, 1, 1, 2, 2, 3])):
        assert marks(axes) == [3.5, 5.5]  # none before the first
        assert [(t.get_text(), t.xy[0]) for t in axes.texts] == [
            ("phase 1", 0.5),
            ("phase 2", 3.5),
            ("phase 3", 5.5),
        ]


def test_a_training_without_phases_has_no_marks(run: Any) -> None:
    for axes in panels(trained(run, [None, None])):
        assert marks(axes) == []
        assert list(axes.texts) == []


def test_a_resumed_training_goes_on_with_its_curves(run: Any) -> None:
    straight = trained(run, [1, 1, 2])
    stopped = trained(run, [1, 1])
    state = json.loads(json.dumps(stopped.get_state()))
    resumed = begun(PhaseCurves(), run)
    resumed.set_state(state)
    resumed.on_epoch_end(2, logs(2, 2))
    assert resumed.epochs == straight.epochs
    for one, other in zip(panels(resumed), panels(straight), strict=True):
        assert curves(one) == curves(other)
        assert marks(one) == marks(other) == [2.5]
    assert begun(resumed, run).epochs == []  # a new training begins anew


def test_the_metrics_to_draw_can_be_named(run: Any) -> None:
    (axes,) = panels(trained(run, [1, 1], metrics=("loss",)))
    assert axes.get_ylabel() == "loss"
    callback = begun(PhaseCurves(metrics=("mae", "loss")), run)
    with pytest.raises(ValueError, match="mae") as caught:
        callback.on_epoch_end(0, logs(0, 1))
    assert str(caught.value) == (
        "PhaseCurves: 'mae' is not measured; there is: accuracy, learning_rate, loss"
    )


def test_a_loss_that_is_no_number_leaves_a_gap(run: Any) -> None:
    callback = trained(run, [1])
    callback.on_epoch_end(1, logs(1, 1) | {"val_loss": float("nan")})
    callback.on_epoch_end(2, logs(2, 1))
    json.dumps(callback.get_state(), allow_nan=False)
    _, loss = panels(callback)
    assert [x for x, _ in curves(loss)["validation 1.000"]] == [1, 3]


def test_only_the_loss_where_no_accuracy_is_measured(run: Any) -> None:
    callback = begun(PhaseCurves(), run)
    callback.on_epoch_end(0, {"loss": 1.0, "mae": 0.3})
    (axes,) = panels(callback)
    assert curves(axes) == {"training 1.000": [(1, 1.0)]}


def test_figures_in_tensorboard_and_in_the_report(run: Any, events: Events) -> None:
    callback = trained(run, [1, 2], every=2)
    callback.on_train_end()
    ((tag, step, pixels),) = events(run.tensorboard)
    assert (tag, step) == ("phase_curves", 1)
    png = tf.io.decode_png((run.report / "phase_curves.png").read_bytes())
    assert png.shape == pixels.shape
    assert len(np.unique(png.numpy().reshape(-1, 3), axis=0)) > 10
