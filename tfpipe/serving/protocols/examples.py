"""tf.Example, which TensorFlow Serving makes of the features that :classify and :regress bring.

Models of TensorFlow 1 and its Estimators say with a signature's method that they take them,
serialised, as their only input.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfpipe.serving.protocols.tensors import decoded, encoded, is_base64
from tfpipe.serving.refusals import wrong
from tfpipe.serving.servable import Signature

if TYPE_CHECKING:
    import numpy as np
    from tensorflow.core.example.feature_pb2 import Feature

_METHODS = ("tensorflow/serving/classify", "tensorflow/serving/regress")
_LARGEST = 3.4028234663852886e38  # of a float32
_LIMITS = -(2**63), 2**63 - 1


def takes_examples(signature: Signature) -> bool:
    """Return whether a signature takes serialised tf.Example."""
    dtypes = [tensor.dtype for tensor in signature.inputs.values()]
    return signature.method in _METHODS and dtypes == ["string"]


def examples_of(rows: Sequence[Mapping[str, Any]], signature: Signature) -> "dict[str, np.ndarray]":
    """Return features as the input of a signature that takes serialised tf.Example.

    Args:
        rows: of each example the features by name, a value or a list of values.
        signature: the one that is asked.

    Raises:
        RequestRefused: for a value that no feature holds; it names the example and the feature.
    """
    import numpy as np
    import tensorflow as tf

    texts = []
    for number, row in enumerate(rows):
        example = tf.train.Example()
        for name, value in row.items():
            what = f"Example {number}: feature {name!r}"
            values = value if isinstance(value, list) else [value]
            _fill(example.features.feature[encoded(name, what).decode()], values, what)
        texts.append(example.SerializeToString())
    array = np.empty(len(texts), object)
    array[:] = texts
    return dict.fromkeys(signature.inputs, array)


def _fill(feature: "Feature", values: Sequence[Any], what: str) -> None:
    """Put values into a feature: texts and bytes, whole numbers and truths, or floats."""
    if all(isinstance(value, str) or is_base64(value) for value in values):
        feature.bytes_list.value.extend(
            encoded(value, what) if isinstance(value, str) else decoded(value["b64"], what)
            for value in values
        )
    elif all(isinstance(value, int) for value in values):
        if not all(_LIMITS[0] <= value <= _LIMITS[1] for value in values):
            raise wrong(f"{what} has a number that int64 does not hold.")
        feature.int64_list.value.extend(map(int, values))
    elif all(isinstance(value, float) for value in values):
        if any(math.isfinite(value) and abs(value) > _LARGEST for value in values):
            raise wrong(f"{what} has a number that float32 does not hold.")
        feature.float_list.value.extend(values)
    else:
        raise wrong(f"{what} should have texts, whole numbers or floats, and all of one kind.")
