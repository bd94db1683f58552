"""Searches with real trials, in processes of their own."""

import csv
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

import tfpipe
from tfpipe.declare.loading import load
from tfpipe.errors import ConfigError, DataError, RunError, TrainingError
from tfpipe.processes.pool import ProcessPool
from tfpipe.tuning.scheduler import common_failure
from tfpipe.tuning.store import Search, Trial, find_search
from tfpipe.verbs.search.search import PRELOAD, resume_search

TIMES = ("seconds", "examples_per_second", "input_wait")

ODD = """
import numpy as np
from tfpipe import Pipeline, hp, keras
from tfpipe.data import Arrays
from tfpipe.models import MLP, Custom


def points():
    x = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def broken(spec):
    raise ValueError("the wires are crossed")


class Odd(Pipeline):
    data = Arrays(points, validation=0.2)
    model = hp.Choice(
        MLP(units=(8,)), values=(MLP(units=(8,)), MLP(units=(40000, 40000)), Custom(broken))
    )
    optimizer = keras.optimizers.SGD(learning_rate=hp.Choice(0.1, values=(0.1, 1e30)))
    epochs = 2
"""


@pytest.fixture(scope="module", autouse=True)
def shared() -> Iterator[None]:
    """A pool beside those of all searches of this file, so that their fork server stays."""
    with ProcessPool(PRELOAD):
        yield


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Search]:
    def call(file: Path, *vary: str, root: Path = tmp_path, **asked: Any) -> Search:
        return tfpipe.search(file, vary=vary, root=root, quiet=True, **asked)

    return call


def rows(search: Search, trial: str) -> list[dict[str, str]]:
    """The epochs of a trial's run, without what they took."""
    with search.run(Trial.read(search.folder(trial))).metrics_file.open(newline="") as file:
        return [{n: v for n, v in row.items() if n not in TIMES} for row in csv.DictReader(file)]


def test_a_trial_that_fails_is_a_line_and_not_the_end(
    search: Callable[..., Search], tmp_path: Path
) -> None:
    file = tmp_path / "odd.py"
    file.write_text(ODD)
    found = search(file, tuner="grid", workers=2, memory=3_000_000_000)
    trials = found.trials()
    kinds = {t.overrides: (t.state, t.kind) for t in trials}
    model, rate = "model={}", "optimizer.learning_rate={}"
    wide, crossed = "MLP(units=(40000, 40000))", "Custom(broken)"
    assert kinds == {
        (model.format("MLP(units=(8,))"), rate.format("0.1")): ("finished", ""),
        (model.format("MLP(units=(8,))"), rate.format("1e+30")): ("failed", "nan"),
        (model.format(wide), rate.format("0.1")): ("failed", "memory"),
        (model.format(wide), rate.format("1e+30")): ("failed", "memory"),
        (model.format(crossed), rate.format("0.1")): ("failed", "ModelError"),
        (model.format(crossed), rate.format("1e+30")): ("failed", "ModelError"),
    }
    reasons = {t.kind: t.reason for t in trials}
    assert reasons["nan"].startswith("The loss became nan in epoch 1, step ")
    assert reasons["memory"].startswith("The memory ran out. Use a smaller batch_size or model")
    assert reasons["ModelError"] == (
        f"Custom: broken() failed at {file}:14 with ValueError: the wires are crossed"
    )
    assert found.state == "finished"
    best = json.loads((found.directory.path / "best.json").read_text())
    assert best["overrides"] == ["model=MLP(units=(8,))", "optimizer.learning_rate=0.1"]
    opened = keras_tuner.oracles.GridSearchOracle(
        objective=keras_tuner.Objective("val_accuracy", "max")
    )
    opened._set_project_dir(found.directory.path, "tuner")
    opened.reload()
    assert {t.trial_id: t.status for t in opened.trials.values()} == {
        t.id: "COMPLETED" if t.completed else "FAILED" for t in trials
    }


def failed(number: str, kind: str, reason: str) -> Trial:
    return Trial(number, {}, (), number, 2, state="failed", kind=kind, reason=reason)


@pytest.mark.parametrize(("kind", "needed"), [("ModelError", 3), ("nan", 6)])
def test_all_failing_for_one_reason_is_the_end(kind: str, needed: int) -> None:
    alike = [failed(f"{n:02d}", kind, f"It broke in step {n}.") for n in range(needed)]
    assert common_failure(alike[1:]) is None
    assert str(common_failure(alike)) == (
        f"All {needed} trials failed for one reason, so no other is begun: It broke in step "
        f"{needed - 1}."
    )
    assert common_failure([*alike, failed("10", kind, "Something else.")]) is None
    good = Trial("11", {}, (), "11", 2, state="finished", objective=0.5, epoch=1)
    assert common_failure([good, *alike]) is None


def test_all_trials_fail(search: Callable[..., Search], small: Path, tmp_path: Path) -> None:
    rates = "optimizer.learning_rate=1e29..1e31:log"
    with pytest.raises(TrainingError, match=r"^All 6 trials failed for one reason, so no other"):
        search(small, rates, tuner="random", workers=2)
    found = find_search(tmp_path, "last")
    assert found.state == "failed"
    assert found.reason.startswith("All 6 trials failed for one reason")
    assert not (found.directory.path / "best.json").exists()


def test_hyperband_goes_on_with_runs_and_trains_no_epoch_twice(
    search: Callable[..., Search], small: Path
) -> None:
    small.write_text(small.read_text().replace("epochs = 2", "epochs = 4"))
    found = search(small, "optimizer.learning_rate=0.001..0.1:log", tuner="hyperband", workers=2)
    trials = found.trials()
    # 5 trials for 2 epochs and the best 2 of them for 4; 3 trials for 4 epochs.
    assert len(trials) == 10
    assert {t.state for t in trials} == {"finished"}
    promoted = [t for t in trials if t.first_epoch]
    assert [(t.first_epoch, t.epochs) for t in promoted] == [(2, 4)] * 2
    runs = {t.run for t in trials}
    assert len(runs) == 8
    epochs = {run: [row["epoch"] for row in rows(found, run)] for run in runs}
    assert sum(map(len, epochs.values())) == 5 * 2 + 2 * 2 + 3 * 4
    assert all(found == [str(n + 1) for n in range(len(found))] for found in epochs.values())
    first = {t.run: t for t in trials if not t.first_epoch}
    better = sorted((first[t.run].objective or 0.0) for t in promoted)
    rest = [t.objective or 0.0 for t in trials if t.epochs == 2 and t.run not in
            {p.run for p in promoted}]  # fmt: skip
    assert better[0] >= max(rest)


def test_stopped_and_killed_it_goes_on_as_if_nothing_had_happened(
    search: Callable[..., Search], small: Path, tmp_path: Path, python: Callable[..., Any]
) -> None:
    small.write_text(small.read_text().replace("epochs = 2", "epochs = 20"))
    rate = "optimizer.learning_rate=0.001..0.1:log"
    straight = search(small, rate, tuner="random", trials=3, root=tmp_path / "straight")

    root = tmp_path / "stopped"
    options = ("--tuner", "random", "--trials", 3, "--vary", rate)
    words = ("-m", "tfpipe", "search", small, *options)
    process = python(*words, "--root", root)
    wait_for(root, "trials/00/checkpoints/state-*")
    process.send_signal(signal.SIGINT)
    answer = process.end()
    assert answer.code == 130, answer.err
    stopped = find_search(root, "last")
    assert stopped.state == "interrupted"
    assert [t.state for t in stopped.trials()] == ["interrupted"]

    process = python("-m", "tfpipe", "search", "--resume", "--root", root)
    wait_for(root, "trials/01/checkpoints/state-*")
    process.send_signal(signal.SIGKILL)
    process.end()
    found = resume_search(root=root, quiet=True)

    assert found.state == "finished"
    assert [t.id for t in found.trials()] == ["00", "01", "02"]
    assert found.trials()[0].attempts == 2
    for one, other in zip(found.trials(), straight.trials(), strict=True):
        assert (one.values, one.metrics, one.epoch) == (other.values, other.metrics, other.epoch)
        assert rows(found, one.id) == rows(straight, one.id)
    with pytest.raises(RunError) as error:
        resume_search(root=root, quiet=True)
    assert str(error.value) == (
        f"{found.name} is finished (3 trials). Ask for more with: tfpipe search --resume "
        f"{found.name} --trials 6"
    )


def wait_for(root: Path, pattern: str) -> None:
    deadline = time.monotonic() + 300
    while not list(root.glob(f"searches/*/*/{pattern}")):
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.02)


def test_a_hard_budget_stops_and_keeps_what_runs(
    search: Callable[..., Search], small: Path, tmp_path: Path
) -> None:
    small.write_text(small.read_text().replace("epochs = 2", "epochs = 5000"))
    found = search(small, "model.dropout=0.1,0.2", budget=3, hard=True)
    assert (found.state, found.reason) == ("interrupted", "The budget of 3s is used up.")
    (trial,) = found.trials()
    assert trial.state == "interrupted"

    small.write_text(small.read_text().replace("epochs = 5000", "epochs = 5001"))
    with pytest.raises(ConfigError, match="declares another epochs than when small/"):
        resume_search(root=tmp_path, budget="2h", quiet=True)


@pytest.mark.parametrize(
    ("vary", "asked", "message"),
    [
        (
            (),
            {},
            "Small has no ranges to search. Declare one in its file, such as "
            "learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True), or give one here: --vary "
            "optimizer.learning_rate=1e-4..1e-1:log.",
        ),
        (
            ("model.convs=2,4",),
            {"trials": 3},
            "--trials 3: there are only 2 different settings in these ranges. Use --trials 2 at "
            "most, or widen a range.",
        ),
        (
            ("model.convs=2,4",),
            {"tuner": "hyperband", "trials": 3},
            "Hyperband counts its trials itself, from the declared epochs: leave out --trials, or "
            "use another --tuner.",
        ),
        (
            ("model.convs=2,4",),
            {"tuner": "hyperband"},
            "Hyperband compares trials after 1, 3, 9 ... epochs, and epochs=2: declare at least 3, "
            "or use another --tuner.",
        ),
        (
            ("epochs=2,4",),
            {"tuner": "hyperband"},
            "Hyperband gives each trial its epochs: give epochs a value instead of a range, the "
            "most that a trial trains, or use another --tuner.",
        ),
        (
            ("model.convs=2,4",),
            {"memory": 500_000_000},
            "--memory 500 MB: TensorFlow alone takes most of that. Give a trial at least 800 "
            "MB.",
        ),
        (("model.convs=2,4",), {"workers": 0}, "--workers 0: give a number of at least 1."),
        (("model.convs=2,4",), {"budget": "2"}, "--budget: '2' is no duration: write it as 30s, "
         "10m or 2h."),
        (
            ("model.convs=2,4",),
            {"tuner": "bayes"},
            "There is no tuner 'bayes'. Did you mean 'bayesian'?",
        ),
        (
            ("model.convs=2,4",),
            {"objective": "val_acuracy"},
            "--objective val_acuracy: that is not measured. Did you mean 'val_accuracy' or "
            "'accuracy'?",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_searched(
    search: Callable[..., Search],
    small: Path,
    tmp_path: Path,
    vary: tuple[str, ...],
    asked: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ConfigError) as error:
        search(small, *vary, **asked)
    assert str(error.value) == message
    assert not (tmp_path / "searches").exists()


def test_what_is_given_in_python_cannot_be_started_elsewhere(
    search: Callable[..., Search], small: Path
) -> None:
    pipeline = type(load(str(small)).pipeline)(epochs=3)
    with pytest.raises(ConfigError) as error:
        search(pipeline, "model.convs=2,4")
    assert str(error.value) == (
        "A search starts the pipeline in other processes, from its file and its overrides alone: "
        "declare all of it in a file, and give arguments as overrides."
    )


def test_there_has_to_be_validation(search: Callable[..., Search], small: Path) -> None:
    small.write_text(small.read_text().replace("validation=0.2", "validation=None"))
    with pytest.raises(ConfigError) as error:
        search(small, "model.convs=2,4")
    assert str(error.value) == (
        "There is no validation split, and a search that goes by the training data finds what "
        "learns it by heart. Hold some out with data.validation=0.1, or say --objective loss."
    )


def test_what_would_stop_every_trial_is_said_before_the_first(
    search: Callable[..., Search], small: Path, tmp_path: Path
) -> None:
    small.write_text(small.read_text().replace("batch_size = 16", "batch_size = 1000"))
    with pytest.raises(DataError) as error:
        search(small, "model.dropout=0.1,0.2")
    assert str(error.value) == (
        "batch_size=1000 is larger than the training split of 76 samples. Use at most 76."
    )
    assert not (tmp_path / "searches").exists()


@pytest.mark.slow
def test_who_joins_goes_on_with_what_a_killed_process_has_left(
    small: Path, tmp_path: Path, python: Callable[..., Any]
) -> None:
    common = ("-m", "tfpipe", "search", "--root", tmp_path)
    epochs = 40  # enough to be killed within them, however fast a machine is
    vary = ("--vary", "optimizer.learning_rate=0.001..0.1:log", f"epochs={epochs}")
    words = (*common, small, "--tuner", "random", "--trials", 3, *vary)
    first = python(*words)

    def trials() -> dict[str, Trial]:
        folders = tmp_path.glob("searches/*/*/trials/*/trial.json")
        return {file.parent.name: Trial.read(file.parent) for file in folders}

    def until(what: Callable[[], bool]) -> None:
        end = time.monotonic() + 240
        while not what():
            assert time.monotonic() < end
            time.sleep(0.1)

    def epochs_of(number: str) -> list[str]:
        files = tmp_path.glob(f"searches/*/*/trials/{number}/metrics.csv")
        lines = [line for file in files for line in file.read_text().splitlines()[1:]]
        return [line.split(",")[0] for line in lines]

    def trial_of_first() -> str:
        return max(n for n, t in trials().items() if f"-{first.pid}/" in t.worker)

    until(lambda: "00" in trials())
    second = python(*common, "--join", "last")
    until(lambda: len({t.worker for t in trials().values()}) == 2)
    until(lambda: 2 < len(epochs_of(trial_of_first())) < epochs - 8)
    first.kill()
    mine = trial_of_first()
    answer = second.end()
    assert answer.code == 0, answer.err
    search = find_search(tmp_path, "last")
    assert search.state == "finished"
    assert [t.state for t in search.trials()] == ["finished"] * 3
    assert trials()[mine].attempts == 2
    assert f"-{second.pid}/" in trials()[mine].worker
    for number in trials():
        assert epochs_of(number) == [str(n) for n in range(1, epochs + 1)]
    assert search.directory.read_json("best.json")["value"] == search.best().objective
