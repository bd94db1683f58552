"""Networks written as tables: their exact parameters, the smallest images, and shared options."""

from collections.abc import Callable
from typing import Any

import keras
import pytest

from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models import VGG, AlexNet, DenseNet, GoogLeNet, NiN, ResNet
from tfpipe.models.parameter_count import parameters, trainable_parameters

MakeSpec = Callable[..., ElementSpec]

SIX = (AlexNet, VGG, NiN, GoogLeNet, ResNet, DenseNet)


def trained(size: tuple[int, int, int], classes: int, make: MakeSpec) -> ElementSpec:
    label = Label("label", "class", (), tuple(f"{n}" for n in range(classes)))
    return make(size).replace(labels=(label,))


@pytest.mark.parametrize(
    ("builder", "side", "total", "trainable"),
    [
        (AlexNet(), 224, 46_764_746, 46_764_746),
        (VGG(width=0.25), 224, 43_093_322, 43_093_322),
        (VGG(), 224, 128_806_154, 128_806_154),
        (NiN(), 224, 1_992_166, 1_992_166),
        (GoogLeNet(), 96, 5_977_530, 5_977_530),
        (ResNet(), 96, 11_186_186, 11_178_378),
        (DenseNet(), 96, 764_834, 758_226),
    ],
    ids=repr,
)
def test_parameters_on_grey_images(
    spec_of: MakeSpec, builder: ModelBuilder, side: int, total: int, trainable: int
) -> None:
    model = builder.build(trained((side, side, 1), 10, spec_of))
    assert (parameters(model), trainable_parameters(model)) == (total, trainable)


@pytest.mark.parametrize(
    ("builder", "trainable"),
    [
        # As torchvision has them, whose counts leave out what is not trained.
        (ResNet(bias=False, projection="normalized"), 11_689_512),
        (ResNet((3, 4, 6, 3), bottleneck=True, bias=False, projection="normalized"), 25_557_032),
        (DenseNet((6, 12, 24, 16), bottleneck=True, bias=False), 7_978_856),
    ],
    ids=repr,
)
def test_parameters_as_published_for_imagenet(
    spec_of: MakeSpec, builder: ModelBuilder, trainable: int
) -> None:
    model = builder.build(trained((224, 224, 3), 1000, spec_of))
    assert trainable_parameters(model) == trainable


@pytest.mark.parametrize(
    ("builder", "least", "reason"),
    [
        (
            AlexNet(),
            67,
            "the pool of 3x3 with strides of 2 is left with 2x2 and needs "
            "3x3. Use stem='cifar', or larger images.",
        ),
        (
            AlexNet(stem="cifar"),
            7,
            "the pool of 3x3 with strides of 2 is left with 2x2 and needs "
            "3x3. Use stem='cifar', or larger images.",
        ),
        (
            VGG(),
            32,
            "the pool of 2x2 with strides of 2 is left with 1x1 and needs "
            "2x2. Use fewer blocks, or larger images.",
        ),
        (
            NiN(),
            67,
            "the pool of 3x3 with strides of 2 is left with 2x2 and needs "
            "3x3. Use stem='cifar', or larger images.",
        ),
        (
            GoogLeNet(),
            17,
            "the pool of 3x3 with strides of 2 is left with 1x1 and needs "
            "2x2. Use stem='cifar', or larger images.",
        ),
        (
            ResNet(),
            17,
            "the residual of 3x3 with strides of 2 is left with 1x1 and "
            "needs 2x2. Use stem='cifar', fewer stages, or larger images.",
        ),
        (
            DenseNet(),
            29,
            "the transition of 2x2 with strides of 2 is left with 1x1 and needs 2x2. Use "
            "stem='cifar', fewer blocks, or larger images.",
        ),
    ],
    ids=repr,
)
def test_an_image_too_small_is_refused_with_numbers(
    spec_of: MakeSpec, builder: ModelBuilder, least: int, reason: str
) -> None:
    with pytest.raises(ModelError) as caught:
        builder.check(spec_of((least - 1, least - 1, 1)))
    assert str(caught.value) == (
        f"{type(builder).__name__} needs images of at least {least}x{least} pixels, got "
        f"{least - 1}x{least - 1}: {reason}"
    )
    assert f"{least} pixels a side" in builder.contract or builder == AlexNet(stem="cifar")
    builder.check(spec_of((least, least, 1)))
    assert builder.build(spec_of((least, least, 1))).output_shape == (None, 10)


@pytest.mark.parametrize("kind", [AlexNet, NiN, GoogLeNet, ResNet, DenseNet])
def test_small_images_have_a_stem_of_their_own(spec_of: MakeSpec, kind: Any) -> None:
    model = kind(stem="cifar").build(spec_of((32, 32, 3)))
    first, second, *_ = (at for at in model.layers if isinstance(at, keras.layers.Conv2D))
    assert (first.kernel_size, first.strides) == ((3, 3), (1, 1))
    assert first.output.shape[1:3] == second.input.shape[1:3] == (32, 32)


@pytest.mark.parametrize("kind", SIX)
def test_options(spec_of: MakeSpec, kind: Any) -> None:
    def layers(name: str, **options: Any) -> list[Any]:
        model = kind.example().replace(**options).build(spec_of((16, 16, 3)))
        return [at for at in model.layers if isinstance(at, getattr(keras.layers, name))]

    convolutions = len(layers("Conv2D"))
    assert layers("BatchNormalization", normalization=None) == []
    # What projects the input of a residual block is plain; a last dense block is followed by one.
    expected = convolutions - (kind is ResNet) + (kind is DenseNet)
    assert len(layers("BatchNormalization", normalization="batch")) == expected
    groups = layers("GroupNormalization", normalization="group")
    assert len(groups) == expected
    assert all(32 % norm.groups == 0 == norm.input.shape[-1] % norm.groups for norm in groups)
    norms = layers("GroupNormalization", normalization="layer")
    assert {norm.groups for norm in norms} == {1}
    activations = layers("Activation", activation="silu")
    assert {at.activation.__name__ for at in activations} == {"silu"}
    (last,) = layers("Dense", initializer="zeros")[-1:]
    assert last.name == "logits"
    starts = {type(c.kernel_initializer).__name__ for c in layers("Conv2D", initializer="zeros")}
    assert starts == {"Zeros"}
    (drop, *_) = layers("Dropout", dropout=0.3)
    assert drop.rate == 0.3
    if "width" in kind.fields():
        wide = kind.example().width * 2
        once, twice = layers("Conv2D"), layers("Conv2D", width=wide)
        assert twice[0].filters == pytest.approx(2 * once[0].filters, abs=1)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (
            VGG,
            "VGG.blocks is empty: give of each block how many convolutions, and their filters, "
            "such as ((1, 64), (1, 128)).",
        ),
        (ResNet, "ResNet.blocks is empty: give how many blocks each stage has."),
        (DenseNet, "DenseNet.blocks is empty: give how many convolutions each has."),
    ],
)
def test_a_network_without_blocks_is_refused(kind: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(blocks=())
    assert str(caught.value) == problem
