"""Kills a training run at random moments, resumes it, and compares it with one that ran straight.

    python -m benchmarks.resume --points 20

The job has all that makes resuming hard: dropout, batch norm, augmentation, early stopping, a
learning rate that falls, states within an epoch. Each point starts the job anew, kills it with
SIGKILL (every other time while a state is being written), resumes it, and kills it again, three
times in all. Then the saved states, metrics.csv without its times, and TensorBoard's curve have to
equal those of the straight run, bit for bit. Needs CIFAR-10 in TFDS_DATA_DIR, or another job:

    python -m benchmarks.resume --points 2 --job benchmarks/transfer.py::TwoPhases data.path=FOLDER
    python -m benchmarks.resume --points 10 --job benchmarks/resume.py::Chunks

The last is of steps so short that up to an epoch of them, and its validation, are one call, and
that states and records are written by the clock.
"""

import argparse
import csv
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tfpipe import Pipeline, keras
from tfpipe.data import TFDS, Sklearn, augment
from tfpipe.devices import start_tensorflow
from tfpipe.models import CNN_2_4_6, MLP

KILLS = 3
TIMES = ("seconds", "examples_per_second", "steps_per_second", "input_wait")


class Job(Pipeline):
    """A short training in which everything has a memory."""

    data = TFDS("cifar10", validation=0.05)
    augment = (augment.flip(), augment.rotate(15), augment.shift(0.1))
    model = CNN_2_4_6(convs=4, dropout=0.2, batch_norm=True)
    optimizer = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
    batch_size = 32
    steps_per_epoch = 30
    epochs = 8
    checkpoint_every = 4
    callbacks = (
        keras.callbacks.EarlyStopping(
            monitor="val_accuracy", patience=3, restore_best_weights=True
        ),
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
    )


class Chunks(Pipeline):
    """The same with steps of a fraction of a millisecond, and an average of the weights."""

    data = Sklearn("digits", validation=0.1, test=90)
    model = MLP(units=(128, 64), dropout=0.2, batch_norm=True)
    optimizer = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
    ema = 0.99
    batch_size = 16
    epochs = 600
    callbacks = (keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=20),)


def command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tfpipe", *words, "--root", str(root), "--no-export"]


def straight(root: Path, job: list[str]) -> float:
    """Run to the end; the seconds that took."""
    began = time.monotonic()
    subprocess.run(command(root, "run", *job), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def killed(
    root: Path, job: list[str], draw: random.Random, while_saving: bool, longest: float
) -> list[str]:
    """Run to the end with three kills on the way; where each of them struck."""
    words, struck = ["run", *job], list[str]()
    for _ in range(KILLS):
        process = subprocess.Popen(command(root, *words), stdout=subprocess.DEVNULL)
        place = strike(process, root, draw, while_saving, longest)
        if place is None:
            return struck
        struck.append(place)
        words = ["resume"]
    subprocess.run(command(root, *words), check=True, stdout=subprocess.DEVNULL)
    return struck


def strike(
    process: subprocess.Popen[bytes],
    root: Path,
    draw: random.Random,
    while_saving: bool,
    longest: float,
) -> str | None:
    """Kill a process at a random moment of its training; None when it was over first."""
    before = progress(root)
    while process.poll() is None and progress(root) == before:
        time.sleep(0.01)
    wait_until = time.monotonic() + draw.uniform(0, longest)
    while process.poll() is None and time.monotonic() < wait_until:
        time.sleep(0.005)
    while while_saving and process.poll() is None and not saving(root):
        pass
    process.send_signal(signal.SIGKILL)
    if process.wait() == 0:
        return None
    return f"{(progress(root) or ['the start'])[-1]}{' while saving' if saving(root) else ''}"


def progress(root: Path) -> list[str]:
    return sorted(p.name for p in root.glob("runs/*/*/checkpoints/state-*"))


def saving(root: Path) -> bool:
    return any(root.glob("runs/*/*/checkpoints/.state-*"))


def outcome(root: Path) -> dict[str, Any]:
    """What has to be equal: the last state, the best model's weights, the metrics, the curves."""
    (run,) = root.glob("runs/*/*")
    last = sorted(run.glob("checkpoints/state-*"))[-1]
    with np.load(last / "arrays.npz") as stored:
        arrays = {name: stored[name].tobytes() for name in stored}
    state = json.loads((last / "state.json").read_text())
    with (run / "metrics.csv").open(newline="") as file:
        rows = [{n: v for n, v in row.items() if n not in TIMES} for row in csv.DictReader(file)]
    status = json.loads((run / "status.json").read_text())
    return {
        "state": last.name,
        "arrays": arrays,
        "callbacks": state["callbacks"],
        "metrics.csv": rows,
        "test": status["metrics"].get("test"),
        "tensorboard": curves(run / "tensorboard"),
    }


def curves(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Each curve's steps and values in the order of the files, repeats included."""
    start_tensorflow()  # quietly, before TensorBoard does
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found: dict[str, list[tuple[int, bytes]]] = {}
    for split in sorted(p for p in folder.iterdir() if p.is_dir()):
        for file in sorted(split.glob("*tfevents*")):
            for event in EventFileLoader(str(file)).Load():
                for value in event.summary.value:
                    points = found.setdefault(f"{split.name}/{value.tag}", [])
                    points.append((event.step, value.tensor.SerializeToString()))
    return {tag: points for tag, points in found.items() if not tag.endswith(TIMES)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--job", nargs="+", default=[__file__], help="another FILE, with its overrides"
    )
    arguments = parser.parse_args()
    job: list[str] = arguments.job
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        seconds = straight(Path(folder, "straight"), job)
        wanted = outcome(Path(folder, "straight"))
        print(f"straight: {wanted['state']} after {seconds:.0f} s", flush=True)
        unequal = 0
        for point in range(arguments.points):
            root = Path(folder, str(point))
            places = killed(root, job, draw, point % 2 == 1, seconds / (KILLS + 1))
            got = outcome(root)
            differing = [name for name in wanted if got[name] != wanted[name]]
            unequal += bool(differing)
            verdict = f"differs in {', '.join(differing)}" if differing else "equal"
            print(f"point {point + 1}: killed after {', '.join(places)}: {verdict}", flush=True)
    print(f"{arguments.points - unequal} of {arguments.points} equal")
    sys.exit(3 if unequal else 0)


if __name__ == "__main__":
    main()
