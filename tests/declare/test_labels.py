"""The labels of a choice's values."""

import pytest

from tfpipe import hp, keras
from tfpipe.models import MLP


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((2, 4, 6), (2, 4, 6)),
        ((0.5, 1.0), (0.5, 1.0)),
        (("relu", "gelu"), ("relu", "gelu")),
        # Keras Tuner would take True for 1, and does not take numbers of two kinds.
        ((True, False), ("true", "false")),
        ((1, 0.5), ("1", "0.5")),
        ((1, True), ("1", "true")),
        (("none", None), ("none 1", "none 2")),
        ((MLP(), None), ("MLP", "none")),
        (((0.1, 0.2), (0.3,)), ("(0.1, 0.2)", "(0.3,)")),
        ((MLP(units=(1,)), MLP(units=(2,))), ("MLP(units=(1,))", "MLP(units=(2,))")),
        ((keras.losses.Huber, keras.losses.Huber()), ("Huber", "Huber()")),
        ((keras.optimizers.Adam(0.5), "adam"), ("Adam", "adam")),
        (
            (MLP(units=(1,) * 20), MLP(units=(2,) * 20), "MLP 1"),
            ("MLP 1 1", "MLP 2 2", "MLP 1 3"),
        ),
        (
            (MLP(units=(1,) * 20), MLP(units=(2,) * 20), MLP(units=(3,))),
            ("MLP 1", "MLP 2", "MLP(units=(3,))"),
        ),
    ],
)
def test_labels_are_short_and_unique(values, labels):
    choice = hp.Choice(values[-1], values=values)
    assert choice.labels == labels
    assert [type(label) for label in choice.labels] == [type(label) for label in labels]
    assert choice.declared == labels[-1]
