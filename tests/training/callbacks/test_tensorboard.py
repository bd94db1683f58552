"""One curve over several processes: what was written after a moment is taken out."""

from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from tfpipe.runs.directory import RunDirectory
from tfpipe.training.callbacks.tensorboard import (
    boards_of,
    flush,
    remove_events_after,
    write_test_scalars,
)


def write(file: Path, *times: float) -> Path:
    """An event file as TensorFlow writes it, with an event at each moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    events = [Event(wall_time=times[0] if times else 0.0, file_version="brain.Event:2")]
    for step, moment in enumerate(times):
        values = [Summary.Value(tag="loss", simple_value=float(step))]
        events.append(Event(wall_time=moment, step=step, summary=Summary(value=values)))
    with tf.io.TFRecordWriter(str(file)) as writer:
        for event in events:
            writer.write(event.SerializeToString())
    return file


def read(file: Path) -> list[Event]:
    return [Event.FromString(record) for record in RawEventFileLoader(str(file)).Load()]


def moments(file: Path) -> list[float]:
    return [e.wall_time for e in read(file) if e.HasField("summary")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "train" / "events.out.tfevents.1.host.1.0.v2", 10.0, 20.0, 30.0)


def test_what_came_after_is_removed(tmp_path: Path, file: Path) -> None:
    remove_events_after(tmp_path, 20.0)
    assert moments(file) == [10.0, 20.0]
    assert read(file)[0].file_version == "brain.Event:2"
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_file_with_nothing_to_remove_is_left_untouched(tmp_path: Path, file: Path) -> None:
    before = file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino
    remove_events_after(tmp_path, 30.0)
    assert (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_a_file_whose_events_are_all_newer_is_removed(tmp_path: Path, file: Path) -> None:
    other = write(tmp_path / "validation" / "events.out.tfevents.2.host.1.0.v2", 25.0, 26.0)
    remove_events_after(tmp_path, 20.0)
    assert not other.exists()
    assert file.exists()


def test_all_is_removed_for_a_run_that_begins_anew(tmp_path: Path, file: Path) -> None:
    remove_events_after(tmp_path, 0.0)
    assert not list(tmp_path.rglob("*tfevents*"))


@pytest.mark.parametrize("cut", [1, 5, 17])
def test_a_truncated_file_keeps_what_is_whole(tmp_path: Path, file: Path, cut: int) -> None:
    file.write_bytes(file.read_bytes()[:-cut])
    remove_events_after(tmp_path, 15.0)
    assert moments(file) == [10.0]


def test_a_truncated_file_whose_whole_events_are_older_survives(tmp_path: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])
    remove_events_after(tmp_path, 40.0)
    assert moments(file) == [10.0, 20.0]


def test_an_empty_file_survives(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"")
    remove_events_after(tmp_path, 15.0)
    assert file.read_bytes() == b""


def test_a_folder_that_is_not_there_is_no_error_and_is_not_made(tmp_path: Path) -> None:
    remove_events_after(tmp_path / "tensorboard", 1.0)
    assert not (tmp_path / "tensorboard").exists()


def test_other_files_are_left_alone(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "train" / "notes.txt"
    other.write_text("mine")
    remove_events_after(tmp_path, 0.0)
    assert other.read_text() == "mine"


def test_test_scalars_stand_beside_the_last_epoch(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, "job/1")
    write_test_scalars(run, {"loss": 0.5}, 7)
    (file,) = (tmp_path / "tensorboard" / "test").iterdir()
    (event,) = (e for e in read(file) if e.HasField("summary"))
    assert (event.step, event.summary.value[0].tag) == (7, "epoch_loss")


def test_a_board_is_added_only_where_none_is_declared(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, "job/1")
    added, boards = boards_of([], run)
    assert added == boards
    assert added[0].log_dir == str(run.tensorboard)
    own: Any = keras.callbacks.TensorBoard()
    assert boards_of([own], run) == ([], [own])
    assert own.log_dir == str(run.tensorboard)
    placed: Any = keras.callbacks.TensorBoard(str(tmp_path / "mine"))
    boards_of([placed], run)
    assert placed.log_dir == str(tmp_path / "mine")
    assert placed.write_graph
    boards_of([placed], run, again=True)
    assert not placed.write_graph


def test_what_a_board_holds_back_is_written_out(tmp_path: Path) -> None:
    board: Any = keras.callbacks.TensorBoard(str(tmp_path), write_graph=False)
    board.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    with board._train_writer.as_default():
        tf.summary.scalar("loss", 0.5, step=0)
    flush([board])
    (file,) = (tmp_path / "train").iterdir()
    assert len(moments(file)) == 1
    board._train_writer.close()
