"""Pretrained weights: where they are, and whether they can be had, before anything is built.

path = find("MobileNetV2", "imagenet", top=False, alpha=0.35, size=(96, 96))
base = keras.applications.MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=None)
load(base, path)
"""

import zipfile
from functools import lru_cache
from pathlib import Path

from tfpipe.errors import ModelError, suggest
from tfpipe.models.pretrained.weight_fetching import HDF5, fetch, what_is_wrong
from tfpipe.models.pretrained.weight_files import WeightsFile, imagenet_file
from tfpipe.models.pretrained.weight_loading import load

__all__ = ["WeightsFile", "find", "imagenet_file", "load"]

_ALTERNATIVES = "weights=PATH for a file of your own, or weights=None for random weights"


def find(
    network: str,
    weights: str = "imagenet",
    *,
    top: bool,
    alpha: float | None = None,
    size: tuple[int, int] | None = None,
) -> Path:
    """The file of weights to load, fetched where it must be; no TensorFlow is imported.

    A file that is there is used as it is, and neither deleted nor overwritten. One that is not is
    downloaded; when no connection comes about, or it is silent, that is given up within 15 s.

    Args:
        network: the network's name in keras.applications, such as "MobileNetV2".
        weights: "imagenet", or the path of a file.
        top: with the layers that give the 1,000 classes of ImageNet.
        alpha: the width of a MobileNet; 1 when None.
        size: (height, width) of the images; the network's own when None.

    Raises:
        ModelError: when there is no such file, saying what to fetch and where to put it.
    """
    if weights != "imagenet":
        return _own(Path(weights).expanduser(), weights)
    file = imagenet_file(network, top=top, alpha=alpha, size=size)
    if not file.path.exists():
        _fetch(file, network)
    elif wrong := _unlike(file):
        raise ModelError(
            f"{file.path} {wrong}: probably a download that broke off, or a file of another "
            "version. It was left as it is. Move it away to have it fetched again from "
            f"{file.address}, or use it all the same with weights={file.path}."
        )
    return file.path


def _fetch(file: WeightsFile, network: str) -> None:
    try:
        fetch(file)
    except ModelError as error:
        raise ModelError(
            f"The ImageNet weights of {network} are not in {file.path.parent}, and could not be "
            f"fetched: {error}.\nFetch {file.address}, on another machine if need be, and put it "
            f"into {file.path.parent} as {file.name}. Or use {_ALTERNATIVES}."
        ) from None


def _unlike(file: WeightsFile) -> str:
    """What is wrong with the file that Keras would use, as the end of a sentence."""
    try:
        state = file.path.stat()
        return _checked(file, file.path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        return f"cannot be read ({error.strerror})"


@lru_cache
def _checked(file: WeightsFile, path: Path, changed: int, size: int) -> str:
    """`what_is_wrong`, once for a file as it is: half a gigabyte takes seconds to read."""
    return what_is_wrong(path, file)


def _own(path: Path, given: str) -> Path:
    """A person's own file; raises ModelError where it cannot be one of weights."""
    if not path.exists():
        raise ModelError(f"weights={given}: there is no such file. {_near(path)}".rstrip())
    if path.is_dir():
        raise ModelError(f"weights={given} is a folder, not a file. {_inside(path)}")
    try:
        with path.open("rb") as stream:
            hdf5 = stream.read(len(HDF5)) == HDF5
    except OSError as error:
        raise ModelError(f"weights={given} cannot be read ({error.strerror}).") from None
    if not hdf5 and not zipfile.is_zipfile(path):
        what = "is empty" if not path.stat().st_size else "is no file of weights"
        raise ModelError(
            f"weights={given} {what}. Expected what Keras saves: .weights.h5, .keras or .h5."
        )
    return path


def _near(path: Path) -> str:
    """Which names were probably meant by one that is not there."""
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = {p.name: str(p) for p in folder.iterdir() if p.suffix in (".h5", ".keras", ".hdf5")}
    if path.name == str(path):  # a bare word may be meant for the name of published weights
        names["imagenet"] = "imagenet"
    return suggest(path.name, names) or f"{folder} holds no .weights.h5, .keras or .h5."


def _inside(folder: Path) -> str:
    inside = [*folder.glob("*"), *folder.glob("*/*")]
    files = sorted(p for p in inside if p.suffix in (".h5", ".keras") and p.is_file())
    if not files:
        return "Expected what Keras saves: .weights.h5, .keras or .h5."
    return f"Did you mean {files[0]}?"
