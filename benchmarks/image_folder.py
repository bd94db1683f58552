"""Folders of images beside Keras: the input pipeline alone, first and later epochs, and memory.

    python -m benchmarks.image_folder FOLDER       some ten minutes on two cores

FOLDER holds photos in a folder for each class, such as Tiny ImageNet or CIFAR-10 as JPEG. From them
10,000 JPEGs of 32x32 and 2,000 of 224x224 are made in a temporary folder. The contenders take
turns, round by round, each in a process of its own, and medians are compared. The first epoch is
from nothing: it lists and decodes. Processor time an image, of all threads, is given beside images
a second, as it says less of what else the machine was doing. The figures are printed and written to
benchmarks/image_folder.json.
"""

import json
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.turns import ROOT, in_turns, measured

WAYS = ["tfpipe", "tfpipe-disk", "keras", "keras-shuffled"]
SIZES = {32: 10_000, 224: 2_000}
EPOCHS, ROUNDS = 20, 3


def make(photos: str, folder: Path, size: int, count: int) -> None:
    """Write JPEGs of a size, as many of each class."""
    import tensorflow as tf

    from tfpipe.data import ImageFolder

    source = ImageFolder(photos, size=(size, size), channels=3, validation=None, test=None)
    for name in source.spec().classes:
        (folder / name).mkdir(parents=True)
    names, written = source.spec().classes, 0
    for x, y in source.input_fn("train", batch_size=1, shuffle=True):
        path = folder / names[int(y[0])] / f"{written:05}.jpg"
        path.write_bytes(tf.io.encode_jpeg(x[0], quality=90).numpy())
        written += 1
        if written == count:
            return
    sys.exit(f"{photos} has {written:,} training images; {count:,} are needed.")


def read(way: str, folder: Path, size: int) -> dict[str, float]:
    """Images a second in the first epoch and later ones, and memory."""
    with tempfile.TemporaryDirectory() as empty:
        if way == "tfpipe-disk":
            again = read_in(empty, way, folder, size)
            return again | {"first_from_file": read_in(empty, way, folder, size)["first"]}
        return read_in(empty, way, folder, size)


def read_in(working: str, way: str, folder: Path, size: int) -> dict[str, float]:
    """The same, with the folder that cached data is written to."""
    figures = Path(working) / "figures.json"
    script = str(ROOT / "benchmarks" / "contender_images.py")
    command = [sys.executable, script, way, str(folder), str(size), str(EPOCHS)]
    measured(command, {"FIGURES_FILE": str(figures)})
    found = json.loads(figures.read_text())
    return {
        "first": found["rates"][0],
        "later": statistics.median(found["rates"][1:]),
        "first_cpu_microseconds": found["busy"][0],
        "later_cpu_microseconds": statistics.median(found["busy"][1:]),
        "held_bytes": found["held_bytes"],
        "peak_bytes": found["peak_bytes"],
    }


def main(photos: str) -> None:
    """Measure, print, write."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for size, count in SIZES.items():
            print(f"{count:,} JPEGs of {size}x{size}", flush=True)
            images = Path(folder) / str(size)
            make(photos, images, size, count)
            found = in_turns(WAYS, partial(read, folder=images, size=size), ROUNDS)
            results[f"{size}x{size}"] = found | {"ratios": ratios(found)}
    print(json.dumps(results, indent=2))
    (ROOT / "benchmarks" / "image_folder.json").write_text(json.dumps(results, indent=2) + "\n")


def ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """How many times as fast tfpipe is, epoch by epoch, and beside which way."""
    return {
        f"{way} over {other}, {epoch}": found[way][epoch] / found[other][epoch]
        for way in ("tfpipe", "tfpipe-disk")
        for other in ("keras", "keras-shuffled")
        for epoch in ("first", "later")
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
