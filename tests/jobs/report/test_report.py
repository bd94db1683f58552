"""A run's report, and `tfpipe evaluate`: report.json, the page, figures and kept answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Read, check_self_contained
from sklearn.metrics import confusion_matrix

from tfpipe.evaluation.predictions import Predictions


def only_run() -> Path:
    (run,) = Path("runs").glob("*/*")
    return run


def report(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


def test_a_run_is_judged_and_evaluated_again(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small)
    assert answer.code == 0, answer.err
    assert "class   samples  right" in answer.out
    run = only_run()
    found = report(run / "report")
    test = found["test"]
    matrix = np.array(test["classes"]["confusion"])
    kept = Predictions.load(run / "predictions" / "test.npz").outputs[""]
    np.testing.assert_array_equal(matrix, confusion_matrix(kept.labels, kept.answers.argmax(1)))
    assert test["classes"]["accuracy"] == pytest.approx(test["metrics"]["accuracy"], abs=1e-6)
    assert [row["name"] for row in test["classes"]["by_class"]] == ["dark", "grey", "bright"]
    assert {"calibration", "curves", "samples"} <= set(test)
    assert found["baselines"][0]["name"] == "always answering bright"
    assert len(found["verdict"]) == 3
    assert " of 24 test samples are answered right (95% interval " in found["verdict"][0]
    page = (run / "report" / "report.html").read_text()
    assert check_self_contained(page) == []
    words = Read(page).words
    for heading in (
        "Epochs",
        "Classes",
        "How sure and how right",
        "Worst errors",
        "What was declared",
    ):
        assert heading in words
    assert page.count('<img src="data:image/png') > 6, "samples, heat maps and maps of layers"
    figures = {path.name for path in (run / "report" / "figures").iterdir()}
    assert {"confusion.png", "confusion.svg", "curve_loss.png", "network.svg"} <= figures
    assert {path.name for path in (run / "predictions").iterdir()} == {"test.npz", "validation.npz"}

    told = tfpipe("evaluate", "last", "--split", "validation")
    assert told.code == 0, told.err
    assert told.out.splitlines()[-1] == f"report  reports/small-{run.name}/validation/report.html"
    again = report(Path(told.out.splitlines()[-1].split()[-1]).parent)
    assert again["split"] == "validation"
    # The export has the last epoch's weights, and so has the test split's report.
    exported = tfpipe("evaluate", "saved_models/small", "--data", small, "--json", "--out", "there")
    assert exported.code == 0, exported.err
    assert json.loads(exported.out)["test"]["classes"] == test["classes"]
    assert json.loads(exported.out)["report"] == "there/report.html"
    assert Path("there/report.html").is_file()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("saved_models/small",),
            "Error: saved_models/small/1 is an exported model, which brings no data: name a "
            "pipeline file whose data is judged, with --data FILE.",
        ),
        (("last", "--split", "tset"), "there is no split 'tset'. Did you mean 'test'?"),
        (("nothing",), "Error: There is no run 'nothing'. There is: small/"),
        (
            ("last", "--data", "other.py"),
            "Error: The data has the inputs image [9, 9, 3] uint8; small/",
        ),
        (
            ("saved_models/small", "--data", "named.py"),
            "Error: The data has the label 'label' (a, b, c); saved_models/small/1 was trained on "
            "'label' (dark, grey, bright).",
        ),
    ],
)
def test_what_cannot_be_evaluated(
    trained: Path, tfpipe: Any, words: tuple[str, ...], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    answer = tfpipe("evaluate", *words)
    assert answer.code == 2
    assert error in answer.err.replace("'dark', 'grey', 'bright'", "dark, grey, bright").replace(
        "'a', 'b', 'c'", "a, b, c"
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and an export of the small pipeline, and files of other data."""
    from conftest import SMALL  # type: ignore[import-not-found]

    import tfpipe
    from tfpipe.declare.loading import load

    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.py").write_text(SMALL)
    (folder / "other.py").write_text(SMALL.replace("8, 8", "9, 9"))
    (folder / "named.py").write_text(SMALL.replace('("dark", "grey", "bright")', '("a", "b", "c")'))
    tfpipe.run(load(str(folder / "small.py"), ["epochs=1"]), root=folder, quiet=True)
    return folder


def test_a_regression_is_judged_by_its_errors(tfpipe: Any, small: Path) -> None:
    text = small.read_text().replace('return x.astype("uint8"), y', "return x, y / 7")
    small.write_text(text.replace(', classes=("dark", "grey", "bright")', ""))
    answer = tfpipe("run", small, "augment=()", "--no-export")
    assert answer.code == 0, answer.err
    test = report(only_run() / "report")["test"]
    assert set(test) == {"metrics", "numbers", "samples"}
    assert test["numbers"]["mae"] == pytest.approx(test["metrics"]["mae"], rel=1e-5)


TEXTS = """
import random
from pathlib import Path
from tfpipe import Pipeline, keras
from tfpipe.data import CSV, TextCSV
from tfpipe.models import MLP, TextClassifier

drawn = random.Random(0)
rows = [(drawn.choice(("good", "bad")), drawn.choice(("film", "book")), n) for n in range(200)]
lines = [f"a {w} {what} number {n},{w == 'good'},{n % 7},{what}" for w, what, n in rows]
Path("texts.csv").write_text("\\n".join(["text,liked,day,what", *lines]))


class Texts(Pipeline):
    data = TextCSV("texts.csv", text="text", label="liked", test=0.3)
    model = TextClassifier(vocabulary=50, length=8)
    epochs = 8


class Table(Pipeline):
    data = CSV("texts.csv", label="liked", drop=("text",), test=0.3)
    model = MLP(units=(4,))
    epochs = 2
"""


def test_texts_are_explained_by_words_and_tables_by_columns(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.py").write_text(TEXTS)
    for name in ("Texts", "Table"):
        answer = tfpipe("run", f"texts.py::{name}", "--no-export")
        assert answer.code == 0, answer.err
        assert "could not" not in answer.out
    folders = {path.parent.parent.parent.name: path.parent for path in Path().rglob("report.json")}
    page = (folders["texts.Texts"] / "report.html").read_text()
    check_self_contained(page)
    assert '<mark style="background:#2f7fd0' in page
    assert "Blue words speak for the answer, red ones against it." in page
    table = report(folders["texts.Table"])
    columns = [name for name, *_ in table["test"]["importance"]["permutation_importance"]]
    assert sorted(columns) == ["day", "what"]
    assert [b["name"] for b in table["baselines"]][1] == "a linear model"
    assert "What it goes by" in Read((folders["texts.Table"] / "report.html").read_text()).words


def test_a_run_does_not_fail_for_its_report(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise RuntimeError("out of ink")

    monkeypatch.setattr("tfpipe.evaluation.report.run.RunPage.html", broken)
    answer = tfpipe("run", small, "--no-export")
    assert answer.code == 0, answer.err
    assert "The report could not be made (RuntimeError: out of ink)." in answer.out
    assert not list(Path("runs").rglob("report.html"))
