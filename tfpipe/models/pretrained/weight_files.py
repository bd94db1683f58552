"""The files of ImageNet weights that keras.applications uses: names, addresses and checksums.

Keras knows them too, but only tells when a network is built; here they are known before TensorFlow
is imported. A test compares every one with what Keras asks for.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tfpipe.errors import ModelError, either, suggest

HOST = "https://storage.googleapis.com/tensorflow/keras-applications/"

# network -> folder and stem of the files, and their checksums with and without top. A checksum of
# 32 digits is MD5, one of 64 SHA-256.
_KERNELS = {
    "DenseNet121": (
        "densenet/densenet121",
        "9d60b8095a5708f2dcce2bca79d332c7",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
    "DenseNet169": (
        "densenet/densenet169",
        "d699b8f76981ab1b30698df4c175e90b",
        "b8c4d4c20dd625c148057b9ff1c1176b",
    ),
    "DenseNet201": (
        "densenet/densenet201",
        "1ceb130c1ea1b78c3bf6114dbdfd8807",
        "c13680b51ded0fb44dff2d8f86ac8bb1",
    ),
    "InceptionResNetV2": (
        "inception_resnet_v2/inception_resnet_v2",
        "e693bd0210a403b3192acc6073ad2e96",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
    "InceptionV3": (
        "inception_v3/inception_v3",
        "9a0d58056eeedaa3f26cb7ebd46da564",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "VGG16": (
        "vgg16/vgg16",
        "64373286793e3c8b2b4e3219cbf3544b",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "VGG19": (
        "vgg19/vgg19",
        "cbe5617147190e668d6c5d5026f83318",
        "253f8cb515780f3b799900260a226db6",
    ),
    "Xception": (
        "xception/xception",
        "0a58e3b7378bc2990ea3b43d5981f1f6",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
    "ResNet50": (
        "resnet/resnet50",
        "2cb95161c43110f7111970584f804107",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "ResNet101": (
        "resnet/resnet101",
        "f1aeb4b969a6efcfb50fad2f0c20cfc5",
        "88cf7a10940856eca736dc7b7e228a21",
    ),
    "ResNet152": (
        "resnet/resnet152",
        "100835be76be38e30d865e96f2aaae62",
        "ee4c566cf9a93f14d82f913c2dc6dd0c",
    ),
    "ResNet50V2": (
        "resnet/resnet50v2",
        "3ef43a0b657b3be2300d5770ece849e0",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "ResNet101V2": (
        "resnet/resnet101v2",
        "6343647c601c52e1368623803854d971",
        "c0ed64b8031c3730f411d2eb4eea35b5",
    ),
    "ResNet152V2": (
        "resnet/resnet152v2",
        "a49b44d1979771252814e80f8ec446f9",
        "ed17cf2e0169df9d443503ef94b23b33",
    ),
}
_SHORT = {
    "ConvNeXtTiny": (
        "convnext/convnext_tiny",
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "ConvNeXtSmall": (
        "convnext/convnext_small",
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "ConvNeXtBase": (
        "convnext/convnext_base",
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "ConvNeXtLarge": (
        "convnext/convnext_large",
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "ConvNeXtXLarge": (
        "convnext/convnext_xlarge",
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
    "EfficientNetB0": (
        "efficientnetb0",
        "902e53a9f72be733fc0bcb005b3ebbac",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
    "EfficientNetB1": (
        "efficientnetb1",
        "1d254153d4ab51201f1646940f018540",
        "74c4e6b3e1f6a1eea24c589628592432",
    ),
    "EfficientNetB2": (
        "efficientnetb2",
        "b15cce36ff4dcbd00b6dd88e7857a6ad",
        "111f8e2ac8aa800a7a99e3239f7bfb39",
    ),
    "EfficientNetB3": (
        "efficientnetb3",
        "ffd1fdc53d0ce67064dc6a9c7960ede0",
        "af6d107764bb5b1abb91932881670226",
    ),
    "EfficientNetB4": (
        "efficientnetb4",
        "18c95ad55216b8f92d7e70b3a046e2fc",
        "ebc24e6d6c33eaebbd558eafbeedf1ba",
    ),
    "EfficientNetB5": (
        "efficientnetb5",
        "ace28f2a6363774853a83a0b21b9421a",
        "38879255a25d3c92d5e44e04ae6cec6f",
    ),
    "EfficientNetB6": (
        "efficientnetb6",
        "165f6e37dce68623721b423839de8be5",
        "9ecce42647a20130c1f39a5d4cb75743",
    ),
    "EfficientNetB7": (
        "efficientnetb7",
        "8c03f828fec3ef71311cd463b6759d99",
        "cbcfe4450ddf6f3ad90b1b398090fe4a",
    ),
    "EfficientNetV2B0": (
        "efficientnet_v2/efficientnetv2-b0",
        "21ecbf6da12460d5c40bb2f29ceb2188",
        "893217f2bb855e2983157299931e43ff",
    ),
    "EfficientNetV2B1": (
        "efficientnet_v2/efficientnetv2-b1",
        "069f0534ff22adf035c89e2d9547a9dc",
        "0e80663031ca32d657f9caa404b6ec37",
    ),
    "EfficientNetV2B2": (
        "efficientnet_v2/efficientnetv2-b2",
        "424e49f28180edbde1e94797771950a7",
        "1dfe2e7a5d45b6632553a8961ea609eb",
    ),
    "EfficientNetV2B3": (
        "efficientnet_v2/efficientnetv2-b3",
        "1f1fc43bd98a6e4fd8fdfd551e02c7a0",
        "f6abf7b5849ac99a89b50dd3fd532856",
    ),
    "EfficientNetV2S": (
        "efficientnet_v2/efficientnetv2-s",
        "e1d88a8495beba45748fedd0cecbe016",
        "af0682fb74e8c54910f2d4393339c070",
    ),
    "EfficientNetV2M": (
        "efficientnet_v2/efficientnetv2-m",
        "a3bf6aa3276309f4fc6a34aa114c95cd",
        "1b8dc055df72dde80d614482840fe342",
    ),
    "EfficientNetV2L": (
        "efficientnet_v2/efficientnetv2-l",
        "27e6d408b53c7ebc868fefa357689935",
        "b0b66b5c863aef5b46e8608fe1711615",
    ),
}
# network -> names on the host, names on the disk, checksums; with and without top.
_NASNET = {
    "NASNetMobile": (
        ("NASNet-mobile.h5", "nasnet_mobile.h5", "020fb642bf7360b370c678b08e0adf61"),
        ("NASNet-mobile-no-top.h5", "nasnet_mobile_no_top.h5", "1ed92395b5b598bdda52abe5c0dbfd63"),
    ),
    "NASNetLarge": (
        ("NASNet-large.h5", "nasnet_large.h5", "11577c9a518f0070763c2b964a382f17"),
        ("NASNet-large-no-top.h5", "nasnet_large_no_top.h5", "d81d89dc07e6e56530c4e77faddd61b5"),
    ),
}
# network -> alphas, and the sizes there are weights for; other sizes share those of 224.
_ALPHAS = {
    "MobileNet": ((0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224)),
    "MobileNetV2": ((0.35, 0.5, 0.75, 1.0, 1.3, 1.4), (96, 128, 160, 192, 224)),
    "MobileNetV3Large": ((0.75, 1.0), (224,)),
    "MobileNetV3Small": ((0.75, 1.0), (224,)),
}
_V3 = {
    "large_224_0.75": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "small_224_0.75": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
}

NETWORKS = tuple(sorted([*_KERNELS, *_SHORT, *_NASNET, *_ALPHAS]))


@dataclass(frozen=True)
class WeightsFile:
    """A published file of weights.

    Args:
        name: what Keras calls it on the disk.
        address: where it is published.
        digest: its MD5 or SHA-256 in hexadecimal digits; empty where none is published.
    """

    name: str
    address: str
    digest: str = ""

    @property
    def algorithm(self) -> str:
        """What the checksum was made with."""
        return "sha256" if len(self.digest) == 64 else "md5"

    @property
    def path(self) -> Path:
        """Where Keras keeps it, whether or not it is there."""
        return models_folder() / self.name


def models_folder() -> Path:
    """Where Keras keeps weights: `models` in $KERAS_HOME, which is ~/.keras unless it is set."""
    if home := os.environ.get("KERAS_HOME"):
        return Path(home).expanduser() / "models"
    user = Path("~").expanduser()
    return (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras" / "models"


def imagenet_file(
    network: str,
    *,
    top: bool,
    alpha: float | None = None,
    size: tuple[int, int] | None = None,
) -> WeightsFile:
    """The file with the ImageNet weights of a network of keras.applications.

    Args:
        network: its name there, such as "MobileNetV2".
        top: with the layers that give the 1,000 classes.
        alpha: the width of a MobileNet; 1 when None. Others have none.
        size: (height, width) of the images; the network's own when None. Only some MobileNets have
            weights of their own for it.

    Raises:
        ModelError: for a network, or a width of it, that has no ImageNet weights.
    """
    if network in _ALPHAS:
        return _mobilenet(network, top, _alpha(network, alpha), _size(network, size))
    if network in _NASNET:
        there, name, digest = _NASNET[network][0 if top else 1]
        return WeightsFile(name, f"{HOST}nasnet/{there}", digest)
    if network not in NETWORKS:
        raise ModelError(
            f"There are no ImageNet weights of {network!r}. {suggest(network, NETWORKS, most=50)}"
        )
    kernels = network in _KERNELS
    whole, *digests = (_KERNELS if kernels else _SHORT)[network]
    folder, _, stem = whole.rpartition("/")
    ending = ("_weights_tf_dim_ordering_tf_kernels" if kernels else "") + ("" if top else "_notop")
    # The first EfficientNets lie elsewhere on the same host.
    host = HOST if folder else HOST.replace("tensorflow/", "")
    name = f"{stem}{ending}.h5"
    return WeightsFile(name, f"{host}{folder}{'/' if folder else ''}{name}", digests[not top])


def _alpha(network: str, alpha: float | None) -> float:
    chosen = 1.0 if alpha is None else float(alpha)
    known = _ALPHAS[network][0]
    if chosen not in known:
        raise ModelError(
            f"There are no ImageNet weights of {network} with alpha={chosen:g}, only with alpha "
            f"{either([f'{a:g}' for a in known])}. Use one of those, or weights=PATH for a file of "
            "your own, or weights=None for random weights."
        )
    return chosen


def _size(network: str, size: tuple[int, int] | None) -> int:
    """The size whose weights Keras takes for images of a size."""
    known = _ALPHAS[network][1]
    return size[0] if size and size[0] == size[1] and size[0] in known else 224


def _mobilenet(network: str, top: bool, alpha: float, size: int) -> WeightsFile:
    if network == "MobileNet":
        width = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}[alpha]
        name = f"mobilenet_{width}_{size}_tf{'' if top else '_no_top'}.h5"
        return WeightsFile(name, f"{HOST}mobilenet/{name}")
    if network == "MobileNetV2":
        stem = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}"
        name = f"{stem}{'' if top else '_no_top'}.h5"
        return WeightsFile(name, f"{HOST}mobilenet_v2/{name}")
    variant = f"{network.removeprefix('MobileNetV3').lower()}_{size}_{alpha}"
    name = f"weights_mobilenet_v3_{variant}_float{'' if top else '_no_top_v2'}.h5"
    return WeightsFile(name, f"{HOST}mobilenet_v3/{name}", _V3[variant][not top])
