"""What `tfpipe data bench` says of a change, beside the same change made by hand.

    python -m benchmarks.data_bench [ROUNDS]      half a minute a round

A pipeline whose one map waits 4 ms a sample and another 0.8 ms is measured; then each change that
is said is made in its code and its epochs are timed. The ratio of the two is printed and written to
benchmarks/data_bench.json; what was said should hold within a third. The first round, with a
TensorFlow that has just started, does not count.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SLOW = """
import time
import numpy as np
import tensorflow as tf
from tfpipe import Pipeline
from tfpipe.models import MLP


def waiting(seconds):
    def wait(values):
        time.sleep(seconds)
        return values

    return lambda x: tf.ensure_shape(tf.numpy_function(wait, [x], tf.float32), (4,))


def heavy(x, y):
    return waiting(0.004)(x), y


def light(x, y):
    return waiting(0.0008)(x), y


class Slow(Pipeline):
    model = MLP(units=(4,))

    def input_fn(self, split):
        if split != "train":
            return None
        x = np.random.default_rng(0).normal(size=(320, 4)).astype("float32")
        dataset = tf.data.Dataset.from_tensor_slices((x, (x[:, 0] > 0).astype("int64")))
        return dataset.map(heavy).map(light).batch(32)
"""
CACHED = SLOW.replace(".map(heavy)", ".map(heavy).cache()")
BESIDE = SLOW.replace("tf.float32)", "tf.float32, stateful=False)").replace(
    "(heavy)", "(heavy, num_parallel_calls=-1)"
)


def main(rounds: int = 3) -> None:
    """Measure, print, write."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tfpipe.verbs.data_bench import data_bench

    results: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "slow.py")
        file.write_text(SLOW)
        for _ in range(rounds + 1):
            said = {c["change"]: c["after"] for c in data_bench(str(file))["changes"]}
            by_hand = {".cache()": CACHED, "tf.numpy_function": BESIDE}
            results.append(
                {
                    change: {"said": after, "by_hand": examples_a_second(code)}
                    for change, after in said.items()
                    for start, code in by_hand.items()
                    if change.startswith(start)
                }
            )
    for result in results[1:]:
        for change, rate in result.items():
            print(f"{rate['said'] / rate['by_hand']:.2f}  {rate}  {change}")
    (ROOT / "benchmarks" / "data_bench.json").write_text(json.dumps(results[1:], indent=2) + "\n")


def examples_a_second(code: str) -> float:
    """The rate of a changed pipeline's training split, after an epoch that does not count."""
    namespace: dict[str, Any] = {"__name__": "by_hand"}
    exec(compile(code, "by_hand.py", "exec"), namespace)
    batches = namespace["Slow"]().input_fn("train")
    for _ in batches:
        pass
    began = time.perf_counter()
    count = sum(len(y) for _ in range(3) for _, y in batches)
    return float(count / (time.perf_counter() - began))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
