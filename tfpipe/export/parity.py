"""Parity: a SavedModel in a process of its own answers as the trained model did.

`python parity.py FOLDER` needs TensorFlow and NumPy alone: no tfpipe, no model code, no Keras. It
prints one JSON line with the largest difference of each signature.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Reloading is exact when the preprocessing is the same; the tolerance allows for another
# machine's arithmetic, not for another resize (which changes answers by tenths).
TOLERANCE = 1e-5
# Half the bits of a number are half the digits of an answer: a reloaded graph fuses operations that
# were rounded one by one, which changed probabilities by 3e-4 in bfloat16.
_COARSER = {"float32": 1, "float16": 200, "bfloat16": 2000}


def compare(folder: Path) -> dict[str, float]:
    """The largest difference between golden and reloaded answers, by signature."""
    import tensorflow as tf

    return differences(tf.saved_model.load(str(folder)), folder)


def differences(loaded: Any, folder: Path) -> dict[str, float]:
    """Return the largest difference between golden answers and those of a loaded model.

    Args:
        loaded: the SavedModel.
        folder: where its golden samples are, in assets/.
    """
    import numpy as np
    import tensorflow as tf

    with np.load(folder / "assets" / "golden.npz", allow_pickle=False) as golden:
        arrays_by_name = dict(golden)
    arrays = {
        n.removeprefix("array_"): a for n, a in arrays_by_name.items() if n.startswith("array_")
    }
    answers = [n for n in arrays_by_name if n.partition(":")[0] in ("answers", "file_answers")]
    names = sorted(n for n in arrays_by_name if n.startswith("file_") and n not in answers)
    files = [arrays_by_name[n].tobytes() for n in names]
    calls = {"answers": ("serving_default", {n: tf.constant(a) for n, a in arrays.items()})}
    if files:
        calls["file_answers"] = ("serving_bytes", {"bytes": tf.constant(files)})
    found: dict[str, float] = {}
    for golden, (signature, inputs) in calls.items():
        outputs = loaded.signatures[signature](**inputs)
        for name in answers:
            of, _, output = name.partition(":")  # the output's name where there are several
            if of != golden:
                continue
            usual = "values" if "values" in outputs else "probabilities"
            answered, expected = outputs[output or usual].numpy(), arrays_by_name[name]
            if answered.shape[-1] == 2 and expected.shape[-1] == 1:  # binary gives both classes
                answered = answered[:, 1:]
            difference = float(np.max(np.abs(answered - expected)))
            found[signature] = max(difference, found.get(signature, 0.0))
    return found


def verify(folder: Path, precision: str = "float32") -> dict[str, float]:
    """Compare in a fresh process.

    Args:
        folder: the SavedModel, with its golden samples in assets/.
        precision: the type of the model's arithmetic.

    Raises:
        CheckFailed: when an answer differs by more than 1e-5 (float16 2e-3, bfloat16 2e-2), or the
            artefact does not load.
    """
    from tfpipe.errors import CheckFailed

    output, errors = _in_fresh_process(folder)
    try:
        found: dict[str, float] = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        raise CheckFailed(
            f"The exported model does not load in a process of its own:\n{errors[-2000:]}"
        ) from None
    if wrong := beyond(found, precision):
        raise CheckFailed(
            f"The exported model is not the trained one: {wrong}. Nothing was exported. Is a "
            "layer random, or different when training=False?"
        )
    return found


def beyond(found: Mapping[str, float], precision: str = "float32") -> str:
    """Return which difference is larger than the arithmetic explains; empty for none.

    Args:
        found: the largest difference by signature.
        precision: the type of the model's arithmetic.
    """
    allowed = TOLERANCE * _COARSER[precision]
    for name, difference in found.items():
        if not difference <= allowed:
            return (
                f"{name} differs by {difference:.3g} on held-out samples (at most {allowed:g} is "
                "allowed)"
            )
    return ""


def _in_fresh_process(folder: Path) -> tuple[str, str]:
    """Return what this script prints about a SavedModel, and its errors."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-P", __file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.stdout, done.stderr


if __name__ == "__main__":
    # What serves a model has no Keras, and TensorFlow starts in half the time without it.
    sys.modules["keras"] = None  # type: ignore[assignment]
    print(json.dumps(compare(Path(sys.argv[1]))))  # noqa: T201
