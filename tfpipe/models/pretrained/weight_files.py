"""The files of ImageNet weights that keras.applications uses: names, addresses and checksums.

Keras knows them too, but only tells when a network is built; here they are known before TensorFlow
is imported, so that what cannot be had is said at once. They are in `imagenet_weights.csv`, every
row of which a test compares with what Keras asks for.
"""

import csv
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tfpipe.errors import ModelError, suggest
from tfpipe.text import either

HOST = "https://storage.googleapis.com/"
_TABLE = Path(__file__).with_name("imagenet_weights.csv")


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


@dataclass(frozen=True, order=True)
class Variant:
    """What ImageNet weights are published for.

    Args:
        network: its name in keras.applications.
        top: with the layers that give the 1,000 classes.
        alpha: the width of a MobileNet; None for others.
        size: the height and width of the images in pixels; None where weights serve any.
    """

    network: str
    top: bool
    alpha: float | None = None
    size: int | None = None


@cache
def published() -> dict[Variant, WeightsFile]:
    """Return every published file of ImageNet weights by what it is for."""
    files = {}
    with _TABLE.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            alpha = float(row["alpha"]) if row["alpha"] else None
            size = int(row["size"]) if row["size"] else None
            name = row["name"] or row["path"].rpartition("/")[2]
            variant = Variant(row["network"], row["top"] == "yes", alpha, size)
            files[variant] = WeightsFile(name, HOST + row["path"], row["digest"])
    return files


def models_folder() -> Path:
    """Return where Keras keeps weights: `models` in $KERAS_HOME, or in ~/.keras without it."""
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
    """Return the file with the ImageNet weights of a network of keras.applications.

    Args:
        network: its name there, such as "MobileNetV2".
        top: with the layers that give the 1,000 classes.
        alpha: the width of a MobileNet; 1 when None. Others have none.
        size: (height, width) of the images; the network's own when None. Only some MobileNets have
            weights of their own for it; other sizes share those of 224.

    Raises:
        ModelError: for a network, or a width of it, that has no ImageNet weights.
    """
    known = [variant for variant in published() if variant.network == network]
    if not known:
        networks = sorted({variant.network for variant in published()})
        raise ModelError(
            f"There are no ImageNet weights of {network!r}. {suggest(network, networks, most=50)}"
        )
    if known[0].alpha is None:
        return published()[Variant(network, top)]
    chosen = 1.0 if alpha is None else float(alpha)
    alphas = sorted({variant.alpha for variant in known if variant.alpha is not None})
    if chosen not in alphas:
        raise ModelError(
            f"There are no ImageNet weights of {network} with alpha={chosen:g}, only with alpha "
            f"{either([f'{a:g}' for a in alphas])}. Use one of those, or weights=PATH for a file "
            "of your own, or weights=None for random weights."
        )
    square = size[0] if size and size[0] == size[1] else 224
    file = published().get(Variant(network, top, chosen, square))
    return file or published()[Variant(network, top, chosen, 224)]
