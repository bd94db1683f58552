"""Models as tables: multiply-adds as the papers have them, and what feeds what."""

import keras

from tfpipe.evaluation.network import layer_rows, total_multiply_adds
from tfpipe.models.parameter_count import count


def test_multiply_adds_are_the_papers() -> None:
    mobilenet = keras.applications.MobileNet(weights=None)
    assert round(total_multiply_adds(mobilenet) / 1e6) == 569  # Howard et al., 2017, table 4
    layers = keras.layers
    recurrent = keras.Sequential(
        [keras.Input((20,)), layers.Embedding(50, 8), layers.LSTM(16), layers.Dense(2)]
    )
    # 20 steps of 4 gates, each of (8 + 16) x 16; then 16 x 2.
    assert [row.multiply_adds for row in layer_rows(recurrent)] == [0, 20 * 4 * 24 * 16, 32]


def test_layers_in_order_with_what_feeds_them() -> None:
    x = keras.Input((4, 4, 3), name="in")
    a = keras.layers.Conv2D(3, 3, padding="same", name="a")(x)
    both = keras.layers.Add(name="add")([a, keras.layers.Identity(name="same")(x)])
    model = keras.Model(
        x, keras.layers.Dense(2, name="out")(keras.layers.Flatten(name="flat")(both))
    )
    rows = {row.name: row for row in layer_rows(model)}
    order = list(rows)
    fed = {name: [order[i] for i in row.inputs] for name, row in rows.items()}
    assert fed == {
        "in": [],
        "a": ["in"],
        "same": ["in"],
        "add": ["a", "same"],
        "flat": ["add"],
        "out": ["flat"],
    }
    assert rows["a"].multiply_adds == 16 * 9 * 3 * 3
    assert rows["out"].shape == (None, 2)
    assert sum(row.parameters for row in rows.values()) == count(model.weights)
