"""Contracts: the table against keras.applications itself, and its words."""

import inspect
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.applications import imagenet_utils

from tfpipe.errors import ConfigError
from tfpipe.models.pretrained.contracts import CONTRACTS, SCALINGS, Contract, contract_of
from tfpipe.models.pretrained.preprocessing import scaled

NETWORKS = {n: f for n, f in vars(keras.applications).items() if inspect.isfunction(f)}
MODULES = [m for m in vars(keras.applications).values() if isinstance(m, ModuleType)]
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)


class Stopped(Exception):
    """Keras got as far as the sizes of a network."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The sizes that a network asks for; it is not built any further."""
    sizes: dict[str, int] = {}

    def stop(*args: Any, default_size: int, min_size: int, **options: Any) -> None:
        sizes.update(default=default_size, smallest=min_size)
        raise Stopped

    monkeypatch.setattr(imagenet_utils, "obtain_input_shape", stop)
    return sizes


def of_family() -> dict[str, Contract]:
    """One network of each family."""
    return {contract.family: contract for contract in CONTRACTS.values()}


def test_every_network_of_keras_is_in_the_table() -> None:
    assert set(CONTRACTS) == set(NETWORKS)
    assert all(name == contract.network for name, contract in CONTRACTS.items())
    assert len(of_family()) == 14


@pytest.mark.parametrize("network", [n for n in CONTRACTS if not n.startswith("MobileNetV3")])
def test_sizes_are_those_of_keras(network: str, asked: dict[str, int]) -> None:
    with pytest.raises(Stopped):
        NETWORKS[network](weights=None)
    contract = CONTRACTS[network]
    assert asked == {"default": contract.size, "smallest": contract.smallest}


@pytest.mark.parametrize("network", ["MobileNetV3Small", "MobileNetV3Large"])
def test_sizes_of_mobilenet_v3_are_those_of_keras(network: str) -> None:
    assert (CONTRACTS[network].size, CONTRACTS[network].smallest) == (224, 32)
    with pytest.raises(ValueError, match="must be at least 32x32"):
        NETWORKS[network](weights=None, input_shape=(31, 32, 3))


def test_the_networks_with_a_width_are_those_of_keras() -> None:
    with_alpha = {n for n, f in NETWORKS.items() if "alpha" in inspect.signature(f).parameters}
    assert {n for n, contract in CONTRACTS.items() if contract.alphas} == with_alpha


@pytest.mark.parametrize("network", CONTRACTS)
def test_images_become_what_preprocess_input_makes_of_them(network: str) -> None:
    modules = [m for m in MODULES if hasattr(m, network) and hasattr(m, "preprocess_input")]
    if network.startswith("MobileNetV3"):
        modules = [keras.applications.mobilenet_v3]
    assert modules
    scaling = CONTRACTS[network].scaling
    inputs = keras.Input((5, 4, 3), dtype="float32")
    x = keras.ops.flip(inputs, axis=-1) if scaling.bgr else inputs
    ours = keras.Model(inputs, scaled(x, scaling, (0.0, 255.0)))(PIXELS)
    for module in modules:
        theirs = module.preprocess_input(PIXELS.astype(np.float32))
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_black_and_white_are_the_ends() -> None:
    np.testing.assert_allclose(SCALINGS["tf"].of(0), (-1, -1, -1))
    np.testing.assert_allclose(SCALINGS["tf"].of(255), (1, 1, 1))
    np.testing.assert_allclose(SCALINGS["caffe"].of(255), (151.061, 138.221, 131.32))
    np.testing.assert_allclose(SCALINGS["torch"].of(0), (-2.1179, -2.0357, -1.8044), atol=1e-4)
    assert SCALINGS["built in"].of(200) == (200, 200, 200)


def test_a_contract_in_words() -> None:
    assert CONTRACTS["VGG16"].text == (
        "images of 1 or 3 channels, values of 0..255 or as declared in `values`; inside the model "
        "they become 0..255 minus ImageNet's mean, the channels from red, green, blue to blue, "
        "green, red; at least 32 pixels a side, trained on 224"
    )
    assert all("arXiv:" in contract.source for contract in CONTRACTS.values())


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        contract_of("MobilenetV2")
    assert str(caught.value) == (
        "keras.applications has no network 'MobilenetV2'. Did you mean 'MobileNetV2', "
        "'MobileNet' or 'MobileNetV3Small'?"
    )
