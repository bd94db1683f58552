"""LeNet: the published size, the layers and the smallest image."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.models import LeNet

MakeSpec = Callable[..., ElementSpec]


def test_the_published_network(spec_of: MakeSpec) -> None:
    model = LeNet().build(spec_of((32, 32, 3)))
    assert model.count_params() == 62_006
    assert " ".join(type(layer).__name__ for layer in model.layers) == (
        "InputLayer Rescaling Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense Dense"
    )
    shapes = [tuple(w.shape) for w in model.weights if len(w.shape) > 1]
    assert shapes == [(5, 5, 3, 6), (5, 5, 6, 16), (400, 120), (120, 84), (84, 10)]


def test_bytes_are_scaled_to_minus_one_and_one(spec_of: MakeSpec) -> None:
    model = LeNet().build(spec_of())
    scaled = keras.Model(model.input, model.layers[1].output)
    ends = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1) * np.ones((2, 16, 16, 3), np.uint8)
    assert np.unique(scaled(ends)).tolist() == [-1.0, 1.0]


def test_fields(spec_of: MakeSpec) -> None:
    builder = LeNet(
        filters=(3, 4), units=(5,), activation="tanh", dropout=0.3, initializer="he_uniform"
    )
    model = builder.build(spec_of())
    inner = [i for i in model.layers if hasattr(i, "kernel")][:-1]
    assert [i.bias.shape for i in inner] == [(3,), (4,), (5,)]
    assert {i.activation.__name__ for i in inner} == {"tanh"}
    assert {type(i.kernel_initializer).__name__ for i in inner} == {"HeUniform"}
    assert [i.rate for i in model.layers if isinstance(i, keras.layers.Dropout)] == [0.3]


def test_the_smallest_image(spec_of: MakeSpec) -> None:
    assert LeNet().build(spec_of((16, 17, 1))).output_shape == (None, 10)
    for refuse in (LeNet().check, LeNet().build):
        with pytest.raises(ModelError) as caught:
            refuse(spec_of((16, 15, 1)))
        assert str(caught.value) == (
            "LeNet needs images of at least 16x16 pixels, got 16x15. Use ConvNet with "
            "padding='same', or larger images."
        )
