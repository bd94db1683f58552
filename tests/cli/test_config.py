"""`tfpipe config`: values and origins."""

import json
import re

import pytest

from tfpipe import config
from tfpipe.declare.loading import load

pytestmark = pytest.mark.usefixtures("job")


def test_every_field_has_its_value_and_origin(tfpipe):
    done = tfpipe("config", "job.py")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "job · Job"
    assert lines[1].split() == ["field", "value", "from"]
    rows = {line.split()[0]: line for line in lines[2:]}
    assert rows["data"].split() == ["data", "TFDS", "job.py:6"]
    assert rows["data.name"].split() == ["data.name", "'mnist'", "job.py:6"]
    assert rows["model.dropout"].endswith("hp.Float(0.2, min=0.0, max=0.5)  job.py:7")
    assert rows["epochs"].split() == ["epochs", "10", "default"]


def test_overrides_show_where_they_came_from(tfpipe):
    out = tfpipe("config", "job.py::Deep", "epochs=3", "model.dropout=0.1").out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["job.Deep"] == ["·", "Deep"]
    assert rows["epochs"] == ["3", "command", "line"]
    assert rows["model.dropout"] == ["0.1", "command", "line"]
    assert rows["model.units"] == ["(64,", "64)", "job.py:11"]


def test_json_gives_value_and_origin_by_dotted_name(tfpipe):
    done = tfpipe("config", "job.py", "epochs=3", "--json")
    found = json.loads(done.out)
    assert found["epochs"] == {"value": 3, "origin": "command line"}
    assert found["batch_size"] == {"value": 32, "origin": "default"}
    assert found["optimizer.learning_rate"] == {"value": 0.1, "origin": "job.py:8"}
    assert found["model.dropout"] == {
        "value": 0.2,
        "origin": "job.py:7",
        "range": {
            "part": "tfpipe.hp.Float",
            "value": 0.2,
            "min": 0.0,
            "max": 0.5,
            "step": None,
            "log": False,
        },
    }
    assert found["optimizer"]["value"] == {"call": "keras.optimizers.SGD", "learning_rate": 0.1}


def test_from_python_it_is_the_same(tfpipe):
    from_command = json.loads(tfpipe("config", "job.py", "epochs=3", "--json").out)
    assert config(load("job.py", ["epochs=3"])) == from_command


def test_the_shipped_pipelines_resolve(tfpipe, pytestconfig):
    for path in sorted((pytestconfig.rootpath / "pipelines").glob("*.py")):
        done = tfpipe("config", str(path), "--json")
        if done.code:  # it has several, none of which is the one to run
            assert " and none bears its name: choose one with " in done.err
            first = re.search(r"holds several pipelines \((\w+)", done.err)[1]
            done = tfpipe("config", f"{path}::{first}", "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["data"]["origin"].startswith(f"{path}:")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_file_is_needed(tfpipe, words):
    done = tfpipe("config", *words)
    assert done.code == 2
    assert "Missing argument 'FILE'" in done.err
