"""Workers that share the input: images a second of the input alone, on one core for each worker.

    python -m benchmarks.input_workers       some two minutes on two cores

Each worker is a process on a core of its own, as on a machine of its own, and there is no model.
They make epochs of 20,000 pictures of 32x32 in global batches of 128, flipped, turned and shifted.
`one` makes all of each batch; `two` are two workers at the same time, each of which makes its own
rows; `two, all made` are two as they were before, each of which makes every batch and takes its
rows of it. Contenders take turns, and medians are compared. Images a second are those of global
batches, by the slower of the two; processor time an image says less of what else the machine does.
The figures are printed and written to benchmarks/input_workers.json.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.turns import ROOT, in_turns

WAYS = {"one": (1, False), "two": (2, False), "two, all made": (2, True)}
SIZE, BATCH, EPOCHS, ROUNDS = 20_000, 128, 5, 5


def measure(way: str) -> dict[str, float]:
    """Images a second of all workers together, and processor time of each for an image."""
    count, whole = WAYS[way]
    workers = [start(index, count, whole) for index in range(count)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()  # it is ready
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    found = [json.loads(worker.communicate()[0]) for worker in workers]
    images = SIZE // BATCH * BATCH * EPOCHS
    return {
        "images_per_second": images / max(f["seconds"] for f in found),
        "cpu_microseconds": 1e6 * max(f["busy"] for f in found) / images,
    }


def start(index: int, count: int, whole: bool) -> "subprocess.Popen[str]":
    """Start a worker."""
    command = [sys.executable, "-m", "benchmarks.input_workers", str(index), str(count), str(whole)]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def pictures() -> tuple[Any, Any]:
    """Pictures of noise, and classes."""
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, 32, 32, 3), np.uint8)
    return pixels, np.arange(SIZE) % 10


def worker(index: int, count: int, whole: bool) -> dict[str, Any]:
    """Make the epochs, timed, when all workers are ready."""
    # Before TensorFlow starts, so that it has as many threads as cores.
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[index]})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from tfpipe import Pipeline
    from tfpipe.data import Arrays, augment
    from tfpipe.training.datasets import own_batches

    pipeline = Pipeline(
        data=Arrays(pictures),
        augment=(augment.flip(), augment.rotate(15), augment.shift(0.1)),
        batch_size=BATCH,
        drop_remainder=True,
    )
    context = tf.distribute.InputContext(count, index, count)
    if whole:
        context = tf.distribute.InputContext()

    def epoch(number: int) -> int:
        batches = own_batches(pipeline, "train", context, number)
        return sum(int(y.shape[0]) for _, y in batches)

    epoch(0)
    print("ready", flush=True)
    sys.stdin.readline()
    began, began_busy = time.perf_counter(), time.process_time()
    images = sum(epoch(number) for number in range(1, EPOCHS + 1))
    seconds, busy = time.perf_counter() - began, time.process_time() - began_busy
    return {"seconds": seconds, "busy": busy, "images": images}


def main() -> None:
    """Measure, print, write."""
    found: dict[str, Any] = in_turns([*WAYS], measure, ROUNDS)
    one, ratios = found["one"], {}
    for way in ("two", "two, all made"):
        rate, busy = found[way]["images_per_second"], found[way]["cpu_microseconds"]
        ratios[f"{way} over one, images a second"] = rate / one["images_per_second"]
        ratios[f"{way} over one, by processor time"] = one["cpu_microseconds"] / busy
    found["ratios"] = ratios
    print(json.dumps(found, indent=2))
    (ROOT / "benchmarks" / "input_workers.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        place, of, every = sys.argv[1:]
        print(json.dumps(worker(int(place), int(of), every == "True")))
    else:
        main()
