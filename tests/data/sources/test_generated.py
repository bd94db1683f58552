"""Generated: the published points and numbers, the same for the same seed."""

from typing import Any

import numpy as np
import pytest

from tfpipe.data import Generated
from tfpipe.data.generated_tasks import INPUTS, generate
from tfpipe.declare.spec import Feature, Label
from tfpipe.errors import ConfigError

POINTS = ("circle", "xor", "gaussians", "spiral")


def rows(source: Generated, split: str = "train") -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A split in stored order."""
    size = source.spec().splits[split]
    [(x, y)] = source.input_fn(split, batch_size=size).as_numpy_iterator()
    return (x if isinstance(x, dict) else {source.spec().feature.name: x}), y


def points(task: str, size: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, signs = generate(task, size, seed)
    return features["x"], features["y"], signs


def refused(*args: Any, **fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Generated(*args, **fields)
    return str(caught.value)


# The playground's points


@pytest.mark.parametrize("task", POINTS)
def test_there_are_500_points_half_to_train_and_half_to_test(task: str) -> None:
    source = Generated(task, validation=None, test=0.5)
    assert source.spec().splits == {"train": 250, "test": 250}
    (train, _), (test, _) = rows(source), rows(source, "test")
    both = np.concatenate([np.stack([p["x"], p["y"]], axis=1) for p in (train, test)])
    assert len(np.unique(both, axis=0)) == (499 if task == "spiral" else 500)  # its arms meet at 0


@pytest.mark.parametrize("task", ["circle", "gaussians", "spiral"])
@pytest.mark.parametrize(("size", "positive"), [(500, 250), (7, 4), (1, 1)])
def test_half_of_the_points_are_positive(task: str, size: int, positive: int) -> None:
    _, _, signs = points(task, size)
    assert (signs.tolist().count(1.0), signs.tolist().count(-1.0)) == (positive, size - positive)


def test_a_circle_is_a_disc_within_a_ring() -> None:
    x, y, signs = points("circle", 2000)
    radius = np.hypot(x, y)
    inside, outside = radius[signs > 0], radius[signs < 0]
    assert 0 <= inside.min() < 0.1
    assert 2.4 < inside.max() <= 2.5
    assert 3.5 <= outside.min() < 3.51
    assert 4.99 < outside.max() <= 5.0


def test_xor_is_positive_where_the_signs_agree_and_keeps_off_the_axes() -> None:
    x, y, signs = points("xor", 2000)
    np.testing.assert_array_equal(signs, np.sign(x) * np.sign(y))
    for values in (x, y):
        assert 0.3 <= np.abs(values).min() < 0.32
        assert 5.25 < np.abs(values).max() <= 5.3


def test_the_gaussians_lie_at_2_and_minus_2_with_a_variance_of_a_half() -> None:
    x, y, signs = points("gaussians", 20_000)
    for values in (x, y):
        for sign in (1, -1):
            one = values[signs == sign]
            assert one.mean() == pytest.approx(2 * sign, abs=0.03)
            assert one.var() == pytest.approx(0.5, abs=0.02)


def test_the_spiral_has_two_arms_half_a_turn_apart() -> None:
    x, y, signs = points("spiral")
    radius = np.hypot(x, y)
    arms = []
    for sign in (1, -1):
        order = np.argsort(radius[signs == sign], kind="stable")
        arms.append(np.stack([x[signs == sign], y[signs == sign]], axis=1)[order])
    np.testing.assert_allclose(arms[0], -arms[1], atol=1e-12)
    along = np.arange(250) / 250
    np.testing.assert_allclose(np.hypot(*arms[0].T), 5 * along, atol=1e-12)
    angle = 1.75 * 2 * np.pi * along
    expected = np.stack([5 * along * np.sin(angle), 5 * along * np.cos(angle)], axis=1)
    np.testing.assert_allclose(arms[0], expected, atol=1e-12)


@pytest.mark.parametrize("task", POINTS)
def test_the_last_points_are_of_both_signs(task: str) -> None:
    _, _, signs = points(task)
    assert 0.3 < (signs[-100:] > 0).mean() < 0.7


@pytest.mark.parametrize("task", ["circle", "xor", "gaussians", "linear", "sine"])
def test_the_seed_decides_the_rows(task: str) -> None:
    one, same, other = (rows(Generated(task, seed=seed))[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_network_may_read_what_the_playground_makes_of_a_point() -> None:
    names = ("sin_y", "xy", "x", "x_squared", "y", "y_squared", "sin_x")
    source = Generated("spiral", inputs=names, test=0.5)
    features, label = source.element()
    assert features == tuple(Feature(n, (), "float32", "number") for n in names)
    assert label == Label("sign", "real")
    x, signs = rows(source)
    assert list(x) == list(names)
    assert set(names) == set(INPUTS)
    expected = {
        "x_squared": x["x"] ** 2,
        "y_squared": x["y"] ** 2,
        "xy": x["x"] * x["y"],
        "sin_x": np.sin(x["x"]),
        "sin_y": np.sin(x["y"]),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(x[name], values, atol=1e-5)
    assert (set(signs.tolist()), signs.dtype) == ({1.0, -1.0}, np.float32)


def test_signs_may_be_classes() -> None:
    source = Generated("circle", labels="classes", validation=None, test=0.5)
    assert source.element()[1] == Label("sign", "class", (), ("-1", "+1"))
    counts = {"-1": 125, "+1": 125}
    assert source.class_counts() == {"train": counts, "test": counts}
    x, y = rows(source)
    np.testing.assert_array_equal(y, np.hypot(x["x"], x["y"]) < 3)


# The linear workflow


def test_the_first_numbers_of_the_linear_workflow() -> None:
    _, z = generate("linear", 1000, 1941)
    assert [f"{value:.8f}" for value in z[:2]] == ["-21.85820882", "18.21713423"]
    _, labels = rows(Generated("linear", seed=1941))
    np.testing.assert_array_equal(labels[:2], z[:2].astype(np.float32))


def test_least_squares_on_the_linear_workflow() -> None:
    source = Generated("linear", seed=1941, validation=200)
    assert source.spec().splits == {"train": 800, "validation": 200}
    (train, z), (held, held_z) = rows(source), rows(source, "validation")

    def table(x: dict[str, np.ndarray]) -> np.ndarray:
        return np.stack([x["x"], x["y"], x["a"], np.ones_like(x["x"])], axis=1).astype(np.float64)

    weights = np.linalg.lstsq(table(train), z.astype(np.float64), rcond=None)[0]
    assert round(float(np.mean((table(train) @ weights - z) ** 2)), 4) == 0.3066
    assert round(float(np.mean((table(held) @ weights - held_z) ** 2)), 4) == 0.3620
    assert round(float(weights @ [2, 3, 4, 1]), 3) == 48.970


def test_the_linear_workflow_is_a_table_of_three_numbers() -> None:
    source = Generated("linear", validation=None)
    assert source.spec().is_table
    assert [f.name for f in source.spec().features] == ["x", "y", "a"]
    assert source.spec().label == Label("z", "real")
    assert source.spec().splits == {"train": 1000}


# The sine


def test_the_sine_is_in_order_and_noisy() -> None:
    source = Generated("sine", validation=None)
    x, values = rows(source)
    np.testing.assert_array_equal(x["t"], np.arange(1, 1001))
    noise = values - np.sin(0.01 * x["t"])
    assert noise.std() == pytest.approx(0.2, abs=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert source.spec().label == Label("value", "real")


# What is refused


def test_an_unknown_task_is_refused() -> None:
    assert refused("spirals") == (
        "Generated.task takes one of 'circle', 'xor', 'gaussians', 'spiral', 'linear', 'sine', "
        "got 'spirals' (str)."
    )


@pytest.mark.parametrize("inputs", [(), ("x", "x")])
def test_no_inputs_and_one_twice_are_refused(inputs: tuple[str, ...]) -> None:
    assert refused("xor", inputs=inputs) == (
        f"Generated.inputs takes at least one name, each once; got {inputs}."
    )


@pytest.mark.parametrize("fields", [{"inputs": ("x",)}, {"labels": "classes"}])
@pytest.mark.parametrize("task", ["linear", "sine"])
def test_what_is_for_points_is_refused_elsewhere(task: str, fields: dict[str, Any]) -> None:
    [name] = fields
    assert refused(task, **fields) == (
        f"Generated.{name} is for points: circle, xor, gaussians and spiral. "
        f"Leave it out for {task!r}."
    )
