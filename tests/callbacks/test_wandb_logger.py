"""WandbLogger: a run in Weights & Biases, in one that is made here and in the real one, offline."""

import json
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from callbacks.wandb_logger import WandbLogger


class Wandb(ModuleType):
    """As much of wandb as is used, with what its runs were told."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.runs: list[Any] = []
        self.Settings = dict

    def init(self, **options: Any) -> Any:
        config: dict[str, Any] = {}
        run = SimpleNamespace(
            id=options["id"], options=options, values=config, logged=[], summary={}, artifacts=[]
        )
        run.config = SimpleNamespace(update=lambda new, allow_val_change: config.update(new))
        run.log = lambda values, step: run.logged.append((step, values))
        run.log_artifact = run.artifacts.append
        run.finish = lambda exit_code: setattr(run, "code", exit_code)
        self.runs.append(run)
        return run

    def Artifact(self, name: str, kind: str) -> Any:  # noqa: N802 (as wandb has it)
        artifact = SimpleNamespace(name=name, kind=kind, files=[])
        artifact.add_dir = artifact.add_file = artifact.files.append
        return artifact


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    fake = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def followed(directory: Path, losses: list[float], state: str = "finished", **options: Any) -> None:
    """Follow a run to its end."""
    (directory / "report").mkdir(parents=True, exist_ok=True)
    (directory / "report" / "report.html").write_text("a page")
    config = {"name": "job", "fields": {"epochs": {"value": len(losses)}}}
    (directory / "config.json").write_text(json.dumps(config))
    logger = WandbLogger(**options)
    logger.set_run(SimpleNamespace(directory=directory))
    logger.on_train_begin()
    for epoch, loss in enumerate(losses):
        logger.on_epoch_end(epoch, {"loss": loss})
    metrics = {"test": {"accuracy": 0.75}}
    logger.on_run_end({"state": state, "message": "", "metrics": metrics})


def test_what_wandb_is_told(wandb: Wandb, tmp_path: Path) -> None:
    folder = tmp_path / "job" / "1"
    followed(folder, [0.5, 0.25], report=True, group="nightly", entity="us", mode="offline")
    (run,) = wandb.runs
    told = {name: run.options[name] for name in ("project", "entity", "group", "name", "mode")}
    assert told == {
        "project": "job",
        "entity": "us",
        "group": "nightly",
        "name": "job/1",
        "mode": "offline",
    }
    assert run.options["dir"] == str(folder)
    assert run.values == {"epochs": 2}
    assert run.logged == [(1, {"epoch": 1, "loss": 0.5}), (2, {"epoch": 2, "loss": 0.25})]
    assert run.summary == {"test_accuracy": 0.75, "state": "finished", "message": ""}
    assert [(a.kind, a.files) for a in run.artifacts] == [("report", [str(folder / "report")])]
    assert run.code == 0


def test_a_resumed_run_is_the_same_one(wandb: Wandb, tmp_path: Path) -> None:
    folder = tmp_path / "job" / "1"
    followed(folder, [0.5], "interrupted", project="mine")
    followed(folder, [0.5, 0.25])
    first, second = wandb.runs
    assert first.code == 1
    assert (second.id, second.options["resume"]) == (first.id, "allow")
    assert second.options["project"] == "mine"
    assert second.logged == [(2, {"epoch": 2, "loss": 0.25})]
    assert second.values == {"epochs": 2}
    followed(tmp_path / "job" / "2", [0.5])
    assert wandb.runs[2].id != first.id


@pytest.mark.filterwarnings("ignore")  # wandb's own
def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    folder = tmp_path / "job" / "1"
    followed(folder, [0.5], "interrupted")
    followed(folder, [0.5, 0.25], report=True)
    number = json.loads((folder / "wandb.json").read_text())["id"]
    pattern = f"wandb/offline-run-*-{number}*/run-{number}.wandb"
    deadline = time.monotonic() + 20  # a process of wandb's own writes them
    while True:
        written = [file.read_bytes() for file in folder.glob(pattern)]
        whole = len(written) == 2 and all(b"test_accuracy" in run for run in written)
        if whole or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert [b"loss" in run for run in written] == [True, True]
    assert [b"test_accuracy" in run for run in written] == [True, True]
