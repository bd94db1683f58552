"""`tfpipe compare-models` as a person meets it: words, exit codes, JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

FILE = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.models import Application


def images():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.integers(0, 80, (90, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


class Tiny(Pipeline):
    data = Arrays(images, validation=0.2, test=None)
    model = Application("MobileNet", weights=None, size=(32, 32), alpha=0.25)
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    batch_size = 8
    epochs = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.py"
    file.write_text(FILE)
    return file


def test_networks_are_compared_and_told_to_programs(tfpipe: Any, file: Path) -> None:
    answer = tfpipe("compare-models", file, "--models", "MobileNet,VGG16", "epochs=1", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["state"] == "finished"
    assert {row["network"] for row in found["networks"]} == {"MobileNet", "VGG16"}
    assert [trial["state"] for trial in found["trials"]] == ["finished", "finished"]


REFUSED = {
    (): "Name the file of a pipeline, or go on with --resume.",
    ("tiny.py", "--retry-failed"): "--retry-failed goes with --resume.",
    ("tiny.py", "--resume", "last"): "--resume goes on with what was asked when the comparison "
    "began: leave out FILE.",
    ("--resume", "last", "--models", "VGG16"): "leave out --models.",
    ("--resume", "--through-base"): "leave out --through-base.",
    ("--resume", "last", "--sample"): "leave out --sample.",
    ("--resume",): "There are no searches in searches. Start one with tfpipe search FILE.",
    ("tiny.py", "--models", "MobileNet2"): "keras.applications has no network 'MobileNet2'. Did "
    "you mean 'MobileNetV2'",
    ("tiny.py", "--data-fraction", "7"): "--data-fraction 7 is no share of the training data.",
    ("tiny.py", "epoch=3"): "Tiny has no field 'epoch'. Did you mean 'epochs'?",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_mistakes_are_said(tfpipe: Any, file: Path, words: tuple[str, ...]) -> None:
    answer = tfpipe("compare-models", *words)
    assert (answer.code, answer.out) == (2, "")
    assert REFUSED[words] in answer.err
    assert not Path("searches").exists()
