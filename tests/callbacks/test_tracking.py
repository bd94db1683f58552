"""Trackers: what they are told of a run and when, by a tracker that writes all of it down."""

import json
import logging
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callbacks.tracking import Tracking, as_text, parameters

CONFIG = {
    "name": "job",
    "fields": {
        "epochs": {"value": 3},
        "model": {"value": {"part": "tfpipe.models.MLP", "units": [8]}},
        "model.units": {"value": [8]},
        "augment": {"value": [{"part": "flip", "vertical": False}]},
        "augment.0.vertical": {"value": False},
        "augment.0": {"value": {"part": "flip", "vertical": False}},
    },
}


class Diary(Tracking):
    """Writes down what it is told."""

    package = "json"
    extra = "diary"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.told: list[Any] = []
        self.away = False

    def begin(self, name: str, config: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        self.told.append(("begin", name, parameters(config), known))
        return known or {"id": "7"}

    def log(self, metrics: dict[str, float], epoch: int) -> None:
        if self.away:
            raise OSError("no route to host")
        self.told.append((epoch, metrics))

    def hand_over(self, kind: str, path: Path) -> None:
        self.told.append((kind, path.name))

    def end(self, state: str, message: str, metrics: dict[str, float]) -> None:
        self.told.append((state, message, metrics))


@pytest.fixture
def run(tmp_path: Path) -> Any:
    directory = tmp_path / "runs" / "job" / "20261120-101502"
    (directory / "report").mkdir(parents=True)
    (directory / "checkpoints").mkdir()
    (directory / "checkpoints" / "best.keras").touch()
    (directory / "config.json").write_text(json.dumps(CONFIG))
    return SimpleNamespace(directory=directory)


def begun(run: Any, **options: Any) -> Diary:
    diary = Diary(**options)
    diary.set_run(run)
    diary.on_train_begin()
    return diary


def status(state: str = "finished", **more: Any) -> dict[str, Any]:
    metrics = {"train": {"loss": 0.5}, "test": {"loss": 0.25}}
    return {"state": state, "metrics": metrics, "message": "", **more}


def test_a_tracker_is_told_of_parameters_metrics_and_the_end(run: Any) -> None:
    diary = begun(run)
    diary.on_epoch_end(0, {"loss": 1, "val_loss": 2.0})
    diary.on_run_end(status(message="As expected."))
    inner = {"epochs": 3, "model.units": [8], "augment.0.vertical": False}
    assert diary.told == [
        ("begin", "job/20261120-101502", inner, {}),
        (1, {"loss": 1.0, "val_loss": 2.0}),
        ("finished", "As expected.", {"test_loss": 0.25}),
    ]
    diary.on_run_end(status("failed"))  # it has ended
    assert len(diary.told) == 3


def test_a_resumed_run_goes_on_and_tells_no_epoch_twice(run: Any) -> None:
    first = begun(run)
    for epoch in range(2):
        first.on_epoch_end(epoch, {"loss": 1.0})
    again = begun(run)
    again.on_epoch_end(1, {"loss": 1.0})  # its state was lost
    again.on_epoch_end(2, {"loss": 0.5})
    assert [told[0] for told in again.told] == ["begin", 3]
    assert again.told[0][-1] == {"id": "7"}
    assert json.loads((run.directory / "diary.json").read_text()) == {"id": "7", "epoch": 3}


def test_what_could_not_be_told_is_told_later(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    diary = begun(run)
    diary.away = True
    with caplog.at_level(logging.WARNING, "tfpipe"):
        diary.on_epoch_end(0, {"loss": 1.0})
        diary.on_epoch_end(1, {"loss": 0.5})
    assert [record.getMessage() for record in caplog.records] == [
        "Diary: epoch 1 could not be told yet (no route to host).",
        "Diary: epoch 1, 2 could not be told yet (no route to host).",
    ]
    diary.away = False
    diary.on_epoch_end(2, {"loss": 0.25})
    assert [told[0] for told in diary.told[1:]] == [1, 2, 3]


def test_an_end_that_cannot_be_told_is_a_note(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    diary = begun(run)
    diary.end = None  # type: ignore[assignment,method-assign]
    with caplog.at_level(logging.WARNING, "tfpipe"):
        diary.on_run_end(status())
    assert caplog.records[0].getMessage().startswith("Diary: the end of the run could not be told")


def test_report_and_model_are_handed_over_when_asked(run: Any) -> None:
    diary = begun(run, report=True, model=True)
    diary.on_run_end(status())
    assert diary.told[1:3] == [("report", "report"), ("model", "best.keras")]
    diary = begun(run, model=True)
    (run.directory / "2").mkdir()
    diary.on_run_end(status(exports=[str(run.directory / "1"), str(run.directory / "2")]))
    assert diary.told[1] == ("model", "2")
    diary = begun(run, report=True)
    diary.on_run_end(status("failed"))
    assert diary.told[1][0] == "failed"
    shutil.rmtree(run.directory / "report")
    diary = begun(run, report=True)
    diary.on_run_end(status())
    assert diary.told[1][0] == "finished"


def test_without_a_run_there_is_nothing_to_tell() -> None:
    with pytest.raises(ValueError, match=r"^Diary does not know its run, which tfpipe gives it"):
        Diary().on_train_begin()
    diary = Diary()
    diary.on_run_end(status("failed"))  # it failed before training began
    assert diary.told == []


def test_a_missing_package_is_named_with_what_installs_it(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Diary, "package", "no_such_diary")
    with pytest.raises(ImportError) as missing:
        Diary().set_run(run)
    assert str(missing.value) == (
        "Diary needs the package no_such_diary, which is not installed. Install it with: pip "
        "install 'tfpipe[diary]'"
    )
    (run.directory / "broken_diary.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(run.directory)
    monkeypatch.setattr(Diary, "package", "broken_diary")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Diary().set_run(run)
    sys.modules.pop("broken_diary", None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "adam"),
        (None, "null"),
        ([8, 8], "[8, 8]"),
        ({"function": "job:images"}, "job:images"),
        ({"part": "flip"}, '{"part": "flip"}'),
    ],
)
def test_parameters_as_texts(value: Any, text: str) -> None:
    assert as_text(value) == text
