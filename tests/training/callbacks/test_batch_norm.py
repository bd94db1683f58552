"""Batch normalisation's averages after few steps: honest, and training the same without them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.models import CNN_2_4_6
from tfpipe.training.callbacks import batch_norm
from tfpipe.training.callbacks.batch_norm import BatchNormStatistics, learning_layers
from tfpipe.training.datasets import dataset


def images() -> Any:
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    return (rng.integers(0, 80, (240, 8, 8, 3)) + 60 * y[:, None, None, None]).astype("uint8"), y


class Small(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2)
    model = CNN_2_4_6(convs=2, dropout=0.2, batch_norm=True, units=8)
    optimizer = tfpipe.keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
    batch_size = 16
    epochs = 6


def run(root: Path, **changes: Any) -> Any:
    return tfpipe.run(Small(**changes), root=root, export=False, quiet=True)


def trained(model: keras.Model) -> list[np.ndarray]:
    return [np.array(variable) for variable in model.trainable_variables]


def test_after_few_steps_validation_and_test_are_as_good_as_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = run(tmp_path)
    assert honest.metrics["test"]["accuracy"] > 0.9
    note = "60 steps are too few for the averages of batch normalisation to settle: "
    status = (honest.directory / "status.json").read_text()
    assert note in status
    assert note in (honest.directory / "report" / "report.html").read_text()

    monkeypatch.setattr(batch_norm, "_SETTLED", 0.0)
    plain = run(tmp_path)
    assert plain.metrics["test"]["accuracy"] < 0.7, "as it is without"
    assert note not in (plain.directory / "status.json").read_text()
    # The same training: dropout has drawn the same, and no weight differs.
    assert plain.history["loss"] == honest.history["loss"]
    for one, other in zip(trained(plain.model), trained(honest.model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_averages_are_those_of_the_training_batches(tmp_path: Path) -> None:
    result = run(tmp_path, model=CNN_2_4_6(convs=2, batch_norm=True, units=8), epochs=2)
    first = next(iter(learning_layers(result.model)))
    before = keras.Model(result.model.inputs, first.input)
    batches = [np.array(before(x)) for x, _ in dataset(result._prepared.pipeline, "train", 1)]
    means = np.mean([b.mean(axis=(0, 1, 2)) for b in batches], axis=0)
    variances = np.mean([b.var(axis=(0, 1, 2)) for b in batches], axis=0)
    np.testing.assert_allclose(first.moving_mean, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.moving_variance, variances, rtol=1e-4, atol=1e-5)


def test_layers_that_learn_slower_take_longer_and_kept_ones_learn_nothing(tmp_path: Path) -> None:
    model = run(tmp_path, epochs=1).model
    callback = BatchNormStatistics(lambda epoch: pytest.fail("nothing is computed"))
    callback.set_model(model)
    model.optimizer.iterations.assign(1000)
    callback.on_test_begin()
    assert not callback.used
    layers = [*learning_layers(model)]
    assert len(layers) == 2
    layers[0].momentum = 0.999
    called: list[int] = []
    slower = BatchNormStatistics(lambda epoch: called.append(epoch) or dataset(Small(), "train"))
    slower.set_model(model)
    slower.on_epoch_begin(3)
    slower.on_test_begin()
    slower.on_epoch_end(3)
    assert (slower.used, called, layers[0].momentum) == (True, [3], 0.999)
    for layer in layers:
        layer.trainable = False
    assert not [*learning_layers(model)]
