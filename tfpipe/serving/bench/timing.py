"""How fast a model answers in process, one example and many at a time.

`python -m tfpipe.serving.bench.timing MODEL SECONDS` prints what `time_signatures` returns.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.errors import CheckFailed
from tfpipe.exports import parity

if TYPE_CHECKING:
    import numpy as np

_LARGEST = 256  # examples of a batch
_BYTES = 1 << 28  # of a batch
_GAIN = 1.03  # what a batch of twice the size must bring for the next to be tried as well

Figures = dict[str, float]
Samples = dict[str, "np.ndarray"]


def golden_samples(model: Path) -> dict[str, Samples]:
    """Read the inputs of a model's golden samples.

    Args:
        model: the folder of a SavedModel, or a .onnx or .tflite file.

    Returns:
        The arrays of each input by signature, an example in each row; encoded files are bytes. The
        signature of a file is called "onnx" or "litert".
    """
    import numpy as np

    golden, _ = parity.assets_of(model)
    signature = {".onnx": "onnx", ".tflite": "litert"}.get(model.suffix, "serving_default")
    arrays = {n.removeprefix("array_"): a for n, a in golden.items() if n.startswith("array_")}
    samples: dict[str, Samples] = {signature: arrays}
    if signature == "serving_default" and (files := parity.files_of(golden)):
        samples["serving_bytes"] = {"bytes": np.array(files, object)}
    return samples


def time_signatures(model: Path, seconds: float) -> dict[str, list[Figures]]:
    """Time each signature of a model, on batches of 1, 2, 4, ... while larger is faster.

    Args:
        model: the folder of a SavedModel, or a .onnx or .tflite file; one of these is asked on the
            CPU, and LiteRT one example at a time.
        seconds: how long each batch is called, after calls that do not count.

    Returns:
        By signature, for each batch: its `batch`, `per_second` in examples, and `p50`, `p90` and
        `p99` of a call's milliseconds.
    """
    samples = golden_samples(model)
    if model.suffix == ".onnx":
        return {"onnx": time_batches(parity.onnx_answers(model), samples["onnx"], seconds)}
    if model.suffix == ".tflite":
        ask = parity.litert_answers(model)
        return {"litert": time_batches(ask, samples["litert"], seconds, 1)}
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    return {
        name: time_batches(bare_call(loaded.signatures[name]), arrays, seconds)
        for name, arrays in samples.items()
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
    call: Callable[[Samples], object], samples: Samples, seconds: float, largest: int = _LARGEST
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


def _timed(call: Callable[[Samples], object], batches: list[Samples], seconds: float) -> Figures:
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


def time_in_process(model: Path, seconds: float) -> dict[str, list[Figures]]:
    """Time each signature of a model in a fresh process that has no Keras.

    Args:
        model: the folder of a SavedModel, or a .onnx or .tflite file.
        seconds: how long each batch is called.

    Returns:
        As `time_signatures`.

    Raises:
        CheckFailed: when the model does not load or does not take its golden samples.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", __name__, str(model), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise CheckFailed(f"{model} cannot be called:\n{done.stderr[-2000:]}")
    figures: dict[str, list[Figures]] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    # What serves a model has no Keras, and TensorFlow starts in half the time without it.
    sys.modules["keras"] = None  # type: ignore[assignment]
    print(json.dumps(time_signatures(Path(sys.argv[1]), float(sys.argv[2]))))  # noqa: T201
