"""What training data is like, for a server to notice data that is not like it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfpipe.declare.spec import ElementSpec, Feature, Label

_WORDS = 50


def statistics_of(
    batches: Iterable[tuple[Any, ...]], spec: ElementSpec, most: int
) -> dict[str, Any]:
    """Return statistics of inputs and labels: ranges, words, lengths, shares of classes.

    Args:
        batches: (features, label, ...) batches of the training split, in any order.
        spec: what they are.
        most: how many samples to look at.

    Returns:
        `inputs`: by feature `count`, and of numbers `missing`, `min`, `max`, `mean`, `std` and
        `whole`; of categories `words` with their shares; of texts `lengths` in words, of images
        `mean` and `std` of an image's mean pixel. `answers`: shares of classes, or the numbers'
        range; by output where there are several. Nothing of tokens.
    """
    if spec.label.is_vocabulary:  # whose numbers say nothing
        return {}
    features: dict[str, list[np.ndarray]] = {}
    labels: dict[str, list[np.ndarray]] = {}
    images = {feature.name for feature in spec.features if feature.kind == "image"}
    seen = 0
    for x, y, *_ in batches:
        named = x if isinstance(x, dict) else {spec.features[0].name: x}
        for name, values in named.items():
            array = np.asarray(values)
            features.setdefault(name, []).append(_means(array) if name in images else array)
        answered = y if isinstance(y, dict) else {"": y}
        for name, values in answered.items():
            array = np.asarray(values)
            if spec.finds_boxes:
                array = array[array[..., 4] >= 0][:, 4]
            labels.setdefault(name, []).append(_means(array) if spec.gives_images else array)
        seen += len(next(iter(features.values()))[-1])
        if seen >= most:
            break
    if not seen:
        return {}
    inputs = {f.name: _input(f, np.concatenate(features[f.name])) for f in spec.features}
    parts = {part.name: part for part in spec.label.parts} or {"": spec.label}
    answers = {name: _answers(parts[name], np.concatenate(v)) for name, v in labels.items()}
    return {"inputs": inputs, "answers": answers.get("", answers)}


def _means(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).mean(axis=1, dtype=np.float64)


def _input(feature: Feature, values: np.ndarray) -> dict[str, Any]:
    if feature.kind == "image":
        return {"count": len(values), "mean": float(values.mean()), "std": float(values.std())}
    if values.dtype.kind in "OS":
        texts = [v.decode("utf-8", "replace") for v in values.astype(object).reshape(-1)]
        if feature.kind == "text":
            return {"count": len(texts), "lengths": numbers([len(t.split()) for t in texts])}
        counted = Counter(texts)
        shares = {word: n / len(texts) for word, n in counted.most_common(_WORDS)}
        return {"count": len(texts), "words": shares}
    return {"count": len(values), **numbers(values)}


def numbers(values: Any) -> dict[str, float]:
    """Return the range, mean and deviation of numbers, and how many are missing."""
    array = np.asarray(values, np.float64).reshape(-1)
    known = array[np.isfinite(array)]
    found: dict[str, float] = {"missing": int(array.size - known.size)}
    if known.size:
        found |= {
            "min": float(known.min()),
            "max": float(known.max()),
            "mean": float(known.mean()),
            "std": float(known.std()),
            "whole": bool(np.all(known == np.round(known))),
        }
    return found


def _answers(label: Label, values: np.ndarray) -> Mapping[str, float]:
    if not label.classes:
        return numbers(values)
    if values.ndim == 1 or values.shape[1:] == (1,):
        counts = np.bincount(values.reshape(-1).astype(np.int64), minlength=len(label.classes))
    else:  # several at once, or shares
        counts = values.sum(axis=0)
    shares = counts[: len(label.classes)] / max(1, len(values))
    return dict(zip(label.classes, map(float, shares), strict=False))
