"""What the page makes of a model, and what it does with keys, paper, tokens and errors."""

import dataclasses
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.chromium import BROWSER, Tab, tab
from tests.serving.conftest import Client, serving
from tfpipe.serving import repository
from tfpipe.serving.page.page import described
from tfpipe.serving.servable import Servable, Signature, Tensor

FIRST = "document.querySelector('#answer .first')?.textContent"
PROBLEM = "document.getElementById('problem').textContent"
TOKEN = "secret"
NAMES = [f"kind {i}" for i in range(12)]


class Function:
    """What a model answers, with a note of what it was asked; it may be held up."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.go = answer, [], threading.Event()
        self.go.set()

    def __call__(self, **tensors: Any) -> dict[str, Any]:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        self.asked.append(arrays)
        assert self.go.wait(20)
        return {n: tf.constant(a, tf.float32) for n, a in self.answer(**arrays).items()}


def by_mean(image: np.ndarray) -> dict[str, Any]:
    """The first class of a sheet that is mostly dark, the second of another."""
    dark = image.reshape(len(image), -1).mean(axis=1) < 128
    return {"probabilities": np.stack([dark, ~dark], 1)}


def by_length(text: np.ndarray) -> dict[str, Any]:
    if b"bad" in text:
        raise ValueError("this text is not liked")
    places = np.array([len(t) for t in text]) % len(NAMES)
    return {"probabilities": np.eye(len(NAMES))[places]}


def of_row(town: np.ndarray, age: np.ndarray) -> dict[str, Any]:
    return {
        "risk": np.stack([age / 100, 1 - age / 100], 1),
        "tags": np.tile([[0.9, 0.2, 0.7]], (len(age), 1)),
        "cost": age[:, None] * 10,
    }


FUNCTIONS = {"digit": Function(by_mean), "text": Function(by_length), "row": Function(of_row)}


def feature(name: str, kind: str, dtype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "dtype": dtype, "shape": shape, "categories": []}


def label(name: str, kind: str, classes: list[str]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "classes": classes, "columns": [], "parts": []}


CONTRACTS: dict[str, dict[str, Any]] = {
    "digit": {
        "task": "binary",
        "inputs": [feature("image", "image", "uint8", [28, 28, 1])],
        "label": label("y", "class", ["1", "2"]),
        "output": "probabilities",
        "files": "PNG",
    },
    "text": {
        "task": "classification",
        "inputs": [feature("text", "text", "string", [])],
        "label": label("y", "class", NAMES),
        "output": "probabilities",
    },
    "row": {
        "task": "several",
        "inputs": [
            feature("town", "category", "string", []),
            feature("age", "number", "float32", []),
        ],
        "label": {
            **label("", "several", []),
            "parts": [
                label("risk", "class", ["high", "low"]),
                label("tags", "multilabel", ["a", "b", "c"]),
                label("cost", "real", []),
            ],
        },
        "training": {
            "inputs": {
                "town": {"words": {"Rom": 0.2, "Ulm": 0.8}},
                "age": {"min": 10.0, "max": 90.0, "mean": 40.2, "std": 9.0, "whole": True},
            },
            "answers": {"risk": {"high": 0.5, "low": 0.5}, "cost": {"min": 100.0, "max": 300.0}},
        },
    },
}


def servable(name: str) -> Servable:
    """A model whose answers are those of a function."""
    contract = CONTRACTS[name]
    inputs = {
        f["name"]: Tensor(f["name"], f["dtype"], (None, *f["shape"])) for f in contract["inputs"]
    }
    outputs = ("risk", "tags", "cost") if name == "row" else ("probabilities",)
    answered = {n: Tensor(n, "float32", (None, None)) for n in outputs}
    default = Signature("serving_default", inputs, answered, FUNCTIONS[name])
    signatures = {"serving_default": default}
    if "files" in contract:
        encoded = {"bytes": Tensor("bytes", "string", (None,))}
        files = Function(lambda bytes: by_mean(np.zeros((len(bytes), 1))))
        signatures["serving_bytes"] = Signature("serving_bytes", encoded, answered, files)
    return Servable(name, 3, Path(name), signatures, contract, {}, None)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of three models that need no training, with a token."""
    folders = {name: tmp_path_factory.mktemp(name) for name in CONTRACTS}
    for folder in folders.values():
        (folder / "3").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repository, "load", lambda folder, name, *of: servable(name))
        with serving(folders, token=TOKEN, poll=0.0) as found:
            yield found


def test_what_is_said_of_a_model() -> None:
    found = described(servable("row"))
    assert found["version"] == 3
    assert [i["training"] for i in found["inputs"]] == [
        *CONTRACTS["row"]["training"]["inputs"].values()
    ]
    assert [(o["name"], o["field"], o["several"]) for o in found["outputs"]] == [
        ("risk", "risk", False),
        ("tags", "tags", True),
        ("cost", "cost", False),
    ]
    assert found["outputs"][2]["training"] == {"min": 100.0, "max": 300.0}
    plain = dataclasses.replace(servable("text"), contract={})
    assert described(plain)["inputs"] == described(plain)["outputs"] == []
    assert described(plain)["signatures"] == {"serving_default": {"text": ["string", (None,)]}}


def test_only_the_page_itself_is_open(client: Client) -> None:
    for path in ("/", "/page/page.css", "/page/page.js", "/page/digit.js"):
        assert client.ask(path)[0] == 200
    assert client.ask("/page/models.json")[0] == 401
    named = {"Authorization": f"Bearer {TOKEN}"}
    assert [m["name"] for m in client.ask("/page/models.json", headers=named)[1]] == [*CONTRACTS]
    page = client.ask("/")[1].decode()
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    """A page that is open."""
    if BROWSER is None:
        pytest.skip("there is no Chromium")
    with tab() as found:
        yield found


def opened(page: Tab, client: Client, model: str, width: int = 1000) -> Tab:
    """The page of a model, with the token given."""
    page.complaints.clear()
    page.open(f"http://127.0.0.1:{client.port}/#{model}", width)
    page.until("document.getElementById('locked')?.hidden === false")
    page.run(
        f"document.getElementById('token').value = '{TOKEN}';"
        "document.querySelector('#locked button').click()"
    )
    page.until(f"document.getElementById('name').textContent == '{model}'")
    return page


def test_a_token_is_asked_for(browser: Tab, client: Client) -> None:
    browser.open(f"http://127.0.0.1:{client.port}/#text")
    browser.until("document.getElementById('locked')?.hidden === false")
    browser.run(
        "document.getElementById('token').value = 'wrong';"
        "document.querySelector('#locked button').click()"
    )
    browser.until(f"{PROBLEM} == 'This token is not the right one.'")
    opened(browser, client, "text")
    assert browser.run(PROBLEM) == ""
    written(browser, "a word")
    browser.until(FIRST)
    # The command names a variable instead of the token.
    curl = browser.run("document.getElementById('curl').textContent")
    assert '-H "Authorization: Bearer $TFPIPE_TOKEN"' in curl
    assert TOKEN not in curl


def written(page: Tab, text: str) -> None:
    """Write into the field of a sentence."""
    page.run(
        "(() => { const box = document.getElementById('sentence');"
        f" box.value = {json.dumps(text)}; box.dispatchEvent(new Event('input')); }})()"
    )


def test_a_sentence(browser: Tab, client: Client) -> None:
    opened(browser, client, "text", 360)
    written(browser, "it's 7")
    browser.until(f"{FIRST} == 'kind 6'")
    assert browser.run("document.getElementById('said').textContent") == "kind 6"
    assert browser.run("document.querySelectorAll('table.bars tr').length") == 10
    assert "and 2 more" in browser.run("document.getElementById('answer').innerText")
    assert "'\\''" in browser.run("document.getElementById('curl').textContent")
    assert browser.run("document.documentElement.scrollWidth") <= 360
    # An error takes the old answer away, and an empty field as well.
    written(browser, "bad")
    browser.until(f"{PROBLEM}.includes('this text is not liked')")
    assert browser.run(FIRST) is None
    written(browser, "good")
    browser.until(f"{FIRST} == 'kind 4' && !{PROBLEM}")
    written(browser, " ")
    browser.until(f"{FIRST} === undefined")


def test_an_answer_that_comes_late_is_dropped(browser: Tab, client: Client) -> None:
    opened(browser, client, "text")
    function = FUNCTIONS["text"]
    written(browser, "first")
    browser.until(f"{FIRST} == 'kind 5'")
    function.go.clear()
    before = len(function.asked)
    written(browser, "seconds")
    while len(function.asked) == before:
        browser.run("new Promise(done => setTimeout(done, 20))")
    # While that one is under way, another model is chosen.
    browser.run(
        "(() => { const m = document.getElementById('model'); m.value = 'digit'; m.onchange(); })()"
    )
    function.go.set()
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert browser.run("document.getElementById('name').textContent") == "digit"
    assert browser.run(FIRST) is None
    # The address names the model; one that names none shows the first.
    assert browser.run("location.hash") == "#digit"
    browser.run("location.hash = '#row'")
    browser.until("document.getElementById('name').textContent == 'row'")
    browser.run("location.hash = '#%'")
    browser.until("document.getElementById('name').textContent == 'digit'")


def test_several_outputs_of_a_row(browser: Tab, client: Client) -> None:
    opened(browser, client, "row", 360)
    browser.until(FIRST)
    # The usual word and number to begin with; whole numbers stay whole.
    assert FUNCTIONS["row"].asked[-1] == {"town": [b"Ulm"], "age": [40.0]}
    firsts = "[...document.querySelectorAll('#answer .first')].map(p => p.textContent)"
    assert browser.run(firsts) == ["low", "a, c", "400"]
    said = browser.run("document.getElementById('said').textContent")
    assert said == "risk: low, tags: a, c, cost: 400"
    assert "outside of what was trained on" in browser.run(
        "document.getElementById('answer').innerText"
    )
    browser.run("document.querySelector('input[type=range]').focus()")
    browser.key("ArrowLeft")
    browser.until(f"{firsts}[2] == '390'")
    assert browser.run("document.documentElement.scrollWidth") <= 360
    controls = "[...document.querySelectorAll('input, select, button, textarea')]"
    named = "e.labels?.length || e.ariaLabel || e.textContent"
    assert browser.run(f"{controls}.every(e => {named})")
    assert all("401" in complaint for complaint in browser.complaints)  # before the token


def got() -> np.ndarray:
    """The picture that the model was asked about last."""
    return FUNCTIONS["digit"].asked[-1]["image"][0, ..., 0].astype(int)


def check_like_mnist(image: np.ndarray) -> None:
    """Assert light ink on dark paper within 20 x 20, its mass in the middle."""
    rows, columns = np.nonzero(image > 25)
    assert image[0, 0] == 0
    assert image.max() == 255
    assert max(np.ptp(rows), np.ptp(columns)) in (18, 19, 20)
    middle = [(image * place).sum() / image.sum() for place in np.indices(image.shape)]
    assert middle == pytest.approx([13.5, 13.5], abs=0.8)


@pytest.mark.parametrize("dark", [False, True])
def test_a_drawing_by_keyboard(browser: Tab, client: Client, dark: bool) -> None:
    opened(browser, client, "digit")
    if dark:
        browser.run("document.getElementById('dark').click()")
    browser.run("document.getElementById('drawing').focus()")
    for key in (" ", *["ArrowDown"] * 12, *["ArrowRight"] * 5):
        browser.key(key)
    browser.until(f"{FIRST} == '1'")
    browser.run("new Promise(done => setTimeout(done, 250))")
    check_like_mnist(got())
    # An empty sheet has no answer.
    browser.run("document.getElementById('clear').click()")
    browser.until(f"{FIRST} === undefined")


@pytest.mark.parametrize("dark", [False, True])
def test_a_file_with_a_digit(browser: Tab, client: Client, tmp_path: Path, dark: bool) -> None:
    paper, ink = (20, 240) if dark else (235, 10)
    sheet = np.full((300, 200), paper, np.uint8)
    sheet[60:200, 40:60] = sheet[180:200, 40:120] = ink
    file = tmp_path / "an L.png"
    Image.fromarray(sheet).save(file)
    opened(browser, client, "digit")
    before = len(FUNCTIONS["digit"].asked)
    browser.files("#file", file)
    browser.until(f"{FIRST} == '1'")
    assert len(FUNCTIONS["digit"].asked) == before + 1
    check_like_mnist(got())


def test_files_that_are_dropped_or_none(browser: Tab, client: Client, tmp_path: Path) -> None:
    opened(browser, client, "digit")
    (tmp_path / "notes.png").write_text("not a picture")
    browser.files("#file", tmp_path / "notes.png")
    browser.until(f"{PROBLEM}.includes('no image that can be read')")
    written_file = io.BytesIO()
    Image.new("L", (40, 40), 255).save(written_file, "png")
    browser.run(
        "(() => { const data = new DataTransfer();"
        f" data.items.add(new File([new Uint8Array({[*written_file.getvalue()]})], 'white.png',"
        " { type: 'image/png' }));"
        " document.querySelector('.drop').dispatchEvent("
        "new DragEvent('drop', { dataTransfer: data })); })()"
    )
    # Nothing is on it: it is asked as it is.
    browser.until(f"{FIRST} == '1' && !{PROBLEM}")
    assert "'white.png'" in browser.run("document.getElementById('curl').textContent")


@pytest.mark.parametrize("inverted", [False, True])
def test_a_file_of_the_models_size_is_kept(
    browser: Tab, client: Client, tmp_path: Path, inverted: bool
) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[3:14, 5:8] = np.arange(33).reshape(11, 3) * 5 + 95
    Image.fromarray(255 - image if inverted else image).save(tmp_path / "small.png")
    opened(browser, client, "digit")
    browser.files("#file", tmp_path / "small.png")
    browser.until(f"{FIRST} == '1'")
    assert np.abs(got() - image).max() <= 1
