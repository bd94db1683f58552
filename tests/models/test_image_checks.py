"""Samples: each way in which pictures miss what a network expects is found, and named."""

import numpy as np
import pytest

from tfpipe.errors import ModelError
from tfpipe.models.image_checks import Images, refuse_swapped, refuse_values
from tfpipe.models.pretrained.contracts import CONTRACTS

RNG = np.random.default_rng(0)
# Pictures with more red than blue, as photographs have; black and white are in them.
PIXELS = np.clip(RNG.normal((140, 125, 110), 60, (64, 6, 5, 3)), 0, 255).round().astype(np.float32)


def images(raw: np.ndarray, values: tuple[float, float], network: str) -> Images:
    """What `samples.images` gives, without a network."""
    scaling = CONTRACTS[network].scaling
    bytes_ = (raw - values[0]) / (values[1] - values[0]) * 255
    prepared = (bytes_[..., ::-1] if scaling.bgr else bytes_) * scaling.scale + scaling.offset
    return Images("photo", raw, prepared, values)


def refused(
    raw: np.ndarray, values: tuple[float, float] = (0.0, 255.0), network: str = "MobileNetV2"
) -> str:
    contract = CONTRACTS[network]
    with pytest.raises(ModelError) as caught:
        refuse_values(images(raw, values, network), contract, contract.scaling)
    return str(caught.value)


@pytest.mark.parametrize("network", ["MobileNetV2", "VGG16", "DenseNet121", "EfficientNetB0"])
@pytest.mark.parametrize("values", [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0), (0.0, 16.0)])
def test_pictures_as_declared_pass(network: str, values: tuple[float, float]) -> None:
    black, white = values
    raw = (black + PIXELS / 255 * (white - black)).astype(np.float32)
    contract = CONTRACTS[network]
    refuse_values(images(raw, values, network), contract, contract.scaling)
    refuse_swapped(images(raw, values, network), contract)


@pytest.mark.parametrize(
    ("network", "expected", "became"),
    [
        ("MobileNetV2", "MobileNetV2 (family MobileNetV2) expects values of -1..1", "-1..-0.9922"),
        ("VGG16", "VGG16 (family VGG) expects values of -123.7..151.1", "-123.7..-102.9"),
        (
            "DenseNet121",
            "DenseNet121 (family DenseNet) expects values of -2.118..2.64",
            "-2.118..-1.787",
        ),
        (
            "EfficientNetB0",
            "EfficientNetB0 (family EfficientNet) expects values of 0..255",
            "0..1",
        ),
    ],
)
def test_divided_by_255_is_found_in_each_family(network: str, expected: str, became: str) -> None:
    assert refused(PIXELS / 255, network=network) == (
        f"{expected}, which it makes of 0..255; 64 training samples of 'photo' lie in 0..1 and "
        f"become {became}. Probably they were already divided by 255. Leave that step out of "
        "input_fn, or declare model.values=(0, 1)."
    )


def test_divided_by_255_is_found_in_bytes_too() -> None:
    assert "divided by 255" in refused((PIXELS / 255).astype(np.uint8).astype(np.float32))


def test_scaled_twice_is_found() -> None:
    assert refused(PIXELS / 127.5 - 1) == (
        "MobileNetV2 (family MobileNetV2) expects values of -1..1, which it makes of 0..255; 64 "
        "training samples of 'photo' lie in -1..1 and become -1.008..-0.9922. Probably they were "
        "already scaled to -1..1. Leave that step out of input_fn, or declare model.values=(-1, 1)."
    )


def test_standardised_is_found() -> None:
    standardised = (PIXELS / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert refused(standardised, network="DenseNet121") == (
        "DenseNet121 (family DenseNet) expects values of -2.118..2.64, which it makes of 0..255; "
        "64 training samples of 'photo' lie in -2.118..2.64 and become -2.154..-1.758. Probably "
        "they were already standardised with a mean and a deviation. Leave that step out of "
        "input_fn."
    )


def test_a_subtracted_mean_is_found() -> None:
    assert refused(PIXELS[..., ::-1] - (103.939, 116.779, 123.68), network="VGG16") == (
        "VGG16 (family VGG) expects values of -123.7..151.1, which it makes of 0..255; 64 training "
        "samples of 'photo' lie in -123.7..151.1 and become -233.6..27.38. Probably they were "
        "already reduced by a mean, as preprocess_input of VGG and ResNet does, which also swaps "
        "the channels to blue, green, red. Leave that step out of input_fn."
    )


def test_bytes_where_others_are_declared_are_found() -> None:
    assert refused(PIXELS, (0.0, 1.0)) == (
        "MobileNetV2 (family MobileNetV2) expects values of -1..1, which it makes of 0..1; 64 "
        "training samples of 'photo' lie in 0..255 and become -1..509. They are bytes as they "
        "come: leave out model.values=(0, 1)."
    )


def test_half_of_a_declared_range_is_found() -> None:
    assert "lie in 0..1 and become 0..1. Probably they were already divided by 255." in refused(
        PIXELS / 255, (-1.0, 1.0)
    )


def test_other_values_are_refused() -> None:
    assert refused(PIXELS * 257) == (
        "MobileNetV2 (family MobileNetV2) expects values of -1..1, which it makes of 0..255; 64 "
        "training samples of 'photo' lie in 0..65535 and become -1..513. Declare in model.values "
        "what black and white are, such as (0, 65535) for 16 bits, or scale them in input_fn."
    )


def test_empty_pictures_and_broken_numbers_are_refused() -> None:
    assert refused(PIXELS * 0) == (
        "64 training samples of 'photo' are empty: each value is 0. Look at what is read."
    )
    broken = PIXELS.copy()
    broken[3, 2, 1, 0] = np.nan
    assert refused(broken) == (
        "64 training samples of 'photo' hold values that are no numbers (NaN, or infinite)."
    )


# The order of the channels


@pytest.mark.parametrize("values", [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)])
def test_swapped_channels_are_found(values: tuple[float, float]) -> None:
    black, white = values
    swapped = black + PIXELS[..., ::-1] / 255 * (white - black)
    with pytest.raises(ModelError) as caught:
        refuse_swapped(images(swapped, values, "MobileNetV2"), CONTRACTS["MobileNetV2"])
    means = PIXELS.mean(axis=(1, 2)) / 255
    bluer = means[:, 0] - means[:, 2]
    assert str(caught.value) == (
        "MobileNetV2 takes red, green, blue; in 64 training samples of 'photo' the third channel "
        f"is brighter than the first ({means[:, 0].mean():.3f} and {means[:, 2].mean():.3f} of "
        f"white, a difference of {bluer.mean():.3f} ± {bluer.std(ddof=1) / 8:.3f}). In photographs "
        "red is the brighter one: these probably are blue, green, red, as OpenCV reads them. "
        "Declare model.channels='bgr', and the model swaps them; or model.channels='rgb' if they "
        "are right and the pictures bluish."
    )


@pytest.mark.parametrize(
    "raw",
    [
        PIXELS,
        PIXELS[..., :1],  # grey
        PIXELS[:7, ..., ::-1],  # too few to say
        PIXELS[..., ::-1] * 0.02 + PIXELS.mean(axis=-1, keepdims=True) * 0.98,  # hardly different
        # Half of them much bluer, half much redder: chance.
        np.concatenate([PIXELS[:32] * (1, 1, 0.2), PIXELS[32:, ..., ::-1] * (0.18, 1, 1)]),
    ],
    ids=["photographs", "grey", "few", "close", "scattered"],
)
def test_channels_that_are_not_clearly_swapped_pass(raw: np.ndarray) -> None:
    if raw.shape[-1] == 1:
        found = Images("photo", raw, raw, (0.0, 255.0))
    else:
        found = images(raw, (0.0, 255.0), "VGG16")
    refuse_swapped(found, CONTRACTS["VGG16"])
