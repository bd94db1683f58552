"""SSD: its form, its backbones, and what it refuses."""

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.boxes.heads import AnchorHead, head_of
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import MLP, SSD, VGG, Application
from tfpipe.models.base import base_of
from tfpipe.models.parameter_count import parameters


def spec(side: int = 256, classes: tuple[str, ...] = ("banana",)) -> ElementSpec:
    image = Feature("image", (side, side, 3), "uint8", "image")
    return ElementSpec((image,), (Label("boxes", "boxes", (2, 6), classes),))


def anchors_of(model: Any) -> np.ndarray:
    head = head_of(model)
    assert isinstance(head, AnchorHead)
    return head.anchors


def test_the_small_form_is_the_published_one() -> None:
    model = SSD().build(spec())
    assert [layer.shape[1:3] for layer in _maps(model)] == [
        (32, 32),
        (16, 16),
        (8, 8),
        (4, 4),
        (1, 1),
    ]
    assert anchors_of(model).shape == (5_444, 4)
    assert model.output_shape == (None, 5_444, 4 + 2)
    # Convolutions of 3x3 with a bias each, and two numbers of batch normalisation.
    filters = [3, 16, 16, 32, 32, 64, 64, *[128] * 6]
    pairs = itertools.pairwise(filters)
    blocks = sum(9 * before * after + after + 2 * after for before, after in pairs)
    asked = sum(9 * width * 24 + 24 for width in (64, 128, 128, 128, 128))
    assert parameters(model) == blocks + asked + 2 * sum(filters[1:])
    answers = head_of(model).answers(model(np.zeros((2, 256, 256, 3), np.uint8)))  # type: ignore[union-attr]
    assert answers.shape == (2, 100, 6)


def _maps(model: Any) -> list[Any]:
    """What the convolutions read that ask anchors for their boxes, from fine to coarse."""
    asked = [
        layer
        for layer in model.layers
        if getattr(layer, "filters", 0) == 16 and "conv" in layer.name
    ]
    return [layer.input for layer in asked if layer.input.shape[-1] in (64, 128)]


SIZES = ((0.2, 0.3), (0.4, 0.5), (0.6, 0.7), (0.8, 0.9))


def test_backbones_of_builders_and_applications_and_files(tmp_path: Path) -> None:
    small = VGG(((1, 8), (1, 8), (1, 16), (1, 16)), units=(8,), normalization="batch")
    of_builder = SSD(small, taps=2, blocks=(16,), sizes=SIZES).build(spec(64))
    assert len(anchors_of(of_builder)) == 4 * (8 * 8 + 4 * 4 + 2 * 2 + 1)

    network = Application("MobileNetV2", weights=None, alpha=0.35, trainable=True)
    detector = SSD(network, taps=3, blocks=(), sizes=SIZES).build(spec(64))
    assert len(anchors_of(detector)) == 4 * (8 * 8 + 4 * 4 + 2 * 2 + 1)
    inside = base_of(detector)
    assert inside is not None
    assert inside.name == "backbone"

    of_classes = spec(32).replace(labels=(Label("label", "class", (), ("a", "b", "c")),))
    classifier = small.build(of_classes)
    classifier.save(tmp_path / "best.keras")
    builder = SSD(str(tmp_path / "best.keras"), taps=1, blocks=(16, 16), sizes=SIZES)
    trained = builder.build(spec(64))
    kernels = {
        weight.shape: weight for weight in base_of(trained).weights if len(weight.shape) == 4
    }
    first = next(w for w in classifier.weights if w.shape == (3, 3, 3, 8))
    assert np.array_equal(kernels[(3, 3, 3, 8)], first)
    trained.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    np.testing.assert_allclose(again(images), trained(images), atol=1e-5)
    assert np.array_equal(anchors_of(again), anchors_of(trained))


def test_a_seed_of_another_is_the_same_network() -> None:
    small = SSD.example()
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        models.append(small.build(spec(64)))
    for one, other in zip(models[0].weights, models[1].weights, strict=True):
        assert np.array_equal(one, other)
    with tf.GradientTape() as tape:
        outputs = models[0](np.zeros((1, 64, 64, 3), np.uint8), training=True)
        label = np.float32([[[0.1, 0.1, 0.6, 0.6, 0, 0]]])
        classes, boxes = head_of(models[0]).losses(label, outputs)  # type: ignore[union-attr]
        loss = tf.reduce_sum(classes + boxes)
    gradients = tape.gradient(loss, models[0].trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SSD(sizes=SIZES), "SSD.sizes has 4 maps, and there are 5"),
        (lambda: SSD(ratios=()), "SSD.ratios is empty"),
        (lambda: SSD(MLP(), filters=(8,)), "SSD.filters are of its own blocks"),
        (lambda: SSD(filters=(8,), taps=2, blocks=(8, 8)), "SSD.taps=2 maps are wanted of 1"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_it_cannot_build_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"SSD halves the image 6 times.*at least 64"):
        SSD().build(spec(32))
    of_classes = spec().replace(labels=(Label("label", "class", (), ("a", "b")),))
    with pytest.raises(ModelError, match="SSD finds boxes, and the labels are of kind 'class'"):
        SSD().check(of_classes)
    with pytest.raises(ModelError, match="there is no such file"):
        SSD("gone.keras").build(spec())
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        SSD(str(tmp_path / "text.keras")).build(spec())
    flat = VGG(((1, 8),), units=(8,))
    with pytest.raises(ModelError, match="has maps of 1 sizes below the image's, and taps=2"):
        SSD(flat, taps=2, blocks=(8,), sizes=SIZES).build(spec(64))
    stand_in, note = SSD("gone.keras").offline()
    assert isinstance(stand_in.backbone, VGG)
    assert "gone.keras" in note
