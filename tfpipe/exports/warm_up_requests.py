"""Requests that TensorFlow Serving warms a model up with, in its own file format.

`assets.extra/tf_serving_warmup_requests` is a TFRecord of PredictionLog messages of
tensorflow_serving/apis/prediction_log.proto. They are written here field by field, so that an
export needs no package of TensorFlow Serving.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

FILE = "assets.extra/tf_serving_warmup_requests"

# The numbers of fields: PredictionLog.predict_log, PredictLog.request; PredictRequest.model_spec
# and .inputs, of which each entry is a message of key and value; ModelSpec.name and
# .signature_name.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_KEY, _VALUE = 1, 2
_NAME, _SIGNATURE_NAME = 1, 3


def write_requests(
    folder: Path, name: str, requests: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    """Write the requests that a server asks a model before it is ready.

    Args:
        folder: of the SavedModel.
        name: of the model.
        requests: arrays by input, by signature.
    """
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, inputs in requests.items():
            writer.write(prediction_log(name, signature, inputs))


def prediction_log(name: str, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """Return a PredictionLog that asks a signature.

    Args:
        name: of the model.
        signature: its name.
        inputs: arrays by name.
    """
    spec = _field(_NAME, name.encode()) + _field(_SIGNATURE_NAME, signature.encode())
    request = _field(_MODEL_SPEC, spec)
    for key, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        request += _field(_INPUTS, _field(_KEY, key.encode()) + _field(_VALUE, tensor))
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """Return a field of bytes as protocol buffers have it: tag, length, content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
