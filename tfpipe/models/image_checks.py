"""Whether images are what a pretrained network expects, seen from a few real ones.

A picture that was divided by 255 twice, or has its channels swapped, is still a picture to the
network: nothing fails, and the answers are no better than chance. So it is looked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpipe.errors import ModelError
from tfpipe.models.pretrained.contracts import Contract, Scaling

Values = tuple[float, float]

LOOKED_AT = 64
_FEWEST = 8  # below, an average says too little of the colours
_NEAR = 1e-3  # of a range: rounding


@dataclass(frozen=True)
class Images:
    """A few real images, raw and as they reach the network.

    Args:
        name: the feature's, for messages.
        raw: as the source gives them, (samples, height, width, channels).
        prepared: as they reach the network.
        values: what black and white are declared to be.
    """

    name: str
    raw: np.ndarray
    prepared: np.ndarray
    values: Values

    def __str__(self) -> str:
        return f"{len(self.raw)} training samples of {self.name!r}"


def images(model: Any, base: Any, name: str, features: Any, values: Values) -> Images:
    """A few images, and what a model makes of them for its base.

    Args:
        model: the built model.
        base: the network in it.
        name: the feature's.
        features: images as the source gives them; no more than 64 are taken.
        values: what black and white are declared to be.
    """
    import keras

    if isinstance(features, Mapping):
        features = features[name]
    raw = np.asarray(features)[:LOOKED_AT].astype(np.float32)
    before = model.operations[model.operations.index(base) - 1]
    prepared = keras.Model(model.input, before.output)(raw)
    return Images(name, raw, np.asarray(prepared), values)


def refuse_values(images: Images, contract: Contract, scaling: Scaling) -> None:
    """Refuse images whose values are not what the network expects; raises ModelError."""
    if not np.isfinite(images.raw).all():
        raise ModelError(f"{images} hold values that are no numbers (NaN, or infinite).")
    low, high = float(images.raw.min()), float(images.raw.max())
    if low == high:
        raise ModelError(f"{images} are empty: each value is {low:g}. Look at what is read.")
    kind, declared = _kind(low, high), _kind(*images.values)
    if _inside(images.prepared, scaling) and (kind == declared or declared not in _SEEN):
        return
    black, white = images.values
    raise ModelError(
        f"{contract.network} (family {contract.family}) expects values of "
        f"{_range(*_expected(scaling))}, which it makes of {_range(black, white)}; {images} lie in "
        f"{_range(low, high)} and become "
        f"{_range(float(images.prepared.min()), float(images.prepared.max()))}. "
        f"{_advice(kind, images.values)}"
    )


def refuse_swapped(images: Images, contract: Contract) -> None:
    """Refuse images that have blue where red should be; raises ModelError.

    In photographs red is on average brighter than blue. That the contrary is chance is excluded
    where the average difference is more than two standard errors.
    """
    if images.raw.shape[-1] != 3 or len(images.raw) < _FEWEST:
        return
    black, white = images.values
    means = (images.raw.mean(axis=(1, 2), dtype=np.float64) - black) / (white - black)
    bluer = means[:, 2] - means[:, 0]
    error = bluer.std(ddof=1) / len(bluer) ** 0.5
    if bluer.mean() <= max(0.02, 2 * error):
        return
    raise ModelError(
        f"{contract.network} takes red, green, blue; in {images} the third channel is brighter "
        f"than the first ({means[:, 2].mean():.3f} and {means[:, 0].mean():.3f} of white, a "
        f"difference of {bluer.mean():.3f} ± {error:.3f}). In photographs red is the brighter "
        "one: these probably are blue, green, red, as OpenCV reads them. Declare "
        "model.channels='bgr', and the model swaps them; or model.channels='rgb' if they are right "
        "and the pictures bluish."
    )


_SEEN = {
    "0..255": "",
    "0..1": "divided by 255",
    "-1..1": "scaled to -1..1",
    "standardised": "standardised with a mean and a deviation",
    "centred": (
        "reduced by a mean, as preprocess_input of VGG and ResNet does, which also swaps the "
        "channels to blue, green, red"
    ),
}


def _kind(low: float, high: float) -> str:
    """What was done to values that lie in a range; "other" for what is not known."""
    if low >= 0:
        return "0..1" if high <= 1 + _NEAR else "0..255" if high <= 255 * (1 + _NEAR) else "other"
    if low >= -1 - _NEAR and high <= 1 + _NEAR:
        return "-1..1"
    if max(-low, high) <= 20:
        return "standardised"
    return "centred" if low >= -124 and high <= 152 else "other"


def _advice(kind: str, values: Values) -> str:
    if kind == "other":
        return (
            "Declare in model.values what black and white are, such as (0, 65535) for 16 bits, or "
            "scale them in input_fn."
        )
    if kind == "0..255":
        black, white = values
        return f"They are bytes as they come: leave out model.values=({black:g}, {white:g})."
    probably = f"Probably they were already {_SEEN[kind]}. Leave that step out of input_fn"
    declare = {"0..1": "(0, 1)", "-1..1": "(-1, 1)"}.get(kind)
    return f"{probably}, or declare model.values={declare}." if declare else f"{probably}."


def _inside(prepared: np.ndarray, scaling: Scaling) -> bool:
    """Whether each channel lies between what black and white become in it."""
    black, white = np.array(scaling.of(0)), np.array(scaling.of(255))
    near = _NEAR * (white - black)
    low, high = prepared.min(axis=(0, 1, 2)), prepared.max(axis=(0, 1, 2))
    return bool((low >= black - near).all() and (high <= white + near).all())


def _expected(scaling: Scaling) -> Values:
    return min(scaling.of(0)), max(scaling.of(255))


def _range(low: float, high: float) -> str:
    return "..".join(
        f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}" for value in (low, high)
    )
