"""Exports that continue texts: as the trained model does, and without tfpipe."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Text
from tfpipe.data.tokens.sample_text import sample_text
from tfpipe.errors import ConfigError, ModelError
from tfpipe.exports import parity
from tfpipe.models import GPT, CharRNN
from tfpipe.verbs.predict import continue_text

SHARP = tfpipe.keras.optimizers.Adam(0.01)


class Letters(Pipeline):
    data = Text("", windows=12, normalise="letters", validation=0.2, order="sequential")
    model = CharRNN("gru", 16, layers=2)
    optimizer = SHARP
    epochs = 2


class Words(Letters):
    data = Text("", windows=6, tokens="word", validation=0.2)
    model = CharRNN("lstm", 16, embedding=8)


class Pieces(Letters):
    """Line breaks and capitals are pieces of the vocabulary."""

    data = Text("", windows=6, tokens="subword", vocabulary=60, validation=0.2)
    model = GPT(layers=1, heads=2, width=16)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text(sample_text(400, 12, "char", 0).title())
    return file


@pytest.fixture(scope="module", params=[Letters, Words, Pieces])
def trained(
    request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """A run and its folder."""
    root = tmp_path_factory.mktemp("run")
    pipeline = request.param()
    pipeline = pipeline.replace(data=pipeline.data.replace(path=str(file)))
    return tfpipe.run(pipeline, root=root, quiet=True), root


# Importing what is None in sys.modules is an ImportError.
ASK = """
import json, sys
sys.modules["keras"] = sys.modules["tfpipe"] = None
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
dtypes = {"prompt": tf.string, "temperature": tf.float32, "top_p": tf.float32}
for given in json.loads(sys.argv[2]):
    signature = "generate_top" if "top_k" in given else "generate"
    given = {n: tf.constant(v, dtypes.get(n, tf.int32)) for n, v in given.items()}
    text = loaded.signatures[signature](**given)["text"]
    print(json.dumps([t.decode() for t in text.numpy().tolist()]))
"""


def test_an_export_continues_as_the_run_does(trained: tuple[Any, Path]) -> None:
    run, root = trained
    (export,) = run.exported
    prompts = ["The Old Fox ", "A\nSmall Dög"]
    asked: list[dict[str, Any]] = [
        {"temperature": 0.0, "seed": 0},
        {"temperature": 0.9, "seed": 5},
        {"temperature": 0.9, "seed": 5, "top_k": 3, "top_p": 0.8},
    ]
    both = [{n: [v] * 2 for n, v in (options | {"length": 14}).items()} for options in asked]
    words = json.dumps([{"prompt": prompts} | rows for rows in both])
    command = [sys.executable, "-c", ASK, str(export), words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    without_tfpipe = [json.loads(line) for line in done.stdout.splitlines()[-3:]]
    for options, (first, second) in zip(asked, without_tfpipe, strict=True):
        assert first.startswith(prompts[0])
        assert second.startswith(prompts[1])
        assert continue_text(str(export), prompts[0], length=14, root=root, **options) == first
        if run.history["val_loss"][-1] == min(run.history["val_loss"]):  # the best is the last
            assert continue_text(run.name, prompts[1], length=14, root=root, **options) == second


def test_its_contract_and_signatures_say_so(trained: tuple[Any, Path]) -> None:
    run, _ = trained
    (export,) = run.exported
    contract = json.loads((export / "assets" / "contract.json").read_text())
    assert contract["task"] == "language"
    assert contract["label"]["classes"][0] == "<unk>"
    assert contract["label"]["classes"] == contract["inputs"][0]["categories"]
    assert contract["signatures"]["generate"] == {
        "inputs": {
            "prompt": {"dtype": "string", "shape": [None]},
            "length": {"dtype": "int32", "shape": [None]},
            "temperature": {"dtype": "float32", "shape": [None]},
            "seed": {"dtype": "int32", "shape": [None]},
        },
        "outputs": {"text": {"dtype": "string", "shape": [None]}},
    }
    assert not (export / "assets" / "labels.txt").exists()
    found = parity.verify(export)
    assert found["differences"]["generate"] == 0
    assert found["differences"]["serving_default"] <= 1e-5
    loaded = tf.saved_model.load(str(export))
    windows = contract["inputs"][0]["shape"][0]
    shares = loaded.signatures["serving_default"](tokens=tf.ones([3, windows], tf.int32))
    assert np.allclose(shares["probabilities"].numpy().sum(-1), 1, atol=1e-5)


def test_odd_requests_are_answered(trained: tuple[Any, Path]) -> None:
    run, _ = trained
    generate = tf.saved_model.load(str(run.exported[0])).signatures["generate"]

    def text(prompt: str, length: int, temperature: float = 0.0) -> str:
        given = (tf.constant([v]) for v in (prompt, length, temperature, 0))
        names = ("prompt", "length", "temperature", "seed")
        answer: bytes = generate(**dict(zip(names, given, strict=True)))["text"].numpy()[0]
        return answer.decode()

    assert text("The", 0) == text("The", -3) == "The"
    assert len(text("", 5)) >= 5
    assert text("The", 5, -1.0) == text("The", 5)


def test_a_changed_export_is_noticed_and_other_formats_are_refused(
    trained: tuple[Any, Path], tmp_path: Path
) -> None:
    run, root = trained
    changed = shutil.copytree(run.exported[0], tmp_path / "1")
    golden = changed / "assets" / "golden.npz"
    with np.load(golden) as stored:
        arrays = dict(stored)
    arrays["texts"] = np.array([b"Another Text"] * len(arrays["texts"]))
    np.savez(golden, **arrays)
    found = parity.differences(tf.saved_model.load(str(changed)), arrays)
    assert found["generate"] == 1
    assert parity.beyond(found, 1e-5) == (
        "generate differs by 1 on golden samples (at most 1e-05 is allowed)"
    )
    with pytest.raises(ModelError) as refused:
        tfpipe.export(run.name, format="onnx", root=root)
    assert str(refused.value) == (
        "The format onnx would hold the answers for one window alone: neither the vocabulary nor "
        "what continues a text. Export it as a SavedModel."
    )


def test_a_run_writes_down_how_it_continues(trained: tuple[Any, Path]) -> None:
    run, _ = trained
    lines = (run.directory / "continuations.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [line["epoch"] for line in told] == [1, 2]
    report = json.loads((run.directory / "report" / "report.json").read_text())
    assert report["continuations"]["lines"] == told
    found = {b["name"]: b["score"] for b in report["baselines"]}
    vocabulary = len(run._prepared.spec.classes)
    assert found["a uniform guess"] == vocabulary
    assert found["counting pairs of tokens"] < found["counting tokens"] < vocabulary
    own = run.metrics["validation"]["perplexity"]
    assert report["validation"]["tokens"]["perplexity"] == pytest.approx(own, rel=1e-4)
    page = (run.directory / "report" / "report.html").read_text()
    assert "the perplexity is" in page
    assert "How it continues a text" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": -0.5},
            "The temperature is -0.5. Give 0 for the most probable token each time, or more to "
            "draw, such as 0.8.",
        ),
        (
            {"length": 0},
            "A length of 0 tokens was asked for. Give 1 to 10,000, such as 50.",
        ),
        (
            {"prompt": " "},
            "The prompt is empty. Give the beginning of a text, such as --prompt 'once upon'.",
        ),
        (
            {"top_k": 0},
            "top_k is 0. Give 1 or more tokens to draw from, such as 10, or leave it out.",
        ),
        (
            {"top_p": 1.5},
            "top_p is 1.5. Give a share of the probability above 0 and at most 1, such as 0.9, or "
            "leave it out.",
        ),
    ],
)
def test_refused_requests(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        continue_text("none", **{"prompt": "The"} | options)
    assert str(caught.value) == message
