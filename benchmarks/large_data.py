"""Data that outgrows memory: what files by the ten thousand and by the million cost.

    python -m benchmarks.large_data [FILES...]       some 20 minutes on two cores, and 9 GB of disk

FILES are how many: 10,000, 100,000 and 1,000,000 when nothing is given. JPEGs of 32x32 are written
in a hundred class folders below a temporary folder (TMPDIR), and up to 100,000 as a data set of
TensorFlow Datasets. Each is read in a process of its own: `memory` keeps the decoded images, `disk`
keeps them in a mapped file, `stream` keeps nothing. Measured are

    scan          from nothing to the element spec and the sizes of the splits; and again in a new
                  process, when what was listed is known
    first, later  images a second in the first epoch, which decodes, and the median of later ones
    resume        from nothing, in a new process, to the last batch of the third epoch
    held          the most memory that is not of a file, above that of TensorFlow

The figures are printed, and put into benchmarks/large_data.json beside those of other numbers.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.turns import ROOT, measured

CLASSES, DISTINCT, BATCH, EPOCHS = 100, 1_000, 32, 3
SIZES, LARGEST_TFDS = (10_000, 100_000, 1_000_000), 100_000
NAME = "tiny"


def main(sizes: tuple[int, ...]) -> None:
    """Measure, print, write."""
    file = ROOT / "benchmarks" / "large_data.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for size in sizes:
        for kind in ("folder", "tfds") if size <= LARGEST_TFDS else ("folder",):
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                run(Path(folder), "make", kind, size)
                print(f"{size:,} {kind}: made in {time.perf_counter() - began:.0f} s", flush=True)
                for keeping in ("memory", "disk") if kind == "folder" else ("memory", "stream"):
                    found = measure(Path(folder), kind, keeping)
                    results.setdefault(f"{kind}, {keeping}", {})[f"{size:,}"] = found
                    print(f"{size:,} {kind}, {keeping}: {json.dumps(found)}", flush=True)
                    file.write_text(json.dumps(results, indent=2) + "\n")


def measure(folder: Path, kind: str, keeping: str) -> dict[str, float]:
    """All figures of one way to keep the data."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    scans = [run(folder, "scan", kind, keeping) for _ in range(2)]
    epochs = run(folder, "epochs", kind, keeping)
    resumed = run(folder, "resume", kind, keeping)
    return {
        "scan_seconds": scans[0]["seconds"],
        "scan_again_seconds": scans[1]["seconds"],
        "first_images_per_second": epochs["rates"][0],
        "later_images_per_second": statistics.median(epochs["rates"][1:]),
        "resume_seconds": resumed["seconds"],
        "scan_held_bytes": max(scan["held_bytes"] for scan in scans),
        "held_bytes": epochs["held_bytes"],
        "resume_held_bytes": resumed["held_bytes"],
    }


def run(folder: Path, *words: Any) -> Any:
    """Run one of the parts below in a process of its own; return what it found."""
    figures = folder / "figures.json"
    command = [sys.executable, "-m", "benchmarks.large_data", *map(str, words), str(folder)]
    measured(command, {"FIGURES_FILE": str(figures), "TF_CPP_MIN_LOG_LEVEL": "3"})
    return json.loads(figures.read_text())


# In the process


def make(kind: str, size: str, folder: str) -> dict[str, Any]:
    """Write the files, or the data set."""
    images, count = list(pictures()), int(size)
    if kind == "folder":
        for label in range(CLASSES):
            (Path(folder) / "data" / f"{label:02}").mkdir(parents=True)
        for number in range(count):
            path = f"{folder}/data/{number % CLASSES:02}/{number:07}.jpg"
            with open(path, "wb") as file:
                file.write(images[number % DISTINCT])
        return {}
    import io

    import tensorflow_datasets as tfds

    class Tiny(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = Path(folder)

        def _info(self) -> Any:
            image = tfds.features.Image(shape=(32, 32, 3), encoding_format="jpeg")
            features = {"image": image, "label": tfds.features.ClassLabel(num_classes=CLASSES)}
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
                disable_shuffling=True,
            )

        def _split_generators(self, _: Any) -> Any:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[Any]:
            for number in range(count):
                image = io.BytesIO(images[number % DISTINCT])
                yield number, {"image": image, "label": number % CLASSES}

    Tiny(data_dir=f"{folder}/data").download_and_prepare()
    return {}


def pictures() -> Iterator[bytes]:
    """JPEGs of 32x32, no two alike."""
    import numpy as np
    import tensorflow as tf

    coarse = np.random.default_rng(0).integers(0, 256, (DISTINCT, 8, 8, 3), np.uint8)
    for pixels in coarse.repeat(4, 1).repeat(4, 2):
        yield tf.io.encode_jpeg(pixels, quality=90).numpy()


def source_of(kind: str, folder: str) -> Any:
    """The source, as a pipeline declares it."""
    from tfpipe.data import TFDS, ImageFolder, disk_cache

    disk_cache.folder.set(Path(folder) / "cache")
    if kind == "folder":
        return ImageFolder(f"{folder}/data", validation=0.1)
    return TFDS(NAME, data_dir=f"{folder}/data", validation=0.1, test=None)


def batches(source: Any, keeping: str, epoch: int, position: int = 0) -> Any:
    """The training batches of an epoch."""
    options = {"batch_size": BATCH, "shuffle": True, "cache": keeping == "memory"}
    return source.input_fn("train", epoch=epoch, position=position, **options)


def scan(kind: str, keeping: str, folder: str) -> dict[str, Any]:
    """From nothing to the sizes of the splits."""
    with watched() as found:
        source_of(kind, folder).spec()
    return found


def epochs(kind: str, keeping: str, folder: str) -> dict[str, Any]:
    """Some epochs, the first of which reads everything."""
    source, rates = source_of(kind, folder), []
    with watched() as found:
        for epoch in range(EPOCHS):
            began = time.perf_counter()
            images = sum(int(y.shape[0]) for _, y in batches(source, keeping, epoch))
            rates.append(images / (time.perf_counter() - began))
    return found | {"rates": rates}


def resume(kind: str, keeping: str, folder: str) -> dict[str, Any]:
    """From nothing to the last batch of an epoch."""
    with watched() as found:
        source = source_of(kind, folder)
        last = source.spec().splits["train"] // BATCH - 1
        next(iter(batches(source, keeping, EPOCHS - 1, last)))
    return found


@contextmanager
def watched() -> Iterator[dict[str, Any]]:
    """Note how long the block took, and the most memory it held above what there was."""
    import tensorflow as tf

    tf.random.uniform(())  # TensorFlow's own start is nobody's merit
    found: dict[str, Any] = {}
    done, most, before = threading.Event(), [0], anonymous()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    yield found
    found["seconds"] = time.perf_counter() - began
    done.set()
    watcher.join()
    found["held_bytes"] = max(most[0], anonymous()) - before


def anonymous() -> int:
    """Bytes of this process that belong to no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    parts = {"make": make, "scan": scan, "epochs": epochs, "resume": resume}
    if sys.argv[1:2] and sys.argv[1] in parts:
        answer = parts[sys.argv[1]](*sys.argv[2:])
        Path(os.environ["FIGURES_FILE"]).write_text(json.dumps(answer))
    else:
        main(tuple(int(word.replace(",", "")) for word in sys.argv[1:]) or SIZES)
