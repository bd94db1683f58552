"""One way of reading a folder of images, epoch after epoch, with nothing to train.

    python benchmarks/contender_images.py WAY FOLDER SIZE EPOCHS

`keras`: keras.utils.image_dataset_from_directory, cached and prefetched as its guide teaches. It
shuffles the files; what is cached are finished batches, so that every epoch has the same ones.
`keras-shuffled`: the same, cached one by one, shuffled whole every epoch, then batched.
`tfpipe`, `tfpipe-disk`: ImageFolder in memory, and from a mapped file beside FIGURES_FILE,
which is made in the first epoch where it is not there. Both shuffle whole every epoch.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import tensorflow as tf

from tfpipe.data import ImageFolder, disk_cache

BATCH = 32


def with_keras(folder: str, size: int, epochs: int, whole: bool) -> Iterator[Any]:
    """The batches of each epoch, as Keras gives them."""
    dataset = keras.utils.image_dataset_from_directory(
        folder,
        image_size=(size, size),
        batch_size=None if whole else BATCH,
        shuffle=not whole,
        seed=0,
        verbose=False,
    ).cache()
    if whole:
        dataset = dataset.shuffle(int(dataset.cardinality())).batch(BATCH)
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    for _ in range(epochs):
        yield dataset


def with_tfpipe(folder: str, epochs: int, cache: bool) -> Iterator[Any]:
    """The batches of each epoch, as ImageFolder gives them."""
    source = ImageFolder(folder, validation=None)
    for epoch in range(epochs):
        yield source.input_fn("train", batch_size=BATCH, shuffle=True, epoch=epoch, cache=cache)


def datasets(way: str, folder: str, size: int, epochs: int) -> Iterator[Any]:
    """The batches of each epoch."""
    if way.startswith("tfpipe"):
        return with_tfpipe(folder, epochs, way == "tfpipe")
    return with_keras(folder, size, epochs, way == "keras-shuffled")


def memory(field: str) -> int:
    """Bytes of this process: "RssAnon" belong to no file, "VmHWM" are the most it has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def main(way: str, folder: str, size: str, epochs: str) -> None:
    """Read, timed; the figures go to the file that FIGURES_FILE names.

    `rates` are images a second, and `busy` microseconds of processor time an image, by epoch.
    """
    disk_cache.folder.set(Path(os.environ["FIGURES_FILE"]).parent)
    tf.random.uniform(())  # TensorFlow's own start is nobody's merit
    before, rates, busy = memory("RssAnon"), [], []
    began, began_busy = time.perf_counter(), time.process_time()
    for batches in datasets(way, folder, int(size), int(epochs)):
        count = sum(int(y.shape[0]) for _, y in batches)
        ended, ended_busy = time.perf_counter(), time.process_time()
        rates.append(count / (ended - began))
        busy.append(1e6 * (ended_busy - began_busy) / count)
        began, began_busy = ended, ended_busy
    figures: dict[str, Any] = {"rates": rates, "busy": busy}
    figures |= {"held_bytes": memory("RssAnon") - before, "peak_bytes": memory("VmHWM")}
    Path(os.environ["FIGURES_FILE"]).write_text(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
