"""Three sentences: how good, how it fits, what to try."""

import math

import pytest

from tfpipe.evaluation.scores.baseline import Baseline
from tfpipe.evaluation.verdict import Measured, fit, how_good, what_next
from tfpipe.training.reporting import EpochRow

CONSTANT = Baseline("always answering cat", 0.5)


def rows(*losses: tuple[float, float], **more: float) -> list[EpochRow]:
    measured = [{"loss": a, "val_loss": b, **more} for a, b in losses]
    return [EpochRow(i, 9, 1.0, 1.0, m) for i, m in enumerate(measured, 1)]


@pytest.mark.parametrize(
    ("measured", "sentence"),
    [
        (
            Measured(
                "test",
                3000,
                0.857,
                (0.844, 0.869),
                True,
                [CONSTANT, Baseline("a linear model", 0.8)],
            ),
            "85.7% of 3,000 test samples are answered right (95% interval 84.4% to 86.9%); always "
            "answering cat would get 50.0% and a linear model would get 80.0%.",
        ),
        (
            Measured("test", 1, 1.0, (0.2, 1.0), True, [CONSTANT]),
            "100.0% of 1 test sample are answered right (95% interval 20.0% to 100.0%); always "
            "answering cat would get 50.0%, which is not clearly worse.",
        ),
        (
            Measured(
                "validation",
                20,
                2.0,
                (1.5, 2.5),
                False,
                [Baseline("always answering the median", 4.0)],
            ),
            "Over 20 validation samples the mean absolute error is 2.0000 (95% interval 1.5000 to "
            "2.5000); always answering the median would get 4.0000.",
        ),
        (
            Measured("test", 50, 0.4, (0.3, 0.45), True, [CONSTANT]),
            "40.0% of 50 test samples are answered right (95% interval 30.0% to 45.0%); always "
            "answering cat would get 50.0%, which is better.",
        ),
        (
            Measured("test", 20, 2.0, (math.nan, math.nan), False),
            "Over 20 test samples the mean absolute error is 2.0000.",
        ),
    ],
)
def test_how_good(measured: Measured, sentence: str) -> None:
    assert how_good(measured) == sentence


@pytest.mark.parametrize(
    ("epochs", "state", "sentence"),
    [
        (
            rows((1.0, 1.0), (0.5, 0.8), (0.2, 1.2)),
            "over",
            "It overfits: after epoch 2 the validation loss rose from 0.8000 to 1.2000, while the "
            "training loss fell to 0.2000.",
        ),
        (
            rows((1.0, 1.0), (0.5, 0.8), accuracy=0.99, val_accuracy=0.7),
            "over",
            "It overfits: 99.0% of the training samples are answered right, and 70.0% of those "
            "held out.",
        ),
        (
            rows((1.0, 1.0), (0.8, 0.9), (0.6, 0.7)),
            "unfinished",
            "It is not done: the validation loss was still falling in the last epoch, to 0.7000.",
        ),
        (
            rows((1.0, 1.0), accuracy=0.9, val_accuracy=0.1),
            "unfinished",
            "One epoch says little about how it fits.",
        ),
        (
            rows((1.0, 1.0), (0.5, 0.5), (0.5, 0.51)),
            "fits",
            "It neither overfits nor goes on learning: validation loss 0.5000 beside a training "
            "loss of 0.5000 at epoch 2.",
        ),
        (
            rows((1.0, math.nan)),
            "unknown",
            "Without a validation split nobody can say whether it fits too much.",
        ),
    ],
)
def test_how_it_fits(epochs: list[EpochRow], state: str, sentence: str) -> None:
    assert fit(epochs, None) == (state, sentence)


def test_what_to_try() -> None:
    longer = "epochs=18"
    good = Measured("test", 100, 0.9, (0.8, 0.95), True, [CONSTANT])
    poor = Measured("test", 100, 0.5, (0.4, 0.6), True, [CONSTANT])
    assert what_next("over", good, longer, generated=False).startswith(
        "Next: more data or augmentation"
    )
    assert (
        what_next("unfinished", good, longer, generated=False)
        == "Next: train longer, such as epochs=18."
    )
    assert "look at the data first" in what_next("fits", poor, longer, generated=False)
    assert "tfpipe search" in what_next("fits", good, longer, generated=False)
    assert "data.validation=0.1" in what_next("unknown", good, longer, generated=False)
    assert what_next("over", poor, longer, generated=True).startswith("Train it on the real data")
