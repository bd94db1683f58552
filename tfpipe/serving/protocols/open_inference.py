"""KServe's Open Inference Protocol, version 2: what a request asks, and what it is answered.

Tensors come and go as JSON, or in the binary extension: behind a JSON header, whose length the
header Inference-Header-Content-Length says, in the order of the tensors. As
https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol has it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.serving.protocols.tensorflow_api import check_rows
from tfpipe.serving.protocols.tensors import DEEPEST, array_of, check_shape, named, plain
from tfpipe.serving.refusals import RequestRefused, wrong
from tfpipe.serving.servable import Servable, Signature, Tensor

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

HEADER_LENGTH = "inference-header-content-length"
PLATFORM = "tensorflow_savedmodel"
_TYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64",
    "string": "BYTES",
}  # fmt: skip
_SIZE = "binary_data_size"


@dataclass(frozen=True)
class Inference:
    """What a request asks.

    Args:
        id: the client's name for it.
        signature: of which signature.
        arrays: by input.
        outputs: for each output that is wanted, whether in the binary extension.
    """

    id: str
    signature: Signature
    arrays: "Arrays"
    outputs: dict[str, bool]


def inference(body: bytes, header_length: str | None, servable: Servable) -> Inference:
    """Return what the body of a request asks.

    Args:
        body: the JSON, and behind it the tensors of the binary extension.
        header_length: how many bytes the JSON has, where tensors are behind it.
        servable: the model.

    Raises:
        RequestRefused: when it is not what the protocol and the model take.
    """
    length = len(body)
    if header_length is not None:
        given = header_length[:20]  # Python reads no numbers of thousands of digits
        if not given.isdecimal() or int(given) > length:
            raise wrong(f"{HEADER_LENGTH} is {given!r}, and the body has {length} bytes.")
        length = int(header_length)
    asked = _json(body[:length])
    parameters = _object(asked, "parameters")
    name = parameters.get("signature_name", "")
    if not isinstance(name, str):
        raise wrong("parameters.signature_name should be a text.")
    signature = servable.signature(name)
    arrays = _arrays(asked, signature, body[length:])
    check_rows(arrays, signature)
    identity = asked.get("id", "")
    if not isinstance(identity, str):
        raise wrong("'id' should be a text.")
    return Inference(identity, signature, arrays, _wanted(asked, parameters, signature))


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong(f"The body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise wrong("The body should be a JSON object.")
    return found


def _object(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = holder.get(key, {})
    if not isinstance(found, dict):
        raise wrong(f"{key!r} should be an object.")
    return found


def _arrays(asked: Mapping[str, Any], signature: Signature, binary: bytes) -> "Arrays":
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(i, dict) for i in inputs):
        raise wrong("'inputs' should be a list of tensors: name, shape, datatype, data.")
    names = [i.get("name") for i in inputs]
    if not all(isinstance(n, str) for n in names) or sorted(names) != sorted(signature.inputs):
        raise wrong(f"The inputs are {names}; {signature.name} takes {named(signature.inputs)}.")
    arrays, start = {}, 0
    for given in inputs:
        tensor = signature.inputs[given["name"]]
        size = _object(given, "parameters").get(_SIZE)
        content = None
        if size is not None:
            if type(size) is not int or size < 0 or start + size > len(binary):
                raise wrong(
                    f"{tensor.name!r}: {_SIZE} is {size!r}, of {len(binary) - start} bytes."
                )
            content = binary[start : start + size]
            start += size
        arrays[tensor.name] = _array(given, tensor, content)
    if start != len(binary):
        raise wrong(f"{len(binary) - start} bytes behind the tensors belong to none of them.")
    return arrays


def _array(given: Mapping[str, Any], tensor: Tensor, content: bytes | None) -> "np.ndarray":
    import numpy as np

    expected = _TYPES.get(tensor.dtype)
    if given.get("datatype") != expected:
        raise wrong(
            f"{tensor.name!r} has datatype {given.get('datatype')!r}, expected {expected!r}."
        )
    shape = given.get("shape")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise wrong(f"{tensor.name!r} should have a shape, a list of lengths.")
    check_shape(tuple(shape), tensor.shape, tensor)
    if len(shape) > DEEPEST:
        raise wrong(f"{tensor.name!r} has {len(shape)} dimensions; at most {DEEPEST} are taken.")
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if content is not None:
        flat = _from_binary(content, tensor)
    elif "data" in given:
        flat = _from_json(given["data"], tensor)
    else:
        raise wrong(f"{tensor.name!r} has no data.")
    if flat.size != count:
        raise wrong(f"{tensor.name!r} has {flat.size} values, and shape {shape} holds {count}.")
    return flat.reshape(shape)


def _from_binary(content: bytes, tensor: Tensor) -> "np.ndarray":
    import numpy as np

    if tensor.dtype == "string":
        texts, place = [], 0
        while place < len(content):
            length = int.from_bytes(content[place : place + 4], "little")
            place += 4 + length
            if place > len(content):
                raise wrong(f"{tensor.name!r} breaks off within an element.")
            texts.append(content[place - length : place])
        array = np.empty(len(texts), object)
        array[:] = texts
        return array
    dtype = _numpy(tensor)
    if len(content) % dtype.itemsize:
        raise wrong(f"{tensor.name!r} has {len(content)} bytes, no multiple of {dtype.itemsize}.")
    return np.frombuffer(content, dtype)


def _numpy(tensor: Tensor) -> "np.dtype[Any]":
    import numpy as np

    if tensor.dtype != "bfloat16":
        return np.dtype(tensor.dtype)
    import tensorflow as tf

    return np.dtype(tf.bfloat16.as_numpy_dtype)


def _from_json(data: Any, tensor: Tensor) -> "np.ndarray":
    """Return a flat array of data, which is flat or nested."""
    if not isinstance(data, list):
        raise wrong(f"{tensor.name!r} should have its data in a list.")
    free = Tensor(tensor.name, tensor.dtype, None)
    return array_of(data, free).reshape(-1)


def _wanted(
    asked: Mapping[str, Any], parameters: Mapping[str, Any], signature: Signature
) -> dict[str, bool]:
    """Return the outputs that are wanted, each with whether it is wanted as bytes."""
    binary = parameters.get("binary_data_output", False) is True
    outputs = asked.get("outputs")
    if outputs is None:
        return dict.fromkeys(signature.outputs, binary)
    if not isinstance(outputs, list) or not all(isinstance(o, dict) for o in outputs):
        raise wrong("'outputs' should be a list of objects with a name.")
    wanted = {}
    for output in outputs:
        name = output.get("name")
        if not isinstance(name, str) or name not in signature.outputs:
            raise wrong(f"There is no output {name!r}; there is {named(signature.outputs)}.")
        own = _object(output, "parameters")
        if "classification" in own:
            raise RequestRefused(501, "The classification extension is not served.")
        wanted[name] = own.get("binary_data", binary) is True
    return wanted or dict.fromkeys(signature.outputs, binary)


def inferred(servable: Servable, asked: Inference, answers: "Arrays") -> tuple[bytes, int | None]:
    """Return the body of an answer, and how long its JSON is where tensors are behind it."""
    outputs, behind = [], []
    for name, as_bytes in asked.outputs.items():
        array, tensor = answers[name], asked.signature.outputs[name]
        told: dict[str, Any] = {
            "name": name,
            "shape": [*array.shape],
            "datatype": _TYPES.get(tensor.dtype, ""),
        }
        if as_bytes:
            behind.append(_binary(array))
            told["parameters"] = {_SIZE: len(behind[-1])}
        else:
            told["data"] = _flat(array, name)
        outputs.append(told)
    answer: dict[str, Any] = {
        "model_name": servable.name,
        "model_version": str(servable.version),
        "outputs": outputs,
    }
    if asked.id:
        answer["id"] = asked.id
    head = json.dumps(answer).encode()
    return b"".join([head, *behind]), len(head) if behind else None


def _flat(array: "np.ndarray", name: str) -> Any:
    flat = plain(array.reshape(-1), name.removesuffix("_bytes"))
    return [item["b64"] if isinstance(item, dict) else item for item in flat]


def _binary(array: "np.ndarray") -> bytes:
    if array.dtype.kind != "O":
        return array.tobytes()
    return b"".join(len(text).to_bytes(4, "little") + text for text in array.reshape(-1))


def metadata(servable: Servable, versions: list[int]) -> dict[str, Any]:
    """Return what the protocol says of a model.

    Args:
        servable: the version that is described.
        versions: all that answer.
    """
    signature = servable.signature()
    return {
        "name": servable.name,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [_told(tensor) for tensor in signature.inputs.values()],
        "outputs": [_told(tensor) for tensor in signature.outputs.values()],
    }


def _told(tensor: Tensor) -> dict[str, Any]:
    lengths = tensor.shape or ()
    return {
        "name": tensor.name,
        "datatype": _TYPES.get(tensor.dtype, ""),
        "shape": [-1 if length is None else length for length in lengths],
    }
