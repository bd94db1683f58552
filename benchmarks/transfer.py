"""Fine-tuning from weights learnt elsewhere against learning from scratch, for as many epochs.

    python -m benchmarks.transfer --images FOLDER --cifar 8 --seeds 0,1,2

A small MobileNetV2 is trained on CIFAR-10 (from TFDS_DATA_DIR), and its network is taken for the
images of FOLDER, such as twenty classes of Tiny ImageNet in their own layout, in four ways that
see them equally often: from scratch; the network frozen; two phases, head first, then all of the
network; and the same with learning rates that fall with depth. The accuracies are those of the
validation split after the last epoch; no choice is made by them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import tfpipe
from tfpipe import FineTune, Phase, Pipeline, keras
from tfpipe.data import TFDS, ImageFolder, augment
from tfpipe.models import Application


class Elsewhere(Pipeline):
    """MobileNetV2 of a third of its width, from scratch on CIFAR-10 enlarged to 64x64."""

    data = TFDS("cifar10", validation=0.05, test=None)
    augment = (augment.flip(), augment.shift(0.1))
    model = Application(
        "MobileNetV2",
        weights=None,
        alpha=0.35,
        size=(64, 64),
        trainable=True,
        batch_norm_momentum=0.99,
    )
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=8 * 743)
    )
    batch_size = 64
    epochs = 8


class Here(Pipeline):
    """The same network on other images, with what is common to all ways."""

    data = ImageFolder("tiny-imagenet-20", channels=3, test=None)
    augment = (augment.flip(), augment.shift(0.1))
    model = Application(
        "MobileNetV2", weights=None, alpha=0.35, dropout=0.2, batch_norm_momentum=0.99
    )
    optimizer = keras.optimizers.Adam(1e-3)
    batch_size = 32


class FromScratch(Here):
    model = Here.model.replace(trainable=True)
    epochs = 10


class Frozen(Here):
    epochs = 10


class TwoPhases(Here):
    fine_tune = FineTune(
        phases=(
            Phase(3),
            Phase(7, optimizer=keras.optimizers.Adam(5e-4), unfreeze="all"),
        )
    )


class TwoPhasesNormTrained(Here):
    fine_tune = FineTune(
        phases=(
            Phase(3),
            Phase(7, optimizer=keras.optimizers.Adam(5e-4), unfreeze="all", batch_norm="trained"),
        )
    )


class TwoPhasesByDepth(Here):
    fine_tune = FineTune(
        phases=(
            Phase(3),
            Phase(7, optimizer=keras.optimizers.Adam(5e-4), unfreeze="all", depth_factor=0.95),
        )
    )


WAYS: dict[str, type[Here]] = {
    "from scratch": FromScratch,
    "frozen": Frozen,
    "two phases": TwoPhases,
    "two phases, batch norm trained": TwoPhasesNormTrained,
    "two phases, rates falling with depth": TwoPhasesByDepth,
}


def elsewhere(root: Path, epochs: int) -> tuple[Path, float]:
    """The weights learnt on CIFAR-10, and their validation accuracy; kept for the next call."""
    root = root / "elsewhere"
    done = sorted(root.glob("runs/*/*/checkpoints/best.keras"))
    if not done:
        tfpipe.run(Elsewhere(epochs=epochs), root=root, export=False)
        done = sorted(root.glob("runs/*/*/checkpoints/best.keras"))
    status = json.loads((done[-1].parents[1] / "status.json").read_text())
    return done[-1], status["metrics"]["validation"]["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="a folder that ImageFolder reads")
    parser.add_argument("--root", default="transfer", help="where the runs go")
    parser.add_argument("--cifar", type=int, default=8, help="epochs on CIFAR-10")
    parser.add_argument("--seeds", default="0", help="one run each, such as 0,1,2")
    parser.add_argument("--out", default="benchmarks/transfer.json")
    options = parser.parse_args()
    root = Path(options.root)
    weights, accuracy = elsewhere(root, options.cifar)
    found: dict[str, list[float]] = {}
    for seed in map(int, options.seeds.split(",")):
        for name, way in WAYS.items():
            data: Any = way.data
            model: Any = way.model
            if way is not FromScratch:
                model = model.replace(weights=str(weights))
            pipeline = way(data=data.replace(path=options.images), model=model, seed=seed)
            result = tfpipe.run(pipeline, root=root, export=False, quiet=True)
            found.setdefault(name, []).append(result.history["val_accuracy"][-1])
            print(f"seed {seed}  {name}: {found[name][-1]:.4f}", flush=True)
    table = {
        "cifar10": {"epochs": options.cifar, "validation_accuracy": accuracy},
        "epochs": 10,
        "val_accuracy": found,
    }
    Path(options.out).write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
