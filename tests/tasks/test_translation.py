"""The task of translations: a loss and metrics in which padding does not count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe.declare.formats import SPECIAL
from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError
from tfpipe.tasks.metrics.masked import MaskedCrossentropy, MaskedPerplexity
from tfpipe.tasks.task import task_of

WORDS = (*SPECIAL, "a", "b", "c")
LABEL = Label("translation", "sentence", (5,), WORDS)
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 5, len(WORDS))).astype(np.float32)
LENGTHS = np.array([5, 2, 1, 3, 4, 1, 5])
VALID = np.arange(5) < LENGTHS[:, None]
TOKENS = np.where(VALID, RNG.integers(2, len(WORDS), (7, 5)), 0).astype(np.int32)


def by_hand() -> np.ndarray:
    """[tokens] the cross-entropy of each that is no padding."""
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    return -np.log(np.take_along_axis(probabilities, TOKENS[..., None], -1)[..., 0])[VALID]


def test_it_is_inferred_from_sentences_alone() -> None:
    task = task_of(LABEL)
    assert (task.name, task.units, task.judged_as) == ("translation", 7, "translation")
    assert task.describe(LABEL) == "sentences of a vocabulary of 7"
    with pytest.raises(ConfigError) as caught:
        task_of(Label("next", "tokens", (5,), WORDS), "translation")
    assert str(caught.value) == (
        "task='translation' does not fit the labels, which are the next tokens of a vocabulary of "
        "7. Possible: language."
    )


def test_the_loss_is_the_hand_worked_mean_of_the_tokens_of_a_batch() -> None:
    # Two sentences of two tokens and one; each logit is the log of a share, so losses are known.
    shares = np.array([[[1, 1, 2, 4], [1, 5, 1, 1]], [[2, 1, 4, 1], [9, 9, 9, 9]]], np.float32) / 8
    loss = MaskedCrossentropy()
    worked = -(np.log(4 / 8) + np.log(5 / 8) + np.log(4 / 8)) / 3
    assert float(loss(np.array([[3, 1], [2, 0]]), np.log(shares))) == pytest.approx(
        worked, rel=1e-6
    )
    of_task = task_of(LABEL).loss_for()
    assert float(of_task(TOKENS, LOGITS)) == pytest.approx(by_hand().mean(), rel=1e-6)
    again = MaskedCrossentropy.from_config(MaskedCrossentropy(from_logits=False).get_config())
    assert float(again(TOKENS, tf.nn.softmax(LOGITS))) == pytest.approx(by_hand().mean(), rel=1e-5)
    assert float(loss(np.zeros((2, 2), np.int32), LOGITS[:2, :2])) == 0.0


def test_padding_changes_neither_the_loss_nor_a_gradient() -> None:
    loss = task_of(LABEL).loss_for()

    def gradient(more: int) -> tuple[float, np.ndarray]:
        logits = tf.Variable(np.pad(LOGITS, ((0, 0), (0, more), (0, 0)), constant_values=3))
        with tf.GradientTape() as tape:
            value = loss(np.pad(TOKENS, ((0, 0), (0, more))), logits)
        return float(value), tape.gradient(value, logits).numpy()

    value, plain = gradient(0)
    padded, longer = gradient(6)
    assert padded == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(longer[:, :5], plain, atol=1e-8)
    assert not longer[:, 5:].any()
    assert not plain[~VALID].any()
    weighted = float(loss(TOKENS, LOGITS, sample_weight=np.full((7, 1), 2.0, np.float32)))
    assert weighted == pytest.approx(2 * value, rel=1e-6)


def test_metrics_are_exact_over_uneven_batches() -> None:
    accuracy, perplexity = task_of(LABEL).metrics_for()
    for rows in (slice(0, 3), slice(3, 4), slice(4, 7)):
        accuracy.update_state(TOKENS[rows], LOGITS[rows])
        perplexity.update_state(TOKENS[rows], LOGITS[rows])
    assert (accuracy.name, perplexity.name) == ("accuracy", "perplexity")
    right = (LOGITS.argmax(-1) == TOKENS)[VALID]
    assert float(accuracy.result()) == pytest.approx(right.mean())
    assert float(perplexity.result()) == pytest.approx(np.exp(by_hand().mean()), rel=1e-6)
    first = MaskedPerplexity()
    first.update_state(TOKENS, LOGITS, sample_weight=np.eye(7, dtype=np.float32)[0])
    assert float(first.result()) == pytest.approx(np.exp(by_hand()[:5].mean()), rel=1e-6)


def test_declared_losses_and_metrics_do_not_see_padding() -> None:
    task = task_of(LABEL)
    one_hot = task.loss_for("categorical_crossentropy")
    assert float(one_hot(TOKENS, LOGITS)) == pytest.approx(by_hand().mean(), rel=1e-5)
    accuracy, top = task.metrics_for(
        ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")]
    )
    top.update_state(TOKENS, LOGITS)
    ranks = (np.take_along_axis(LOGITS, TOKENS[..., None], -1) < LOGITS).sum(-1)[VALID]
    assert float(top.result()) == pytest.approx((ranks < 2).mean())
    assert accuracy.name == "accuracy"


def test_what_is_kept_and_how_a_sentence_is_shown() -> None:
    task = task_of(LABEL)
    kept = np.asarray(task.kept(task.answers(LOGITS), tf.constant(TOKENS)))
    assert kept.shape == (7, 5, 2)
    assert task.losses(kept, TOKENS)[2] == pytest.approx(by_hand()[7], rel=1e-4)
    means = task.losses(kept, TOKENS)
    assert (means * LENGTHS).sum() / LENGTHS.sum() == pytest.approx(by_hand().mean(), rel=1e-5)
    assert task.right(kept, TOKENS) is None
    assert task.caption([], np.array([4, 6, 2, 0, 0])) == "a c"
    assert task.named([("a c", -0.1), ("a", -0.5), ("", -2.0)], 2) == (("a c", -0.1), ("a", -0.5))
