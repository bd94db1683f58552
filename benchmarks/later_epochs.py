"""Later epochs of a folder of 32x32 images beside Keras, epoch by epoch in turns in one process.

    python -m benchmarks.later_epochs FOLDER       half a minute on two cores

FOLDER holds images of 32x32 in a folder for each class. The ways are those of
contender_images.py; each epoch of one is compared with the same epoch of another, so that what
else the machine does meets both. The figures are printed.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contender_images import datasets
from tfpipe.data import disk_cache

WAYS, EPOCHS = ("tfpipe", "tfpipe-disk", "keras", "keras-shuffled"), 41


def rate(epochs: Iterator[Any]) -> float:
    """Images a second of the next epoch, with what it takes to begin it."""
    began = time.perf_counter()
    count = sum(int(y.shape[0]) for _, y in next(epochs))
    return count / (time.perf_counter() - began)


def main(folder: str) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as empty:
        disk_cache.folder.set(Path(empty))
        each = {way: iter(datasets(way, folder, 32, EPOCHS)) for way in WAYS}
        rounds = [{way: rate(epochs) for way, epochs in each.items()} for _ in range(EPOCHS)][1:]
    for way in WAYS:
        print(f"{way}: {statistics.median(r[way] for r in rounds):,.0f} images/s")
    for way in WAYS[:2]:
        for other in WAYS[2:]:
            ratio = statistics.median(r[way] / r[other] for r in rounds)
            print(f"{way} over {other}: {ratio:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
