"""Small problems step by step and many steps in a call: everything that is saved has the same bits.

    python -m benchmarks.grouping [--data DATA] [--epochs 60]

Each of the pipelines of small_problems.py is trained with steps_per_execution=1, "auto" and 7, as
far as it is declared but for the epochs, and the last states, the best models and the rows of
metrics.csv without their times are compared.
"""

import argparse
import csv
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras

import benchmarks.contender_small_tfpipe as problems
import tfpipe
from tfpipe.training import checkpoint

TIMES = ("seconds", "examples_per_second", "input_wait")


def outcome(directory: Path) -> dict[str, Any]:
    """What training left."""
    saved = checkpoint.latest(directory / "checkpoints")
    assert saved is not None
    with (directory / "metrics.csv").open(newline="") as file:
        rows = [{n: v for n, v in row.items() if n not in TIMES} for row in csv.DictReader(file)]
    best = keras.models.load_model(directory / "checkpoints" / "best.keras")
    weights = [weight.tobytes() for weight in best.get_weights()]
    return {"state": [a.tobytes() for a in saved.arrays], "best model": weights, "rows": rows}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--data", type=Path, default=Path("data"))
    words.add_argument("--epochs", type=int, default=60)
    given = words.parse_args()
    data, different = given.data.resolve(), 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("data").symlink_to(data)
        os.environ["STOPWATCH_FILE"] = f"{folder}/stopwatch.json"
        for name in ("Boston", "Churn", "Wine", "Digits", "Circle", "Sine"):
            pipeline = getattr(problems, name)
            found = []
            for steps in (1, "auto", 7):
                job = pipeline(steps_per_execution=steps)
                job = job.replace(epochs=min(given.epochs, job.epochs))
                run = tfpipe.run(job, root=f"{name}-{steps}", export=False, quiet=True)
                found.append(outcome(run.directory))
            wrong = [
                f"{part} of {steps}"
                for steps, other in zip(("auto", 7), found[1:], strict=True)
                for part in other
                if other[part] != found[0][part]
            ]
            different += len(wrong)
            print(f"{name}: {len(found[0]['rows'])} epochs, {', '.join(wrong) or 'the same bits'}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
