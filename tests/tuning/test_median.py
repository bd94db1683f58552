"""The median rule: who is stopped, when, and by whose averages."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import keras
import numpy as np
import pytest
from searches import trial

from tfpipe.training.metrics_file import write_rows
from tfpipe.training.reporting import EpochRow
from tfpipe.tuning.median import MedianRule

# Their averages after two epochs: 0.2, 0.4, 0.6; after three: 0.4, 0.5, 0.6.
OTHERS = {"01": (0.1, 0.3, 0.8), "02": (0.3, 0.5, 0.7), "03": (0.6, 0.6, 0.6)}


def trained(folder: Path, number: str, *values: float, **more: Any) -> None:
    """Leave a trial whose epochs had these values of val_accuracy."""
    given = {"epochs": len(values), "objective": max(values), **more}
    trial(number, **given).write(folder / number)
    rows = [EpochRow(i, 9, 1.0, 1.0, {"val_accuracy": v}) for i, v in enumerate(values, 1)]
    write_rows(folder / number / "metrics.csv", rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Trial 00 of ten epochs, and three completed ones."""
    trial("00", epochs=10).write(tmp_path / "00")
    for number, values in OTHERS.items():
        trained(tmp_path, number, *values)
    return tmp_path


class Trained:
    """A trial in training under the rule."""

    def __init__(self, folder: Path, **more: Any) -> None:
        direction: Literal["min", "max"] = more.pop("direction", "max")
        given = {"least": 3, **more}
        self.rule = MedianRule(folder, "00", "val_accuracy", direction, **given)
        self.model = SimpleNamespace(stop_training=False)
        self.rule.set_model(self.model)
        self.file, self.rows = folder / "00" / "metrics.csv", list[EpochRow]()

    def stopped_after(self, *values: float) -> int | None:
        """The epoch after which it is stopped, of some with these values."""
        for epoch, value in enumerate(values):
            logs = {"val_accuracy": value}
            self.rows.append(EpochRow(epoch + 1, 9, 1.0, 1.0, logs))
            write_rows(self.file, self.rows)
            self.rule.on_epoch_end(epoch, logs)
            if self.model.stop_training:
                return epoch + 1
        return None


def test_a_trial_below_the_median_of_averages_is_stopped(folder: Path) -> None:
    training = Trained(folder)
    assert training.stopped_after(0.1, 0.41, 0.45, 0.9) == 3
    assert training.rule.stopped
    assert training.rule.reason == (
        "Its best val_accuracy after 3 epochs, 0.45, is worse than the median of 3 other trials, "
        "0.5."
    )


def test_equal_to_the_median_is_not_worse(folder: Path) -> None:
    training = Trained(folder)
    assert training.stopped_after(0.1, 0.4, 0.5) is None
    assert (training.rule.stopped, training.rule.reason) == (False, "")


def test_the_best_epoch_so_far_counts(folder: Path) -> None:
    assert Trained(folder).stopped_after(0.55, 0.1, 0.1, 0.1) is None


def test_what_is_better_the_lower(folder: Path) -> None:
    assert Trained(folder, direction="min").stopped_after(0.9, 0.41) == 2
    assert Trained(folder, direction="min").stopped_after(0.9, 0.39, 0.9) is None


@pytest.mark.parametrize(("after", "epoch"), [(0, 1), (1, 2), (3, 4)])
def test_every_trial_may_train_for_some_epochs(folder: Path, after: int, epoch: int) -> None:
    assert Trained(folder, after=after).stopped_after(*[0.0] * 9) == epoch


def test_it_takes_some_others(folder: Path) -> None:
    assert Trained(folder, least=4).stopped_after(*[0.0] * 9) is None
    assert MedianRule(folder, "00", "val_accuracy", "max")._least == 5


def test_the_last_epoch_is_the_end_anyway(folder: Path) -> None:
    trial("00", epochs=2).write(folder / "00")
    training = Trained(folder)
    assert training.stopped_after(0.0, 0.0) is None
    assert training.rule.reason == ""


def test_only_the_last_phase_of_a_training_is_stopped(folder: Path) -> None:
    training = Trained(folder, phases=2)
    training.rule.on_epoch_end(2, {"val_accuracy": 0.0, "phase": 1.0})
    assert not training.model.stop_training
    training.rule.on_epoch_end(3, {"val_accuracy": 0.0, "phase": 2.0})
    assert training.model.stop_training


def test_a_trial_that_ended_early_counts_with_what_it_has(folder: Path) -> None:
    trained(folder, "04", 0.0, state="stopped")
    trained(folder, "05", 0.0, 0.0, state="stopped")
    # The averages after two epochs are 0, 0, 0.2, 0.4, 0.6; after three 0, 0, 0.4, 0.5, 0.6.
    assert Trained(folder).stopped_after(0.1, 0.3, 0.3) == 3


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_a_trial_that_is_not_completed_says_nothing(folder: Path, state: str) -> None:
    trained(folder, "04", 0.9, 0.9, 0.9, state=state)
    trained(folder, "05", 0.9, 0.9, 0.9, state=state)
    assert Trained(folder).stopped_after(0.1, 0.41) is None
    for number in ("04", "05"):
        trained(folder, number, 0.9, 0.9, 0.9)
    assert Trained(folder).stopped_after(0.1, 0.41) == 2


def test_a_trial_that_ends_meanwhile_counts_from_then_on(folder: Path) -> None:
    training = Trained(folder)
    assert training.stopped_after(0.1, 0.41) is None
    for number in ("04", "05"):
        trained(folder, number, 0.9, 0.9, 0.9)
    assert Trained(folder).stopped_after(0.1, 0.41) == 2


def test_a_run_counts_once_however_many_trials_went_on_with_it(folder: Path) -> None:
    trained(folder, "04", 0.9, 0.9, 0.9, epochs=2)
    for number in ("05", "06"):
        trial(number, 0.9, epochs=3, first_epoch=2, run="04").write(folder / number)
    # One more average of 0.9: the median is between 0.4 and 0.6.
    training = Trained(folder)
    assert training.stopped_after(0.1, 0.49) == 2
    assert training.rule.reason.endswith("the median of 4 other trials, 0.5.")


def test_what_a_run_does_after_its_completed_trial_is_not_known_yet(folder: Path) -> None:
    for number in ("04", "05"):
        trained(folder, number, 0.3, 0.9, 0.9, epochs=1)
    # Of the two one epoch counts: the averages after two are 0.2, 0.3, 0.3, 0.4, 0.6.
    assert Trained(folder).stopped_after(0.1, 0.31) is None


def test_the_trial_that_it_goes_on_with_is_no_other(folder: Path) -> None:
    for number in ("04", "05", "06"):
        trained(folder, number, 0.9, 0.9, 0.9, run="00")
    training = Trained(folder)
    assert training.stopped_after(0.1, 0.41) is None
    assert len(training.rule._averages(2)) == 3


def test_numbers_that_are_none_are_left_out(folder: Path) -> None:
    trained(folder, "04", float("nan"), 0.9, 0.9)
    trained(folder, "05", float("nan"), float("inf"), float("nan"))
    training = Trained(folder)
    assert sorted(training.rule._averages(2)) == pytest.approx([0.2, 0.4, 0.6, 0.9])
    assert training.stopped_after(float("nan"), float("nan")) is None
    assert Trained(folder).stopped_after(float("nan"), 0.1) == 2


def test_a_broken_record_says_nothing(folder: Path) -> None:
    (folder / "04").mkdir()
    (folder / "04" / "trial.json").write_text("{")
    assert Trained(folder).stopped_after(0.1, 0.39) == 2


def test_a_resumed_trial_is_judged_by_all_of_its_epochs(folder: Path) -> None:
    trained(folder, "00", 0.7, 0.1, epochs=10, objective=None, state="running")
    again = Trained(folder)
    again.rule.on_epoch_end(2, {"val_accuracy": 0.1})
    assert not again.model.stop_training
    trained(folder, "00", 0.2, 0.1, epochs=10, objective=None, state="running")
    again = Trained(folder)
    again.rule.on_epoch_end(2, {"val_accuracy": 0.1})
    assert again.rule.reason.startswith("Its best val_accuracy after 3 epochs, 0.2, is worse")


def test_an_objective_that_is_not_measured_stops_nothing(folder: Path) -> None:
    training = Trained(folder)
    training.rule.on_epoch_end(3, {"loss": 0.1})
    training.rule.on_epoch_end(4)
    assert not training.model.stop_training


def test_keras_stops_when_the_rule_says_so(folder: Path) -> None:
    for number in OTHERS:
        trained(folder, number, 0.0, 0.0, 0.0)
        file = folder / number / "metrics.csv"
        file.write_text(file.read_text().replace("val_accuracy", "loss"))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    rule = MedianRule(folder, "00", "loss", "min", least=3)
    x = np.ones((4, 1), "float32")
    history = model.fit(x, 100 * x, epochs=6, verbose=0, callbacks=[rule])
    assert history.epoch == [0, 1]
    assert rule.reason.endswith("is worse than the median of 3 other trials, 0.")
