"""What a function of the user's returned, as columns: checked, and told apart by shape and type."""

from typing import Any

import numpy as np

from tfpipe.data.columns import Columns
from tfpipe.declare.spec import Feature, Kind, Label
from tfpipe.errors import DataError

# Whole numbers beyond this, and beyond the number of samples, are no class indices.
MOST_CLASSES = 1000


def by_split(returned: Any) -> dict[str, Any]:
    """The pairs (x, y) by split, in whichever form they came; raises DataError for any other."""
    if isinstance(returned, dict):
        if "train" not in returned:
            raise DataError(f"Arrays: there is no split 'train' among {sorted(returned)}.")
        return returned
    if isinstance(returned, (tuple, list)) and len(returned) == 2:
        first, second = returned
        if all(_is_pair(p) for p in (first, second)):
            return {"train": first, "test": second}
        return {"train": (first, second)}
    if isinstance(returned, tuple) and len(returned) == 3:
        return {"train": returned}
    raise DataError(
        "Arrays: the function should return (x, y), ((x, y), (x_test, y_test)) or a mapping of "
        f"splits to (x, y), got {type(returned).__name__}."
    )


def _is_pair(value: Any) -> bool:
    """Whether a value is (x, y) or (x, y, weights); a list of three is more likely three rows."""
    return isinstance(value, (tuple, list)) and (
        len(value) == 2 or (len(value) == 3 and isinstance(value, tuple))
    )


def columns_of(split: str, pair: Any) -> Columns:
    """A split's pair (x, y) as columns; raises DataError where it is none."""
    if not isinstance(pair, (tuple, list)) or len(pair) not in (2, 3):
        raise DataError(f"Arrays: split {split!r} should be (x, y), or (x, y, weights).")
    x, y = pair[:2]
    named = x if isinstance(x, dict) else {"": x}
    if not named:
        raise DataError(f"Arrays: x of split {split!r} is an empty mapping.")
    features: dict[str, np.ndarray] = {}
    for name, values in named.items():
        array = _array(values, f"x of split {split!r}")
        if array.ndim == 1 and array.dtype != object and len(named) > 1:
            array = array.astype(np.float32)  # a column of a table
        features[name or _name_of(array)] = array
    labels = _number_array(y, f"y of split {split!r}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    for name, array in features.items():
        if len(array) != len(labels):
            raise DataError(
                f"Arrays: split {split!r} has {len(array)} samples of {name!r} but "
                f"{len(labels)} labels."
            )
    if len(labels) == 0:
        raise DataError(f"Arrays: the {split} split is empty.")
    weights = _weights(pair[2], len(labels), split) if len(pair) == 3 else None
    return Columns(features, _label_type(labels), weights)


def _weights(values: Any, size: int, split: str) -> np.ndarray:
    """How much each sample counts; raises DataError for what is no weight."""
    weights = _number_array(values, f"weights of split {split!r}")
    if weights.shape != (size,) or (weights < 0).any() or not weights.any():
        raise DataError(
            f"Arrays: weights of split {split!r} should be {size} numbers, one a sample, none of "
            f"them below 0 and not all of them 0; got shape {weights.shape}."
        )
    return weights.astype(np.float32)


def _array(values: Any, what: str) -> np.ndarray:
    """Numbers as they are, texts as bytes."""
    try:
        array = np.asarray(values)
    except ValueError:  # which _number_array explains
        array = np.empty(0)
    texts = array.tolist() if array.dtype.kind in "USO" and array.ndim == 1 else []
    if texts and all(isinstance(t, (str, bytes)) for t in texts):
        encoded = [t.encode() if isinstance(t, str) else t for t in texts]
        return np.array(encoded, object)
    return _image_channels(_number_array(values, what))


def _number_array(values: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError(f"Arrays: {what} has rows of differing length.") from None
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise DataError(
            f"Arrays: {what} should hold numbers, one row a sample, got "
            f"{array.dtype} of shape {array.shape}."
        )
    if array.dtype.kind == "f" and array.size:
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        _refuse_broken(array, what)
    return array


def _refuse_broken(array: np.ndarray, what: str) -> None:
    """Refuse numbers that are none: one of them is enough to spoil all weights."""
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"Arrays: {what} has {int((~finite).sum())} of {len(array)} rows with numbers that are "
            f"not finite (NaN or infinite), the first is row {int(np.argmin(finite))}. Drop or "
            "fill them in."
        )


def _image_channels(array: np.ndarray) -> np.ndarray:
    return array[..., None] if array.dtype == np.uint8 and array.ndim == 3 else array


def _is_image(array: np.ndarray) -> bool:
    return array.ndim == 4 and array.shape[-1] in (1, 3, 4)


def _name_of(array: np.ndarray) -> str:
    if array.dtype == object:
        return "text"
    return "image" if _is_image(array) else "features"


def features_of(columns: Columns) -> tuple[Feature, ...]:
    """What each feature of some columns is, told by its shape and type."""
    alone = len(columns.features) == 1
    return tuple(_feature(n, a, alone) for n, a in columns.features.items())


def check_like(train: Columns, other: Columns, split: str) -> None:
    """Refuse a split that is not like the training split; raises DataError."""
    expected, found = features_of(train), features_of(other)
    if found != expected:
        raise DataError(
            f"Arrays: split {split!r} holds {_listed(found)}, the training split "
            f"{_listed(expected)}."
        )
    labels, own = train.labels, other.labels
    if (own.dtype, own.shape[1:]) != (labels.dtype, labels.shape[1:]):
        raise DataError(
            f"Arrays: split {split!r} has labels of {own.dtype} and shape {own.shape}, the "
            f"training split of {labels.dtype} and shape {labels.shape}."
        )


def _listed(features: tuple[Feature, ...]) -> str:
    return ", ".join(f"{f.name!r} ({f.dtype} of shape {f.shape})" for f in features)


def _feature(name: str, array: np.ndarray, alone: bool) -> Feature:
    if array.dtype == object:
        return Feature(name, (), "string", "text" if alone else "category")
    if array.ndim == 1 and not alone:
        return Feature(name, (), "float32", "number")
    kind: Kind = "image" if _is_image(array) else "vector" if array.ndim == 2 else "array"
    return Feature(name, array.shape[1:], str(array.dtype), kind)


def _label_type(labels: np.ndarray) -> np.ndarray:
    return labels.astype(np.int64 if labels.dtype.kind in "biu" else np.float32)


def label_of(labels: np.ndarray, classes: tuple[str, ...]) -> Label:
    """What is predicted, told by the labels' shape and type; raises DataError where unclear."""
    if _is_one_hot(labels):
        raise DataError(
            f"Arrays: y of shape {labels.shape} has a single 1 in each row, so it looks one-hot. "
            "Give class indices: y.argmax(axis=1)."
        )
    if labels.dtype.kind == "f":
        return Label("label", "real", labels.shape[1:])
    if labels.ndim == 1:
        highest = int(labels.max())
        if not classes and highest >= max(MOST_CLASSES, len(labels)):
            raise DataError(
                f"Arrays: y holds whole numbers up to {highest} in {len(labels)} samples, which "
                "are hardly class indices. For real numbers use a float type: y.astype('float32')."
            )
        names = classes or tuple(str(i) for i in range(max(2, int(labels.max()) + 1)))
        return Label("label", "class", (), names)
    if labels.ndim == 2 and set(np.unique(labels)) <= {0, 1}:
        names = classes or tuple(str(i) for i in range(labels.shape[1]))
        return Label("label", "multilabel", labels.shape[1:], names)
    raise DataError(
        f"Arrays: y of whole numbers and shape {labels.shape} is neither class indices [rows] nor "
        "yes/no answers [rows, several] of 0 and 1. For real numbers use a float type."
    )


def _is_one_hot(labels: np.ndarray) -> bool:
    if labels.ndim != 2 or labels.shape[1] < 2 or len(labels) < 2:
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())
