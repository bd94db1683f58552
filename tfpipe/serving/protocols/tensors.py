"""JSON to arrays and back, checked against what a signature takes; errors say what is wrong."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

from tfpipe.serving.refusals import RequestRefused, wrong
from tfpipe.serving.servable import Tensor
from tfpipe.text import listed

if TYPE_CHECKING:
    import numpy as np

_B64 = "b64"


def array_of(value: Any, tensor: Tensor, missing_rows: int = 0) -> "np.ndarray":
    """Return a JSON value as the array that an input takes.

    Args:
        value: numbers, truths or texts, in lists; bytes as {"b64": TEXT}.
        tensor: the input.
        missing_rows: 1 where the value is one sample, without the dimension of the batch.

    Raises:
        RequestRefused: when it is of another type or shape.
    """
    shape = None if tensor.shape is None else tensor.shape[missing_rows:]
    array = _strings(value, tensor) if tensor.dtype == "string" else _numbers(value, tensor)
    check_shape(array.shape, shape, tensor)
    return array


def check_shape(
    shape: tuple[int, ...], expected: tuple[int | None, ...] | None, tensor: Tensor
) -> None:
    """Refuse a shape that an input does not take.

    Args:
        shape: what came.
        expected: what is taken, None for any length; None as a whole for any shape.
        tensor: the input, to be named.
    """
    if expected is None:
        return
    fits = len(shape) == len(expected) and all(
        e is None or s == e for s, e in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = [-1 if length is None else length for length in expected]
        raise wrong(f"{tensor.name!r} has shape {[*shape]}, expected {wanted} (-1 is any length).")


def _numbers(value: Any, tensor: Tensor) -> "np.ndarray":
    import numpy as np

    try:
        found = np.asarray(value)
    except ValueError:  # NumPy's word for lists of different lengths
        raise wrong(f"{tensor.name!r} has lists of different lengths.") from None
    kind, wanted = found.dtype.kind, _dtype(tensor)
    if found.size == 0:
        return found.astype(wanted)
    if kind == "O" and "'b64'" in repr(value)[:200]:
        raise wrong(
            f"{tensor.name!r} takes {tensor.dtype} arrays, got encoded bytes: name the signature "
            'that takes them, such as "signature_name": "serving_bytes".'
        )
    if kind == "O" and wanted.kind == "f" and "None" in repr(value)[:200]:
        raise wrong(
            f"{tensor.name!r} takes {tensor.dtype}, got null: write NaN where it is missing."
        )
    allowed = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "c": "fiu"}[wanted.kind]
    if kind not in allowed:
        got = {
            "O": "a mixture, a null, an object or too large a number",
            "U": "text",
            "b": "true or false",
        }
        named = got.get(kind, "numbers with a fraction")
        raise wrong(f"{tensor.name!r} takes {tensor.dtype}, got {named}.")
    if wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if found.min() < limits.min or found.max() > limits.max:
            raise wrong(
                f"{tensor.name!r} takes {tensor.dtype}, from {limits.min} to {limits.max}, got "
                f"numbers from {found.min()} to {found.max()}."
            )
    return found.astype(wanted)


def _dtype(tensor: Tensor) -> "np.dtype[Any]":
    import numpy as np

    if tensor.dtype == "bfloat16":
        import tensorflow as tf

        return np.dtype(tf.bfloat16.as_numpy_dtype)
    try:
        return np.dtype(tensor.dtype)
    except TypeError:
        raise RequestRefused(
            501, f"{tensor.name!r} is of type {tensor.dtype}, which JSON has not."
        ) from None


def _strings(value: Any, tensor: Tensor) -> "np.ndarray":
    import numpy as np

    def of(item: Any) -> Any:
        if isinstance(item, list):
            return [of(one) for one in item]
        if isinstance(item, str):
            try:
                return item.encode()
            except UnicodeEncodeError:
                raise wrong(f"{tensor.name!r} holds half a character: {item[:20]!r}.") from None
        if isinstance(item, dict) and item.keys() == {_B64} and isinstance(item[_B64], str):
            return decoded(item[_B64], tensor.name)
        kind = "an object" if isinstance(item, dict) else repr(item)[:40]
        raise wrong(f'{tensor.name!r} takes text, or bytes as {{"b64": "..."}}, got {kind}.')

    nested = of(value)
    shape = []
    level = nested
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    array = np.empty(shape, object)
    try:
        if shape and 0 not in shape:
            array[...] = _object_array(nested, len(shape))
        elif not shape:
            array[()] = nested
    except ValueError:
        raise wrong(f"{tensor.name!r} has lists of different lengths.") from None
    return array


def _object_array(nested: list[Any], depth: int) -> "np.ndarray":
    """Return nested lists of bytes as an array of objects; raise ValueError where they differ."""
    import numpy as np

    if depth == 1:
        array = np.empty(len(nested), object)
        if any(isinstance(item, list) for item in nested):
            raise ValueError
        array[:] = nested
        return array
    if not all(isinstance(item, list) for item in nested):
        raise ValueError
    return np.stack([_object_array(item, depth - 1) for item in nested])


def decoded(text: str, name: str) -> bytes:
    """Return the bytes of base64; raise RequestRefused for what is none.

    Args:
        text: with or without padding, in the usual alphabet or that for addresses.
        name: whose it is.
    """
    plain = text.translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise wrong(f"{name!r} holds what is no base64: {text[:20]!r}...") from None


def plain(array: "np.ndarray", name: str) -> Any:
    """Return an array as JSON has it; bytes of a name that ends in `_bytes` as {"b64": TEXT}.

    Args:
        array: of an output.
        name: the output's.
    """
    import numpy as np

    if array.dtype.kind in "OSU":
        return _texts(array.tolist(), name.endswith("_bytes"))
    if array.dtype.kind == "c":
        raise RequestRefused(501, f"{name!r} is complex, which JSON has not.")
    if array.dtype.kind not in "fiub":  # bfloat16
        array = array.astype(np.float32)
    if array.dtype.kind == "f" and array.dtype != np.float64:
        # The shortest digits that mean the same number; twice as many would mean no more.
        array = array.astype("U").astype(np.float64)
    return array.tolist()


def _texts(value: Any, encoded: bool) -> Any:
    if isinstance(value, list):
        return [_texts(item, encoded) for item in value]
    if isinstance(value, str):
        return value
    if not encoded:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {_B64: base64.b64encode(value).decode()}


def named(names: Any) -> str:
    """Return names as a list for people."""
    return listed([repr(str(name)) for name in names])
