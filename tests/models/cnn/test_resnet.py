"""ResNet: what a residual block adds up, and the two conventions."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe.declare.spec import ElementSpec
from tfpipe.models import ResNet

MakeSpec = Callable[..., ElementSpec]


def of_kind(model: keras.Model, kind: Any) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_a_block_adds_its_input(spec_of: MakeSpec) -> None:
    builder = ResNet(blocks=(1,), width=0.125, stem="cifar", normalization=None)
    model = builder.build(spec_of((8, 8, 3), dtype="float32"))
    stem, first, second = of_kind(model, keras.layers.Conv2D)
    second.kernel.assign(np.zeros(second.kernel.shape))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    before = keras.ops.relu(stem(x))
    # The sum of nothing and the input, activated, averaged.
    expected = model.layers[-1](keras.ops.mean(before, axis=(1, 2)))
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    assert not np.allclose(first(before), 0)


@pytest.mark.parametrize(("bottleneck", "widest"), [(False, 512), (True, 2048)])
def test_stages(spec_of: MakeSpec, bottleneck: bool, widest: int) -> None:
    model = ResNet(bottleneck=bottleneck).build(spec_of((64, 64, 3)))
    sums = of_kind(model, keras.layers.Add)
    sizes = [layer.output.shape[1:] for layer in sums]
    factor = widest // 512
    assert sizes == [
        (side, side, factor * filters)
        for side, filters in ((16, 64), (8, 128), (4, 256), (2, 512))
        for _ in range(2)
    ]
    # The first stage of two 3x3 convolutions keeps its 64 filters: nothing to project.
    windows = [c.kernel_size[0] for c in of_kind(model, keras.layers.Conv2D)]
    assert windows.count(1) == (4 + 2 * 8 if bottleneck else 3)


def test_two_conventions(spec_of: MakeSpec) -> None:
    course = ResNet((1, 1)).build(spec_of((32, 32, 3)))
    assert all(c.use_bias for c in of_kind(course, keras.layers.Conv2D))
    assert len(of_kind(course, keras.layers.BatchNormalization)) == 5
    paper = ResNet((1, 1), projection="normalized", bias=False).build(spec_of((32, 32, 3)))
    assert not any(c.use_bias for c in of_kind(paper, keras.layers.Conv2D))
    assert len(of_kind(paper, keras.layers.BatchNormalization)) == 6
