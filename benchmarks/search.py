"""Searches beside Keras Tuner by hand, and searches that are killed.

    python -m benchmarks.search beside --network mlp --trials 4 --epochs 40 --rounds 3
    python -m benchmarks.search kills --kills 5

`beside` runs the same random search in three ways that take turns, each in a process of its own:
written by hand with Keras Tuner, one trial after the other; `tfpipe search --workers 1`; and
`--workers 2`. The trials have the same values, which is checked, on the same 10,000 images of
MNIST, or of CIFAR-10 with `--network cnn` (in TFDS_DATA_DIR).

`kills` kills a search of 8 trials with SIGKILL at random moments, resumes it each time, and checks
that no trial is lost, doubled, or trained again.
"""

import argparse
import csv
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.turns import TFPIPE, measured
from tfpipe import Pipeline, hp, keras
from tfpipe.data import TFDS
from tfpipe.models import CNN_2_4_6, MLP

FILE = "benchmarks/search.py::"


class Searched(Pipeline):
    """Four ranges of a CNN on 10,000 images."""

    data = TFDS("cifar10", train="train[:10000]", validation=1000, test=None)
    model = CNN_2_4_6(
        convs=hp.Choice(6, values=(2, 4, 6)),
        dropout=hp.Float(0.2, min=0.0, max=0.5),
        batch_norm=hp.Bool(True),
    )
    optimizer = keras.optimizers.SGD(
        learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True), momentum=0.9
    )
    batch_size = 32
    drop_remainder = True
    epochs = 5


class SearchedMLP(Pipeline):
    """Four ranges of an MLP on 10,000 digits: steps of a millisecond, as on tables."""

    data = TFDS("mnist", train="train[:10000]", validation=1000, test=None)
    model = MLP(
        units=(hp.Int(64, min=32, max=256, log=True), 64),
        dropout=hp.Float(0.2, min=0.0, max=0.5),
        batch_norm=hp.Bool(False),
    )
    optimizer = keras.optimizers.SGD(
        learning_rate=hp.Float(1e-2, min=1e-3, max=1e-1, log=True), momentum=0.9
    )
    batch_size = 32
    drop_remainder = True
    epochs = 40


def beside(options: argparse.Namespace) -> None:
    """Trials an hour of each contender, as ratios to the search by hand."""
    hours: dict[str, list[float]] = {}
    tried: dict[str, Any] = {}
    for number in range(options.rounds):
        for way in ("by hand", "--workers 1", "--workers 2"):
            with tempfile.TemporaryDirectory() as folder:
                found = measured(_command(way, options, folder))
                tried[way] = _tried(way, folder)
            hours.setdefault(way, []).append(options.trials * 3600 / found["seconds"])
            print(f"round {number + 1}  {way}: {hours[way][-1]:.1f} trials an hour", flush=True)
        _write(options, hours, tried)


def _write(options: argparse.Namespace, hours: dict[str, list[float]], tried: Any) -> None:
    """Write the figures so far, once it is seen that all have tried the same."""
    for way, values in tried.items():
        assert [v for v, _ in values] == [v for v, _ in tried["by hand"]], f"{way}: other trials"
    ratios = {
        way: [round(a / b, 3) for a, b in zip(figures, hours["by hand"], strict=True)]
        for way, figures in hours.items()
    }
    table = {
        "network": options.network,
        "trials": options.trials,
        "epochs": options.epochs,
        "trials_an_hour": {w: [round(f, 1) for f in figures] for w, figures in hours.items()},
        "ratio": ratios,
        "median_ratio": {way: statistics.median(figures) for way, figures in ratios.items()},
    }
    Path(options.out).write_text(json.dumps(table, indent=1) + "\n")


def _command(way: str, options: argparse.Namespace, folder: str) -> list[str]:
    trials, epochs, seed = str(options.trials), str(options.epochs), str(options.seed)
    if way == "by hand":
        script = "benchmarks/contender_keras_tuner.py"
        return [sys.executable, script, options.network, trials, epochs, seed, folder]
    wanted = ["--tuner", "random", "--trials", trials, "--seed", seed, *way.split()]
    file = FILE + {"cnn": "Searched", "mlp": "SearchedMLP"}[options.network]
    return [*TFPIPE, "search", file, f"epochs={epochs}", *wanted, "--root", folder]


def _tried(way: str, folder: str) -> list[tuple[list[Any], float]]:
    """The values of each trial, rounded, and its validation accuracy."""
    if way == "by hand":
        found = json.loads(Path(folder, "values.json").read_text())
    else:
        files = sorted(Path(folder).glob("searches/*/*/trials/*/trial.json"))
        records = [json.loads(file.read_text()) for file in files]
        found = [(record["values"], record["objective"]) for record in records]
    return [([_short(v) for v in values.values()], score) for values, score in found]


def _short(value: Any) -> Any:
    return float(f"{value:.10g}") if isinstance(value, float) else value


def kills(options: argparse.Namespace) -> None:
    """Kill a search at random moments, and count what is left of it."""
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--trials", "8", "--workers", str(options.workers), "--root", folder]
        words = ["search", FILE + "Searched", "epochs=3", "checkpoint_every=20", *wanted]
        kept: dict[str, str] = {}
        for number in range(options.kills):
            struck = _strike([*TFPIPE, *words], Path(folder), draw)
            now = _finished(Path(folder))
            lost = [name for name, text in kept.items() if now.get(name) != text]
            assert not lost, f"finished trials are not as they were: {lost}"
            kept = now
            print(f"kill {number + 1}: {struck}; finished: {sorted(kept)}", flush=True)
            words = ["search", "--resume", "--root", folder]
        subprocess.run([*TFPIPE, *words], check=True, stdout=subprocess.DEVNULL)
        _check(Path(folder), kept)


def _strike(command: list[str], folder: Path, draw: random.Random) -> str:
    """Kill a search some time after a trial has begun to train; what was running."""
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not _training_since(began, folder):
        time.sleep(0.05)
    time.sleep(draw.uniform(1, 90))
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1)  # for the trials to follow
    return ", ".join(sorted(f"trial {r['id']} {r['state']}" for r in _records(folder)))


def _training_since(moment: float, folder: Path) -> bool:
    """Whether a trial has said since then that it does something."""
    files = folder.glob("searches/*/*/trials/*/progress.json")
    return any(file.stat().st_mtime > moment for file in files)


def _records(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("searches/*/*/trials/*/trial.json"))
    return [json.loads(file.read_text()) for file in files]


def _finished(folder: Path) -> dict[str, str]:
    """The metrics of the finished trials, as their files have them."""
    (search,) = folder.glob("searches/*/*")
    ended = [r["id"] for r in _records(folder) if r["state"] == "finished"]
    return {one: (search / "trials" / one / "metrics.csv").read_text() for one in ended}


def _check(folder: Path, kept: dict[str, str]) -> None:
    """All trials once, each with its epochs once, in our records and in Keras Tuner's."""
    (search,) = folder.glob("searches/*/*")
    records, now = _records(folder), _finished(folder)
    assert sorted(now) == [f"{n:02d}" for n in range(8)], sorted(now)
    assert all(now[name] == text for name, text in kept.items())
    for name, text in now.items():
        epochs = [row["epoch"] for row in csv.DictReader(text.splitlines())]
        assert epochs == ["1", "2", "3"], f"trial {name}: {epochs}"
    assert len({json.dumps(r["values"]) for r in records}) == 8
    theirs = [json.loads(f.read_text()) for f in search.glob("tuner/trial_*/trial.json")]
    assert sorted(t["trial_id"] for t in theirs) == sorted(now)
    assert {t["status"] for t in theirs} == {"COMPLETED"}
    attempts = {r["id"]: r["attempts"] for r in records}
    print(f"8 trials, each trained once, none lost; attempts: {attempts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("beside", "kills"))
    parser.add_argument("--network", choices=("cnn", "mlp"), default="mlp")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="benchmarks/search.json")
    options = parser.parse_args()
    {"beside": beside, "kills": kills}[options.what](options)


if __name__ == "__main__":
    main()
