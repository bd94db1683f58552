"""Killing a run at a moment, and all that has to be equal when it has been resumed."""

import csv
import json
from pathlib import Path
from typing import Any

import keras
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import tfpipe
from tfpipe import Pipeline
from tfpipe.training import checkpoint

TIMES = ("seconds", "examples_per_second", "input_wait")


class Killed(BaseException):
    """Stands for SIGKILL: nothing that comes after it in this process is done."""


class KillAt(keras.callbacks.Callback):
    """Ends a training at a moment: after a step of an epoch, or when it ends."""

    def __init__(self, epoch: int | None = None, step: int | None = None) -> None:
        super().__init__()
        self.epoch, self.step, self.now = epoch, step, -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.now, batch + 1) == (self.epoch, self.step):
            raise Killed

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch and self.step is None:
            raise Killed

    def on_train_end(self, logs: Any = None) -> None:
        if self.epoch is None:
            raise Killed


def run(pipeline: Pipeline, root: Path, *extra: Any) -> Any:
    return tfpipe.run(pipeline, root=root, export=False, quiet=True, extra=extra)


def killed(pipeline: Pipeline, root: Path, *extra: Any) -> Path:
    """Start a run that is killed; its directory."""
    with pytest.raises(Killed):
        run(pipeline, root, *extra)
    (directory,) = root.glob("runs/*/*")
    return directory


def resumed(pipeline: Pipeline, root: Path, *extra: Any) -> Any:
    return tfpipe.resume(pipeline=pipeline, root=root, export=False, quiet=True, extra=extra)


def outcome(directory: Path) -> dict[str, Any]:
    """All that has to be equal."""
    saved = checkpoint.latest(directory / "checkpoints")
    assert saved is not None
    with (directory / "metrics.csv").open(newline="") as file:
        rows = [{n: v for n, v in row.items() if n not in TIMES} for row in csv.DictReader(file)]
    best = keras.models.load_model(directory / "checkpoints" / "best.keras")
    status = json.loads((directory / "status.json").read_text())
    return {
        "position": (saved.state.epoch, saved.state.step, saved.state.stopped),
        "variables": [(v["group"], v["dtype"]) for v in saved.variables],
        "arrays": [a.tobytes() for a in saved.arrays],
        "callbacks": saved.state.callbacks,
        "metrics.csv": rows,
        "best.keras": [w.tobytes() for w in best.get_weights()],
        "tensorboard": curves(directory / "tensorboard"),
        "status": {k: status[k] for k in ("state", "epoch", "step")},
        "test": status["metrics"].get("test"),
    }


def curves(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Each curve's steps and values in the order in which they were written, but what is timed."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for file in sorted(folder.glob("*/*tfevents*"), key=written):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                points = found.setdefault(f"{file.parent.name}/{value.tag}", [])
                # The graph has the names of layers, which are counted on in a process.
                known = b"" if value.tag == "keras" else value.tensor.SerializeToString()
                points.append((event.step, known))
    timed = ("per_second", "input_wait")
    return {tag: points for tag, points in found.items() if not tag.endswith(timed)}


def written(file: Path) -> tuple[str, int, int]:
    """An event file's place among the others: the second, and TensorFlow's count within it."""
    words = file.name.split(".")
    return file.parent.name, int(words[3]), int(words[-2])


def weights(result: Any) -> list[bytes]:
    return [v.numpy().tobytes() for v in result.model.variables]


def assert_equal(directory: Path, wanted: dict[str, Any]) -> None:
    got = outcome(directory)
    assert [name for name in wanted if got[name] != wanted[name]] == []
    for tag, points in got["tensorboard"].items():
        steps = [step for step, _ in points]
        assert steps == sorted(set(steps)), tag  # no gap is hidden by a repeat
    leftovers = [p.name for p in directory.rglob(".*") if p.name != ".lock"]
    assert leftovers == []
