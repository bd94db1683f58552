"""Short names for networks of keras.applications that are asked for often.

model = VGG16(size=(160, 160), head=(256,))  # Application("VGG16", size=(160, 160), head=(256,))
"""

from typing import ClassVar, Literal, Self

from tfpipe.models.pretrained.application import Application
from tfpipe.models.pretrained.contracts import CONTRACTS


class VGG16(Application):
    """VGG16: thirteen 3x3 convolutions; 14,714,688 parameters without its head.

    Simonyan and Zisserman, 2014, arXiv:1409.1556. Its fields are those of Application.

    Example:
        >>> VGG16(size=(160, 160), head=(256,))
        VGG16(size=(160, 160), head=(256,))
    """

    name: Literal["VGG16"] = "VGG16"
    contract: ClassVar[str] = CONTRACTS["VGG16"].text

    @classmethod
    def example(cls) -> Self:
        return cls(weights=None, size=(32, 32))


class InceptionV3(Application):
    """InceptionV3: convolutions of several sizes side by side; 21,802,784 parameters without head.

    Szegedy and others, 2015, arXiv:1512.00567. Its fields are those of Application.

    Example:
        >>> InceptionV3(dropout=0.5, trainable=True)
        InceptionV3(dropout=0.5, trainable=True)
    """

    name: Literal["InceptionV3"] = "InceptionV3"
    contract: ClassVar[str] = CONTRACTS["InceptionV3"].text

    @classmethod
    def example(cls) -> Self:
        return cls(weights=None, size=(75, 75))


class MobileNet(Application):
    """MobileNet: convolutions apart for each channel; 3,228,864 parameters without its head.

    Howard and others, 2017, arXiv:1704.04861. Its fields are those of Application.

    Example:
        >>> MobileNet(alpha=0.25, size=(128, 128))
        MobileNet(size=(128, 128), alpha=0.25)
    """

    name: Literal["MobileNet"] = "MobileNet"
    contract: ClassVar[str] = CONTRACTS["MobileNet"].text

    @classmethod
    def example(cls) -> Self:
        return cls(weights=None, size=(32, 32), alpha=0.25)


class NASNetMobile(Application):
    """NASNetMobile: cells that a search found; 4,269,716 parameters without its head.

    Zoph and others, 2017, arXiv:1707.07012. Its fields are those of Application.

    Example:
        >>> NASNetMobile(dropout=0.5, l2=0.01)
        NASNetMobile(dropout=0.5, l2=0.01)
    """

    name: Literal["NASNetMobile"] = "NASNetMobile"
    contract: ClassVar[str] = CONTRACTS["NASNetMobile"].text

    @classmethod
    def example(cls) -> Self:
        return cls(weights=None, size=(32, 32))
