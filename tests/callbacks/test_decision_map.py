"""DecisionMap: colours of answers and points, inputs made of x and y, what it refuses."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.decision_map import FORMULAS, DecisionMap
from tfpipe.data.generated_tasks import INPUTS

CORNERS = np.array([[-4, -4], [-4, 4], [4, -4], [4, 4]], np.float32)


def columns(points: np.ndarray, *names: str) -> dict[str, np.ndarray]:
    x, y = points.T
    return {name: FORMULAS[name](x, y).astype(np.float32) for name in names}


def model_of(answer: Any, *names: str) -> Any:
    """A model of columns; the answer is a function of them by name."""
    inputs = {name: keras.Input((), name=name) for name in names}
    return keras.Model(inputs, keras.ops.expand_dims(answer(inputs), -1))


@pytest.fixture
def signs(run: Any) -> Any:
    """Points whose sign is that of x; one of the two for validation is the other way round."""
    run.task, run.classes = "regression", ()
    run.splits = {
        "train": (columns(CORNERS, "x", "y"), np.array([-1.0, -1.0, 1.0, 1.0])),
        "validation": (columns(CORNERS[1:3], "x", "y"), np.array([1.0, 1.0])),
    }
    return run


def begun(run: Any, model: Any, **arguments: Any) -> DecisionMap:
    callback = DecisionMap(**arguments)
    callback.set_model(model)
    callback.set_run(run)
    callback.on_train_begin()
    return callback


def shades(callback: DecisionMap) -> np.ndarray:
    """[rows, columns, colours] of the map, from the lowest y up."""
    figure = callback.draw("epoch 1", {})
    return np.asarray(figure.axes[0].images[0].get_array())


def is_blue(colour: np.ndarray) -> bool:
    return bool(colour[2] > colour[0] + 0.2)


def is_orange(colour: np.ndarray) -> bool:
    return bool(colour[0] > colour[2] + 0.2)


def test_blue_is_positive_and_orange_negative(signs: Any) -> None:
    found = shades(begun(signs, model_of(lambda i: i["x"], "x", "y")))
    assert is_orange(found[120, 10])
    assert is_blue(found[120, -10])
    middle = found[120, 120]
    assert max(middle) - min(middle) < 0.05  # neutral where the model does not know


def test_up_is_up(signs: Any) -> None:
    found = shades(begun(signs, model_of(lambda i: i["y"], "x", "y")))
    assert is_orange(found[10, 120])
    assert is_blue(found[-10, 120])


def test_the_title_says_how_many_points_are_right(signs: Any) -> None:
    callback = begun(signs, model_of(lambda i: i["x"], "x", "y"))
    figure = callback.draw("epoch 50", {"loss": 0.25, "mae": 1.0, "val_loss": 1 / 3})
    assert figure.get_suptitle() == "Epoch 50: train 100.0%, validation 50.0% right"
    [axes] = figure.axes
    assert axes.get_title() == "loss 0.2500   val_loss 0.3333"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    [legend] = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["+1", "\N{MINUS SIGN}1", "train", "validation"]


def test_points_have_the_colour_of_their_label_and_the_edge_of_their_split(signs: Any) -> None:
    figure = begun(signs, model_of(lambda i: i["x"], "x", "y")).draw("epoch 1", {})
    train, validation = figure.axes[0].collections[-2:]
    np.testing.assert_array_equal(train.get_offsets(), CORNERS)
    assert [is_blue(c) for c in train.get_facecolors()] == [False, False, True, True]
    assert train.get_edgecolors()[0].tolist() == [1, 1, 1, 1]
    assert [is_blue(c) for c in validation.get_facecolors()] == [True, True]
    assert validation.get_edgecolors()[0].tolist() == [0, 0, 0, 1]


def test_inputs_that_are_made_of_x_and_y(signs: Any) -> None:
    names = ("xy", "x", "sin_x", "y", "sin_y", "x_squared", "y_squared")
    signs.splits = {"train": (columns(CORNERS, *names), np.array([1.0, -1.0, -1.0, 1.0]))}

    def answer(i: Any) -> Any:
        wrong = abs(i["xy"] - i["x"] * i["y"]) + abs(i["sin_y"] - keras.ops.sin(i["y"]))
        wrong += abs(i["x_squared"] - i["x"] ** 2) + abs(i["y_squared"] - i["y"] ** 2)
        wrong += abs(i["sin_x"] - keras.ops.sin(i["x"]))
        return i["xy"] - 1000.0 * wrong

    found = shades(begun(signs, model_of(answer, *names)))
    corners = [found[row, column] for row in (10, -10) for column in (10, -10)]
    assert [is_blue(c) for c in corners] == [True, False, False, True]
    assert [is_orange(c) for c in corners] == [False, True, True, False]


def test_the_formulas_are_those_of_generated_data() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    assert list(FORMULAS) == list(INPUTS)
    for name, formula in FORMULAS.items():
        np.testing.assert_array_equal(formula(x, y), INPUTS[name](x, y))


def test_inputs_of_ones_own(signs: Any) -> None:
    points = columns(CORNERS, "x", "y") | {"difference": CORNERS[:, 0] - CORNERS[:, 1]}
    signs.splits = {"train": (points, np.array([-1.0, -1.0, 1.0, 1.0]))}
    model = model_of(lambda i: i["difference"], *points)

    def inputs(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        return {"x": x, "y": y, "difference": x - y}

    found = shades(begun(signs, model, inputs=inputs))
    assert is_orange(found[-10, 10])
    assert is_blue(found[10, -10])


def test_two_columns_by_any_name(signs: Any) -> None:
    points = {"height": CORNERS[:, :1], "weight": CORNERS[:, 1:]}
    signs.splits = {"train": (points, np.array([-1.0, 1.0, -1.0, 1.0]))}
    inputs = {name: keras.Input((1,), name=name) for name in points}
    callback = begun(signs, keras.Model(inputs, keras.layers.Identity()(inputs["weight"])))
    figure = callback.draw("epoch 1", {})
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("height", "weight")
    assert figure.get_suptitle() == "Epoch 1: train 100.0% right"


def test_a_vector_of_two_numbers_and_two_classes(run: Any) -> None:
    run.task, run.classes = "binary", ("out", "in")
    run.splits = {"train": (CORNERS, np.array([0, 0, 1, 1]))}
    inputs = keras.Input((2,))
    callback = begun(run, keras.Model(inputs, inputs[:, :1]))
    found = shades(callback)
    assert is_orange(found[120, 10])
    assert is_blue(found[120, -10])
    [legend] = callback.draw("epoch 1", {}).legends
    assert [text.get_text() for text in legend.get_texts()] == ["in", "out"]


def test_three_classes_have_three_colours(run: Any) -> None:
    points = np.array([[-4.0, -4.0], [4.0, -4.0], [0.0, 4.0]], np.float32)
    run.splits = {"train": (points, np.array([0, 1, 2]))}
    inputs = keras.Input((2,))
    x, y = inputs[:, :1], inputs[:, 1:]
    logits = keras.layers.Concatenate()([-x - y, x - y, 2 * y])
    callback = begun(run, keras.Model(inputs, logits))
    [legend] = callback.draw("epoch 1", {}).legends
    assert [text.get_text() for text in legend.get_texts()] == ["cat", "dog", "owl"]
    found = shades(callback)
    assert is_orange(found[5, 5])
    assert is_blue(found[5, -5])
    green = found[-5, 120]
    assert green[1] > max(green[0], green[2]) + 0.1


def test_a_model_that_is_sure_of_one_class_everywhere(signs: Any) -> None:
    found = shades(begun(signs, model_of(lambda i: 0 * i["x"] + 3.0, "x", "y")))
    assert np.ptp(found.reshape(-1, 3), axis=0).max() == 0
    assert is_blue(found[0, 0])


def test_a_point_with_a_missing_number_is_not_drawn(signs: Any) -> None:
    points = np.array([[np.nan, 1.0], [-4.0, 2.0], [4.0, -2.0]], np.float32)
    signs.splits = {"train": (columns(points, "x", "y"), np.array([1.0, -1.0, 1.0]))}
    found = shades(begun(signs, model_of(lambda i: i["x"], "x", "y")))
    assert is_orange(found[120, 10])
    assert is_blue(found[120, -10])


def test_few_of_many_points_are_read(signs: Any) -> None:
    points = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    signs.splits = {"train": (columns(points, "x", "y"), points[:, 0])}
    figure = begun(signs, model_of(lambda i: i["x"], "x", "y")).draw("epoch 1", {})
    assert 2000 <= len(figure.axes[0].collections[-1].get_offsets()) < 2003


def test_the_picture_is_whole(signs: Any) -> None:
    callback = begun(signs, model_of(lambda i: i["x"], "x", "y"))
    callback.on_train_end({"loss": 0.1})
    pixels = tf.io.decode_png((signs.report / "decision_map.png").read_bytes()).numpy()
    assert pixels.shape == (816, 720, 3)
    border = np.concatenate([pixels[:8].ravel(), pixels[-8:].ravel(), pixels[:, :8].ravel()])
    assert (border == 255).all()  # nothing is cut off


# What is refused


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            columns(CORNERS, "xy", "x", "sin_y"),
            "DecisionMap draws points in a plane: two columns of numbers, or 'x', 'y' and others "
            "that are made of them. The data has xy, x, sin_y. Columns that are made of 'x' and "
            "'y' in a way of their own need inputs=, a function of x and y.",
        ),
        (
            np.zeros((4, 3), np.float32),
            "DecisionMap draws points in a plane; the data is an array of shape (3,).",
        ),
    ],
)
def test_data_of_other_dimensions_is_refused(signs: Any, x: Any, text: str) -> None:
    signs.splits = {"train": (x, np.ones(4))}
    with pytest.raises(ValueError, match="DecisionMap") as caught:
        DecisionMap().set_run(signs)
    assert str(caught.value) == text


def test_several_answers_at_once_are_refused(signs: Any, identity: Any) -> None:
    signs.task = "multilabel"
    text = r"^DecisionMap draws one answer a point; the task is multilabel\.$"
    with pytest.raises(ValueError, match=text):
        begun(signs, identity(2))
