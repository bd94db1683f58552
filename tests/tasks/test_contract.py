"""What every task has to be able to do."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, mean_absolute_error

from tfpipe.data.learnable_samples import generate
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.exports.saved_model import export
from tfpipe.tasks import Task, task_for
from tfpipe.tasks.task import TASKS

LABELS = {
    "classification": Label("label", "class", (), ("ape", "bee", "cow")),
    "binary": Label("label", "class", (), ("no", "yes")),
    "multilabel": Label("label", "multilabel", (3,), ("red", "green", "blue")),
    "regression": Label("price", "real", (2,)),
}
VECTOR = Feature("x", (8,), "float32", "vector")


def spec(name: str) -> ElementSpec:
    return ElementSpec((VECTOR,), (LABELS[name],))


def test_every_task_is_tried() -> None:
    """Six are tried by themselves, in files with their names; detection in tests/evaluation."""
    others = {"several", "language", "translation", "images", "picture", "detection"}
    assert {*TASKS} == {*LABELS} | others


@pytest.fixture(params=LABELS)
def task(request: pytest.FixtureRequest) -> Task:
    return task_for(spec(request.param), request.param)


@pytest.fixture
def trained(task: Task) -> tuple[Any, np.ndarray, np.ndarray, Any]:
    """A model of one hidden layer, trained on generated samples; these, and the history."""
    columns = generate((VECTOR,), task.label, 256, 0, 0)
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    hidden = keras.layers.Dense(16, "relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(task.units)(hidden))
    model.compile("adam", loss=task.loss_for(), metrics=task.metrics_for())
    x, y = columns.features["x"], columns.labels
    history = model.fit(x, y, epochs=20, batch_size=16, verbose=0).history
    return model, x, y, history


def test_it_is_inferred_from_its_own_labels_and_fits_them(task: Task) -> None:
    assert task_for(spec(task.name)) == task
    assert task.fits(task.label)
    assert task.describe(task.label)


def test_generated_labels_are_learnt(trained: Any) -> None:
    losses = trained[3]["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.6 * losses[0]


def test_the_metric_is_scikit_learns(task: Task, trained: Any) -> None:
    model, x, y, _ = trained
    measured = model.evaluate(x, y, verbose=0, return_dict=True)
    answers = np.asarray(task.answers(model(x, training=False)))
    if task.has_classes:
        expected = accuracy_score(y, task.class_indices(answers))
    elif task.reads_logits:
        expected = accuracy_score(y.ravel(), (answers >= 0.5).ravel())
    else:
        expected = mean_absolute_error(y, answers)
    name = "mae" if task.name == "regression" else "accuracy"
    assert measured[name] == pytest.approx(expected, rel=1e-5)


def test_an_answer_has_the_names_of_the_labels(task: Task, trained: Any) -> None:
    model, x, _, _ = trained
    row = np.asarray(task.answers(model(x[:1], training=False)))[0]
    named = dict(task.named(row))
    assert set(named) <= {*task.label.classes, "price[0]", "price[1]"}
    if task.has_classes:
        assert sum(named.values()) == pytest.approx(1.0)
        assert next(iter(named)) == task.label.classes[int(task.class_indices(row[None])[0])]
    assert json.dumps(named)


def test_an_export_answers_as_the_task_says(task: Task, trained: Any, tmp_path: Path) -> None:
    model, x, _, _ = trained
    path = export(model, task, spec(task.name), tmp_path, {"x": x[:4]})
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    found = {name: value.numpy() for name, value in signature(x=tf.constant(x[:4])).items()}
    expected = task.outputs(task.answers(model(x[:4], training=False)))
    assert set(found) == set(expected)
    np.testing.assert_allclose(found[task.output], expected[task.output], rtol=1e-5)
    answers = task.answers(model(x[:4], training=False))
    np.testing.assert_allclose(task.answers_of(found), answers, rtol=1e-5)
    if task.has_classes:
        assert {name.decode() for name in found["class_name"]} <= set(task.label.classes)
    contract = json.loads((path / "assets" / "contract.json").read_text())
    assert (contract["task"], contract["output"]) == (task.name, task.output)
