"""GoogLeNet: the sizes and filters of each stage, as in table 1 of the paper."""

from collections.abc import Callable

import keras

from tfpipe.declare.spec import ElementSpec
from tfpipe.models import GoogLeNet

MakeSpec = Callable[..., ElementSpec]


def test_stages(spec_of: MakeSpec) -> None:
    model = GoogLeNet().build(spec_of((224, 224, 3)))
    joined = [a.output.shape[1:] for a in model.layers if isinstance(a, keras.layers.Concatenate)]
    filters = {28: (256, 480), 14: (512, 512, 512, 528, 832), 7: (832, 1024)}
    assert joined == [(side, side, n) for side, counts in filters.items() for n in counts]
    first = next(a for a in model.layers if isinstance(a, keras.layers.Concatenate))
    assert [end.shape[-1] for end in first.input] == [64, 128, 32, 32]
