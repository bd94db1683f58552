"""DenseNet: how the filters grow, and that each convolution reads all before it."""

from collections.abc import Callable

import keras
import pytest

from tfpipe.declare.spec import ElementSpec
from tfpipe.models import DenseNet

MakeSpec = Callable[..., ElementSpec]


@pytest.mark.parametrize("bottleneck", [False, True])
def test_filters(spec_of: MakeSpec, bottleneck: bool) -> None:
    builder = DenseNet((3, 2), growth=8, stem="cifar", bottleneck=bottleneck)
    model = builder.build(spec_of((32, 32, 3)))
    convolutions = [a for a in model.layers if isinstance(a, keras.layers.Conv2D)]
    reads = [a.input.shape[1:] for a in convolutions]
    before, after = [(32, 32, n) for n in (16, 24, 32)], [(16, 16, n) for n in (20, 28)]
    if bottleneck:
        inner = [(32, 32, 32)] * 3, [(16, 16, 32)] * 2
        before, after = (
            [size for pair in zip(outer, others, strict=True) for size in pair]
            for outer, others in zip((before, after), inner, strict=True)
        )
    assert reads == [(32, 32, 3), *before, (32, 32, 40), *after]
    assert {a.filters for a in convolutions[1:] if a.kernel_size == (3, 3)} == {8}
    assert model.layers[-1].input.shape == (None, 20 + 2 * 8)
