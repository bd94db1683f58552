"""The task of a text's next tokens: what it compares, its perplexity, and what it keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError
from tfpipe.tasks.metrics.perplexity import Perplexity
from tfpipe.tasks.task import task_of

LABEL = Label("next", "tokens", (5,), ("<unk>", "a", "b", "c"))
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 5, 4)).astype(np.float32)
TOKENS = RNG.integers(0, 4, (7, 5)).astype(np.int32)


def by_hand() -> np.ndarray:
    """[rows, tokens] the cross-entropy of each token."""
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    return -np.log(np.take_along_axis(probabilities, TOKENS[..., None], -1)[..., 0])


def test_it_is_inferred_from_tokens_alone() -> None:
    task = task_of(LABEL)
    assert (task.name, task.units, task.judged_as) == ("language", 4, "tokens")
    assert task.describe(LABEL) == "the next tokens of a vocabulary of 4"
    with pytest.raises(ConfigError) as caught:
        task_of(Label("label", "real"), "language")
    assert str(caught.value) == (
        "task='language' does not fit the labels, which are real numbers. Possible: regression."
    )


def test_the_loss_is_the_mean_over_all_tokens() -> None:
    loss = task_of(LABEL).loss_for()
    assert float(loss(TOKENS, LOGITS)) == pytest.approx(by_hand().mean(), rel=1e-6)


def test_metrics_are_exact_over_uneven_batches() -> None:
    accuracy, perplexity = task_of(LABEL).metrics_for()
    for rows in (slice(0, 3), slice(3, 6), slice(6, 7)):
        accuracy.update_state(TOKENS[rows], LOGITS[rows])
        perplexity.update_state(TOKENS[rows], LOGITS[rows])
    assert (accuracy.name, perplexity.name) == ("accuracy", "perplexity")
    assert float(accuracy.result()) == pytest.approx((LOGITS.argmax(-1) == TOKENS).mean())
    assert float(perplexity.result()) == pytest.approx(np.exp(by_hand().mean()), rel=1e-6)
    again = Perplexity.from_config(Perplexity(from_logits=False).get_config())
    again.update_state(TOKENS, tf.nn.softmax(LOGITS))
    assert float(again.result()) == pytest.approx(float(perplexity.result()), rel=1e-5)


def test_a_uniform_guess_is_in_doubt_between_all_tokens() -> None:
    perplexity = Perplexity()
    perplexity.update_state(TOKENS, np.zeros_like(LOGITS))
    assert float(perplexity.result()) == pytest.approx(4, rel=1e-6)


def test_declared_losses_and_metrics_get_what_they_expect() -> None:
    task = task_of(LABEL)
    one_hot = task.loss_for("categorical_crossentropy")
    assert float(one_hot(TOKENS, LOGITS)) == pytest.approx(by_hand().mean(), rel=1e-5)
    accuracy, top = task.metrics_for(
        ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")]
    )
    top.update_state(TOKENS, LOGITS)
    ranks = (np.take_along_axis(LOGITS, TOKENS[..., None], -1) < LOGITS).sum(-1)
    assert float(top.result()) == pytest.approx((ranks < 2).mean())
    assert accuracy.name == "accuracy"


def test_a_run_keeps_two_numbers_of_a_token() -> None:
    task = task_of(LABEL)
    answers = task.answers(LOGITS)
    kept = np.asarray(task.kept(answers, tf.constant(TOKENS)))
    assert kept.shape == (7, 5, 2)
    assert np.allclose(-np.log(kept[..., 0]), by_hand(), atol=1e-5)
    assert (kept[..., 1] == LOGITS.argmax(-1)).all()
    assert np.allclose(task.losses(kept, TOKENS), by_hand().mean(-1), atol=1e-5)
    assert task.right(kept, TOKENS) is None
    assert task.caption(kept[0], TOKENS[0]) == f"perplexity {np.exp(by_hand()[0].mean()):.4g}"
    assert task.bars(kept[0]) == ()
    best = int(LOGITS[0, -1].argmax())
    assert task.named(answers[0].numpy().tolist(), 1)[0][0] == LABEL.classes[best]
