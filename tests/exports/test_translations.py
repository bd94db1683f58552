"""Exports that translate: as the trained model does, greedily and by beam search."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Pairs
from tfpipe.errors import CheckFailed, ConfigError, DataError, ModelError
from tfpipe.exports import parity
from tfpipe.models import Seq2Seq, Transformer
from tfpipe.verbs.predict import predict, predictor


def pairs() -> Any:
    words = [(f"a{i % 7} b{i % 5} c{i % 3}.", f"C{i % 3} A{i % 7} B{i % 5}!") for i in range(105)]
    return {"train": words[:90], "test": words[90:]}


class Recurrent(Pipeline):
    data = Pairs(pairs, length=6)
    model = Seq2Seq("lstm", units=16, embedding=16, attention=True)
    optimizer = tfpipe.keras.optimizers.Adam(0.02)
    batch_size = 27
    epochs = 8


class Attentive(Recurrent):
    model = Transformer(layers=1, heads=2, width=16)


@pytest.fixture(scope="module", params=[Recurrent, pytest.param(Attentive, marks=pytest.mark.ci)])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """A run and its folder."""
    root = tmp_path_factory.mktemp("run")
    return tfpipe.run(request.param(), root=root, quiet=True), root


SENTENCES = ["a1 b2 c0.", "A3 b1 c2 .", "a1", "nothing known, here", "a1 b2 c0 a1 b2 c0 a1 b2 c0"]
# Importing what is None in sys.modules is an ImportError.
ASK = """
import json, sys
sys.modules["keras"] = sys.modules["tfpipe"] = None
import tensorflow as tf
ask = tf.saved_model.load(sys.argv[1]).signatures
texts = tf.constant(json.loads(sys.argv[2]))
found = [ask["serving_default"](source=texts)]
found += [ask["translate"](source=texts, beam=tf.constant(beam)) for beam in (1, 4)]
most = ask["translate"](source=texts[:1], beam=tf.constant(10**8))
assert most["score"].shape == (1, 100)  # whatever is asked, memory is bounded
text = lambda t: tf.nest.map_structure(bytes.decode, t.numpy().tolist())
print(json.dumps([[text(f["translation"]), f["score"].numpy().tolist()] for f in found]))
"""


def test_an_export_translates_as_the_run_does(trained: tuple[Any, Path]) -> None:
    run, root = trained
    (export,) = run.exported
    asked = [sys.executable, "-c", ASK, str(export), json.dumps(SENTENCES)]
    output = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=root).stdout
    greedy, one, four = json.loads(output.splitlines()[-1])
    for beam, (texts, scores) in ((1, one), (4, four)):
        for target in (run.name, str(export)):
            answers = predict(target, SENTENCES, beam=beam, root=root)
            for answer, row, own in zip(answers, texts, scores, strict=True):
                assert [text for text, _ in answer.values] == row
                np.testing.assert_allclose([s for _, s in answer.values], own, rtol=1e-4)
    assert greedy == [[row[0] for row in part] for part in one]
    assert all(row == sorted(row, reverse=True) for row in four[1])
    found = json.loads((export / "assets" / "contract.json").read_text())
    (given,) = found["inputs"]
    assert (given["kind"], given["dtype"], found["output"]) == ("text", "string", "translation")
    assert {*found["signatures"]} == {"serving_default", "translate"}
    assert found["signatures"]["translate"]["inputs"]["beam"] == {"dtype": "int32", "shape": []}
    assert "training" not in found
    assert not (export / "assets" / "labels.txt").exists()


def test_an_export_that_translates_otherwise_is_found_out(
    trained: tuple[Any, Path], tmp_path: Path
) -> None:
    run, _ = trained
    model = tmp_path / "model"
    shutil.copytree(run.exported[0], model)
    report = parity.verify(model)
    assert {*report["differences"]} == {"serving_default", "translate"}
    file = model / "assets" / "golden.npz"
    with np.load(file) as stored:
        golden = dict(stored)
    assert golden["translations"].shape == (15, 2)
    for column, name in enumerate(("serving_default", "translate")):
        changed = golden["translations"].copy()
        changed[0, column] = b"something else"
        written = io.BytesIO()
        np.savez_compressed(written, **{**golden, "translations": changed})
        file.write_bytes(written.getvalue())
        with pytest.raises(CheckFailed) as caught:
            parity.verify(model, "It")
        assert str(caught.value) == (
            f"It is not the trained one: {name} differs by 0.0667 on golden samples (at most "
            "1e-05 is allowed)."
        )


def test_other_formats_cannot_translate(trained: tuple[Any, Path]) -> None:
    run, root = trained
    with pytest.raises(ModelError) as caught:
        tfpipe.export(run.name, root=root, format="onnx")
    assert str(caught.value) == (
        "The format onnx would hold the answers for one window alone: neither the vocabulary nor "
        "what translates a sentence. Export it as a SavedModel."
    )


def test_an_export_is_judged_by_its_run(trained: tuple[Any, Path]) -> None:
    run, _ = trained
    path = str(run.exported[0])
    with pytest.raises(DataError) as caught:
        tfpipe.evaluate(path, data=Recurrent())
    assert str(caught.value) == (
        f"{path} takes sentences and gives others, without the probabilities that it is judged "
        "by. Judge its run: tfpipe evaluate RUN"
    )


def test_a_beam_is_for_models_that_translate(trained: tuple[Any, Path]) -> None:
    run, root = trained
    with pytest.raises(ConfigError) as caught:
        predictor(run.name, root=root).with_beam(0)
    assert str(caught.value) == "A beam of 0 was asked for. Give 1 to 100, such as 4."


def test_sentences_are_words_lines_of_files_and_of_standard_input(
    trained: tuple[Any, Path], tfpipe: Any, tmp_path: Path
) -> None:
    run, root = trained
    texts = tmp_path / "texts.txt"
    texts.write_text("a1 b2 c0.\n\na3 b1 c2.\n")
    options = ("--root", root, "--beam", "2", "--json")
    answer = tfpipe("predict", run.name, "a1 b2 c0.", texts, "gone.txt", "", *options)
    assert answer.code == 1
    found = json.loads(answer.out)
    assert [one["file"] for one in found] == [
        "a1 b2 c0.",
        f"{texts}:1",
        f"{texts}:3",
        "gone.txt",
        "",
    ]
    for best, same in zip(found[0]["translations"], found[1]["translations"], strict=True):
        assert best["translation"] == same["translation"]
        assert best["score"] == pytest.approx(same["score"], rel=1e-4)
    assert [{*best} for best in found[0]["translations"]] == [{"translation", "score"}] * 2
    assert found[3]["error"].startswith("is no file or folder.")
    assert found[4]["error"] == "is an empty sentence."
    best = found[0]["translations"][0]
    options = ("--root", root)
    block = tfpipe("predict", run.name, "a1 b2 c0.", *options)
    assert block.out.startswith("a1 b2 c0.\n")
    table = tfpipe("predict", run.name, texts, *options, "--format", "table")
    assert table.out.splitlines()[0].split() == ["file", "answer"]
    rows = tfpipe("predict", run.name, texts, *options, "--format", "csv").out.splitlines()
    assert rows[0] == "file,translation_1,score_1,error"
    assert [row.split(",")[0] for row in rows[1:]] == [f"{texts}:1", f"{texts}:3"]
    assert best["translation"]
