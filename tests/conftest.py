"""What many tests share: a small pipeline file, and the command line in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tfpipe.cli.main import main

SMALL = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays, augment
from tfpipe.models import CNN_2_4_6, MLP


def images():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.integers(0, 80, (120, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


class Small(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2, classes=("dark", "grey", "bright"))
    augment = (augment.flip(),)
    model = CNN_2_4_6(convs=2, dropout=0.2, batch_norm=True, units=8)
    optimizer = keras.optimizers.SGD(learning_rate=0.01)
    batch_size = 16
    epochs = 2
"""


@dataclass(frozen=True)
class Answer:
    """What a call of the command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A pipeline file that trains in a second."""
    file = tmp_path / "small.py"
    file.write_text(SMALL)
    return file


@pytest.fixture
def tfpipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Calls `tfpipe` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*words: Any) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        return Answer(int(stop.value.code or 0), out, err)

    return call
