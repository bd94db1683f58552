"""A pipeline file for the verbs that only read it."""

import sys

import pytest

JOB = """\
from tfpipe import Pipeline, hp, keras
from tfpipe.data import TFDS
from tfpipe.models import MLP

class Job(Pipeline):
    data = TFDS("mnist")
    model = MLP(dropout=hp.Float(0.2, min=0.0, max=0.5))
    optimizer = keras.optimizers.SGD(0.1)

class Deep(Job):
    model = MLP(units=(64, 64))
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """`job.py`, with two pipelines, in the folder in which `tfpipe` is called."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    file = tmp_path / "job.py"
    file.write_text(JOB)
    return file
