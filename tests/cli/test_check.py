"""`tfpipe check`: what a run would meet, found without training."""

import json
from pathlib import Path
from typing import Any


def test_check_reports_what_would_run(tfpipe: Any, small: Path) -> None:
    found = json.loads(tfpipe("check", small, "--json").out)
    assert found["parameters"] == 14531
    assert found["trainable_parameters"] == 14403
    assert found["splits"] == {"train": 76, "validation": 20, "test": 24}
    assert found["classes"] == ["dark", "grey", "bright"]
    assert found["steps_per_epoch"] == 5
    assert found["task"] == "classification"
    assert found["seconds_per_epoch"] > 0
    assert found["memory_bytes"] > 1e8
    assert not Path("runs").exists()


def test_check_is_readable(tfpipe: Any, small: Path) -> None:
    out = tfpipe("check", small).out
    assert "small can run" in out
    assert "task        classification, 3 classes: dark (25), grey (25), bright (26)" in out
    assert "parameters  14,531 (14,403 trainable)" in out
    assert f"tfpipe run {small}" in out


def test_check_works_on_generated_data(tfpipe: Any, small: Path) -> None:
    found = json.loads(tfpipe("check", small, "--sample", "100", "--json").out)
    assert found["splits"] == {"train": 64, "validation": 16, "test": 20}
    assert found["classes"] == ["dark", "grey", "bright"]
    assert "Generated data stood in" in found["notes"][0]


def test_check_finds_a_callback_that_watches_nothing(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("check", small, "callbacks=(EarlyStopping(monitor='val_acc'),)")
    assert answer.code == 2
    assert "EarlyStopping watches 'val_acc', which is not measured" in answer.err


def test_check_finds_a_loss_that_is_not_a_number(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("check", small, "model=MLP(units=())", "optimizer.learning_rate=1e38")
    assert answer.code == 2
    assert "the learning rate is far too high" in answer.err


SHUFFLED = """
import numpy as np
import tensorflow as tf
from tfpipe import Pipeline
from tfpipe.models import MLP


class Shuffled(Pipeline):
    model = MLP(units=(4,))

    def input_fn(self, split):
        x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        pairs = tf.data.Dataset.from_tensor_slices((x, (x[:, 0] > 0).astype("int64")))
        return pairs.shuffle(64).batch(16)
"""


def test_an_own_input_may_shuffle_without_a_seed(tfpipe, tmp_path):
    file = tmp_path / "shuffled.py"
    file.write_text(SHUFFLED)
    answer = tfpipe("check", file)
    assert answer.code == 0, answer.err
    assert "64 train" in answer.out
