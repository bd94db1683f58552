"""A flower of red and blue petals, which four hidden units tell apart.

Shows: data of one's own formula, what a hidden layer adds to a line, a decision map.

The numbers are those of a published course: 400 points, drawn from NumPy's seed 1, tanh, gradient
descent on all points at once, learning rate 1.2, 10,000 steps from weights of about 0.01. It
published the accuracy on the points that were trained on: 90%, and 47% for a logistic regression.
Here another 400 points of the same flower, from seed 2, are the test split as well.

| class      | network  | parameters | training | new points |
| ---------- | -------- | ---------: | -------: | ---------: |
| Planar     | 2, 4, 1  |         17 |    91.0% |      90.8% |
| PlanarLine | 2, 1     |          3 |    47.0% |      49.2% |

report/decision_map.png shows what was learnt.

    tfpipe run pipelines/planar.py
    tfpipe run pipelines/planar.py::PlanarLine
"""

import numpy as np

from tfpipe import Pipeline, deferred, keras
from tfpipe.data import Arrays
from tfpipe.models import MLP


def flower(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of two petals of 200, red and blue, each with noise."""
    rng = np.random.RandomState(seed)  # the generator of the published points
    x = []
    for petal in range(2):
        angle = np.linspace(petal * 3.12, (petal + 1) * 3.12, 200) + rng.randn(200) * 0.2
        radius = 4 * np.sin(4 * angle) + rng.randn(200) * 0.2
        x.append(np.c_[radius * np.sin(angle), radius * np.cos(angle)])
    return np.concatenate(x).astype(np.float32), np.repeat(["red", "blue"], 200)


class Planar(Pipeline):
    """2, 4, 1."""

    data = Arrays(
        lambda: {"train": flower(1), "test": flower(2)}, validation=None, classes=("red", "blue")
    )
    model = MLP(
        units=(4,), activation="tanh", initializer=keras.initializers.RandomNormal(stddev=0.01)
    )
    optimizer = keras.optimizers.SGD(learning_rate=1.2)
    callbacks = (deferred("callbacks.decision_map").DecisionMap(every=10),)
    batch_size = 400
    steps_per_epoch = 500
    epochs = 20


class PlanarLine(Planar):
    """2, 1: the best line."""

    model = MLP(units=())
