"""What a run shows in TensorBoard beside its curves, of every kind of sample."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

from tfpipe.declare.loading import from_instance, load
from tfpipe.declare.overrides import apply_overrides
from tfpipe.jobs.report.board import range_values

TABLE = """
import numpy as np
from tfpipe import Pipeline
from tfpipe.data import Arrays


def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2)).astype("float32")
    return {"a": x[:, :1], "b_c": x[:, 1:]}, x.sum(axis=1)


class Table(Pipeline):
    data = Arrays(table, validation=0.2, test=0.2)
    batch_size = 16
    epochs = 1

    def build_model(self):
        import keras
        inputs = {n: keras.Input((1,), name=n) for n in ("a", "b_c")}
        joined = keras.layers.Concatenate()(list(inputs.values()))
        return keras.Model(inputs, keras.layers.Dense(1)(joined))
"""


class Point(NamedTuple):
    """A value in an event file."""

    run: str
    tag: str
    step: int
    kind: str
    content: Any


def points(folder: Path) -> Iterator[Point]:
    """All values below a folder."""
    for file in sorted(folder.rglob("*tfevents*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                plugin = value.metadata.plugin_data
                content = plugin.content if plugin.plugin_name == "hparams" else value.tensor
                run = file.parent.relative_to(folder).as_posix()
                yield Point(run, value.tag, event.step, plugin.plugin_name, content)


def shown(folder: Path, kind: str) -> list[tuple[str, str, int]]:
    """Run, tag and step of all values of a kind."""
    return sorted((p.run, p.tag, p.step) for p in points(folder) if p.kind == kind)


def test_images_stand_once_beside_the_epoch_that_they_show(tfpipe: Any, small: Path) -> None:
    words = ("--no-export", "model.dropout=0.5", "optimizer.learning_rate=0.0001")
    text = small.read_text().replace("import Pipeline", "import Pipeline, hp")
    small.write_text(text.replace("dropout=0.2", "dropout=hp.Float(0.2, min=0.0, max=0.5)"))
    answer = tfpipe("run", small, *words)
    assert answer.code == 0, answer.err
    (run,) = Path("runs").glob("*/*")
    board = run / "tensorboard"
    begun = [("train", "first_batch/as_stored", 0), ("train", "first_batch/augmented", 0)]

    def ended(step: int) -> list[tuple[str, str, int]]:
        found = [("confusion_matrix", ("test", "validation")), ("errors", ("validation",))]
        return [(split, tag, step) for tag, splits in found for split in splits]

    assert shown(board, "images") == sorted(begun + ended(1))
    hparams = [p for p in points(board) if p.kind == "hparams"]
    started = parse_session_start_info_plugin_data(hparams[0].content)
    assert {n: v.number_value for n, v in started.hparams.items()} == {"model.dropout": 0.5}
    assert [p.tag for p in hparams] == [f"_hparams_/session_{w}_info" for w in ("start", "end")]

    assert tfpipe("resume", "last", "epochs=3", "--no-export").code == 0
    assert shown(board, "images") == sorted(begun + ended(2)), "as if it had never been stopped"
    assert [p.tag for p in points(board) if p.kind == "hparams"] == [p.tag for p in hparams]
    assert [p.step for p in points(board) if p.tag == "keras"] == [0]

    fork = tfpipe("resume", "last", "--fork", "epochs=4", "model.dropout=0.25", "--no-export")
    assert fork.code == 0, fork.err
    (other,) = set(Path("runs").glob("*/*")) - {run}
    started = parse_session_start_info_plugin_data(
        next(p.content for p in points(other / "tensorboard") if p.kind == "hparams")
    )
    assert {n: v.number_value for n, v in started.hparams.items()} == {"model.dropout": 0.25}
    assert shown(other / "tensorboard", "images") == sorted(begun + ended(3))


def test_rows_of_a_table_are_texts(tfpipe: Any, tmp_path: Path) -> None:
    (tmp_path / "table.py").write_text(TABLE)
    answer = tfpipe("run", "table.py", "--no-export")
    assert answer.code == 0, answer.err
    assert "fewer pictures" not in answer.out
    (board,) = Path("runs").glob("*/*/tensorboard")
    assert shown(board, "images") == []
    assert shown(board, "text") == [("train", "first_batch", 0), ("validation", "errors", 0)]
    (table,) = (p.content.string_val[0].decode() for p in points(board) if p.tag == "first_batch")
    lines = table.splitlines()
    assert lines[:2] == ["|  | a | b_c |", "| --- | --- | --- |"]
    assert len(lines) == 10
    label, *numbers = (float(cell) for cell in lines[2].strip("| ").split(" | "))
    assert label == pytest.approx(sum(numbers), rel=1e-3), "of four digits"
    assert shown(board, "hparams") == [], "no range is declared"


def test_each_of_several_outputs_has_its_pictures(tfpipe: Any, small: Path) -> None:
    text = small.read_text().replace(
        'return x.astype("uint8"), y',
        'return x.astype("uint8"), {"kind": y, "mean": x.mean((1, 2, 3)).astype("float32") / 255}',
    )
    text = text.replace(', classes=("dark", "grey", "bright")', "").replace("CNN_2_4_6(", "MLP(")
    small.write_text(text.replace("convs=2, dropout=0.2, batch_norm=True, units=8", "units=(8,)"))
    answer = tfpipe("run", small, "--no-export", "epochs=1")
    assert answer.code == 0, answer.err
    assert "fewer pictures" not in answer.out
    (board,) = Path("runs").glob("*/*/tensorboard")
    assert {(run, tag) for run, tag, _ in shown(board, "images")} >= {
        ("train", "first_batch/augmented"),
        ("validation", "errors/mean"),
        ("validation", "confusion_matrix/kind"),
        ("test", "confusion_matrix/kind"),
    }


def test_what_cannot_be_drawn_ends_no_run(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> np.ndarray:
        raise ValueError("no font")

    monkeypatch.setattr("tfpipe.jobs.report.board.image_grid", broken)
    answer = tfpipe("run", small, "--no-export", "epochs=1")
    assert answer.code == 0
    assert "TensorBoard has fewer pictures (ValueError: no font).\n" in answer.out


def test_values_of_ranges_as_a_run_takes_them(small: Path) -> None:
    ranges = (
        "model.dropout=hp.Float(0.2, min=0.0, max=0.5)",
        "model.batch_norm=hp.Bool(True)",
        "optimizer=hp.Choice(keras.optimizers.SGD(0.1), values=(keras.optimizers.SGD(0.1), "
        "keras.optimizers.Adam(hp.Float(0.01, min=0.001, max=0.1, log=True))))",
    )
    varied = load(str(small), ranges).pipeline
    taken = {"model.dropout": 0.2, "model.batch_norm": True, "optimizer": "SGD"}
    assert range_values(from_instance(varied)) == taken
    adam = "optimizer=keras.optimizers.Adam(0.02)"
    changed = from_instance(apply_overrides(varied, [adam, "model.dropout=0.5"]))
    assert range_values(replace(changed, declared=varied)) == {
        **taken,
        "model.dropout": 0.5,
        "optimizer": "Adam",
    }
    assert range_values(load(str(small))) == {}
