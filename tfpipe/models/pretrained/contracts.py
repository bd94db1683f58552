"""What each network of keras.applications expects of an image: one table, `CONTRACTS`.

A network that was trained on values scaled one way answers nonsense to values scaled another way,
and says nothing. So the scaling is the builder's business, not the person's.

| scaling       | what goes into the network                                                    |
| ------------- | ----------------------------------------------------------------------------- |
| tf            | red, green, blue; -1..1                                                       |
| caffe         | blue, green, red; 0..255 minus the mean of ImageNet's images                  |
| torch         | red, green, blue; 0..1, minus ImageNet's mean, divided by its deviation       |
| built in      | red, green, blue; 0..255: the network's own first layers scale                |
"""

from dataclasses import dataclass

from tfpipe.errors import ConfigError, suggest

Channels = tuple[float, float, float]

# Of ImageNet's images in 0..1: red, green, blue.
MEAN: Channels = (0.485, 0.456, 0.406)
DEVIATION: Channels = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Scaling:
    """What becomes of values of 0..255: value * scale + offset, for each channel.

    Args:
        name: "tf", "caffe", "torch" or "built in".
        scale: a factor for each channel, in the network's order.
        offset: what is added then.
        bgr: whether the network takes blue first.
        described: what goes into the network, in words.
    """

    name: str
    scale: Channels
    offset: Channels
    bgr: bool
    described: str

    def of(self, value: float) -> Channels:
        """What a value of 0..255 becomes in each channel."""
        first, second, third = (s * value + o for s, o in zip(self.scale, self.offset, strict=True))
        return first, second, third


SCALINGS = {
    "tf": Scaling("tf", (1 / 127.5,) * 3, (-1.0,) * 3, False, "-1..1"),
    # Caffe's own mean, of which 255 * MEAN is a rounding: blue, green, red.
    "caffe": Scaling(
        "caffe",
        (1.0, 1.0, 1.0),
        (-103.939, -116.779, -123.68),
        True,
        "0..255 minus ImageNet's mean, the channels from red, green, blue to blue, green, red",
    ),
    "torch": Scaling(
        "torch",
        (1 / 255 / DEVIATION[0], 1 / 255 / DEVIATION[1], 1 / 255 / DEVIATION[2]),
        (-MEAN[0] / DEVIATION[0], -MEAN[1] / DEVIATION[1], -MEAN[2] / DEVIATION[2]),
        False,
        "0..1 standardised with ImageNet's mean and deviation",
    ),
    "built in": Scaling(
        "built in", (1.0,) * 3, (0.0,) * 3, False, "0..255, which it scales itself"
    ),
}


@dataclass(frozen=True)
class Contract:
    """What a network expects.

    Args:
        network: its name in keras.applications.
        family: the networks that it is one of.
        scaling: what goes into it.
        size: the side of the images that it was trained on, in pixels.
        smallest: the least side that it takes, in pixels.
        alphas: the widths that there are ImageNet weights for; empty where the width is fixed.
        source: the paper.
    """

    network: str
    family: str
    scaling: Scaling
    size: int
    smallest: int
    alphas: tuple[float, ...]
    source: str

    @property
    def text(self) -> str:
        """What goes in and what becomes of it, in words."""
        return (
            "images of 1 or 3 channels, values of 0..255 or as declared in `values`; inside the "
            f"model they become {self.scaling.described}; at least {self.smallest} pixels a side, "
            f"trained on {self.size}"
        )


def contract_of(network: str) -> Contract:
    """The contract of a network; raises ConfigError, with a suggestion, for an unknown one."""
    if network not in CONTRACTS:
        raise ConfigError(
            f"keras.applications has no network {network!r}. {suggest(network, CONTRACTS)}"
        )
    return CONTRACTS[network]


def _family(
    family: str,
    scaling: str,
    sizes: dict[str, int],
    source: str,
    smallest: int = 32,
    alphas: tuple[float, ...] = (),
) -> list[Contract]:
    """Networks that share a contract, by name with the side of the images they were trained on."""
    return [
        Contract(name, family, SCALINGS[scaling], size, smallest, alphas, source)
        for name, size in sizes.items()
    ]


def _numbered(start: str, sizes: tuple[int, ...]) -> dict[str, int]:
    return {f"{start}{number}": size for number, size in enumerate(sizes)}


def _alike(start: str, *ends: str, size: int = 224) -> dict[str, int]:
    return {start + end: size for end in ends or ("",)}


_ALL = (
    *_family(
        "ConvNeXt",
        "built in",
        _alike("ConvNeXt", "Tiny", "Small", "Base", "Large", "XLarge"),
        "Liu and others, 2022, arXiv:2201.03545",
    ),
    *_family(
        "DenseNet",
        "torch",
        _alike("DenseNet", "121", "169", "201"),
        "Huang and others, 2016, arXiv:1608.06993",
    ),
    *_family(
        "EfficientNet",
        "built in",
        _numbered("EfficientNetB", (224, 240, 260, 300, 380, 456, 528, 600)),
        "Tan and Le, 2019, arXiv:1905.11946",
    ),
    *_family(
        "EfficientNetV2",
        "built in",
        _numbered("EfficientNetV2B", (224, 240, 260, 300))
        | {"EfficientNetV2S": 384, "EfficientNetV2M": 480, "EfficientNetV2L": 480},
        "Tan and Le, 2021, arXiv:2104.00298",
    ),
    *_family(
        "InceptionResNetV2",
        "tf",
        _alike("InceptionResNetV2", size=299),
        "Szegedy and others, 2016, arXiv:1602.07261",
        smallest=75,
    ),
    *_family(
        "InceptionV3",
        "tf",
        _alike("InceptionV3", size=299),
        "Szegedy and others, 2015, arXiv:1512.00567",
        smallest=75,
    ),
    *_family(
        "MobileNet",
        "tf",
        _alike("MobileNet"),
        "Howard and others, 2017, arXiv:1704.04861",
        alphas=(0.25, 0.5, 0.75, 1.0),
    ),
    *_family(
        "MobileNetV2",
        "tf",
        _alike("MobileNetV2"),
        "Sandler and others, 2018, arXiv:1801.04381",
        alphas=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    ),
    *_family(
        "MobileNetV3",
        "built in",
        _alike("MobileNetV3", "Small", "Large"),
        "Howard and others, 2019, arXiv:1905.02244",
        alphas=(0.75, 1.0),
    ),
    *_family(
        "NASNet",
        "tf",
        {"NASNetMobile": 224, "NASNetLarge": 331},
        "Zoph and others, 2017, arXiv:1707.07012",
    ),
    *_family(
        "ResNet",
        "caffe",
        _alike("ResNet", "50", "101", "152"),
        "He and others, 2015, arXiv:1512.03385",
    ),
    *_family(
        "ResNetV2",
        "tf",
        _alike("ResNet", "50V2", "101V2", "152V2"),
        "He and others, 2016, arXiv:1603.05027",
    ),
    *_family(
        "VGG",
        "caffe",
        _alike("VGG", "16", "19"),
        "Simonyan and Zisserman, 2014, arXiv:1409.1556",
    ),
    *_family(
        "Xception",
        "tf",
        _alike("Xception", size=299),
        "Chollet, 2016, arXiv:1610.02357",
        smallest=71,
    ),
)

CONTRACTS = {contract.network: contract for contract in _ALL}
