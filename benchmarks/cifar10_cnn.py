"""tfpipe beside plain Keras on CIFAR-10: speed, start, memory, all in one run, as ratios.

    python benchmarks/cifar10_cnn.py            about a quarter of an hour on two cores

It needs CIFAR-10 prepared for TensorFlow Datasets (or a network), and SciPy for the published way
(`pip install scipy`). The contenders take turns, round by round, each in a process of its own, so
that a machine whose speed drifts is fair to all; medians are compared. "bare" is without
augmentation, where only the training loops differ. The figures are printed and written to
benchmarks/cifar10_cnn.json.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROUNDS = 3
TFPIPE = [sys.executable, "-m", "tfpipe"]


def measured(command: list[str], environment: dict[str, str] | None = None) -> dict[str, float]:
    """Wall-clock start and seconds, and peak memory, of a command that must succeed."""
    started = time.time()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{errors.decode()[-2000:]}")
    seconds = time.time() - started
    return {"started": started, "seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024}


def trained(way: str, split: str, epochs: int, steps: int | None = None) -> dict[str, float]:
    """Images a second after the first epoch, seconds to the first step, and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        if way.startswith("tfpipe"):
            command = [*TFPIPE, "run", "benchmarks/contender_tfpipe.py", "--root", folder]
            command += [f"epochs={epochs}", f"data.train={split}", "data.validation=none"]
            command += [f"steps_per_epoch={steps}"] if steps else []
            command += ["augment=()"] if way == "tfpipe-bare" else []
        else:
            command = [sys.executable, "benchmarks/contender_plain.py", way, split, str(epochs)]
            command += [str(steps)] if steps else []
        process = measured(command, {"STOPWATCH_FILE": str(figures)})
        timed = json.loads(figures.read_text())
    later = timed["epochs"][1:] or timed["epochs"]
    return {
        "images_per_second": statistics.median(count * 32 / spent for spent, count in later),
        "seconds_to_first_step": timed["first_step"] - process["started"],
        "peak_bytes": process["peak_bytes"],
    }


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}


def in_turns(ways: list[str], split: str, epochs: int, steps: int | None) -> dict[str, Any]:
    """The medians of each contender, which take turns."""
    rounds: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        for way in ways:
            rounds[way].append(trained(way, split, epochs, steps))
            print(f"  round {number + 1}: {way}", flush=True)
    return {way: medians(found) for way, found in rounds.items()}


def start_up(command: list[str]) -> float:
    """The median seconds of ten calls, after one that is not counted."""
    return statistics.median([measured(command)["seconds"] for _ in range(11)][1:])


def main() -> None:
    """Measure, print, write."""
    print("speed: three epochs on 10,000 images")
    ways = ["tfpipe", "tf.data", "generator", "tfpipe-bare", "tf.data-bare"]
    speed = in_turns(ways, "train[:20%]", 3, None)
    print("start and memory: 300 steps with all 50,000 images loaded")
    full = in_turns(["tfpipe", "tf.data"], "train", 1, 300)
    rate = {way: figures["images_per_second"] for way, figures in speed.items()}
    first = {way: figures["seconds_to_first_step"] for way, figures in full.items()}
    peak = {way: figures["peak_bytes"] / 1e6 for way, figures in full.items()}
    results = {
        "images_per_second": rate,
        "images_per_second_over_tf_data": rate["tfpipe"] / rate["tf.data"],
        "images_per_second_over_tf_data_unaugmented": rate["tfpipe-bare"] / rate["tf.data-bare"],
        "images_per_second_over_generator": rate["tfpipe"] / rate["generator"],
        "seconds_to_first_step": first,
        "seconds_to_first_step_more_than_tf_data": first["tfpipe"] - first["tf.data"],
        "peak_megabytes": peak,
        "peak_megabytes_more_than_tf_data": peak["tfpipe"] - peak["tf.data"],
        "help_seconds": start_up([*TFPIPE, "--help"]),
        "config_seconds": start_up([*TFPIPE, "config", "pipelines/cifar10_cnn.py"]),
    }
    print(json.dumps(results, indent=2))
    (ROOT / "benchmarks" / "cifar10_cnn.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
