"""Darknet's weight files of YOLOv3: what one holds, what is wrong with it, and reading it.

    file = opened("yolov3.weights", classes=80)
    load(model, file)

A file begins with three int32, the version (major, minor, revision), and how many images were seen,
in 8 bytes from version 0.2 on, else in 4. Of each convolution in order follow, as float32, beta,
gamma, mean and variance of its normalisation, or its bias, and the kernel as (filters, inputs,
height, width).
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tfpipe.errors import ModelError
from tfpipe.models.detection.darknet import Convolution, convolutions

if TYPE_CHECKING:
    import keras
    import numpy as np

COCO = 80  # the classes of the published file
_VERSION = struct.Struct("<3i")
_NUMBER = 4  # bytes
_OTHERS = {b"\x89HDF": "HDF5, as Keras saves it", b"PK\x03\x04": "an archive, as Keras saves it"}


class DarknetFile(NamedTuple):
    """A weight file whose size is right.

    Args:
        path: where it is.
        start: how many bytes come before the first weight.
        table: the convolutions that it holds.
        classes: how many it is of.
    """

    path: Path
    start: int
    table: tuple[Convolution, ...]
    classes: int


def opened(weights: str, classes: int, width: float = 1.0) -> DarknetFile:
    """Return what a weight file holds; its header and its size alone are read.

    Args:
        weights: its path.
        classes: of the data. A file of COCO's 80 is taken for any other number too.
        width: the factor on the network's filters.

    Raises:
        ModelError: where it is none, is too short or too long, or is of other classes.
    """
    path = Path(weights).expanduser()
    start, size = _header(path, weights)
    tables = {count: convolutions(count, width) for count in (COCO, classes)}
    sizes = {count: start + _size(table) for count, table in tables.items()}
    for count, table in tables.items():
        if size == sizes[count]:
            return DarknetFile(path, start, table, count)
    per_class = _size(convolutions(COCO + 1, width)) - _size(tables[COCO])
    others, rest = divmod(size - sizes[COCO], per_class)
    if not rest and COCO + others > 0:
        raise ModelError(
            f"weights={weights} has the size of a file of {COCO + others} classes; the data has "
            f"{classes}. Declare data with the classes of the file, in its order, or use a file of "
            f"{COCO} classes, whose output convolutions are trained anew for yours."
        )
    # One that broke off is the published one most often, one that is a little longer may be own.
    count = COCO
    if size > min(sizes.values()):
        count = min(sizes, key=lambda c: abs(size - sizes[c]))
    expected = sizes[count]
    advice = f"YOLOv3 of {count} classes has {expected:,}. Fetch it again, as a whole."
    if size > expected:
        raise ModelError(
            f"weights={weights} has {size:,} bytes, {size - expected:,} too many: {advice}"
        )
    end = start
    row = next(r for r in tables[count] if (end := end + _NUMBER * r.numbers) > size)
    raise ModelError(
        f"weights={weights} ends in {row.name}, a convolution of {row.size}x{row.size} from "
        f"{row.inputs} to {row.filters} channels; {expected - size:,} bytes are missing: {advice}"
    )


def load(model: "keras.Model", file: DarknetFile, outputs: bool = True) -> None:
    """Put the weights of a file in the layers of a model, which have the names of its table.

    Args:
        model: what has the layers, in nested models too.
        file: what `opened` gives.
        outputs: whether to load the three output convolutions too.

    Raises:
        ModelError: for numbers that no training gives.
    """
    import numpy as np

    layers = {layer.name: layer for layer in model._flatten_layers()}
    count = sum(row.numbers for row in file.table)
    numbers = np.memmap(file.path, "<f4", "r", file.start, (count,))
    place = 0
    for row in file.table:
        own = numbers[place : place + row.numbers]
        place += row.numbers
        if not (row.normalised or outputs):
            continue
        before, kernel = own[: -row.kernel], own[-row.kernel :]
        beside = before.reshape(-1, row.filters)
        if not np.isfinite(own).all() or (row.normalised and (beside[3] < 0).any()):
            raise ModelError(
                f"{file.path} has numbers in {row.name} that no training gives: infinite ones, or "
                "negative variances. It is broken, or no file of YOLOv3."
            )
        kernel = kernel.reshape(row.filters, row.inputs, row.size, row.size).transpose(2, 3, 1, 0)
        if row.normalised:
            beta, gamma, mean, variance = beside
            _put(layers[row.name], [kernel])
            _put(layers[f"{row.name}_norm"], [gamma, beta, mean, variance])
        else:
            _put(layers[row.name], [kernel, beside[0]])


def _put(layer: "keras.Layer", values: "list[np.ndarray]") -> None:
    for variable, value in zip(layer.weights, values, strict=True):
        variable.assign(value)


def _header(path: Path, weights: str) -> tuple[int, int]:
    """Return how many bytes come before the weights, and how many there are in all."""
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "is not there"
        raise ModelError(
            f"weights={weights} {what}. Expected Darknet's yolov3.weights; weights=None begins at "
            "random."
        )
    try:
        with path.open("rb") as stream:
            first = stream.read(_VERSION.size)
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"weights={weights} cannot be read ({error.strerror}).") from None
    known = _OTHERS.get(first[:4], "a page of the web" if first[:1] == b"<" else "")
    if known or size < _VERSION.size:
        raise ModelError(
            f"weights={weights} is {known or f'{size} bytes long'}, and no weight file of Darknet. "
            "Expected yolov3.weights."
        )
    major, minor, _ = _VERSION.unpack(first)
    long = major * 10 + minor >= 2 and major < 1000 and minor < 1000
    return _VERSION.size + (8 if long else 4), size


def _size(table: tuple[Convolution, ...]) -> int:
    """Return how many bytes the weights are."""
    return _NUMBER * sum(row.numbers for row in table)
