"""Numbers in rows, as a model reads them: of its type and shape."""

import numpy as np

from tfpipe.declare.spec import Feature


def as_type(rows: np.ndarray, feature: Feature) -> tuple[np.ndarray, dict[int, str]]:
    """Return rows of numbers in a feature's type and shape, and what is wrong with some, by row.

    Args:
        rows: [rows, numbers], or already of the feature's shape; real numbers.
        feature: what the model reads.
    """
    shaped = rows.reshape(len(rows), *feature.shape)
    dtype = np.dtype(feature.dtype if feature.dtype != "bfloat16" else "float32")
    if dtype.kind not in "iub":
        return shaped.astype(dtype), {}
    flat = rows.reshape(len(rows), -1)
    with np.errstate(invalid="ignore"):
        converted = flat.astype(dtype)
        unfit = ~np.isclose(converted, flat, rtol=0, atol=0).all(axis=1)
    what = f"numbers that are no {feature.dtype}"
    return converted.reshape(shaped.shape), dict.fromkeys(np.flatnonzero(unfit).tolist(), what)
