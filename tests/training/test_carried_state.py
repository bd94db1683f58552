"""Texts in sequential order: the state that is carried, killed and resumed in an epoch's middle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import KillAt, assert_equal, killed, outcome, resumed, run, weights

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Text
from tfpipe.data.tokens.sample_text import sample_text
from tfpipe.models import GPT, CharRNN
from tfpipe.models.sequence.carried import carried_layers


class Sequential(Pipeline):
    """Epochs of 14 steps of 8 rows and one of 4; validation of two batches that go on, too."""

    data = Text("text.txt", windows=5, order="sequential", limit=585, validation=60, test=60)
    model = CharRNN("lstm", 6, layers=2, dropout=0.2)
    optimizer = tfpipe.keras.optimizers.SGD(1.0, momentum=0.5)
    clip_norm = 1.0
    batch_size = 8
    epochs = 3
    checkpoint_every = 2


class Random(Sequential):
    data = Text("text.txt", windows=5, limit=585, validation=60, test=60)
    model = GPT(layers=1, heads=2, width=8, dropout=0.1)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text(sample_text(200, 5, "char", 0))
    return str(file)


@pytest.fixture(scope="module", params=[Sequential, Random])
def job(request: pytest.FixtureRequest, text: str) -> Pipeline:
    pipeline: Pipeline = request.param()
    assert pipeline.data is not None
    return pipeline.replace(data=pipeline.data.replace(path=text))


@pytest.fixture(scope="module")
def straight(job: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run(job, tmp_path_factory.mktemp("straight"))


@pytest.mark.parametrize("moment", [(0, 5), (1, None)])
def test_killed_and_resumed_is_equal(
    job: Pipeline, straight: Any, moment: tuple[int, int | None], tmp_path: Path
) -> None:
    directory = killed(job, tmp_path, KillAt(*moment))
    again = resumed(job, tmp_path)
    assert weights(again) == weights(straight)
    assert again.history.keys() == straight.history.keys()
    assert_equal(directory, outcome(straight.directory))


def test_steps_in_one_call_are_those_one_by_one(
    job: Pipeline, straight: Any, tmp_path: Path
) -> None:
    one = run(job.replace(steps_per_execution=1), tmp_path)
    assert weights(one) == weights(straight)
    names = ("loss", "perplexity", "val_loss", "val_perplexity")
    assert {n: one.history[n] for n in names} == {n: straight.history[n] for n in names}
    assert one.metrics["test"] == straight.metrics["test"]


def test_validation_carries_a_state_of_its_own(text: str, tmp_path: Path) -> None:
    pipeline = Sequential(epochs=1, model=CharRNN("gru", 6))
    pipeline = pipeline.replace(data=pipeline.data.replace(path=text, test=None))
    result = run(pipeline, tmp_path)
    # The held-out rows as 8 long ones, of which the first have a window more: by a plain model.
    plain = CharRNN("gru", 6).build(pipeline.spec())
    plain.set_weights([w.numpy() for w in result.model.trainable_weights])
    tokens = pipeline.data.stored("validation")
    size = pipeline.spec().splits["validation"]
    whole, more = divmod(size, 8)
    assert (whole, more) == (1, 3)
    total = 0.0
    for row in range(8):
        begin = 5 * (row * whole + min(row, more))
        length = 5 * (whole + (row < more))
        logits = plain(tokens[None, begin : begin + length]).numpy()[0]
        of_all = np.log(np.exp(logits).sum(-1))
        true = tokens[begin + 1 : begin + length + 1]
        total += float((of_all - logits[np.arange(length), true]).sum())
    expected = np.exp(total / (5 * size))
    assert result.metrics["validation"]["perplexity"] == pytest.approx(expected, rel=1e-4)
    assert result.evaluate("validation")["perplexity"] == pytest.approx(expected, rel=1e-4)
    assert not any(layer.carrying for layer in carried_layers(result.model))


def test_clip_norm_is_that_of_all_gradients_together(text: str, tmp_path: Path) -> None:
    pipeline = Sequential(optimizer=tfpipe.keras.optimizers.SGD(1.0), clip_norm=0.01, epochs=1)
    pipeline = pipeline.replace(
        data=pipeline.data.replace(path=text, limit=100, validation=None, test=None),
        model=CharRNN("rnn", 6),
        steps_per_epoch=1,
    )
    before = pipeline.replace(clip_norm=1e-9)
    moved = run(pipeline, tmp_path / "a").model.trainable_weights
    still = run(before, tmp_path / "b").model.trainable_weights
    squares = sum(float(((a - b) ** 2).numpy().sum()) for a, b in zip(moved, still, strict=True))
    assert squares**0.5 == pytest.approx(0.01, rel=1e-3)
