"""Asking a model once in each size of batch, so that nobody waits for what its first call costs."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.exports.parity import MOST
from tfpipe.serving.batching import filled
from tfpipe.serving.servable import Servable, Signature

if TYPE_CHECKING:
    import numpy as np


def warm_up(servable: Servable, folder: Path, max_batch: int) -> None:
    """Ask each signature with the golden samples, in each size that a batch is filled up to.

    Args:
        servable: the model.
        folder: with its golden samples.
        max_batch: samples in a batch, at most.
    """
    import numpy as np

    for signature in servable.signatures.values():
        samples = samples_of(folder, signature)
        if not samples or not signature.batches:
            continue
        size = 1
        while size <= filled(max_batch):
            signature({name: np.resize(a, (size, *a.shape[1:])) for name, a in samples.items()})
            size *= 2


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
