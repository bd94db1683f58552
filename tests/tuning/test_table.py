"""table.csv: a row a trial, and columns that no other name can take."""

import csv
from pathlib import Path
from typing import Any

from searches import DROPOUT, RATE, made, trial

from tfpipe.training.metrics_file import write_rows
from tfpipe.training.reporting import EpochRow
from tfpipe.tuning.store import Search
from tfpipe.tuning.table import epochs_of, run_of, write_table


def train(search: Search, number: str, *values: float, name: str = "val_accuracy") -> None:
    """Leave the metrics.csv of a run whose epochs had these values."""
    rows = [EpochRow(i, 9, 1.0, 1.0, {name: v}) for i, v in enumerate(values, 1)]
    folder = search.folder(number)
    folder.mkdir(exist_ok=True)
    write_rows(folder / "metrics.csv", rows)


def table(search: Search) -> list[dict[str, str]]:
    """What table.csv says."""
    write_table(search)
    with (search.directory.path / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_trial_has_a_row(small: Path) -> None:
    search = made(
        small,
        trial("00", 0.25, worker="here", attempts=1),
        trial("01", None, state="failed", kind="nan", reason="The loss\nbecame nan,  it says."),
        trial("02", 0.75, values={RATE: 0.002, DROPOUT: 0.0}, seconds=1.23456),
        trial("03"),
    )
    train(search, "02", 0.5, 0.6, 0.7, 0.75, 0.71)
    write_table(search)
    assert (search.directory.path / "table.csv").read_text().splitlines() == [
        "trial,state,rank,val_accuracy,epoch,model.dropout,optimizer.learning_rate,trained_epochs,"
        "seconds,attempts,worker,run,kind,reason,overrides",
        "00,finished,2,0.25,4,0.25,0.01,0,40.0,1,here,00,,,"
        "optimizer.learning_rate=0.01 model.dropout=0.25",
        '01,failed,,,,0.25,0.01,0,40.0,0,,01,nan,"The loss became nan, it says.",'
        "optimizer.learning_rate=0.01 model.dropout=0.25",
        "02,finished,1,0.75,4,0.0,0.002,5,1.235,0,,02,,,"
        "optimizer.learning_rate=0.002 model.dropout=0.0",
        "03,running,,,,0.25,0.01,0,0.0,0,,03,,,optimizer.learning_rate=0.01 model.dropout=0.25",
    ]


def test_a_table_without_trials_has_its_columns(small: Path) -> None:
    assert table(made(small)) == []


def test_a_range_and_a_metric_may_bear_the_name_of_a_column(small: Path) -> None:
    metrics = {"val_accuracy": 0.5, "kind": 7.0, DROPOUT: 8.0}
    search = made(small, trial("00", 0.5, metrics=metrics, values={"seconds": 3, DROPOUT: 0.1}))
    search.space["dimensions"][1]["name"] = "seconds"
    [row] = table(search)
    found = [row["value.seconds"], row["seconds"], row["metric.kind"], row["kind"]]
    assert found == ["3", "40.0", "7.0", ""]
    assert [row[DROPOUT], row[f"metric.{DROPOUT}"]] == ["0.1", "8.0"]


def test_a_value_that_a_trial_has_not_is_empty(small: Path) -> None:
    [row] = table(made(small, trial("00", 0.5, values={DROPOUT: 0.1})))
    assert (row[DROPOUT], row[RATE]) == ("0.1", "")


def test_no_epoch_is_counted_twice(small: Path) -> None:
    rungs: list[dict[str, Any]] = [
        {"epochs": 2, "run": "00"},
        {"epochs": 6, "first_epoch": 2, "run": "00"},
    ]
    search = made(small, *(trial(f"0{i}", 0.5, **rung) for i, rung in enumerate(rungs)))
    train(search, "00", 0.1, 0.2, 0.3, 0.4, 0.5)
    first, second = search.trials()
    assert [row.epoch for row in epochs_of(search, first)] == [1, 2]
    assert [row.epoch for row in epochs_of(search, second)] == [3, 4, 5]
    assert [row.epoch for row in run_of(search, second)] == [1, 2, 3, 4, 5]
    assert [row["trained_epochs"] for row in table(search)] == ["2", "3"]
    train(search, "00", 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # what has changed is read again
    assert [row["trained_epochs"] for row in table(search)] == ["2", "4"]
