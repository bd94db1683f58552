"""Small problems to their declared ends: whole command and training alone, beside plain Keras.

    python -m benchmarks.small_problems [--data DATA] [--rounds 5] [--only boston,sine]

`tfpipe run` of the shipped pipelines and plain Keras scripts that do the same take turns; figures
are medians, written to benchmarks/small_problems.json. `DATA` holds Churn_Modelling.csv and
winequality-white.csv. Where training is stopped early, the two split the data at random and stop at
different epochs, so that seconds an epoch are what to compare. With early stopping or not, training
alone is from the beginning of training to its end, validation and all callbacks included.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.turns import ROOT, TFPIPE, in_turns, measured

PROBLEMS = ("boston", "churn", "wine", "digits", "sine", "circle")
FILES = {"churn": "Churn_Modelling.csv", "wine": "winequality-white.csv"}


def contender(problem: str, data: Path, way: str) -> dict[str, float]:
    """Seconds of the whole command and of training, and the milliseconds of an epoch."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stopwatch.json"
        if problem in FILES:
            (Path(folder) / "data").symlink_to(data.resolve())
        if way == "tfpipe":
            name = f"{ROOT}/benchmarks/contender_small_tfpipe.py::{problem.title()}"
            command = [*TFPIPE, "run", name, "--root", folder]
        else:
            script = f"{ROOT}/benchmarks/contender_small_keras.py"
            command = [sys.executable, script, problem, folder, *way.split()[1:]]
        environment = {"STOPWATCH_FILE": str(file), "PYTHONPATH": str(ROOT)}
        whole = measured(command, environment, Path(folder))["seconds"]
        found = json.loads(file.read_text())
    each = 1000 * found["training"] / found["epochs"]
    return {"whole": whole, "training": found["training"], "epochs": found["epochs"], "ms": each}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--data", type=Path, default=Path("data"))
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--only", default=",".join(PROBLEMS))
    given = words.parse_args()
    found = {}
    for problem in given.only.split(","):
        print(problem, flush=True)
        ways = ["tfpipe", "keras"]
        medians = in_turns(ways, partial(contender, problem, given.data), given.rounds)
        ratio = medians["keras"]["ms"] / medians["tfpipe"]["ms"]
        more = medians["tfpipe"]["whole"] - medians["keras"]["whole"]
        found[problem] = {**medians, "times as fast an epoch": ratio, "more seconds whole": more}
        print(json.dumps(found[problem], indent=1), flush=True)
    (ROOT / "benchmarks" / "small_problems.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
