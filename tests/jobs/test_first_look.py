"""`--sample` alone trains few epochs, which is said, written down, and gone on from."""

import json
from pathlib import Path
from typing import Any

import pytest

from tfpipe import FineTune, Phase, Pipeline
from tfpipe.data import Arrays
from tfpipe.declare.loading import from_instance, load
from tfpipe.jobs.first_look import SOURCE, for_first_look
from tfpipe.models import MLP

LONG = """
from tfpipe import Pipeline
from tfpipe.data import Sklearn
from tfpipe.models import MLP


class Digits(Pipeline):
    data = Sklearn("digits", validation=0.1, test=0.1)
    model = MLP(units=(8,))
    epochs = 40
"""


class Job(Pipeline):
    data = Arrays(lambda: None)
    model = MLP()
    epochs = 40


class Phased(Job):
    epochs = 21
    fine_tune = FineTune(phases=(Phase(1), Phase(20, unfreeze="all")))


class PhasesAlone(Pipeline):
    data, model, fine_tune = Job.data, MLP(), Phased.fine_tune


@pytest.mark.parametrize(
    ("pipeline", "sample", "texts"),
    [
        (Job, True, ("epochs=3",)),
        (Job, 400, ()),
        (Job, None, ()),
        (Phased, True, ("fine_tune.phases.1.epochs=2", "epochs=3")),
        (PhasesAlone, True, ("fine_tune.phases.1.epochs=2",)),
    ],
)
def test_what_is_set(pipeline: Any, sample: Any, texts: tuple[str, ...]) -> None:
    looked = for_first_look(from_instance(pipeline()), sample)
    assert looked.overrides == texts
    assert looked.sources == dict.fromkeys(texts, SOURCE)


def test_what_a_person_says_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "digits.py"
    file.write_text(LONG)
    for words in (("epochs=7",), ("epochs = 50",)):
        assert for_first_look(load(str(file), words), True).overrides == words
    in_python = from_instance(Job(epochs=9))
    assert for_first_look(in_python, True) is in_python


def test_a_first_look_is_said_and_gone_on_from(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits.py").write_text(LONG)
    answer = tfpipe("run", "digits.py", "--sample", "--no-export")
    assert answer.code == 0, answer.err
    assert (
        "Generated data stood in for digits, for fewer epochs than the 40 that are declared: these "
        "numbers say nothing about the real data set."
    ) in answer.out
    (run,) = Path("runs/digits").iterdir()
    config = json.loads((run / "config.json").read_text())
    assert (config["overrides"], config["sources"]) == (["epochs=3"], {"epochs=3": SOURCE})
    assert config["fields"]["epochs"] == {"value": 3, "origin": SOURCE}
    assert json.loads((run / "status.json").read_text())["epoch"] == 3
    again = tfpipe("resume", "last", "epochs=4", "--no-export")
    assert again.code == 0, again.err
    assert json.loads((run / "status.json").read_text())["epoch"] == 4
