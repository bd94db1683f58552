"""CNN_2_4_6: the five published variants, and what cannot work."""

from collections.abc import Callable
from typing import Any

import keras
import pytest

from tfpipe import hp
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import CNN_2_4_6

MakeSpec = Callable[..., ElementSpec]

SIX_NORMALISED = CNN_2_4_6(convs=6, dropout=(0.2, 0.3, 0.3), batch_norm=True, l2=1e-4)


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        (CNN_2_4_6(convs=2), 1_060_138),
        (CNN_2_4_6(convs=4), 591_274),
        (CNN_2_4_6(convs=6), 550_570),
        (CNN_2_4_6(convs=6, dropout=(0.2, 0.2, 0.3), initializer="he_uniform"), 550_570),
        (SIX_NORMALISED, 552_362),
    ],
    ids=["2", "4", "6", "6 and dropout", "6 and batch norm"],
)
def test_the_published_variants(spec_of: MakeSpec, builder: CNN_2_4_6, parameters: int) -> None:
    model = builder.build(spec_of((32, 32, 3)))
    assert model.count_params() == parameters
    trainable = sum(v.size for v in map(keras.ops.convert_to_numpy, model.trainable_variables))
    assert trainable == (551_466 if builder.batch_norm else parameters)


def test_the_layers_in_order(spec_of: MakeSpec) -> None:
    model = CNN_2_4_6(convs=4, dropout=0.1, batch_norm=True).build(spec_of((32, 32, 3)))
    block = "Conv2D BatchNormalization Conv2D BatchNormalization MaxPooling2D Dropout"
    expected = f"InputLayer Rescaling {block} {block} Flatten Dense Dense"
    assert [type(layer).__name__ for layer in model.layers] == expected.split()


def test_fields(spec_of: MakeSpec) -> None:
    builder = SIX_NORMALISED.replace(initializer="he_uniform", units=16)
    model = builder.build(spec_of((32, 32, 3)))
    convolutions = [i for i in model.layers if isinstance(i, keras.layers.Conv2D)]
    assert [c.filters for c in convolutions] == [32, 32, 64, 64, 128, 128]
    assert {(c.kernel_size, c.padding, c.activation.__name__) for c in convolutions} == {
        ((3, 3), "same", "relu")
    }
    assert {type(c.kernel_initializer).__name__ for c in convolutions} == {"HeUniform"}
    assert {round(float(c.kernel_regularizer.l2), 8) for c in convolutions} == {1e-4}
    rates = [i.rate for i in model.layers if isinstance(i, keras.layers.Dropout)]
    assert rates == [0.2, 0.3, 0.3]
    hidden, last = (i for i in model.layers if isinstance(i, keras.layers.Dense))
    assert (hidden.units, type(hidden.kernel_initializer).__name__) == (16, "HeUniform")
    assert hidden.kernel_regularizer is None
    assert type(last.kernel_initializer).__name__ == "GlorotUniform"


@pytest.mark.parametrize(("convs", "least"), [(2, 2), (4, 4), (6, 8)])
def test_the_smallest_image(spec_of: MakeSpec, convs: Any, least: int) -> None:
    builder = CNN_2_4_6(convs=convs, units=2)
    assert builder.build(spec_of((least, least + 3, 1))).output_shape == (None, 10)
    with pytest.raises(ModelError) as caught:
        builder.build(spec_of((40, least - 1, 1)))
    assert str(caught.value) == (
        f"CNN_2_4_6(convs={convs}) halves the image {convs // 2} times and needs at least "
        f"{least}x{least} pixels, got 40x{least - 1}. Use fewer convolutions."
    )


@pytest.mark.parametrize("shape", [(784,), (28, 28), (4, 28, 28, 3)])
def test_what_is_no_image(spec_of: MakeSpec, shape: tuple[int, ...]) -> None:
    for refuse in (CNN_2_4_6().check, CNN_2_4_6().build):
        with pytest.raises(ModelError) as caught:
            refuse(spec_of(shape, "float32"))
        assert str(caught.value) == (
            "CNN_2_4_6 reads images of shape (height, width, channels); 'input' has shape "
            f"{shape}, which is of rank {len(shape)}, not 3. Use MLP, or reshape the data to "
            "images."
        )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"convs": 3}, "CNN_2_4_6.convs takes one of 2, 4, 6, got 3 (int)."),
        (
            {"convs": 4, "dropout": (0.1, 0.2, 0.3)},
            "CNN_2_4_6.dropout has 3 rates; 4 convolutions are 2 blocks: give one number, or 2.",
        ),
        (
            {"dropout": 1.0},
            "CNN_2_4_6.dropout takes a number of at least 0 and below 1 or a tuple, each item a "
            "number of at least 0 and below 1, got 1.0 (float).",
        ),
        ({"units": 0}, "CNN_2_4_6.units takes a whole number of at least 1, got 0 (int)."),
    ],
)
def test_wrong_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CNN_2_4_6(**fields)
    assert str(caught.value) == message


def test_ranges_may_stand_for_values() -> None:
    builder = CNN_2_4_6(convs=hp.Choice(4, (2, 4)), dropout=hp.Float(0.2, min=0.0, max=0.5))
    assert resolve(builder) == CNN_2_4_6(convs=4, dropout=0.2)
    with pytest.raises(ConfigError, match="got 3"):
        CNN_2_4_6(convs=hp.Choice(2, (2, 3)))
