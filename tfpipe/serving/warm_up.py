"""Asking a model once in each size of batch, so that nobody waits for what its first call costs."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.exports.parity import MOST
from tfpipe.serving.batching import filled
from tfpipe.serving.servable import Servable, Signature

if TYPE_CHECKING:
    import numpy as np

_MOST = 1 << 22  # values of an input


def warm_up(servable: Servable, folder: Path, max_batch: int) -> set[str]:
    """Ask each signature with the golden samples, in each size that a batch is filled up to.

    Where there are none it is asked with zeros, once, if it takes them.

    Args:
        servable: the model.
        folder: with its golden samples.
        max_batch: samples in a batch, at most.

    Returns:
        the signatures that answer with another number of samples than they are asked, as a search
        for unique values would: what they are asked cannot be put together.
    """
    alone = set()
    for name, signature in servable.signatures.items():
        if not signature.batches:
            continue
        if samples := samples_of(folder, signature):
            sizes = [1 << i for i in range(filled(max_batch).bit_length())]
            kept = all(keeps_samples(signature, samples, size) for size in sizes)
        else:
            try:
                kept = keeps_samples(signature, zeros_of(signature), 3)
            except Exception:  # noqa: BLE001 (it does not take zeros, or no such shape)
                kept = True
        if not kept:
            alone.add(name)
    return alone


def keeps_samples(signature: Signature, samples: "dict[str, np.ndarray]", size: int) -> bool:
    """Return whether a signature answers as many samples as it is asked.

    Args:
        signature: the one to ask.
        samples: what to ask, repeated as often as it takes.
        size: how many of them.
    """
    import numpy as np

    answers = signature({n: np.resize(a, (size, *a.shape[1:])) for n, a in samples.items()})
    return all(values.shape[:1] == (size,) for values in answers.values())


def zeros_of(signature: Signature) -> "dict[str, np.ndarray]":
    """Return a sample of zeros and empty texts, with 1 for each length that is free."""
    import numpy as np

    zeros = {}
    for name, tensor in signature.inputs.items():
        shape = [length or 1 for length in tensor.shape or ()]
        if np.prod(shape, dtype=float) > _MOST:
            raise ValueError(f"{name} is too large to be asked for nothing")
        text = tensor.dtype == "string"
        zeros[name] = np.full(shape, b"", object) if text else np.zeros(shape, tensor.dtype)
    return zeros


def samples_of(folder: Path, signature: Signature) -> "dict[str, np.ndarray]":
    """Return golden samples that fit a signature; none where there are none.

    Args:
        folder: of the model.
        signature: the one to ask.
    """
    import numpy as np

    file = folder / "assets" / "golden.npz"
    if not file.is_file():
        return {}
    with zipfile.ZipFile(file) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > MOST:
            return {}
    with np.load(file, allow_pickle=False) as golden:
        if [*signature.inputs] == ["bytes"]:
            names = sorted(n for n in golden.files if n.startswith("file_") and n[5:].isdigit())
            files = [golden[name].tobytes() for name in names]
            return {"bytes": np.array(files, object)} if files else {}
        samples = {n: golden[f"array_{n}"] for n in signature.inputs if f"array_{n}" in golden}
    if samples.keys() != signature.inputs.keys():
        return {}
    return {
        name: array.astype(object if array.dtype.kind == "S" else signature.inputs[name].dtype)
        for name, array in samples.items()
    }
