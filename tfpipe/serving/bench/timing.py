"""How fast a SavedModel answers in process: its bare signatures, one example and many at a time.

`python timing.py FOLDER SECONDS` needs TensorFlow and NumPy alone, as whoever serves the model
does, and prints what `time_signatures` returns.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_LARGEST = 256  # examples of a batch
_BYTES = 1 << 28  # of a batch
_GAIN = 1.03  # what a batch of twice the size must bring for the next to be tried as well

Figures = dict[str, float]
Samples = dict[str, "np.ndarray"]


def golden_samples(folder: Path) -> dict[str, Samples]:
    """Read the inputs of a SavedModel's golden samples.

    Args:
        folder: the SavedModel.

    Returns:
        The arrays of each input by signature, an example in each row; encoded files are bytes.
    """
    import numpy as np

    with np.load(folder / "assets" / "golden.npz", allow_pickle=False) as golden:
        arrays = dict(golden)
    named = {n.removeprefix("array_"): a for n, a in arrays.items() if n.startswith("array_")}
    numbers = sorted(int(n[5:]) for n in arrays if n.startswith("file_") and n[5:].isdigit())
    files = [arrays[f"file_{number}"].tobytes() for number in numbers]
    samples = {"serving_default": named}
    if files:
        samples["serving_bytes"] = {"bytes": np.array(files, object)}
    return samples


def time_signatures(folder: Path, seconds: float) -> dict[str, list[Figures]]:
    """Time each signature of a SavedModel, on batches of 1, 2, 4, ... while larger is faster.

    Args:
        folder: the SavedModel.
        seconds: how long each batch is called, after calls that do not count.

    Returns:
        By signature, for each batch: its `batch`, `per_second` in examples, and `p50`, `p90` and
        `p99` of a call's milliseconds.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    return {
        name: time_batches(bare_call(loaded.signatures[name]), samples, seconds)
        for name, samples in golden_samples(folder).items()
    }


def bare_call(signature: Callable[..., Any]) -> Callable[[Samples], None]:
    """Return a call of a signature that makes tensors of arrays and arrays of tensors."""
    import tensorflow as tf

    def call(batch: Samples) -> None:
        answers = signature(**{n: tf.constant(a) for n, a in batch.items()})
        for answer in answers.values():
            answer.numpy()

    return call


def time_batches(
    call: Callable[[Samples], None], samples: Samples, seconds: float, largest: int = _LARGEST
) -> list[Figures]:
    """Time calls on batches of 1, 2, 4, ... examples, while larger ones are faster.

    Args:
        call: answers a batch.
        samples: arrays by the names of the inputs, of which batches are cut.
        seconds: how long each size is called, after calls that do not count.
        largest: the size at which to stop.

    Returns:
        For each size: `batch`, `per_second` in examples, `p50`, `p90` and `p99` in milliseconds.
    """
    import numpy as np

    figures: list[Figures] = []
    count = len(next(iter(samples.values())))
    one = sum(a.nbytes for a in samples.values()) / count
    size, best, slower = 1, 0.0, 0
    while size <= largest and size * one <= _BYTES and slower < 2:
        picks = [np.arange(start, start + size) % count for start in range(0, count, size)]
        batches = [{n: a[pick] for n, a in samples.items()} for pick in picks]
        figures.append({"batch": size, **_timed(call, batches, seconds)})
        slower = 0 if figures[-1]["per_second"] > _GAIN * best else slower + 1
        best = max(best, figures[-1]["per_second"])
        size *= 2
    return figures


def _timed(call: Callable[[Samples], None], batches: list[Samples], seconds: float) -> Figures:
    size = len(next(iter(batches[0].values())))
    spent: list[float] = []
    for warm, limit in ((True, seconds / 4), (False, seconds)):
        spent.clear()
        end = time.perf_counter() + limit
        while time.perf_counter() < end or len(spent) < (2 if warm else 5):
            began = time.perf_counter()
            call(batches[len(spent) % len(batches)])
            spent.append(time.perf_counter() - began)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    ordered = sorted(spent)
    latencies = {n: 1000 * ordered[int(s * len(ordered))] for n, s in shares.items()}
    return {"per_second": size * len(spent) / sum(spent), **latencies}


def time_in_process(folder: Path, seconds: float) -> dict[str, list[Figures]]:
    """Time each signature of a SavedModel in a fresh process that has no Keras.

    Args:
        folder: the SavedModel.
        seconds: how long each batch is called.

    Returns:
        As `time_signatures`.

    Raises:
        CheckFailed: when the SavedModel does not load or does not take its golden samples.
    """
    from tfpipe.errors import CheckFailed

    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-P", __file__, str(folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise CheckFailed(f"{folder} cannot be called:\n{done.stderr[-2000:]}")
    figures: dict[str, list[Figures]] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    # What serves a model has no Keras, and TensorFlow starts in half the time without it.
    sys.modules["keras"] = None  # type: ignore[assignment]
    print(json.dumps(time_signatures(Path(sys.argv[1]), float(sys.argv[2]))))  # noqa: T201
