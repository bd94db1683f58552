"""Features of a frozen base computed once, beside training through the base: speed and accuracy.

    python -m benchmarks.feature_caching        about ten minutes on two cores

MobileNetV2 at 96 pixels, frozen, on 2,000 images of CIFAR-10 that are enlarged inside the model;
generated ones where CIFAR-10 is not prepared for TensorFlow Datasets. No download: its weights are
random, but its batch normalisation is fitted to the images, as otherwise it answers next to
nothing; --weights takes trained ones. Both ways train the same head for five epochs in one
comparison each, a process of its own, and take turns. "After the first epoch" is images a second
in the epochs that follow the first. The figures are printed and written to
benchmarks/feature_caching.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.turns import ROOT, TFPIPE

EPOCHS, ROUNDS, SIZE = 5, 3, 96
FILE = """
from tfpipe import Pipeline, keras
from tfpipe.data import TFDS
from tfpipe.models import Application


class FeatureCaching(Pipeline):
    data = TFDS("cifar10", train="train[:2000]", validation="train[2000:2500]", test=None)
    model = Application(
        "MobileNetV2", weights={weights!r}, alpha={alpha}, size=({size}, {size}), dropout=0.2
    )
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    batch_size = 32
    epochs = {epochs}
"""


def settled_weights(file: Path, sample: bool) -> None:
    """Write random weights of MobileNetV2 whose batch normalisation is that of the images."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    shape = (SIZE, SIZE, 3)
    base = keras.applications.MobileNetV2(shape, include_top=False, weights=None)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3))
    if not sample:
        from tfpipe.data import TFDS

        source = TFDS("cifar10", train="train[:64]", validation=None, test=None)
        images = next(iter(source.input_fn("train", batch_size=64)))[0].numpy()
    enlarged = keras.layers.Resizing(SIZE, SIZE)(images.astype("float32"))
    base(enlarged / 127.5 - 1, training=True)
    base.save_weights(file)


def compared(file: Path, through_base: bool, sample: bool) -> dict[str, Any]:
    """The numbers of the network, and the history of its run, of one comparison."""
    with tempfile.TemporaryDirectory() as root:
        command = [*TFPIPE, "compare-models", str(file), "--models", "MobileNetV2", "--json"]
        command += ["--root", root, *(["--through-base"] if through_base else [])]
        command += ["--sample=2500"] if sample else []
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if answer.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{answer.stderr}")
        found = json.loads(answer.stdout)
        (row,) = found["networks"]
        run = Path(found["directory"]) / "trials" / row["trial"]
        status = json.loads((run / "status.json").read_text())
    return {**row, "last_accuracy": status["metrics"]["validation"]["accuracy"]}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="on generated images")
    parser.add_argument("--weights", help="those of a trained MobileNetV2, such as a best.keras")
    parser.add_argument("--alpha", type=float, default=1.0, help="its width")
    options = parser.parse_args()
    sample = options.sample
    found: dict[str, list[dict[str, Any]]] = {"through the base": [], "features": []}
    with tempfile.TemporaryDirectory() as folder:
        weights, file = Path(folder) / "base.weights.h5", Path(folder) / "feature_caching.py"
        if options.weights:
            weights = Path(options.weights).absolute()
        else:
            settled_weights(weights, sample)
        declared = FILE.format(weights=str(weights), alpha=options.alpha, size=SIZE, epochs=EPOCHS)
        file.write_text(declared)
        for number in range(ROUNDS):
            for way, rounds in found.items():
                rounds.append(compared(file, way == "through the base", sample))
                print(f"  round {number + 1}: {way}", flush=True)
    results = summary(found) | {"data": "generated" if sample else "cifar10"}
    results |= {"weights": "trained" if options.weights else "random", "alpha": options.alpha}
    print(json.dumps(results, indent=2))
    (ROOT / "benchmarks" / "feature_caching.json").write_text(json.dumps(results, indent=2) + "\n")


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of both ways, and how they compare."""
    ways = {
        way: {
            name: statistics.median(r[name] for r in rounds)
            for name in ("accuracy", "last_accuracy", "images_per_second_later", "training_seconds")
        }
        for way, rounds in found.items()
    }
    features, base = found["features"], ways["through the base"]
    spent = statistics.median(r["features_seconds"] for r in features)
    ways["features"]["features_seconds"] = spent
    later = ways["features"]["images_per_second_later"] / base["images_per_second_later"]
    whole = base["training_seconds"] / (ways["features"]["training_seconds"] + spent)
    return {
        **ways,
        "images_per_second_after_the_first_epoch_ratio": later,
        "seconds_of_all_epochs_ratio": whole,
        "accuracy_difference": ways["features"]["last_accuracy"] - base["last_accuracy"],
        "epochs": EPOCHS,
    }


if __name__ == "__main__":
    main()
