"""What answers go by, on cases that are worked out by hand."""

from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.evaluation.explain.activations import activation_maps, tiled
from tfpipe.evaluation.explain.grad_cam import grad_cam, overlay
from tfpipe.evaluation.explain.importance import importance
from tfpipe.evaluation.explain.occlusion import MOST_WORDS, occlusion


def network(units: int = 2) -> keras.Model:
    """Maps that are the two channels of an image, their means, and weights 1, -1 and 2, 3."""
    image = keras.Input((2, 2, 2))
    maps = keras.layers.Conv2D(2, 1, use_bias=False, name="maps")(image)
    means = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(image, keras.layers.Dense(units, use_bias=False)(means))
    model.get_layer("maps").set_weights([np.eye(2)[None, None]])
    model.layers[-1].set_weights([np.array([[1.0, -1.0], [2.0, 3.0]])[:, :units]])
    return model


IMAGES = np.array([[[[1, 0], [2, 0]], [[0, 1], [0, 4]]]], "float32")


def test_grad_cam_by_hand() -> None:
    # Class 0: the maps weigh 1/4 and 2/4, so the places are 1/4, 2/4, 2/4 and 8/4, over 8/4.
    found = grad_cam(network(), np.repeat(IMAGES, 2, 0), np.array([0, 1]))
    np.testing.assert_allclose(found[0], [[1 / 8, 2 / 8], [2 / 8, 1]])
    # Class 1: -1/4 and 3/4; what speaks against it counts as 0.
    np.testing.assert_allclose(found[1], [[0, 0], [1 / 4, 1]])
    # A single unit's no: what speaks for yes is turned around.
    [no] = grad_cam(network(1), IMAGES, np.array([-1]))
    np.testing.assert_allclose(no, np.zeros((2, 2)))


def test_grad_cam_of_a_nested_network_and_of_none() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    image = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inner(image))
    outputs = {"a": keras.layers.Dense(3)(pooled), "b": keras.layers.Dense(1)(pooled)}
    model = keras.Model(image, outputs)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert grad_cam(model, images, np.array([0, 2]), "a").shape == (2, 6, 6)
    flat = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert grad_cam(flat, images, np.array([0, 1])) is None


def test_of_a_subclass_nothing_is_seen_inside() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.maps = keras.layers.Conv2D(2, 1)

        def call(self, images: Any) -> Any:
            return keras.ops.mean(self.maps(images), axis=(1, 2))

    model = Own()
    model(IMAGES)
    assert grad_cam(model, IMAGES, np.array([0])) is None
    assert activation_maps(model, IMAGES[0]) == []


def test_an_overlay_is_as_large_as_the_image() -> None:
    grey = np.full((6, 4, 1), 100, np.uint8)
    seen = overlay(grey, np.array([[0.0, 1.0]]))
    assert seen.shape == (6, 4, 3)
    np.testing.assert_array_equal(seen[:, 0], 100)
    assert (seen[:, -1] != 100).any()


def test_words_that_move_an_answer() -> None:
    def sure(texts: list[str]) -> np.ndarray:
        return np.array(
            [0.5 + 0.3 * ("good" in t.split()) - 0.15 * ("but" in t.split()) for t in texts]
        )

    found = occlusion(sure, "a good film but")
    assert [word for word, _ in found] == ["a", "good", "film", "but"]
    assert [weight for _, weight in found] == pytest.approx([0.0, 1.0, 0.0, -0.5])
    assert len(occlusion(sure, "word " * 500)) == MOST_WORDS
    assert occlusion(sure, "") == ()


def test_a_column_that_is_shuffled_costs_what_it_gave() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "used": rng.normal(size=400).astype("float32"),
        "word": np.array([b"a", b"b"] * 200, object),
    }
    labels = columns["used"] > 0

    def right(shuffled: dict[str, np.ndarray], true: np.ndarray) -> np.ndarray:
        assert shuffled["word"].dtype == object
        assert shuffled["used"].dtype == np.float32
        return (shuffled["used"] > 0) == true

    (name, lost, spread), other = importance(right, columns, labels, seed=0)
    assert name == "used"
    assert lost == pytest.approx(0.5, abs=0.05)
    assert 0 < spread < 0.05
    assert other == ("word", 0.0, 0.0)
    assert importance(right, columns, labels, seed=0)[0][1] == lost


def test_maps_of_layers() -> None:
    found = activation_maps(network(), IMAGES[0])
    assert [(name, picture.shape) for name, picture in found] == [("maps", (2, 5))]
    picture = tiled(np.stack([np.arange(4.0).reshape(2, 2), np.ones((2, 2))], axis=-1))
    np.testing.assert_array_equal(picture, [[0, 85, 128, 0, 0], [170, 255, 128, 0, 0]])
