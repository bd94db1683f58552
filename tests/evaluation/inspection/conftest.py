"""A model with every layer that the page has a formula for, and its page."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests.pages import EVIL
from tests.specs import label_of, spec_of
from tfpipe.evaluation.inspection.trace import trace
from tfpipe.evaluation.inspection.write import InspectedImage, Inspection, write_page
from tfpipe.tasks.task import task_of

__all__ = ["spec_of"]  # a fixture
CLASSES = 5


def every_layer() -> keras.Model:
    """All kinds of layers, one model inside another, with weights as a training leaves them."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    inputs = keras.Input((13, 12, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(inputs)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D(2, padding="same", name="pool")(x)
    a = layers.Conv2D(6, (3, 2), strides=2, padding="same", use_bias=False, name="strided")(x)
    b = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="depth")(x)
    b = layers.Conv2D(6, 1, name="point")(b)
    inner = keras.Input((4, 3, 6))
    y = layers.Conv2D(4, 3, padding="same", dilation_rate=2, groups=2, name="grouped")(inner)
    y = layers.Activation("elu", name="elu")(y)
    y = layers.LeakyReLU(negative_slope=0.3, name="leaky")(y)
    nested = keras.Model(inner, y, name="nested")
    x = layers.Add(name="add")([a, b])
    x = layers.ReLU(max_value=0.5, name="capped")(x)
    x = layers.Concatenate(name="concat")([x, nested(x)])
    x = layers.AveragePooling2D(2, strides=1, padding="same", name="means")(x)
    x = layers.SeparableConv2D(7, 3, name="separable")(x)
    g = layers.GlobalAveragePooling2D(name="overall")(x)
    f = layers.Flatten(name="flatten")(x)
    f = layers.Dense(7, activation="tanh", name="hidden")(f)
    x = layers.Add(name="sum")([f, g])
    model = keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path else -0.6
        weight.assign(rng.uniform(low, low + 1.3, weight.shape))
    return model


def pictures(count: int, shape: tuple[int, ...] = (13, 12, 3)) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype("uint8")


@pytest.fixture(scope="package")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The model, two images, what was traced, and the file of the page."""
    model, images = every_layer(), pictures(2)
    task = task_of(label_of("class"), "classification")
    traced = [trace(model, task, image) for image in images]
    shown = [
        InspectedImage(name, "a", answer, steps)
        for name, answer, steps in zip((EVIL, "second"), ("a 50%", "b 40%"), traced, strict=True)
    ]
    file: Path = tmp_path_factory.mktemp("inspected") / "page.html"
    size = write_page(file, Inspection(EVIL, tuple("abcde"), (EVIL,), shown, True))
    return SimpleNamespace(model=model, images=images, traced=traced, file=file, size=size)
