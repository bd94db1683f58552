"""ConvNet: published networks as block lists, and what each field does."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe import Pipeline, hp
from tfpipe.data import Arrays
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import CNN_2_4_6, Block, ConvNet

MakeSpec = Callable[..., ElementSpec]

MNIST = (28, 28, 1)
MNIST_CNN = ConvNet(
    blocks=(Block(convs=(32, 64), padding="valid", dropout=0.25),), units=(128,), dropout=0.5
)
MNIST_WEBAPP_CNN = ConvNet(
    blocks=(
        Block(convs=(32, 32), padding="valid", dropout=0.25),
        Block(convs=(64, 64), dropout=0.25),
        Block(convs=(128,), pool=0, dropout=0.25),
    ),
    units=(128,),
    batch_norm=True,
    dropout=0.25,
)


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def kinds(model: keras.Model) -> str:
    return " ".join(type(layer).__name__ for layer in model.layers)


def test_mnist_cnn(spec_of: MakeSpec) -> None:
    model = MNIST_CNN.build(spec_of(MNIST))
    assert model.count_params() == trainable(model) == 1_199_882
    assert kinds(model) == (
        "InputLayer Rescaling Conv2D Conv2D MaxPooling2D Dropout Flatten Dense Dropout Dense"
    )


def test_mnist_webapp_cnn(spec_of: MakeSpec) -> None:
    model = MNIST_WEBAPP_CNN.build(spec_of(MNIST))
    assert (model.count_params(), model.count_params() - trainable(model)) == (730_602, 256)
    (flat,) = (i for i in model.layers if isinstance(i, keras.layers.Flatten))
    assert flat.output.shape == (None, 4_608)
    assert kinds(model) == (
        "InputLayer Rescaling Conv2D Conv2D MaxPooling2D Dropout Conv2D Conv2D MaxPooling2D "
        "Dropout Conv2D Dropout Flatten Dense BatchNormalization Dropout Dense"
    )


def test_cnn_2_4_6_is_one_of_its_block_lists(spec_of: MakeSpec) -> None:
    def weights(builder: Any) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        return list(builder.build(spec_of()).get_weights())

    spelt_out = ConvNet(
        blocks=(
            Block(convs=(32, 32), dropout=0.2, batch_norm=True, l2=1e-4),
            Block(convs=(64, 64), dropout=0.3, batch_norm=True, l2=1e-4),
        )
    )
    named = CNN_2_4_6(convs=4, dropout=(0.2, 0.3), batch_norm=True, l2=1e-4)
    for ours, theirs in zip(weights(spelt_out), weights(named), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fields(spec_of: MakeSpec) -> None:
    block = Block(convs=(4, 6), kernel=5, padding="valid", pool=3, dropout=0.1, l2=1e-3)
    builder = ConvNet(
        blocks=(block,),
        units=(8, 7),
        activation="tanh",
        dropout=0.4,
        l2=1e-2,
        initializer="he_uniform",
    )
    model = builder.build(spec_of((20, 23, 1)))
    first, second = (i for i in model.layers if isinstance(i, keras.layers.Conv2D))
    assert (first.filters, second.filters) == (4, 6)
    for layer in (first, second):
        assert (layer.kernel_size, layer.padding) == ((5, 5), "valid")
        assert layer.activation.__name__ == "tanh"
        assert type(layer.kernel_initializer).__name__ == "HeUniform"
        assert round(float(layer.kernel_regularizer.l2), 6) == 1e-3
    (pool,) = (i for i in model.layers if isinstance(i, keras.layers.MaxPooling2D))
    assert (pool.pool_size, pool.output.shape) == ((3, 3), (None, 4, 5, 6))
    *hidden, last = (i for i in model.layers if isinstance(i, keras.layers.Dense))
    assert [layer.units for layer in hidden] == [8, 7]
    assert {layer.activation.__name__ for layer in hidden} == {"tanh"}
    assert {round(float(layer.kernel_regularizer.l2), 6) for layer in hidden} == {1e-2}
    assert (last.activation.__name__, last.kernel_regularizer) == ("linear", None)
    rates = [i.rate for i in model.layers if isinstance(i, keras.layers.Dropout)]
    assert rates == [0.1, 0.4, 0.4]


@pytest.mark.parametrize(("pooling", "width"), [("flatten", 8 * 8 * 6), ("average", 6), ("max", 6)])
def test_pooling(spec_of: MakeSpec, pooling: Any, width: int) -> None:
    builder = ConvNet(blocks=(Block(convs=(6,)),), pooling=pooling, units=())
    assert builder.build(spec_of()).layers[-1].kernel.shape == (width, 10)


def test_the_scale_of_bytes(spec_of: MakeSpec) -> None:
    builder = ConvNet(blocks=(Block(convs=(2,)),), scale=(-1.0, 1.0))
    model = builder.build(spec_of())
    scaled = keras.Model(model.input, model.layers[1].output)
    ends = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1) * np.ones((2, 16, 16, 3), np.uint8)
    assert np.unique(scaled(ends)).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("builder", "least"),
    [
        (MNIST_CNN, 6),
        (MNIST_WEBAPP_CNN, 8),
        (ConvNet(blocks=(Block(convs=(1,), pool=3), Block(convs=(1,), pool=2))), 6),
        (ConvNet(blocks=(Block(convs=(1,), pool=0),), units=()), 1),
    ],
)
def test_the_smallest_image(spec_of: MakeSpec, builder: ConvNet, least: int) -> None:
    assert builder.build(spec_of((least, least + 3, 1))).output_shape == (None, 10)
    if least > 1:
        for refuse in (builder.check, builder.build):
            with pytest.raises(ModelError, match=f"at least {least}x{least} pixels, got"):
                refuse(spec_of((40, least - 1, 1)))


def test_a_small_image_is_refused_with_the_block_that_it_is_too_small_for(
    spec_of: MakeSpec,
) -> None:
    blocks = (Block(convs=(8,)), Block(convs=(8, 8), padding="valid"))
    with pytest.raises(ModelError) as caught:
        ConvNet(blocks=blocks).check(spec_of((40, 11, 3)))
    assert str(caught.value) == (
        "ConvNet needs images of at least 12x12 pixels, got 40x11: blocks.1, "
        "Block((8, 8), padding='valid'), is left with 20x5 and needs 6x6. Use fewer blocks, "
        "padding='same' or larger images."
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvNet(), "ConvNet needs a value for 'blocks'."),
        (
            lambda: ConvNet(blocks=()),
            "ConvNet.blocks is empty: give a Block, or use MLP.",
        ),
        (
            lambda: Block(convs=()),
            "Block.convs is empty: give the filters of each convolution.",
        ),
        (
            lambda: ConvNet(blocks=(32, 32)),
            "ConvNet.blocks takes a tuple, each item a block such as Block(convs=(32, 32)), got "
            "(32, 32) (tuple).",
        ),
        (lambda: Block((8,), pools=2), "Block has no field 'pools'. Did you mean 'pool'?"),
        (
            lambda: Block((8,), padding="full"),
            "Block.padding takes one of 'same', 'valid', got 'full' (str).",
        ),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message


def test_an_unknown_activation_is_refused(spec_of: MakeSpec) -> None:
    with pytest.raises(ConfigError, match=r"^ConvNet.activation: keras.activations has no 'rleu'"):
        ConvNet(blocks=(Block((2,)),), activation="rleu").build(spec_of())


def test_ranges_may_stand_for_values() -> None:
    builder = ConvNet(
        blocks=(
            Block(convs=(hp.Int(8, min=4, max=16), 8), dropout=hp.Float(0.2, min=0.0, max=0.5)),
        ),
        units=hp.Choice((16,), ((16,), (32,))),
    )
    assert resolve(builder) == ConvNet(blocks=(Block(convs=(8, 8), dropout=0.2),), units=(16,))
    assert from_json(to_json(builder)) == builder
    choice = hp.Choice((Block((2,)),), ((Block((2,)),), (Block((2,)), Block((4,)))))
    assert resolve(ConvNet(blocks=choice)) == ConvNet(blocks=(Block((2,)),))


def test_a_blocks_field_is_overridden_by_its_place() -> None:
    class Small(Pipeline):
        data = Arrays(lambda: None)
        model = MNIST_WEBAPP_CNN

    changed = apply_overrides(Small(), ["model.blocks.1.convs=(16,16)", "model.blocks.2.pool=2"])
    assert changed.model == MNIST_WEBAPP_CNN.replace(
        blocks=(
            MNIST_WEBAPP_CNN.blocks[0],
            MNIST_WEBAPP_CNN.blocks[1].replace(convs=(16, 16)),
            MNIST_WEBAPP_CNN.blocks[2].replace(pool=2),
        )
    )
