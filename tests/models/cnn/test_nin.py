"""NiN: its last 1x1 convolution is the last layer, after the average."""

from collections.abc import Callable

import keras
import numpy as np

from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.models import NiN

MakeSpec = Callable[..., ElementSpec]


def test_the_last_layer_is_a_convolution_before_the_average(spec_of: MakeSpec) -> None:
    model = NiN(width=0.2, stem="cifar").build(spec_of((32, 32, 3)))
    average = next(a for a in model.layers if isinstance(a, keras.layers.GlobalAveragePooling2D))
    last = model.layers[-1]
    assert (average.input.shape, last.kernel.shape) == ((None, 7, 7, 10), (10, 10))
    x = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3))
    maps = keras.Model(model.input, average.input)(x)
    convolution = keras.layers.Conv2D(10, 1)
    convolution.build(maps.shape)
    convolution.set_weights([last.kernel[None, None], last.bias])
    expected = keras.ops.mean(convolution(maps), axis=(1, 2))
    np.testing.assert_allclose(model(x), expected, atol=1e-5)


def test_several_outputs_share_the_last_block(spec_of: MakeSpec) -> None:
    parts = (Label("kind", "class", (), tuple("abc")), Label("size", "real"))
    spec = spec_of((32, 32, 3)).replace(labels=(Label("both", "several", parts=parts),))
    model = NiN(width=0.2, stem="cifar").build(spec)
    assert {n: x.shape for n, x in model.output.items()} == {"kind": (None, 3), "size": (None, 1)}
    assert [c.filters for c in model.layers if isinstance(c, keras.layers.Conv2D)][-2:] == [10, 10]
    assert model.output["kind"].dtype == "float32"
