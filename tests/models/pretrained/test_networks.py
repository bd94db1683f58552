"""The short builders, whose network is fixed; and the published sizes of the networks."""

from collections.abc import Callable

import keras
import pytest

from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.models import VGG16, Application, InceptionV3, MobileNet, NASNetMobile
from tfpipe.models.base import base_of, unfreeze
from tfpipe.models.parameter_count import parameters, trainable_parameters
from tfpipe.models.pretrained.contracts import CONTRACTS

MakeSpec = Callable[..., ElementSpec]

SHORT = [VGG16, InceptionV3, MobileNet, NASNetMobile]


def sizes(model: keras.Model) -> tuple[int, int, int]:
    """Of the base, of all, and of what is trained."""
    return base_of(model).count_params(), parameters(model), trainable_parameters(model)


@pytest.mark.parametrize("short", SHORT)
def test_a_short_name_is_the_network_of_that_name(short: type[Application]) -> None:
    name = short.__name__
    builder = short(size=(96, 96), head=(32,))
    assert builder.name == name
    assert list(short.fields()) == list(Application.fields())
    assert dict(builder.items()) == dict(Application(name, size=(96, 96), head=(32,)).items())
    assert repr(builder) == f"{name}(size=(96, 96), head=(32,))"
    assert from_json(to_json(builder)) == builder
    assert short.contract == CONTRACTS[name].text
    assert CONTRACTS[name].source in (short.__doc__ or "")
    assert short.example().weights is None


def test_the_network_of_a_short_name_cannot_be_changed() -> None:
    for make in (lambda: VGG16(name="VGG19"), lambda: VGG16().replace(name="VGG19")):
        with pytest.raises(ConfigError) as caught:
            make()
        assert str(caught.value) == "VGG16.name takes 'VGG16', got 'VGG19' (str)."


def test_vgg16_as_published(spec_of: MakeSpec) -> None:
    builder = VGG16(weights=None, head=(256,))
    model = builder.build(spec_of((160, 160, 3), label="binary"))
    assert sizes(model) == (14_714_688, 14_846_273, 131_585)


def test_nasnet_mobile_as_published(spec_of: MakeSpec) -> None:
    builder = NASNetMobile(weights=None, dropout=0.5, l2=0.01)
    model = builder.build(spec_of((224, 224, 3), label=3))
    base = base_of(model)
    assert sizes(model) == (4_269_716, 4_272_887, 3_171)
    assert len(base.layers) == 770
    for what in ("752:", 18):  # with the scales and offsets of batch normalisation
        unfreeze(base, what)
        assert trainable_parameters(model) == 70_051
        assert parameters(model) - 70_051 == 4_202_836


@pytest.mark.parametrize(
    ("name", "size"), [("MobileNetV3Small", 939_120), ("MobileNetV3Large", 2_996_352)]
)
def test_mobilenet_v3_as_in_keras_3(spec_of: MakeSpec, name: str, size: int) -> None:
    model = Application(name, weights=None).build(spec_of((32, 32, 3), label=3))
    assert sizes(model)[0] == size


def test_mobilenet_says_its_size(spec_of: MakeSpec) -> None:
    base = base_of(MobileNet(weights=None).build(spec_of((32, 32, 3), label=3)))
    assert f"{base.count_params():,} parameters" in (MobileNet.__doc__ or "")


def test_the_momentum_of_batch_norm(spec_of: MakeSpec) -> None:
    def momenta(**fields: float) -> set[float]:
        builder = Application("MobileNetV2", weights=None, alpha=0.35, **fields)
        model = builder.build(spec_of((32, 32, 3), label=3))
        norms = [x for x in base_of(model).layers if isinstance(x, keras.layers.BatchNormalization)]
        return {layer.momentum for layer in norms}

    assert momenta() == {0.999}
    assert momenta(batch_norm_momentum=0.9) == {0.9}
