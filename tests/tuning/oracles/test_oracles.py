import contextlib
import functools
import itertools
import json
import math
import shutil
import tempfile
import threading
import warnings

import keras_tuner
import numpy as np
import pytest
from keras_tuner import HyperParameters, Objective, oracles
from keras_tuner.engine.trial import Trial
from threadpoolctl import threadpool_limits

from tfpipe.errors import ConfigError, RunError
from tfpipe.tuning.oracles import base as durable
from tfpipe.tuning.oracles.make import Plan, make_oracle, plan
from tfpipe.tuning.oracles.settings import samples, settings

KINDS = ("random", "bayesian", "hyperband", "grid")
PLAIN = {
    "random": (oracles.RandomSearchOracle, {"max_trials": 6}),
    "bayesian": (oracles.BayesianOptimizationOracle, {"max_trials": 6, "num_initial_points": 2}),
    "hyperband": (oracles.HyperbandOracle, {"max_epochs": 9}),
}


def small():
    """Twelve settings; half of them have `momentum`."""
    hp = HyperParameters()
    hp.Int("layers", 1, 3, default=2)
    hp.Choice("optimizer", ["SGD", "Adam"])
    hp.Choice("momentum", [0.0, 0.5, 0.9], parent_name="optimizer", parent_values=["SGD"])
    return hp


def endless():
    hp = HyperParameters()
    hp.Float("rate", 1e-4, 1e-1, sampling="log", default=1e-3)
    hp.Choice("optimizer", ["SGD", "Adam"])
    hp.Float("momentum", 0.0, 1.0, parent_name="optimizer", parent_values=["SGD"])
    return hp


def loss(values):
    at = math.log10(values.get("rate", 1e-2)) + 2
    return at**2 + 0.1 * values.get("layers", 0) - 0.2 * values.get("momentum", 0.5)


@pytest.fixture
def oracle(tmp_path):
    def make(kind="random", space=endless, **changed):
        wanted = {"objective": "val_loss", "direction": "min", "trials": 6, "seed": 7, "epochs": 9}
        wanted |= {"project": tmp_path / "tuner", "size": 12 if space is small else None}
        if kind == "hyperband":
            wanted["trials"] = None
        return make_oracle(kind, space(), **(wanted | changed))

    return make


def finish(oracle, trial, value=None):
    value = loss(trial.hyperparameters.values) if value is None else value
    oracle.update_trial(trial.trial_id, {"val_loss": value}, step=1)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def run(oracle, most=100):
    """The values of each trial, one after the other."""
    found = []
    while len(found) < most and (trial := oracle.create_trial("slot0")).status == "RUNNING":
        found.append(dict(trial.hyperparameters.values))
        finish(oracle, trial)
    return found


def different(found):
    return {tuple(sorted(values.items())) for values in found}


# Beside Keras Tuner


def plain(kind, folder, **changed):
    """What Keras Tuner proposes by itself, its files in folder/tuner."""
    made, arguments = PLAIN[kind]
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        oracle = made(
            Objective("val_loss", "min"), hyperparameters=endless(), seed=7, **arguments | changed
        )
        oracle._set_project_dir(str(folder), "tuner")
        oracle.verbose = 0
        return [without_trial_id(values) for values in run(oracle)]


@functools.cache
def expected_of(kind):
    with tempfile.TemporaryDirectory() as folder:
        return plain(kind, folder)


def without_trial_id(values):
    """Keras Tuner writes 0003 where we write 03."""
    return {name: value for name, value in values.items() if name != "tuner/trial_id"}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_search_reloaded_after_each_trial_proposes_what_keras_tuner_does(kind, oracle):
    expected = expected_of(kind)
    found = [run(oracle(kind), most=1)[0]]
    while more := run(oracle(kind, reload=True), most=1):
        found += more
    assert [without_trial_id(values) for values in found] == expected
    assert len(expected) == (23 if kind == "hyperband" else 6)


@pytest.mark.parametrize("kind", KINDS)
def test_keras_tuner_opens_the_project(kind, oracle, tmp_path, capsys):
    made = oracle(kind, small, trials=4)
    found = run(made)
    tuners = {
        "random": keras_tuner.RandomSearch,
        "bayesian": keras_tuner.BayesianOptimization,
        "hyperband": keras_tuner.Hyperband,
        "grid": keras_tuner.GridSearch,
    }
    tuner = tuners[kind](
        lambda hp: None, Objective("val_loss", "min"), directory=tmp_path, project_name="tuner"
    )
    assert capsys.readouterr().out.startswith("Reloading Tuner from")
    [best] = tuner.get_best_hyperparameters()
    assert best.values == min(found, key=loss)
    assert [t.score for t in tuner.oracle.get_best_trials(4)] == sorted(map(loss, found))


# What is given out and taken back


def test_each_trial_is_recorded_with_its_best_epoch(oracle):
    made = oracle(objective="val_accuracy", direction="max", trials=200)
    trial = made.create_trial("slot0")
    for epoch, value in enumerate([0.5, math.nan, 0.75, math.inf, 0.625], start=1):
        made.update_trial(trial.trial_id, {"val_accuracy": value, "accuracy": 1.0}, step=epoch)
    trial.status = "COMPLETED"
    made.end_trial(trial)
    again = oracle(objective="val_accuracy", direction="max", reload=True).get_trial("000")
    assert (again.status, again.score, again.best_step) == ("COMPLETED", 0.75, 3)
    assert again.metrics.get_direction("accuracy") == "max"


@pytest.mark.parametrize(
    "measured", [{"val_loss": math.nan}, {"val_loss": -math.inf}, {"loss": 1.0}]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_without_a_finite_objective_has_failed(kind, measured, oracle):
    made = oracle(kind, trials=4)
    trial = made.create_trial("slot0")
    made.update_trial(trial.trial_id, measured, step=1)
    trial.status = "COMPLETED"
    made.end_trial(trial)
    assert (trial.status, trial.score) == ("FAILED", None)
    assert trial.message == "val_loss was never a finite number."
    assert len(run(made, most=3)) == 3  # and the search goes on


def test_there_is_no_limit_of_failures(oracle):
    made = oracle(trials=8)
    for number in range(8):
        trial = made.create_trial("slot0")
        trial.status, trial.message = "FAILED", f"out of memory {number}"
        made.end_trial(trial)
    assert made.create_trial("slot0").status == "STOPPED"
    again = oracle(trials=8, reload=True)
    assert [again.get_trial(one).message for one in again.end_order] == [
        f"out of memory {number}" for number in range(8)
    ]


def test_asking_and_ending_twice_changes_nothing(oracle):
    made = oracle()
    trial = made.create_trial("slot0")
    assert made.create_trial("slot0") is trial
    finish(made, trial)
    late = Trial(trial.hyperparameters, trial.trial_id, "FAILED")
    made.end_trial(late)
    assert (trial.status, made.end_order) == ("COMPLETED", ["00"])
    assert made.create_trial("slot0").trial_id == "01"


def test_values_that_come_back_rounded_are_not_taken(oracle):
    made = oracle()
    trial = made.create_trial("slot0")
    exact = dict(trial.hyperparameters.values)
    made.update_trial(trial.trial_id, {"val_loss": 0.5})
    sent = trial.hyperparameters.copy()
    sent.values = {**exact, "rate": float(np.float32(exact["rate"]))}
    sent.Float("more", 0.0, 1.0)
    made.update_space(sent)
    made.end_trial(Trial(sent, trial.trial_id, "COMPLETED"))
    assert made.get_trial("00").hyperparameters.values == exact
    assert [hp.name for hp in made.get_space().space] == ["rate", "optimizer", "momentum"]


def test_what_is_put_back_comes_first_in_order_and_measures_anew(oracle):
    made = oracle(trials=200)
    trials = [made.create_trial(f"slot{number}") for number in range(12)]
    made.update_trial("011", {"val_loss": -5.0})
    finish(made, trials[9])
    made.await_again(["011", "002"])
    assert [made.create_trial(f"new{n}").trial_id for n in range(3)] == ["002", "011", "012"]
    assert not made.get_trial("011").metrics.exists("val_loss")


def test_an_error_keeps_no_other_thread_out(oracle, monkeypatch):
    made = oracle()
    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_whole", lambda path, data: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            made.create_trial("slot0")
    got = []
    thread = threading.Thread(target=lambda: got.append(made.create_trial("slot1")), daemon=True)
    thread.start()
    thread.join(5)
    assert [trial.status for trial in got] == ["RUNNING"]


# Killed


class Killed(BaseException):
    """As SIGKILL: nothing catches it."""


def killed_at(moment, oracle_of, monkeypatch):
    """Searches until the write `moment` (x.0 before it, x.5 after it); the values by trial."""
    writes = itertools.count()

    def write(path, data):
        number = next(writes)
        if number == moment:
            raise Killed
        path.write_bytes(data)
        if number + 0.5 == moment:
            raise Killed

    given = {}
    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_whole", write)
        try:
            oracle = oracle_of(reload=False)
            search(oracle, given)
        except Killed:
            return given, False
    return given, True


def search(oracle, given):
    while (trial := oracle.create_trial("slot0")).status == "RUNNING":
        given.setdefault(trial.trial_id, []).append(dict(trial.hyperparameters.values))
        finish(oracle, trial)


@pytest.mark.parametrize("kind", ["random", "hyperband", "grid"])
def test_killed_at_any_write_no_trial_is_lost_doubled_or_changed(
    kind, oracle, tmp_path, monkeypatch
):
    monkeypatch.setattr(durable, "write_whole", lambda path, data: path.write_bytes(data))
    asked = {"epochs": 3} if kind == "hyperband" else {"trials": 4}
    whole = oracle(kind, **asked, project=tmp_path / "whole")
    expected = run(whole)
    for moment in itertools.count(0, 0.5):
        project = tmp_path / f"{moment}"
        made = lambda reload: oracle(kind, **asked, project=project, reload=reload)  # noqa: B023, E731
        given, is_over = killed_at(moment, made, monkeypatch)
        if is_over:
            break
        again = made(reload=True)
        ended = list(again.end_order)
        resumed = {}
        search(again, resumed)
        assert not set(resumed) & set(ended)
        assert [again.get_trial(one).hyperparameters.values for one in again.trials] == expected
        for trial_id, values in (*given.items(), *resumed.items()):
            assert values == [expected[int(trial_id)]]
        assert again.end_order == list(again.trials) == whole.end_order
        assert {trial.status for trial in again.trials.values()} == {"COMPLETED"}
        files = sorted(path.name for path in project.glob("trial_*"))
        assert files == [f"trial_{one}" for one in whole.end_order]
    assert moment == 2 + 4 * len(expected)  # each write was the last once


def test_several_running_trials_are_taken_up_again_in_order(oracle):
    made = oracle(trials=30)
    trials = [made.create_trial(f"slot{number}") for number in (3, 1, 2)]
    finish(made, trials[1])
    again = oracle(trials=30, reload=True)
    taken = [again.create_trial(f"slot{number}") for number in range(3)]
    assert [trial.trial_id for trial in taken] == ["00", "02", "03"]
    assert taken[1].hyperparameters.values == trials[2].hyperparameters.values


def test_a_trial_that_only_its_own_file_knows_is_forgotten(oracle, tmp_path):
    run(oracle(), most=1)
    project = tmp_path / "tuner"
    (project / "trial_00").rename(tmp_path / "kept")
    for name in ("trial_00", "trial_01", "trial_7x"):
        shutil.copytree(tmp_path / "kept", project / name)
    again = oracle(reload=True)
    assert [path.name for path in project.glob("trial_*")] == ["trial_00"]
    assert [*again.trials] == again.end_order == ["00"]


def test_a_search_that_is_prolonged_keeps_its_names(oracle, monkeypatch):
    monkeypatch.setattr(durable, "write_whole", lambda path, data: path.write_bytes(data))
    run(oracle(trials=3))
    longer = oracle(trials=102, reload=True)
    run(longer)
    assert [*longer.trials][:4] == ["00", "01", "02", "03"]
    assert [*longer.trials][-3:] == ["99", "100", "101"]


@pytest.mark.parametrize("kind", ["random", "bayesian"])
def test_a_project_that_keras_tuner_wrote_is_gone_on_with(kind, oracle, tmp_path):
    begun = plain(kind, tmp_path, max_trials=2)
    assert begun + run(oracle(kind, reload=True), most=1) == expected_of(kind)[:3]


# What cannot be reloaded


def test_an_old_project_is_not_reloaded_unasked(oracle, tmp_path):
    oracle()
    with pytest.raises(RunError) as error:
        oracle()
    assert str(error.value) == (
        f"{tmp_path / 'tuner'} holds a search already: go on with it with --resume."
    )


def test_a_project_of_other_ranges_is_refused(oracle, tmp_path):
    oracle()
    with pytest.raises(RunError) as error:
        oracle(space=small, reload=True)
    assert str(error.value) == (
        f"{tmp_path / 'tuner'} belongs to other ranges than those of the declaration: start a new "
        "search, or put back the declaration as it was."
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("oracle.json", '{"half', "oracle.json cannot be read: Unterminated string"),
        ("oracle.json", "[]", "oracle.json is no state of this search: TypeError("),
        ("trial_00/trial.json", "{}", "oracle.json is no state of this search: KeyError('trial_id"),
        ("oracle.json", None, "oracle.json cannot be read: [Errno 2] No such file"),
        ("trial_00/trial.json", None, "trial.json cannot be read: [Errno 2] No such file"),
    ],
)
def test_a_broken_file_is_named(name, text, said, oracle, tmp_path):
    run(oracle(), most=1)
    file = tmp_path / "tuner" / name
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(RunError) as error:
        oracle(reload=True)
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "tuner"))


def test_a_name_in_a_file_is_no_way_out_of_the_project(oracle, tmp_path):
    run(oracle(), most=1)
    file = tmp_path / "tuner" / "oracle.json"
    state = json.loads(file.read_text())
    file.write_text(json.dumps(state | {"start_order": ["../../secret"]}))
    with pytest.raises(RunError, match=r"'\.\./\.\./secret' is no trial's number"):
        oracle(reload=True)


def test_an_unknown_tuner_and_a_seed_that_is_none_are_refused(oracle):
    with pytest.raises(ConfigError) as error:
        oracle("bayes")
    assert str(error.value) == "There is no tuner 'bayes'. Did you mean 'bayesian'?"
    for seed in (-1, 2**32):
        with pytest.raises(ConfigError) as error:
            oracle(seed=seed)
        assert str(error.value) == (
            f"seed={seed} is no seed: give a whole number from 0 to 4294967295."
        )


# Values


@pytest.mark.parametrize("kind", ["random", "bayesian"])
def test_0_is_a_seed(kind, oracle, tmp_path):
    first, second, other = (
        run(oracle(kind, seed=seed, trials=3, project=tmp_path / name))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == second != other


@pytest.mark.parametrize("kind", KINDS)
def test_the_declared_values_come_first_where_asked(kind, oracle):
    declared = {"rate": 1e-3, "optimizer": "SGD", "momentum": 0.25}
    if kind == "grid":
        declared["momentum"] = 0.0  # a grid begins with the defaults, which are the declared values
    made = oracle(kind, declared=declared, trials=3)
    found = run(made, most=3)
    assert {n: v for n, v in found[0].items() if not n.startswith("tuner/")} == declared
    assert len(different(found)) == 3


@pytest.mark.parametrize("kind", ["random", "bayesian"])
def test_a_small_space_is_exhausted(kind, oracle):
    made = oracle(kind, small, trials=50)
    found = run(made)
    assert len(found) == len(different(found)) == 12
    assert plan(made, epochs=5) == Plan(trials=12, epochs=60, settings=12)


def test_an_uneven_space_without_an_end_does_not_stop_by_bad_luck(oracle):
    def uneven():
        hp = HyperParameters()
        with contextlib.ExitStack() as scopes:
            for name in "abcd":  # the range counts in one of 16 cases
                hp.Choice(name, ["off", "on"])
                scopes.enter_context(hp.conditional_scope(name, ["on"]))
            hp.Float("rate", 0.0, 1.0)
        return hp

    found = run(oracle(space=uneven, trials=20))
    assert len(different(found)) == 20


def test_first_points_are_at_most_a_third_of_the_trials(oracle, tmp_path):
    numbers = {
        trials: oracle("bayesian", trials=trials, project=tmp_path / str(trials)).num_initial_points
        for trials in (1, 6, 12, 27, 100, None)
    }
    assert numbers == {1: 2, 6: 2, 12: 4, 27: 9, 100: 9, None: 9}


def test_what_runs_counts_on_the_scale_of_what_has_finished(oracle):
    made = oracle("bayesian", trials=9)
    slow = [made.create_trial(f"slot{number}") for number in (1, 2)]
    for value in (300.0, 310.0, 320.0):
        finish(made, made.create_trial("slot0"), value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        points, values = made._vectorize_trials()
    assert points.shape == (5, 3)
    assert list(values[:3]) == [300.0, 310.0, 320.0]
    assert all(295 < value < 335 for value in values[3:])
    proposed = [*slow, *(made.create_trial(f"slot{number}") for number in (3, 4))]
    assert len(different(trial.hyperparameters.values for trial in proposed)) == 4


def test_equal_values_and_a_matrix_that_cannot_be_factorised_are_no_end(oracle, monkeypatch):
    made = oracle("bayesian", trials=6)
    found = []
    for _ in range(4):
        trial = made.create_trial("slot0")
        found.append(dict(trial.hyperparameters.values))
        finish(made, trial, 0.5)
    monkeypatch.setattr(made.gpr, "fit", fails_to_factorise)
    assert len(different(found + run(made))) == 6


def fails_to_factorise(points, values):
    raise np.linalg.LinAlgError("not positive definite")


# Grid


def test_a_grid_takes_every_setting_once_the_declared_one_first(oracle):
    made = oracle("grid", small, trials=None)
    found = run(made)
    with_momentum = [
        {"layers": layers, "optimizer": "SGD", "momentum": momentum}
        for layers in (2, 1, 3)
        for momentum in (0.0, 0.5, 0.9)
    ]
    expected = [
        *with_momentum[0:3],
        {"layers": 2, "optimizer": "Adam"},
        *with_momentum[3:6],
        {"layers": 1, "optimizer": "Adam"},
        *with_momentum[6:9],
        {"layers": 3, "optimizer": "Adam"},
    ]
    assert found == expected
    assert plan(made, epochs=2) == Plan(trials=12, epochs=24, settings=12)


def test_a_grid_goes_on_where_it_was_and_stops_at_the_trials_asked_for(oracle):
    found = run(oracle("grid", small, trials=5))
    found += run(oracle("grid", small, trials=9, reload=True))
    assert found == list(settings(small().space, samples))[:9]


def test_a_range_too_fine_for_a_grid_is_refused(oracle):
    def fine():
        hp = HyperParameters()
        hp.Int("units", 1, 10**9, step=2)
        return hp

    with pytest.raises(ConfigError) as error:
        oracle("grid", fine, size=500_000_000)
    assert str(error.value) == (
        "units: a grid would take each of its 500,000,000 values. Give it a larger step, or choose "
        "another tuner."
    )
    assert len(run(oracle("random", fine, size=500_000_000))) == 6


# Hyperband


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, Plan(trials=1, epochs=1, settings=1)),
        (9, Plan(trials=23, epochs=21 + 27 + 27, settings=9 + 5 + 3)),
        (10, None),
        (27, None),
    ],
)
def test_hyperband_trains_what_is_planned(epochs, expected, oracle, monkeypatch):
    monkeypatch.setattr(durable, "write_whole", lambda path, data: path.write_bytes(data))
    made = oracle("hyperband", epochs=epochs)
    found = run(made, most=1000)
    planned = plan(made, epochs)
    added = [values["tuner/epochs"] - values["tuner/initial_epoch"] for values in found]
    own = [values for values in found if "tuner/trial_id" not in values]
    assert planned == Plan(len(found), sum(added), len(own))
    assert planned == (expected or planned)


def test_hyperband_continues_a_trial_where_it_stood(oracle):
    made = oracle("hyperband")
    run(made)
    continued = [t for t in made.trials.values() if "tuner/trial_id" in t.hyperparameters.values]
    assert len(continued) == 3 + 1 + 2
    for trial in continued:
        values = trial.hyperparameters.values
        before = made.get_trial(values["tuner/trial_id"]).hyperparameters.values
        assert values["tuner/initial_epoch"] == before["tuner/epochs"]
        assert values["rate"] == before["rate"]


@pytest.mark.parametrize("slots", [1, 3])
def test_hyperband_promotes_the_best_that_are_left_where_trials_fail(slots, oracle):
    made = oracle("hyperband", epochs=9)
    rungs = []
    running = []
    while True:
        for slot in range(slots):
            trial = made.create_trial(f"slot{slot}")
            if trial.status == "RUNNING" and trial not in running:
                running.append(trial)
        if not running:
            break
        trial = running.pop(0)
        values = trial.hyperparameters.values
        rungs.append((values["tuner/bracket"], values["tuner/round"]))
        if rungs[-1] == (2, 0) and len(rungs) <= 7:  # of 9 in the first rung, 2 are left
            trial.status = "FAILED"
            made.end_trial(trial)
        else:
            finish(made, trial)
    assert made.create_trial("slot0").status == "STOPPED"
    assert [rungs.count((2, rung)) for rung in range(3)] == [9, 2, 1]
    assert [rungs.count((1, rung)) for rung in range(2)] == [5, 2]
    assert rungs.count((0, 0)) == 3


def test_hyperband_ends_where_all_trials_fail(oracle):
    made = oracle("hyperband", epochs=9)
    number = 0
    while (trial := made.create_trial("slot0")).status == "RUNNING":
        number += 1
        trial.status = "FAILED"
        made.end_trial(trial)
    assert number == 9 + 5 + 3


@pytest.mark.parametrize(("left", "expected"), [(5, [5, 3, 1, 0, 0, 0]), (12, [9, 3, 1, 3, 2, 0])])
def test_hyperband_makes_do_with_a_small_space(left, expected, oracle):
    def few():
        hp = HyperParameters()
        hp.Int("layers", 1, left)
        return hp

    made = oracle("hyperband", few, size=left)
    found = run(made)
    rungs = [(values["tuner/bracket"], values["tuner/round"]) for values in found]
    asked = [(2, 0), (2, 1), (2, 2), (1, 0), (1, 1), (0, 0)]
    assert [rungs.count(rung) for rung in asked] == expected
    added = sum(values["tuner/epochs"] - values["tuner/initial_epoch"] for values in found)
    assert plan(made, epochs=9) == Plan(len(found), added, left)


def test_hyperband_stops_at_the_trials_asked_for(oracle):
    made = oracle("hyperband", trials=10)
    assert plan(made, epochs=9) == Plan(trials=10, epochs=9 + 2, settings=9)
    assert len(run(made)) == 10


def test_a_search_without_an_end_has_no_plan(oracle):
    assert plan(oracle(trials=None), epochs=5) == Plan(None, None, None)
