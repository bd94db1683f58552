"""What the tests of networks of tokens share: a spec of tokens, and training windows."""

from collections.abc import Callable

import pytest
import tensorflow as tf

from tfpipe.declare.formats import TokenFormat
from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec, Feature, Label

MakeTokens = Callable[..., ElementSpec]


@pytest.fixture(scope="session")
def tokens_of() -> MakeTokens:
    """Makes a spec of so many tokens in windows: tokens_of(28, windows=35)."""

    def make(vocabulary: int = 28, windows: int = 35, carried: bool = False) -> ElementSpec:
        known = ("<unk>", *(chr(0x100 + i) for i in range(vocabulary - 1)))
        form = TokenFormat(carried=carried)
        feature = Feature("tokens", (windows,), "int32", "tokens", known, tokens=form)
        return ElementSpec((feature,), (Label("next", "tokens", (windows,), known),), {"train": 8})

    return make


@pytest.fixture(scope="session")
def windows() -> Callable[[int, int], Training]:
    """Makes what gives batches of so many windows of tokens."""

    def make(rows: int, length: int) -> Training:
        x = tf.random.stateless_uniform((2 * rows, length), (0, 0), maxval=28, dtype=tf.int32)
        return lambda: tf.data.Dataset.from_tensor_slices(x).batch(rows)

    return make
