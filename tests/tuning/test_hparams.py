"""TensorBoard's HParams page, asked as a browser asks it."""

import json
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from searches import DROPOUT, RATE, made, trial
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from tfpipe.runs import hparams
from tfpipe.runs.directory import RunDirectory, run_at
from tfpipe.runs.hparams import session_ended, session_started
from tfpipe.training.callbacks.tensorboard import boards_of, remove_events_after
from tfpipe.tuning.hparams import write_config
from tfpipe.tuning.store import Search

CONDITIONAL = "optimizer=hp.Choice(keras.optimizers.SGD(0.1), values=(keras.optimizers.SGD(0.1), "
CONDITIONAL += "keras.optimizers.Adam(hp.Float(0.01, min=0.001, max=0.1, log=True))))"
WORDS = (
    "model.batch_norm=hp.Bool(True)",
    "model.convs=hp.Choice(2, values=(2, 4))",
    "batch_size=hp.Int(16, min=8, max=64, step=8)",
    CONDITIONAL,
)


class Page:
    """The HParams page of a folder."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from what TensorBoard imports
            from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin
        there = plugin_event_multiplexer.EventMultiplexer()
        there.AddRunsFromDirectory(str(folder))
        there.Reload()
        provider = data_provider.MultiplexerDataProvider(there, str(folder))
        plugin = HParamsPlugin(TBContext(data_provider=provider, logdir=str(folder)))
        self._answer = plugin.get_plugin_apps()

    def ask(self, route: str, **asked: Any) -> Any:
        """What a route says."""
        answer = Client(self._answer[route]).post(route, json=asked)
        assert answer.status_code == 200
        return json.loads(answer.data)

    def sessions(self) -> dict[str, Any]:
        """The rows of the table, by the trials' names."""
        states = [f"STATUS_{s}" for s in ("SUCCESS", "FAILURE", "RUNNING", "UNKNOWN")]
        asked = {"allowedStatuses": states, "sliceSize": 100, "colParams": []}
        groups = self.ask("/session_groups", startIndex=0, **asked)["sessionGroups"]
        assert len({group["name"] for group in groups}) == len(groups)
        return {group["name"]: group for group in groups}


def board(search: Search, number: str) -> Path:
    """The tensorboard/ folder of a trial's run."""
    return run_at(search.folder(number)).tensorboard


def events(folder: Path) -> list[str]:
    """What is in a folder, without the moments in the names."""
    return sorted(path.name.partition(".hparams.")[2] or path.name for path in folder.iterdir())


def test_the_ranges_and_the_metrics_of_a_search(small: Path) -> None:
    metrics = {"val_accuracy": 0.5, "val_auc": 0.5, "loss": 1.0, "learning_rate": 0.1}
    search = made(small, trial("00", 0.5, metrics=metrics), words=WORDS)
    write_config(search)
    found = Page(search.directory.path).ask("/experiment")
    ranges = {
        info["name"]: (info["type"], info.get("domainInterval") or info["domainDiscrete"])
        for info in found["hparamInfos"]
        if info["differs"]
    }
    assert ranges == {
        DROPOUT: ("DATA_TYPE_FLOAT64", {"minValue": 0.0, "maxValue": 0.5}),
        "model.batch_norm": ("DATA_TYPE_BOOL", [False, True]),
        "model.convs": ("DATA_TYPE_FLOAT64", [2.0, 4.0]),
        "batch_size": ("DATA_TYPE_FLOAT64", {"minValue": 8.0, "maxValue": 64.0}),
        "optimizer": ("DATA_TYPE_STRING", ["Adam", "SGD"]),
        "optimizer[Adam].learning_rate": (
            "DATA_TYPE_FLOAT64",
            {"minValue": 0.001, "maxValue": 0.1},
        ),
    }
    metrics_shown = [
        (info["displayName"], info["name"]["group"], info["name"]["tag"], info["datasetType"])
        for info in found["metricInfos"]
    ]
    assert metrics_shown == [
        ("val_accuracy", "validation", "epoch_accuracy", "DATASET_VALIDATION"),
        ("val_loss", "validation", "epoch_loss", "DATASET_VALIDATION"),
        ("loss", "train", "epoch_loss", "DATASET_TRAINING"),
        ("val_auc", "validation", "epoch_auc", "DATASET_VALIDATION"),
    ]
    assert (found["name"], found["timeCreatedSecs"]) == (search.name, search.began)


def test_the_ranges_are_written_again_only_when_something_is_new(small: Path) -> None:
    search = made(small)
    folder = search.directory.tensorboard
    write_config(search)
    [before] = folder.iterdir()
    write_config(search)
    assert list(folder.iterdir()) == [before]
    new = trial("00", 0.5, metrics={"val_accuracy": 0.5, "val_auc": 0.5})
    new.write(search.folder("00"))
    write_config(search)
    [after] = folder.iterdir()
    assert after.name > before.name, "a TensorBoard that is open reads on, never back"
    assert events(folder) == ["0.experiment"]


def test_trials_with_their_values_metrics_and_states(small: Path) -> None:
    """Two trials train as a run does; of the others nothing but the values is known."""
    search = made(small, words=WORDS)
    sgd = {DROPOUT: 0.1, "model.convs": 2, "model.batch_norm": False, "optimizer": "SGD"}
    adam = {**sgd, "optimizer": "Adam", "optimizer[Adam].learning_rate": 0.012345678912345}
    ends = {"00": (sgd, True), "01": (adam, True), "02": (adam, False), "03": (sgd, None)}
    histories = {}
    for number, (values, ok) in ends.items():
        session_started(board(search, number), values, number)
        if number in ("00", "01"):
            histories[number] = fit(board(search, number))
        if ok is not None:
            session_ended(board(search, number), ok)
    write_config(search)
    shown = Page(search.directory.path).sessions()
    assert set(shown) == set(ends)
    for number, (values, ok) in ends.items():
        assert shown[number]["hparams"] == values
        [session] = shown[number]["sessions"]
        assert session["name"] == f"trials/{number}/tensorboard"
        state = {True: "SUCCESS", False: "FAILURE", None: "UNKNOWN"}[ok]
        assert session["status"] == f"STATUS_{state}"
        assert session["startTimeSecs"] <= (session["endTimeSecs"] or float("inf"))
        measured = {
            (metric["name"]["group"], metric["name"]["tag"]): metric["value"]
            for metric in session["metricValues"]
        }
        last = {name: values[-1] for name, values in histories.get(number, {}).items()}
        assert measured == pytest.approx(
            {
                ("validation" if name.startswith("val_") else "train", f"epoch_{plain}"): value
                for name, value in last.items()
                for plain in [name.removeprefix("val_")]
            }
        )
        assert len(measured) == (2 if number in histories else 0)


def fit(folder: Path) -> dict[str, list[float]]:
    """Train two epochs with the TensorBoard callback of every run; the history."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse", jit_compile=False)
    x = np.ones((8, 1), "float32")
    callbacks, _ = boards_of([], RunDirectory(folder.parent, "00"))
    fitted = model.fit(x, x, epochs=2, verbose=0, validation_data=(x, x), callbacks=callbacks)
    return fitted.history


def test_a_trial_that_is_resumed_is_one_session_with_its_first_start(small: Path) -> None:
    search = made(small)
    folder, values = board(search, "00"), {RATE: 0.01, DROPOUT: 0.2}
    session_started(folder, values, "00")
    [first] = Page(search.directory.path).sessions()["00"]["sessions"]
    session_ended(folder, False)
    remove_events_after(folder, first["startTimeSecs"])  # as a run that is resumed does
    assert events(folder) == ["1.started"]
    session_ended(folder, False)
    session_started(folder, values, "00")
    assert events(folder) == ["1.started"]
    [again] = Page(search.directory.path).sessions()["00"]["sessions"]
    assert again == first
    session_started(folder, values, "07")  # a trial that goes on with its run
    session_ended(folder, True)
    session_ended(folder, True)
    assert events(folder) == ["1.started", "2.ended"]
    shown = Page(search.directory.path).sessions()
    assert shown["00"]["hparams"] == values
    [session] = shown["00"]["sessions"]
    assert session["status"] == "STATUS_SUCCESS"


def test_one_killed_while_it_writes_leaves_what_was_there(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = made(small)
    folder = board(search, "00")

    def killed(*paths: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hparams.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        session_started(folder, {RATE: 0.01}, "00")
    monkeypatch.undo()
    assert not list(folder.glob("*tfevents*")), "TensorBoard finds nothing half"
    session_started(folder, {RATE: 0.01}, "00")
    assert set(Page(search.directory.path).sessions()) == {"00"}
