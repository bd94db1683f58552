"""MLflowLogger: a run in MLflow, in one that is made here and in the real one's own store."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from callbacks.mlflow_logger import MLflowLogger

TRACKED = """
from small import Small
from tfpipe import deferred

class Tracked(Small):
    epochs = 1
    callbacks = (deferred("callbacks.mlflow_logger").MLflowLogger(report=True, model=True),)
"""


class Store(ModuleType):
    """As much of mlflow as is used, with its runs."""

    def __init__(self) -> None:
        super().__init__("mlflow")
        self.runs: dict[str, Any] = {}
        self.experiments: list[str] = []
        self.entities = SimpleNamespace(
            Metric=lambda *values: SimpleNamespace(**dict(zip("kvts", values, strict=True))),
            Param=lambda key, value: (key, value),
        )

    def MlflowClient(self, uri: str | None) -> "Client":  # noqa: N802 (as mlflow has it)
        return Client(self)


class Client:
    """A client of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get_experiment_by_name(self, name: str) -> Any:
        there = name in self.store.experiments
        return SimpleNamespace(experiment_id=name) if there else None

    def create_experiment(self, name: str) -> str:
        self.store.experiments.append(name)
        return name

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        number = str(len(self.store.runs))
        self.store.runs[number] = SimpleNamespace(
            name=run_name, params={}, metrics=[], tags=dict(tags), files=[], status="RUNNING"
        )
        return SimpleNamespace(info=SimpleNamespace(run_id=number))

    def get_run(self, run: str) -> Any:
        return SimpleNamespace(data=self.store.runs[run])

    def update_run(self, run: str, status: str) -> None:
        self.store.runs[run].status = status

    set_terminated = update_run

    def log_batch(self, run: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(params) <= 100
        self.store.runs[run].params.update(params)
        self.store.runs[run].metrics += [(m.k, m.v, m.s) for m in metrics]

    def log_metric(self, run: str, name: str, value: float) -> None:
        self.store.runs[run].metrics.append((name, value, 0))

    def set_tag(self, run: str, name: str, value: str) -> None:
        self.store.runs[run].tags[name] = value

    def log_artifacts(self, run: str, folder: str, place: str) -> None:
        assert Path(folder).is_dir()
        self.store.runs[run].files.append(place)

    def log_artifact(self, run: str, file: str, place: str) -> None:
        assert Path(file).is_file()
        self.store.runs[run].files.append(place)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setitem(sys.modules, "mlflow", store)
    return store


def followed(directory: Path, values: dict[str, Any], losses: list[float], **options: Any) -> None:
    """Follow a run with these fields to its end."""
    directory.mkdir(parents=True, exist_ok=True)
    fields = {name: {"value": value} for name, value in values.items()}
    (directory / "config.json").write_text(json.dumps({"name": "job", "fields": fields}))
    logger = MLflowLogger(**options)
    logger.set_run(SimpleNamespace(directory=directory))
    logger.on_train_begin()
    for epoch, loss in enumerate(losses):
        logger.on_epoch_end(epoch, {"loss": loss})
    metrics = {"test": {"accuracy": 0.75}}
    logger.on_run_end({"state": "interrupted", "message": "Stopped.", "metrics": metrics})


def test_what_mlflow_is_told(store: Store, tmp_path: Path) -> None:
    many = {f"field{i}": i for i in range(150)}
    followed(tmp_path / "job" / "1", many | {"long": "x" * 900}, [0.5, 0.25], tags={"team": "a"})
    (run,) = store.runs.values()
    assert (store.experiments, run.name, run.status) == (["job"], "job/1", "KILLED")
    assert (len(run.params), len(run.params["long"]), run.params["field7"]) == (151, 500, "7")
    assert run.metrics == [("loss", 0.5, 1), ("loss", 0.25, 2), ("test_accuracy", 0.75, 0)]
    assert run.tags == {"team": "a", "mlflow.note.content": "Stopped."}


def test_a_resumed_run_is_the_same_one_and_another_is_not(store: Store, tmp_path: Path) -> None:
    followed(tmp_path / "job" / "1", {"epochs": 1}, [0.5])
    followed(tmp_path / "job" / "1", {"epochs": 2}, [0.5, 0.25])
    (run,) = store.runs.values()
    assert [m for m in run.metrics if m[0] == "loss"] == [("loss", 0.5, 1), ("loss", 0.25, 2)]
    assert (run.params, run.tags["resumed.epochs"]) == ({"epochs": "1"}, "2")
    followed(tmp_path / "job" / "2", {"epochs": 1}, [0.5], experiment="job")
    assert (len(store.runs), store.experiments) == (2, ["job"])


def test_a_real_run_and_its_extension(
    tfpipe: Callable[..., Any], small: Path, store: Store
) -> None:
    file = small.with_name("tracked.py")
    file.write_text(TRACKED)
    assert tfpipe("check", file).code == 0
    assert store.runs == {}  # it is no run
    assert tfpipe("run", file).code == 0
    (run,) = store.runs.values()
    assert run.status == "FINISHED"
    assert run.files == ["report", "model"]
    assert {"loss", "val_accuracy", "test_accuracy"} <= {name for name, _, _ in run.metrics}
    assert run.params["batch_size"] == "16"
    answer = tfpipe("resume", "last", "epochs=2", "--no-export")
    assert answer.code == 0, answer.err
    assert len(store.runs) == 1
    assert [step for name, _, step in run.metrics if name == "loss"] == [1, 2]


def test_a_missing_package_is_an_error_before_training(
    tfpipe: Callable[..., Any], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MLflowLogger, "package", "no_such_mlflow")
    file = small.with_name("tracked.py")
    file.write_text(TRACKED)
    answer = tfpipe("check", file)
    assert answer.code == 2
    assert answer.err == (
        "Error: callbacks: MLflowLogger needs the package no_such_mlflow, which is not installed. "
        "Install it with: pip install 'tfpipe[mlflow]'\n"
    )


@pytest.mark.filterwarnings("ignore")  # mlflow's own, on its store of files
@pytest.mark.parametrize("kind", ["sqlite", "files"])
def test_mlflows_own_store(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    if kind == "sqlite":
        pytest.importorskip("sqlalchemy")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/ml.db" if kind == "sqlite" else f"file://{tmp_path}/mlruns"
    folder = tmp_path / "job" / "1"
    (folder / "report").mkdir(parents=True)
    (folder / "report" / "report.html").write_text("a page")
    followed(folder, {"epochs": 1}, [0.5], tracking_uri=uri)
    logger = MLflowLogger(tracking_uri=uri, report=True)
    logger.set_run(SimpleNamespace(directory=folder))
    logger.on_train_begin()
    logger.on_epoch_end(1, {"loss": 0.25})
    logger.on_run_end({"state": "finished", "metrics": {"test": {"accuracy": 0.75}}})
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("job").experiment_id])
    assert (run.info.status, run.data.params) == ("FINISHED", {"epochs": "1"})
    assert run.data.metrics["test_accuracy"] == 0.75
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 0.25)]
    artifacts = client.list_artifacts(run.info.run_id, "report")
    assert [a.path for a in artifacts] == ["report/report.html"]
