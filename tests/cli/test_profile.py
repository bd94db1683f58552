"""`tfpipe profile`: where the time of a training step goes, and what is left behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from tfpipe.text import milliseconds
from tfpipe.verbs.tensorboard import boards_of

PIPELINES = """
import time
import keras
import numpy as np
import tensorflow as tf
import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays


class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.05)


def rows(size=320):
    x = np.random.default_rng(0).normal(size=(size, 64)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


class Wide(Pipeline):
    data = Arrays(lambda: rows(3200), validation=0.2)

    def build_model(self):
        layers = [
            keras.layers.Dense(8, name="narrow"),
            keras.layers.Dense(1024, activation="relu", name="wide"),
            keras.layers.Dense(256, name="after"),
            keras.layers.Dense(1, name="logits"),
        ]
        return keras.Sequential([keras.Input((64,)), *layers])


class Calling(Pipeline):
    data = Arrays(lambda: rows(3200))
    callbacks = (
        tfpipe.deferred("slow.Slow")(),
        tfpipe.keras.callbacks.CSVLogger("mine.csv"),
        tfpipe.keras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=100),
    )

    def build_model(self):
        return keras.Sequential([keras.Input((64,)), keras.layers.Dense(1)])


class Waiting(Calling):
    data = None
    callbacks = ()

    def input_fn(self, split):
        if split != "train":
            return None

        def wait(x):
            time.sleep(0.001)
            return x

        def slow(x, y):
            return tf.ensure_shape(tf.numpy_function(wait, [x], tf.float32), (64,)), y

        return tf.data.Dataset.from_tensor_slices(rows(160)).map(slow).batch(16)
"""

KEYS = {
    "name",
    "device",
    "precision",
    "batch_size",
    "steps_per_epoch",
    "turns",
    "steps_in_a_call",
    "step_ms",
    "parts",
    "input_alone_ms",
    "step_in_memory_ms",
    "step_beside_input_ms",
    "callbacks",
    "operations",
    "operations_a_step",
    "layers",
    "gflop_a_step",
    "gflop_a_second",
    "limit_gflop_a_second",
    "share_of_limit",
    "tried",
    "advice",
    "notes",
    "folder",
    "trace",
}


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(PIPELINES)
    return tmp_path / "slow.py"


def profiled(tfpipe: Any, *words: Any) -> dict[str, Any]:
    answer = tfpipe("profile", *words, "--json", "--seconds", "0.1")
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    assert sum(part["share"] for part in found["parts"]) == pytest.approx(1)
    assert sum(part["ms"] for part in found["parts"]) == pytest.approx(found["step_ms"])
    return found


def largest(found: dict[str, Any]) -> str:
    return str(max(found["parts"], key=lambda part: part["ms"])["part"])


def test_a_wide_layer_is_named_first_and_all_is_in_json(tfpipe: Any, slow: Path) -> None:
    found = profiled(tfpipe, f"{slow}::Wide", "steps_per_execution=1")
    assert set(found) == KEYS
    assert found["operations"][0]["layer"] in ("wide", "after")
    assert next(iter(found["layers"])) in ("wide", "after")
    assert len(found["operations"]) == 10
    layers = {(o["layer"], o["part"]) for o in found["operations"]}
    assert {("after", "forward"), ("after", "backward")} <= layers
    multiplications = 2 * 64 * 8 + 3 * (8 * 1024 + 1024 * 256 + 256)
    assert found["gflop_a_step"] == pytest.approx(2 * 32 * multiplications / 1e9)
    assert 0 < found["share_of_limit"] < 1
    assert found["steps_in_a_call"] == 1
    assert [part["part"] for part in found["parts"]] == [
        "input",
        "call",
        "forward",
        "backward",
        "update",
        "callbacks",
        "validation",
        "epoch",
        "not explained",
    ]
    changes = [one["change"] for one in found["tried"]]
    assert "batch_size=64" in changes
    assert {"change", "before", "after", "factor", "remark"} == set(found["tried"][0])

    (folder,) = Path("runs/slow.Wide").iterdir()
    assert found["folder"] == str(folder)
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {name.split(".")[0] for name in files} == {
        "profile",
        "events",
        Path(found["trace"]).name.split(".")[0],
    }
    assert json.loads((folder / "profile.json").read_text()) == found
    name = f"slow.Wide/{folder.name}"
    for references in ((), ("slow.W",), (name,), (str(folder),)):
        boards = boards_of(Path(), references)()
        assert {n: p.resolve() for n, p in boards.items()} == {
            name: (folder / "tensorboard").resolve()
        }
    assert tfpipe("runs", "show", "last").err.startswith("Error: There are no runs in runs.")


def test_a_slow_callback_is_named(tfpipe: Any, slow: Path) -> None:
    words = (f"{slow}::Calling", "--sample", "3200", "--seconds", "0.1", "--to", "there")
    answer = tfpipe("profile", *words)
    assert answer.code == 0, answer.err
    found = json.loads(Path("there/profile.json").read_text())
    assert largest(found) == "callbacks"
    assert next(iter(found["callbacks"])) == "Slow"
    assert found["callbacks"]["Slow"] > 50
    (without,) = [one for one in found["tried"] if one["change"].startswith("without Slow, ")]
    assert without["factor"] > 2
    lines = answer.out.splitlines()
    assert lines[0] == f"slow.Calling: a step of 32 examples takes {milliseconds(found['step_ms'])}"
    assert any(line.startswith("Generated data stood in for Arrays") for line in lines)
    assert any(line.startswith("callbacks") and "█" in line for line in lines)
    assert any(
        line.startswith("Callbacks take ") and ", the most Slow: 5" in line for line in lines
    )
    assert lines[-3].startswith("  tfpipe tensorboard there ")
    assert not Path("mine.csv").exists()  # which the callback would write in a run
    assert not list(Path("runs").iterdir())


def test_a_slow_input_is_named(tfpipe: Any, slow: Path) -> None:
    found = profiled(tfpipe, f"{slow}::Waiting")
    assert largest(found) == "input"
    assert found["input_alone_ms"] > 16
    assert any(text.startswith("Training waits for its input ") for text in found["advice"])


def test_what_cannot_be_profiled(tfpipe: Any, slow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = tfpipe("profile", f"{slow}::Wide", "batch_size=100000")
    assert answer.code == 2
    assert not list(Path("runs").iterdir())
    cluster = {"worker": ["localhost:2222", "localhost:2223"]}
    config = {"cluster": cluster, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    answer = tfpipe("profile", slow)
    assert answer.code == 2
    assert answer.err == (
        "Error: A profile is of one process, and the environment says that this is one of several "
        "workers: unset TF_CONFIG, or call it outside of the cluster's job.\n"
    )
