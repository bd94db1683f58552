"""metrics.csv: added to, read back, and cut where a run goes on from."""

from pathlib import Path

import pytest

from tfpipe.errors import StorageError
from tfpipe.training.metrics_file import append_rows, read_rows, write_rows
from tfpipe.training.reporting import EpochRow

HEADER = "epoch,loss,val_loss,learning_rate,seconds,examples_per_second,input_wait"


def row(epoch: int, loss: float = 0.5, wait: float | None = 0.25) -> EpochRow:
    metrics = {"loss": loss, "val_loss": 2 * loss, "learning_rate": 0.0625}
    return EpochRow(epoch, 9, 1.5, 640.0, metrics, wait)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.csv"
    for epoch in (1, 2, 3):
        append_rows(file, [row(epoch)])
    return file


def test_rows_come_back_as_they_were(file: Path) -> None:
    assert read_rows(file, 9) == [row(1), row(2), row(3)]
    assert file.read_text().splitlines()[0] == HEADER


def test_a_row_without_a_measured_wait_comes_back(tmp_path: Path) -> None:
    append_rows(tmp_path / "metrics.csv", [row(1, wait=None)])
    assert read_rows(tmp_path / "metrics.csv", 9) == [row(1, wait=None)]
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1].endswith(",")


def test_a_measure_that_begins_in_a_later_phase_gets_a_column(file: Path) -> None:
    later = EpochRow(4, 9, 1.5, 640.0, {"loss": 0.5, "rival_loss": 0.25}, None)
    append_rows(file, [later])
    append_rows(file, [row(5)])
    assert read_rows(file, 9) == [row(1), row(2), row(3), later, row(5)]
    header, *lines = file.read_text().splitlines()
    assert "rival_loss" in header.split(",")
    assert {line.count(",") for line in lines} == {header.count(",")}


@pytest.mark.parametrize("value", [1 / 3, 1e-12, 123456.78, 3.4e38])
def test_a_rewritten_number_is_the_same_text(tmp_path: Path, value: float) -> None:
    file = tmp_path / "metrics.csv"
    append_rows(file, [row(1, loss=value)])
    before = file.read_bytes()
    write_rows(file, read_rows(file, 9))
    assert file.read_bytes() == before


def test_no_file_is_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "metrics.csv", 9) == []


@pytest.mark.parametrize("text", ["", HEADER, HEADER + "\r\n"])
def test_a_file_without_rows_is_no_rows(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    assert read_rows(tmp_path / "metrics.csv", 9) == []


@pytest.mark.parametrize(
    "torn", ["4", "4,0.", "4,0.5,1.0,0.0625", "4,0.5,1.0,0.0625,1.5", "\0\0\0"]
)
def test_a_torn_last_line_is_left_out(file: Path, torn: str) -> None:
    with file.open("a", newline="") as stream:
        stream.write(torn)
    assert read_rows(file, 9) == [row(1), row(2), row(3)]


def test_rows_are_cut_and_written_anew(file: Path) -> None:
    with file.open("a", newline="") as stream:
        stream.write("4,0.5,")
    write_rows(file, read_rows(file, 9)[:2])
    append_rows(file, [row(3, loss=0.125)])
    assert read_rows(file, 9) == [row(1), row(2), row(3, loss=0.125)]
    assert file.read_text().splitlines()[0] == HEADER
    assert [p.name for p in file.parent.iterdir()] == ["metrics.csv"]


def test_cut_to_nothing_there_is_no_file(file: Path) -> None:
    write_rows(file, [])
    assert not file.exists()
    write_rows(file, [])
    append_rows(file, [row(1)])
    assert read_rows(file, 9) == [row(1)]


def test_columns_that_only_some_rows_have_are_kept(file: Path) -> None:
    more = EpochRow(4, 9, 1.5, 640.0, {"loss": 0.5, "auc": 0.75}, None)
    write_rows(file, [row(1), more])
    assert read_rows(file, 9) == [row(1), more]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be written \(No such file or directory\)"):
        append_rows(tmp_path / "gone" / "metrics.csv", [row(1)])
