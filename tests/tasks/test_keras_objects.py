"""Losses and metrics as they are declared in Keras are right: equal to scikit-learn's values."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics as sk

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.errors import ConfigError
from tfpipe.tasks import Task, task_for

losses, metrics = tfpipe.keras.losses, tfpipe.keras.metrics
RNG = np.random.default_rng(0)
VECTOR = (Feature("x", (4,), "float32", "vector"),)


def task_of(label: Label, probabilities: bool = False) -> Task:
    task = task_for(ElementSpec(VECTOR, (label,)))
    task.probabilities = probabilities
    return task


THREE = Label("label", "class", (), ("ape", "bee", "cow"))
TWO = Label("label", "class", (), ("no", "yes"))
SEVERAL = Label("label", "multilabel", (3,), ("red", "green", "blue"))
REAL = Label("price", "real")
LABELS = {
    "classification": (THREE, RNG.integers(0, 3, 60), RNG.normal(size=(60, 3))),
    "binary": (TWO, RNG.integers(0, 2, 60), RNG.normal(size=(60, 1))),
    "multilabel": (SEVERAL, RNG.integers(0, 2, (60, 3)), RNG.normal(size=(60, 3))),
    "regression": (REAL, RNG.normal(size=60), RNG.normal(size=(60, 1))),
}


def measured(name: str, declared: Any, probabilities: bool = False) -> Any:
    """The value of a metric over two batches, the second one smaller."""
    label, y, outputs = LABELS[name]
    task = task_of(label, probabilities)
    if probabilities:
        outputs = task_of(label).answers(outputs).numpy()
    (metric,) = task.metrics_for((declared,))
    for part in (slice(0, 40), slice(40, 60)):
        metric.update_state(tf.constant(y[part]), tf.constant(outputs[part], tf.float32))
    return np.asarray(metric.result())


def truth(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the probabilities of each class or answer."""
    label, y, outputs = LABELS[name]
    answers = task_of(label).answers(outputs).numpy()
    if name == "binary":
        answers = np.concatenate([1 - answers, answers], axis=1)
    return y, answers


Y3, P3 = truth("classification")
Y2, P2 = truth("binary")
YM, PM = truth("multilabel")
YR, PR = truth("regression")
ONE_HOT = np.eye(3)[Y3]
VALUES = [
    ("classification", "accuracy", sk.accuracy_score(Y3, P3.argmax(1))),
    ("classification", "sparse_categorical_accuracy", sk.accuracy_score(Y3, P3.argmax(1))),
    ("classification", metrics.CategoricalAccuracy(), sk.accuracy_score(Y3, P3.argmax(1))),
    ("classification", metrics.Accuracy(), sk.accuracy_score(Y3, P3.argmax(1))),
    (
        "classification",
        metrics.TopKCategoricalAccuracy(k=2),
        sk.top_k_accuracy_score(Y3, P3, k=2),
    ),
    ("classification", metrics.SparseTopKCategoricalAccuracy(k=2), sk.top_k_accuracy_score(Y3, P3)),
    (
        "classification",
        metrics.F1Score(average="macro"),
        sk.f1_score(Y3, P3.argmax(1), average="macro"),
    ),
    ("classification", metrics.F1Score(), sk.f1_score(Y3, P3.argmax(1), average=None)),
    (
        "classification",
        metrics.FBetaScore(beta=2.0, average="weighted"),
        sk.fbeta_score(Y3, P3.argmax(1), beta=2.0, average="weighted"),
    ),
    (
        "classification",
        metrics.Precision(),
        sk.precision_score(ONE_HOT, P3 > 0.5, average="micro"),
    ),
    ("classification", metrics.Recall(), sk.recall_score(ONE_HOT, P3 > 0.5, average="micro")),
    ("classification", metrics.SparseCategoricalCrossentropy(), sk.log_loss(Y3, P3)),
    ("classification", metrics.CategoricalCrossentropy(from_logits=True), sk.log_loss(Y3, P3)),
    ("classification", "mse", ((ONE_HOT - P3) ** 2).mean()),
    (
        "classification",
        metrics.MeanIoU(num_classes=3),
        sk.jaccard_score(Y3, P3.argmax(1), average="macro"),
    ),
    ("binary", "accuracy", sk.accuracy_score(Y2, P2.argmax(1))),
    ("binary", metrics.BinaryAccuracy(), sk.accuracy_score(Y2, P2.argmax(1))),
    ("binary", metrics.Precision(), sk.precision_score(Y2, P2.argmax(1))),
    ("binary", metrics.Recall(thresholds=0.3), sk.recall_score(Y2, P2[:, 1] > 0.3)),
    ("binary", metrics.BinaryCrossentropy(), sk.log_loss(Y2, P2)),
    ("binary", metrics.SparseCategoricalCrossentropy(from_logits=True), sk.log_loss(Y2, P2)),
    (
        "binary",
        metrics.F1Score(average="macro"),
        sk.f1_score(Y2, P2.argmax(1), average="macro"),
    ),
    ("binary", metrics.F1Score(threshold=0.5), [sk.f1_score(Y2, P2.argmax(1))]),
    ("binary", metrics.CategoricalAccuracy(), sk.accuracy_score(Y2, P2.argmax(1))),
    ("multilabel", "accuracy", sk.accuracy_score(YM.ravel(), (PM > 0.5).ravel())),
    ("multilabel", metrics.Precision(), sk.precision_score(YM, PM > 0.5, average="micro")),
    (
        "multilabel",
        metrics.F1Score(average="macro", threshold=0.5),
        sk.f1_score(YM, PM > 0.5, average="macro"),
    ),
    ("regression", metrics.R2Score(), sk.r2_score(YR, PR)),
    ("regression", "mae", sk.mean_absolute_error(YR, PR)),
    ("regression", metrics.RootMeanSquaredError(), sk.root_mean_squared_error(YR, PR)),
]


def test_two_metrics_of_one_name_are_refused() -> None:
    task = task_of(THREE)
    with pytest.raises(ConfigError) as refused:
        task.metrics_for(("accuracy", metrics.AUC(), "accuracy"))
    assert str(refused.value) == (
        "metrics: two are called 'accuracy'. Leave one out, or give it another name=."
    )


@pytest.mark.parametrize(("name", "declared", "expected"), VALUES, ids=str)
def test_a_metric_is_scikit_learns(name: str, declared: Any, expected: Any) -> None:
    assert measured(name, declared) == pytest.approx(np.asarray(expected), rel=1e-5)
    fixed = getattr(declared, "kwargs", {})
    if name != "regression" and not fixed.get("from_logits"):  # of a model that ends in a softmax
        found = measured(name, declared, probabilities=True)
        assert found == pytest.approx(np.asarray(expected), rel=1e-5)


def test_the_area_under_the_curve_is_scikit_learns() -> None:
    auc = measured("binary", metrics.AUC(num_thresholds=5000))
    assert auc == pytest.approx(sk.roc_auc_score(Y2, P2[:, 1]), abs=1e-3)
    assert measured("binary", metrics.AUC(from_logits=True, num_thresholds=5000)) == auc
    several = measured("multilabel", metrics.AUC(multi_label=True, num_thresholds=5000))
    assert several == pytest.approx(sk.roc_auc_score(YM, PM), abs=1e-3)
    many = measured("classification", metrics.AUC(multi_label=True, num_thresholds=5000))
    assert many == pytest.approx(sk.roc_auc_score(Y3, P3, multi_class="ovr"), abs=1e-3)


def loss_value(name: str, declared: Any, probabilities: bool = False) -> float:
    label, y, outputs = LABELS[name]
    task = task_of(label, probabilities)
    if probabilities:
        outputs = task_of(label).answers(outputs).numpy()
    return float(task.loss_for(declared)(tf.constant(y), tf.constant(outputs, tf.float32)))


def smooth(one_hot: np.ndarray, share: float) -> np.ndarray:
    return one_hot * (1 - share) + share / one_hot.shape[1]


LOSSES = [
    ("classification", None, sk.log_loss(Y3, P3)),
    ("classification", "crossentropy", sk.log_loss(Y3, P3)),
    ("classification", "categorical_crossentropy", sk.log_loss(Y3, P3)),
    ("classification", losses.SparseCategoricalCrossentropy(), sk.log_loss(Y3, P3)),
    ("classification", losses.CategoricalCrossentropy(from_logits=True), sk.log_loss(Y3, P3)),
    (
        "classification",
        losses.CategoricalCrossentropy(label_smoothing=0.1),
        -(smooth(ONE_HOT, 0.1) * np.log(P3)).sum(1).mean(),
    ),
    (
        "classification",
        losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0),
        -(ONE_HOT * (1 - P3) ** 2 * np.log(P3)).sum(1).mean(),
    ),
    ("classification", "mse", ((ONE_HOT - P3) ** 2).mean()),
    ("binary", None, sk.log_loss(Y2, P2)),
    ("binary", losses.BinaryCrossentropy(), sk.log_loss(Y2, P2)),
    ("binary", losses.CategoricalCrossentropy(), sk.log_loss(Y2, P2)),
    ("binary", "sparse_categorical_crossentropy", sk.log_loss(Y2, P2)),
    ("binary", losses.Hinge(), sk.hinge_loss(Y2, LABELS["binary"][2][:, 0])),
    ("multilabel", losses.BinaryCrossentropy(), sk.log_loss(YM.ravel(), PM.ravel())),
    ("regression", None, sk.mean_squared_error(YR, PR)),
    ("regression", "mean_absolute_error", sk.mean_absolute_error(YR, PR)),
]


@pytest.mark.parametrize(("name", "declared", "expected"), LOSSES, ids=str)
def test_a_loss_is_right(name: str, declared: Any, expected: float) -> None:
    assert loss_value(name, declared) == pytest.approx(expected, rel=1e-5)
    fixed = getattr(declared, "kwargs", {})
    if name != "regression" and declared != losses.Hinge() and not fixed.get("from_logits"):
        assert loss_value(name, declared, probabilities=True) == pytest.approx(expected, rel=1e-4)


def pictures() -> Any:
    y = np.arange(90) % 3
    x = RNG.integers(0, 80, (90, 6, 6, 1)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), np.where(RNG.random(90) < 0.2, (y + 1) % 3, y)


class Ends(Pipeline):
    """A network of a person's own, and what they would declare in Keras."""

    data = Arrays(pictures, validation=0.2, test=0.2, classes=("dark", "grey", "bright"))
    loss = losses.CategoricalCrossentropy(label_smoothing=0.1)
    metrics = ("accuracy", metrics.F1Score(average="macro"), metrics.Precision(), "AUC")
    epochs = 2
    activation: str | None = None

    def build_model(self) -> Any:
        inputs = keras.Input((6, 6, 1))
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, keras.layers.Dense(3, activation=self.activation)(x))


def test_a_model_that_ends_in_a_softmax_is_trained_and_exported_as_one_without(
    tmp_path: Path,
) -> None:
    runs = [
        tfpipe.run(Ends(activation=activation), root=tmp_path / str(activation), quiet=True)
        for activation in (None, "softmax")
    ]
    for run, other in (runs, reversed(runs)):
        assert run.metrics["test"] == pytest.approx(other.metrics["test"], abs=1e-5)
        assert set(run.metrics["test"]) == {"loss", "accuracy", "f1_score", "precision", "AUC"}
    images = tf.constant(pictures()[0][:5])
    answers = [
        tf.saved_model.load(str(run.exported[0]))
        .signatures["serving_default"](image=images)["probabilities"]
        .numpy()
        for run in runs
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
    np.testing.assert_allclose(answers[1].sum(1), 1.0, atol=1e-5)
    plain = keras.models.load_model(runs[0].directory / "checkpoints" / "best.keras")
    assert plain.optimizer is not None  # compiled by plain Keras, from what was declared


def test_a_function_of_a_persons_gets_what_there_is() -> None:
    seen = []

    def loss(labels: Any, outputs: Any) -> Any:
        seen.append((labels, outputs))
        return tf.constant(0.0)

    task = task_of(THREE)
    assert task.loss_for(loss) is loss

    class Own(keras.metrics.Metric):
        pass

    assert task.metrics_for((Own,))[0] is Own
    assert task.metrics_for((loss,)) == [loss]
    (by_name,) = task.metrics_for(("AUC",))
    assert by_name.name == "AUC"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: task_of(TWO).metrics_for((metrics.Recall(thresholds=0.0),)),
            "metrics: keras.metrics.Recall(thresholds=0.0) takes every answer for a yes, since "
            "metrics get probabilities. Write thresholds=0.5, or leave it out.",
        ),
        (
            lambda: task_of(TWO, True).loss_for(losses.BinaryCrossentropy(from_logits=True)),
            "loss=keras.losses.BinaryCrossentropy(from_logits=True), and the model's last layer "
            "gives probabilities: leave from_logits out, or the activation of that layer.",
        ),
        (
            lambda: task_of(TWO).loss_for("binary_crosentropy"),
            "loss='binary_crosentropy': Keras has none of that name. Did you mean "
            "'binary_crossentropy',",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(act: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        act()
    assert str(caught.value).startswith(message)


def test_what_raises_in_keras_is_named_by_its_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "distances.py").write_text(
        "def distance(labels, outputs):\n    return abs(float(labels) - outputs)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    distance = tfpipe.deferred("distances").distance
    for field, changes in (
        ("loss", {"loss": distance, "metrics": ()}),
        ("metrics", {"metrics": ("accuracy", distance)}),
    ):
        with pytest.raises(ConfigError) as caught:
            tfpipe.run(Ends(epochs=1, **changes), root=tmp_path, quiet=True)
        assert str(caught.value).startswith(
            f"{field}: distance does not take labels of shape (None,) and outputs of shape "
            "(None, 3): TypeError: float() argument must be"
        )
