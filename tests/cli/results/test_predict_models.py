"""tfpipe predict with a run and its export: the same answers, in every format."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.cli.main import main
from tfpipe.jobs.predict.answering import ServedModel

NAMES = {"dark", "grey", "bright"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_job: str) -> Path:
    """A folder with a run, its export in two versions, and pictures, three of them broken."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.py").write_text(small_job)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with pytest.raises(SystemExit):
            main(["run", "small.py", "epochs=1"])
    exported = folder / "saved_models" / "small"
    shutil.copytree(exported / "1", exported / "10")
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(30):
        low = 60 * (number % 3)
        pixels = np.random.default_rng(number).integers(low, low + 80, (12, 9, 3)).astype("uint8")
        encoded = (tf.io.encode_png, tf.io.encode_jpeg)[number % 2](pixels).numpy()
        (pictures / f"p{number}.jpg").write_bytes(encoded)
        if number == 4:
            Image.fromarray(pixels).save(pictures / "p4.jpg", "TIFF")
    (pictures / "p7.jpg").write_bytes((pictures / "p7.jpg").read_bytes()[:-60])
    (pictures / "p8.jpg").write_text("no picture")
    (pictures / "p9.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def here(trained: Path, tfpipe: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(trained)
    yield trained
    shutil.rmtree(trained / "out", ignore_errors=True)


def probabilities(answer: dict[str, Any]) -> dict[str, float]:
    return {c["class"]: c["probability"] for c in answer.get("classes", ())}


def test_an_export_answers_as_its_run_does(
    here: Path, tfpipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_run = tfpipe("predict", "last", "pictures", "--json")
    whole: list[int] = []
    files = ServedModel.files
    monkeypatch.setattr(
        ServedModel, "files", lambda self, some: whole.append(len(some)) or files(self, some)
    )
    for target in ("saved_models/small", "saved_models/small/1"):
        served = tfpipe("predict", target, "pictures", "--json")
        assert served.code == of_run.code == 1
        for one, other in zip(json.loads(of_run.out), json.loads(served.out), strict=True):
            assert one["file"] == other["file"]
            assert one.get("error") == other.get("error")
            both = [
                {c["class"]: c["probability"] for c in a.get("classes", ())} for a in (one, other)
            ]
            assert both[0] == pytest.approx(both[1], abs=1e-6)
    # Those that TensorFlow reads at once; as one is broken, then each alone.
    assert whole[:4] == [27, 1, 1, 1]
    assert "3 of 30 files could not be read." in of_run.err


def test_the_newest_version_is_taken_and_what_it_is_told(here: Path, tfpipe: Any) -> None:
    shutil.rmtree("saved_models/small/10/assets")
    answer = tfpipe("predict", "saved_models/small", "pictures/p0.jpg")
    shutil.copytree("saved_models/small/1/assets", "saved_models/small/10/assets")
    file = "saved_models/small/10/assets/contract.json"
    assert (answer.code, answer.err) == (
        2,
        "Error: saved_models/small/10 is a SavedModel that does not say what it reads and answers: "
        f"{file} cannot be read ([Errno 2] No such file or directory: '{file}'). Expected is one "
        "that tfpipe run or tfpipe export wrote.\n",
    )
    contract = json.loads(Path(file).read_text())
    Path(file).write_text(json.dumps(contract | {"task": "ordinal"}))
    answer = tfpipe("predict", "saved_models/small", "pictures/p0.jpg")
    Path(file).write_text(json.dumps(contract))
    assert answer.code == 2
    assert answer.err.startswith(
        "Error: saved_models/small/10 has a task of its own: There is no task 'ordinal'. "
    )
    assert answer.err.endswith(" Predict with its run.\n")


def test_a_table_of_many(here: Path, tfpipe: Any) -> None:
    answer = tfpipe("predict", "last", "pictures")
    assert (answer.code, answer.err) == (1, "")
    title, *lines, last = answer.out.splitlines()
    assert title.split() == ["file", "answer", "2", "3"]
    assert last == "3 of 30 files could not be read."
    assert [line.split()[0] for line in lines] == [f"pictures/p{n}.jpg" for n in range(30)]
    assert lines[9] == "pictures/p9.jpg   error: is empty"
    file, *cells = lines[0].split()
    assert {*cells[::2]} == NAMES
    assert sum(float(cell.removesuffix("%")) for cell in cells[1::2]) == pytest.approx(100, abs=0.2)
    one = tfpipe("predict", "last", "pictures/p0.jpg", "--format", "table", "--top", "1").out
    assert one.splitlines()[1].split() == [file, *cells[:2]]


def test_csv_and_json_lines_hold_the_same(here: Path, tfpipe: Any) -> None:
    answer = tfpipe("predict", "last", "pictures", "--format", "csv", "--top", "2")
    assert answer.err == "3 of 30 files could not be read.\n"
    rows = [*csv.DictReader(answer.out.splitlines())]
    assert [*rows[0]] == ["file", "class_1", "probability_1", "class_2", "probability_2", "error"]
    lines = tfpipe("predict", "last", "pictures", "--format", "jsonl", "--top", "2").out
    for row, line in zip(rows, map(json.loads, lines.splitlines()), strict=True):
        assert row["file"] == line["file"]
        assert row["error"] == line.get("error", "")
        for number, found in enumerate(line.get("classes", ()), 1):
            assert row[f"class_{number}"] == found["class"]
            assert float(row[f"probability_{number}"]) == pytest.approx(
                found["probability"], rel=1e-8
            )
    as_json = json.loads(tfpipe("predict", "last", "pictures", "--json", "--top", "2").out)
    assert as_json == [json.loads(line) for line in lines.splitlines()]


def test_a_file_of_answers_is_whole_or_not_there(
    here: Path, tfpipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out").mkdir()
    answer = tfpipe("predict", "last", "pictures", "--out", "out/a.jsonl")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.splitlines()[-1] == "out/a.jsonl: 30 answers"
    piped = tfpipe("predict", "last", "pictures", "--format", "jsonl").out
    assert Path("out/a.jsonl").read_text() == piped
    tfpipe("predict", "last", "pictures", "--out", "out/a.csv", "--figures", "out/figures")
    assert Path("out/a.csv").read_text().startswith("file,class_1,probability_1,")
    assert len([*Path("out/figures").iterdir()]) == 27
    monkeypatch.setattr(
        "tfpipe.cli.results.answers.CsvWriter.end", lambda self: pytest.fail("Stopped.")
    )
    with pytest.raises(pytest.fail.Exception):
        main(["predict", "last", "pictures", "--out", "out/b.csv"])
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.csv", "a.jsonl", "figures"]
    refused = tfpipe("predict", "last", "pictures", "--out", "nowhere/a.csv")
    assert refused.code == 2
    assert refused.err.startswith("Error: nowhere cannot be written (No such file or directory)")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "pictures"), "Error: There is no run 'nothing'. "),
        (("last", "pictures", "--format", "xml"), "'xml' is not one of"),
        (("last", "pictures", "--json", "--format", "csv"), "are two formats: choose one."),
        (("last", "pictures", "--top", "0"), "0 is not in the range"),
        (("last", "pictures", "--per-page", "26"), "26 is not in the range"),
    ],
)
def test_a_wrong_target_or_option_is_refused(
    here: Path, tfpipe: Any, words: tuple[str, ...], said: str
) -> None:
    answer = tfpipe("predict", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
