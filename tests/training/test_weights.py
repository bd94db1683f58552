"""How much a training sample counts: its class's weight, times its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.errors import ConfigError
from tfpipe.models import MLP
from tfpipe.training.datasets import dataset
from tfpipe.training.weights import class_weights

CLASSES = ("rare", "common")


def uneven() -> tuple[np.ndarray, np.ndarray]:
    """90 samples of the class "common", 10 of "rare"."""
    x = np.random.default_rng(0).normal(size=(100, 3))
    return x, (np.arange(100) >= 10).astype(int)


class Uneven(Pipeline):
    data = Arrays(uneven, validation=0.2, test=None, classes=CLASSES)
    model = MLP(units=())
    batch_size = 16


def weights_in(pipeline: Pipeline, split: str = "train") -> dict[int, set[float]]:
    found: dict[int, set[float]] = {}
    for _, y, weight in dataset(pipeline, split).as_numpy_iterator():
        for label, each in zip(y.tolist(), weight.tolist(), strict=True):
            found.setdefault(label, set()).add(each)
    return found


def test_balanced_gives_each_class_the_same_say() -> None:
    weights = class_weights(Uneven(class_weights="balanced"))
    counts = np.array([8, 72])  # of the 80 that are trained on
    np.testing.assert_allclose(weights, 80 / (2 * counts))
    assert (weights * counts).tolist() == [40, 40]


def test_given_weights_are_by_class_name_and_1_for_the_others() -> None:
    assert weights_in(Uneven(class_weights={"rare": 4.0})) == {0: {4.0}, 1: {1.0}}


def test_only_training_samples_are_weighed() -> None:
    pipeline = Uneven(class_weights="balanced")
    assert all(len(batch) == 2 for batch in dataset(pipeline, "validation"))
    assert all(len(batch) == 2 for batch in dataset(Uneven(), "train"))


def test_a_samples_own_weight_is_multiplied() -> None:
    x, y = uneven()
    data = Arrays(lambda: (x, y, np.full(100, 0.5)), validation=0.2, test=None, classes=CLASSES)
    pipeline = Uneven(data=data, class_weights={"rare": 4.0})
    assert weights_in(pipeline) == {0: {2.0}, 1: {0.5}}
    assert weights_in(pipeline, "validation") == {0: {0.5}, 1: {0.5}}


def test_the_loss_is_weighted() -> None:
    """Weights that let one class alone count train a model that gives it always."""
    import tfpipe

    run = tfpipe.run(
        Uneven(
            class_weights={"rare": 1e3, "common": 1e-3},
            optimizer=keras.optimizers.SGD(learning_rate=1e-3),
            epochs=15,
        ),
        export=False,
    )
    x, _ = uneven()
    logits = np.asarray(run.model(x.astype(np.float32)))
    assert (logits < 0).mean() > 0.95


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def real() -> Any:
    x, _ = uneven()
    return x, x.sum(axis=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"class_weights": {"comon": 2.0}},
            "class_weights: there is no class 'comon'. Did you mean 'common'?",
        ),
        (
            {"class_weights": "balanced", "data": Arrays(real)},
            "class_weights: the labels are no classes. Leave it out.",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dataset(Uneven(**changes), "train")
    assert str(caught.value) == message


def test_balanced_needs_to_know_the_labels() -> None:
    class Own(Pipeline):
        class_weights = "balanced"
        model = MLP(units=())

        def input_fn(self, split: str, *_: Any) -> Any:
            import tensorflow as tf

            x, y = uneven()
            return tf.data.Dataset.from_tensor_slices((x, y)).batch(10)

    from tfpipe.data.sources.user_batches import UserBatches

    pipeline = Own()
    described = pipeline.replace(data=UserBatches(pipeline.input_fn))
    with pytest.raises(ConfigError) as caught:
        dataset(described, "train")
    assert str(caught.value) == (
        "class_weights='balanced' needs to know the labels before training, and input_fn makes "
        "them. Give a number for each class: class_weights={...}."
    )


def test_a_weight_is_above_zero() -> None:
    with pytest.raises(ConfigError, match="class_weights takes"):
        Uneven(class_weights={"rare": 0.0})
