"""Arrays that a function of the user's returned: checked, and made columns by shape and type."""

import re
from typing import Any

import numpy as np

from tfpipe.data.columns import Columns
from tfpipe.declare.spec import Feature, Kind
from tfpipe.errors import DataError
from tfpipe.text import listed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def by_split(returned: object) -> dict[str, Any]:
    """Return the pairs (x, y) by split, in whichever form they came; raise DataError for others."""
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


def _is_pair(value: object) -> bool:
    """Whether a value is (x, y) or (x, y, weights); a list of three is more likely three rows."""
    return isinstance(value, (tuple, list)) and (
        len(value) == 2 or (len(value) == 3 and isinstance(value, tuple))
    )


def columns_of(split: str, pair: object) -> Columns:
    """Return a split's pair (x, y) as columns; raise DataError where it is none."""
    if not isinstance(pair, (tuple, list)) or len(pair) not in (2, 3):
        raise DataError(f"Arrays: split {split!r} should be (x, y), or (x, y, weights).")
    x, y = pair[:2]
    named = x if isinstance(x, dict) else {"": x}
    if not named:
        raise DataError(f"Arrays: x of split {split!r} is an empty mapping.")
    features: dict[str, np.ndarray] = {}
    for name, values in named.items():
        array = _feature_array(values, f"x of split {split!r}")
        if array.ndim == 1 and array.dtype != object and len(named) > 1:
            array = array.astype(np.float32)  # a column of a table
        alone = "text" if array.dtype == object else "image" if _is_image(array) else "features"
        features[name or alone] = array
    several: dict[str, object] = y if isinstance(y, dict) else {}
    if isinstance(y, dict) and not y:
        raise DataError(f"Arrays: y of split {split!r} is an empty mapping.")
    for name in (*(named if len(named) > 1 else ()), *several):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", str(name)).strip("_") or "a"
            raise DataError(
                f"Arrays: {name!r} names an input or an output of the model, which Keras calls by "
                f"letters, digits, '_', '.' and '-' alone: rename it, such as {plain!r}."
            )
    named_y = {n: label_array(v, f"y[{n!r}] of split {split!r}") for n, v in several.items()}
    labels = named_y or {"": label_array(y, f"y of split {split!r}")}
    for of, answers in labels.items():
        for name, array in features.items():
            if len(array) != len(answers):
                raise DataError(
                    f"Arrays: split {split!r} has {len(array)} samples of {name!r} but "
                    f"{len(answers)} labels{f' of {of!r}' if of else ''}."
                )
    size = len(next(iter(labels.values())))
    if size == 0:
        raise DataError(f"Arrays: the {split} split is empty.")
    weights = _weights(pair[2], size, split) if len(pair) == 3 else None
    return Columns(features, named_y or labels[""], weights)


def _weights(values: object, size: int, split: str) -> np.ndarray:
    """Return how much each sample counts; raise DataError for what is no weight."""
    weights = _number_array(values, f"weights of split {split!r}")
    if weights.shape != (size,) or (weights < 0).any() or not weights.any():
        raise DataError(
            f"Arrays: weights of split {split!r} should be {size} numbers, one a sample, none of "
            f"them below 0 and not all of them 0; got shape {weights.shape}."
        )
    return weights.astype(np.float32)


def _feature_array(values: object, what: str) -> np.ndarray:
    """Return numbers as they are, texts as bytes, grey images with a channel."""
    try:
        array = np.asarray(values)
    except ValueError:  # which _number_array explains
        array = np.empty(0)
    texts = array.tolist() if array.dtype.kind in "USO" and array.ndim == 1 else []
    if texts and all(isinstance(t, (str, bytes)) for t in texts):
        return np.array([t.encode() if isinstance(t, str) else t for t in texts], object)
    array = _number_array(values, what)
    return array[..., None] if array.dtype == np.uint8 and array.ndim == 3 else array


def label_array(values: object, what: str) -> np.ndarray:
    """Return texts as str, numbers and booleans as they are."""
    if isinstance(values, np.ma.MaskedArray) and values.mask.any():
        row = int(np.argmax(values.mask))
        raise DataError(f"Arrays: {what} is masked in row {row}: leave out rows without a label.")
    try:
        array = np.asarray(values)
    except ValueError:
        return _number_array(values, what)  # which explains it
    if array.dtype.kind == "U" and isinstance(values, (list, tuple)):
        array = np.asarray(values, object)  # which makes no text of what is none
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    texts = array.tolist() if array.dtype.kind in "USO" and array.ndim == 1 else []
    if texts and all(isinstance(t, (str, bytes)) for t in texts):
        return np.array([t.decode() if isinstance(t, bytes) else t for t in texts], object)
    if texts and all(isinstance(t, bool) for t in texts):
        return np.array(texts, bool)
    if array.dtype.kind in "OM" and array.ndim == 1 and len(array):
        first = array.tolist()[0]
        row = next((i for i, t in enumerate(texts) if type(t) is not type(first)), 0)
        raise DataError(
            f"Arrays: {what} should hold texts, booleans or numbers, one kind for all samples; row "
            f"{row} is {array.tolist()[row]!r}."
        )
    return _number_array(array, what)


def _number_array(values: object, what: str) -> np.ndarray:
    """Return finite numbers: one that is none is enough to spoil all weights."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError(f"Arrays: {what} has rows of differing length.") from None
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise DataError(
            f"Arrays: {what} should hold numbers, one row a sample, got "
            f"{array.dtype} of shape {array.shape}."
        )
    if array.dtype.kind != "f" or not array.size:
        return array
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"Arrays: {what} has {int((~finite).sum())} of {len(array)} rows with numbers that are "
            f"not finite (NaN or infinite), the first is row {int(np.argmin(finite))}. Drop or "
            "fill them in."
        )
    return array


def _is_image(array: np.ndarray) -> bool:
    return array.ndim == 4 and array.shape[-1] in (1, 3, 4)


def features_of(columns: Columns) -> tuple[Feature, ...]:
    """Return what each feature of some columns is, told by its shape and type."""
    alone = len(columns.features) == 1
    return tuple(_feature(n, a, alone) for n, a in columns.features.items())


def _feature(name: str, array: np.ndarray, alone: bool) -> Feature:
    if array.dtype == object:
        return Feature(name, (), "string", "text" if alone else "category")
    if array.ndim == 1 and not alone:
        return Feature(name, (), "float32", "number")
    kind: Kind = "image" if _is_image(array) else "vector" if array.ndim == 2 else "array"
    return Feature(name, array.shape[1:], str(array.dtype), kind)


def check_like(train: Columns, other: Columns, split: str) -> None:
    """Refuse a split that is not like the training split; raise DataError."""
    if features_of(other) != features_of(train):
        received, expected = (
            listed(f"{f.name!r} ({f.dtype} of shape {f.shape})" for f in features_of(columns))
            for columns in (other, train)
        )
        raise DataError(f"Arrays: split {split!r} holds {received}, the training split {expected}.")
    labels, own = train.labels, other.labels
    if isinstance(labels, dict) or isinstance(own, dict):
        names = [sorted(y) if isinstance(y, dict) else [] for y in (labels, own)]
        if names[0] != names[1]:
            raise DataError(
                f"Arrays: split {split!r} has labels called {names[1]}, the training split "
                f"{names[0]}."
            )
        for name, of_train in (labels if isinstance(labels, dict) else {}).items():
            if own[name].shape[1:] != of_train.shape[1:]:
                raise DataError(
                    f"Arrays: split {split!r} has labels {name!r} of shape {own[name].shape}, the "
                    f"training split of {of_train.shape}."
                )
        return
    if (own.dtype.kind in "iu") != (labels.dtype.kind in "iu") or own.shape[1:] != labels.shape[1:]:
        raise DataError(
            f"Arrays: split {split!r} has labels of {own.dtype} and shape {own.shape}, the "
            f"training split of {labels.dtype} and shape {labels.shape}."
        )
