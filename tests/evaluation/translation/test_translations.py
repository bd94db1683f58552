"""What a model says of sentences, how good that is, and how a report shows it."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Pairs
from tfpipe.data.sources.sample import sample_of
from tfpipe.errors import MissingDependency
from tfpipe.evaluation.translation.bleu import bleu
from tfpipe.evaluation.translation.translations import Translations, asked_samples, said_of
from tfpipe.models import Seq2Seq
from tfpipe.tasks import task_for

SOURCE = sample_of(Pairs("", min_count=1), 60, 0)
SPEC = SOURCE.spec()
TASK = task_for(SPEC)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    return Seq2Seq(units=8, embedding=8, attention=True).build(SPEC)


def test_texts_are_translated_as_their_tokens_are(model: Any) -> None:
    x, _ = next(iter(SOURCE.input_fn("train", batch_size=8).as_numpy_iterator()))
    texts = asked_samples(SPEC, x)
    assert [*texts] == ["source"]
    translations = Translations(model, TASK, SPEC)
    found = translations.of_texts(tf.constant(texts["source"]), 3)
    tokens, scores = translations.of_tokens(tf.constant(x["source"]), 3)
    np.testing.assert_allclose(found["score"], scores, rtol=1e-5)
    _, of_target = SOURCE.sentences()
    best = [text.decode() for text in found["translation"][:, 0].numpy()]
    assert best == of_target.decode(tokens[:, 0].numpy())
    # A sentence that is too long is cut, one of nothing but spaces is its end alone.
    known = b"THE old\xc2\xa0fox sees the park."
    odd = [known, b"the old fox sees the park . " * 5, b"  ", b"\xff"]
    both = translations.of_texts(tf.constant(odd), 1)["translation"]
    assert both.shape == (4, 1)
    plain = translations.of_texts(tf.constant([b"the old fox sees the park ."]), 1)["translation"]
    assert both[0] == plain[0]


def test_a_split_is_translated_with_what_was_looked_at(model: Any) -> None:
    batches, training = (SOURCE.input_fn(of, batch_size=3) for of in ("test", "train"))
    said = said_of(model, TASK, SPEC, batches, training, pictures=2)
    numbers = [int(place.removeprefix("pair ")) for place in SOURCE.places("test")]
    pairs = [SOURCE._stored["train"].pairs[number - 1] for number in numbers]
    assert len(said.said) == len(said.scores) == SPEC.splits["test"] == len(pairs)
    assert said.true == [pair[1].replace(".", " .") for pair in pairs]
    assert said.sources == [pair[0].replace(".", " .") for pair in pairs]
    assert len(said.attention) == 2
    for row, weights in said.attention.items():
        assert weights.shape == (max(1, len(said.said[row].split())), 8)
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-4)
    plain = Seq2Seq.example().build(SPEC)
    assert said_of(plain, TASK, SPEC, batches, training).attention == {}


def test_bleu_is_that_of_sacrebleu_on_the_words_as_they_are() -> None:
    true = ["the cat is on the mat .", "there is a cat ."]
    assert bleu(true, true) == 1.0
    # 11 of 12 words, 8 of 10 pairs, 5 of 8 threes and 3 of 6 fours; no penalty for its length.
    said = ["the cat is on a mat .", "there is a cat ."]
    by_hand = (11 / 12 * 8 / 10 * 5 / 8 * 3 / 6) ** 0.25
    assert bleu(said, true) == pytest.approx(by_hand, rel=1e-6)
    unknown = ["<unk> cat is on the mat .", "there is a cat ."]
    assert bleu(unknown, unknown) < 1


def test_without_sacrebleu_bleu_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfpipe.evaluation.translation.bleu.find_spec", lambda name: None)
    with pytest.raises(MissingDependency) as caught:
        bleu(["a"], ["a"])
    assert str(caught.value) == (
        "BLEU is measured by sacrebleu, which is not installed. Install it with: pip install "
        "'tfpipe[translation]'"
    )


def pairs() -> Any:
    words = [(f"a{i % 7} b{i % 5} c{i % 3}", f"C{i % 3} A{i % 7} B{i % 5} !") for i in range(105)]
    return {"train": words[:90], "test": words[90:]}


class Small(Pipeline):
    data = Pairs(pairs, length=5)
    model = Seq2Seq(units=16, embedding=16, layers=1, dropout=0.0, attention=True)
    optimizer = tfpipe.keras.optimizers.Adam(0.03)
    batch_size = 27
    epochs = 40
    seed = 1


def test_a_run_measures_bleu_and_its_report_shows_translations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tfpipe.run(Small(), root=tmp_path, export=False)
    printed = capsys.readouterr().out
    found = run.metrics["test"]
    assert found["accuracy"] > 0.8
    assert 0 < found["bleu"] <= 1
    page = (run.directory / "report" / "report.html").read_text()
    assert f"BLEU is {found['bleu']:.3f}." in page
    report = json.loads((run.directory / "report" / "report.json").read_text())
    exact = report["test"]["translation"]["exact"]
    assert report["verdict"][0].startswith(f"{exact:.1%} of 15 test samples are answered right (")
    for shown in ("word for word", "Right, and most probable", "how much it looked at which word"):
        assert shown in page
    assert "translations of test" in printed
    by_words = report["test"]["translation"]["word_by_word"]
    assert by_words["exact"] == 0.0  # as the words stand in another order
    assert by_words["bleu"] < found["bleu"]
    assert report["baselines"] == [{"name": "a dictionary, word by word,", "score": 0.0}]
    assert re.search(rf"the model +{found['bleu']:.3f} +{exact:.1%}\n", printed)
    assert re.search(rf"a dictionary +{by_words['bleu']:.3f} +0.0%\n", printed)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setattr("tfpipe.evaluation.translation.bleu.find_spec", lambda name: None)
    again = tfpipe.evaluate(run.name, root=tmp_path)
    assert again["test"]["translation"]["bleu"] is None
    assert again["test"]["translation"]["exact"] > 0.3
    answers = tfpipe.predict(run.name, ["a1 b2 c0", "A3 b1 c2"], beam=3, root=tmp_path)
    assert [answer.file for answer in answers] == ["a1 b2 c0", "A3 b1 c2"]
    for answer in answers:
        scores = [score for _, score in answer.values]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)


def test_data_is_shown_in_words(tfpipe: Any) -> None:
    pipeline = Path(__file__).parents[3] / "pipelines" / "translation.py"
    answer = tfpipe("data", "show", pipeline, "--sample", "64")
    assert answer.code == 0, answer.err
    assert "labels  sentences of 32 tokens, for sentences of 32\n" in answer.out
    page = Path("reports/translation/data/report.html").read_text()
    pair = sample_of(Pairs(""), 64, 0)._stored["train"].pairs
    sources = {source.replace(".", " .") for source, _ in pair}
    assert any(f"{source} &lt;eos&gt;" in page for source in sources)
    assert "&lt;pad&gt;" not in page
