"""The numbers of an inspection are those that Keras gives."""

import base64
import json
import re
import zlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation.inspection.conftest import every_layer, pictures
from tests.pages import EVIL, Read
from tests.specs import MakeSpec, label_of
from tfpipe.errors import ModelError
from tfpipe.evaluation.inspection.limits import check_kind, check_size
from tfpipe.evaluation.inspection.step import Step, modules
from tfpipe.evaluation.inspection.trace import trace
from tfpipe.models import WhitenedCNN
from tfpipe.tasks import Task, task_for
from tfpipe.tasks.task import task_of

FORMS = {
    "input": "input",
    "rescaling": "rescale",
    "conv": "conv",
    "conv/relu": "relu",
    "norm": "batchnorm",
    "pool": "maxpool",
    "strided": "conv",
    "depth": "depthwise",
    "point": "conv",
    "add": "add",
    "capped": "relu",
    "nested/grouped": "conv",
    "nested/elu": "activation",
    "nested/leaky": "relu",
    "concat": "concat",
    "means": "avgpool",
    "separable": "plain",
    "overall": "globalavg",
    "flatten": "flatten",
    "hidden": "dense",
    "hidden/tanh": "activation",
    "sum": "add",
    "logits": "dense",
    "probabilities": "softmax",
}


def task(name: str, label: str) -> Task:
    return task_of(label_of(label), name)


def numbers(page: str, name: str) -> np.ndarray:
    """The numbers in a page, as its script reads them."""
    [text] = re.findall(rf'<script type="text/plain" id="{name}">(.*?)</script>', page)
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(4, -1)
    return planes.T.copy().view("<f4").reshape(-1)


def test_every_layer_is_a_step(inspected: Any) -> None:
    steps = inspected.traced[0]
    assert {s.name: s.form for s in steps} == FORMS
    assert {s.name: s.followed_by for s in steps if s.followed_by} == {"conv/relu": ["dropout"]}
    by_name = dict(zip((s.name for s in steps), modules(steps), strict=True))
    assert [by_name[n] for n in ("input", "conv", "pool", "strided", "means", "separable")] == [
        *("Input", "Module 1", "Module 1", "Module 2", "Module 2", "Module 3")
    ]
    assert by_name["flatten"] == by_name["probabilities"] == "Classifier"


def test_the_numbers_in_the_page_are_those_of_keras(inspected: Any) -> None:
    page = inspected.file.read_text()
    read = Read(page)  # nothing in a name ends the script that it stands in
    assert [tag for tag, _ in read.found].count("script") == 5
    assert not [n for _, names in read.found for n in names if n.startswith("on") or n == "src"]
    assert EVIL in read.words
    [policy] = [names["content"] for _, names in read.found if "http-equiv" in names]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    [described] = re.findall(r'<script type="application/json" id="model">(.*?)</script>', page)
    described = json.loads(described)
    assert described["pictures"][0]["name"] == described["name"] == EVIL
    assert inspected.size == len(page.encode())
    model, weights = inspected.model, numbers(page, "weights")
    nested = model.get_layer("nested")
    for which, image in enumerate(inspected.images):
        values = numbers(page, f"image-{which}")
        found = {
            s["name"]: values[s["at"] : s["at"] + np.prod(s["shape"])].reshape(s["shape"])
            for s in described["steps"]
        }

        def of_keras(layer: str, image: np.ndarray = image) -> np.ndarray:
            outer = keras.Model(model.input, model.get_layer(layer).output)
            return np.asarray(outer(image[None]))[0]

        own = {name for name in FORMS if "/" not in name} - {"input", "probabilities"}
        expected = {name: of_keras(name) for name in own - {"conv", "hidden"}}
        expected["conv/relu"], expected["hidden/tanh"] = of_keras("conv"), of_keras("hidden")
        inner = keras.Model(nested.input, [layer.output for layer in nested.layers[1:]])
        grouped, elu, leaky = (np.asarray(t)[0] for t in inner(of_keras("capped")[None]))
        expected |= {"nested/grouped": grouped, "nested/elu": elu, "nested/leaky": leaky}
        kernel, bias = model.get_layer("conv").weights
        scaled = of_keras("rescaling")[None]
        expected["conv"] = np.asarray(keras.ops.conv(scaled, kernel, padding="same") + bias)[0]
        kernel, bias = model.get_layer("hidden").weights
        expected["hidden"] = of_keras("flatten") @ np.asarray(kernel) + np.asarray(bias)
        expected["input"] = image
        expected["probabilities"] = np.asarray(keras.ops.softmax(model(image[None])))[0]
        assert expected.keys() == found.keys()
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=2e-6, atol=2e-6, err_msg=name)
    places = {s["name"]: s["weights"] for s in described["steps"] if s["weights"]}
    for name, arrays in places.items():
        owner = nested if "/" in name else model
        layer = owner.get_layer(name.rpartition("/")[2])
        for key, place in arrays.items():
            attribute = f"moving_{key}" if key in ("mean", "variance") else key
            stored = weights[place["at"] :][: np.prod(place["shape"])].reshape(place["shape"])
            np.testing.assert_array_equal(stored, np.asarray(getattr(layer, attribute)))
    assert {"conv", "norm", "depth", "nested/grouped", "hidden", "logits"} <= places.keys()


def test_tracing_leaves_a_model_as_it_was() -> None:
    model, image = every_layer(), pictures(1)
    before = np.asarray(model(image))
    config = model.get_config()
    trace(model, task("classification", "class"), image[0])
    np.testing.assert_array_equal(np.asarray(model(image)), before)
    assert model.get_config() == config


@pytest.mark.parametrize(
    ("name", "label", "units", "activation", "last"),
    [
        ("binary", "binary", 1, None, "sigmoid"),
        ("multilabel", "multilabel", 3, None, "sigmoid"),
        ("classification", "class", 5, "softmax", "softmax"),
        ("binary", "binary", 1, "sigmoid", "sigmoid"),
    ],
)
def test_the_last_step_is_the_probabilities(
    name: str, label: str, units: int, activation: str | None, last: str
) -> None:
    head = keras.layers.Dense(units, activation=activation)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), head])
    image = pictures(1, (4, 4, 1))
    of_model = task(name, label).for_model(model)
    steps = trace(model, of_model, image[0])
    assert [s.form for s in steps] == ["input", "flatten", "dense", last]
    expected = np.asarray(of_model.answers(model(image)))[0]
    np.testing.assert_allclose(steps[-1].values, expected, rtol=1e-6)


def test_a_layer_of_ones_own_and_operations_are_plain() -> None:
    class Conv2D(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2

    inputs = keras.Input((4, 4, 1))
    x = keras.ops.relu(Conv2D(name="own")(inputs) - 100.0)
    shared = keras.layers.Dense(2)
    x = shared(keras.layers.Flatten()(x))
    outputs = keras.layers.Dense(5)(keras.ops.concatenate([x, x]))
    model = keras.Model(inputs, outputs)
    image = pictures(1, (4, 4, 1))
    steps = trace(model, task("classification", "class"), image[0])
    forms = {s.kind: s.form for s in steps}
    assert forms["Conv2D"] == "plain"
    assert forms["Relu"] == "relu"
    np.testing.assert_allclose(steps[1].values, 2.0 * image[0])
    assert len({s.name for s in steps}) == len(steps)


def test_a_subclass_is_refused() -> None:
    class Own(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ModelError, match=r"is a Own, a subclass of keras\.Model with a call\(\)"):
        trace(Own(), task("classification", "class"), pictures(1)[0])


def test_what_is_too_large_is_refused(spec_of: MakeSpec) -> None:
    spec = spec_of((224, 160, 3))
    with pytest.raises(ModelError, match=r"160x224: 35,840 pixels; the limit is 16,384 pixels"):
        check_kind("big/1", spec, task_for(spec))
    check_kind("fits/1", spec_of((128, 128, 3)), task_for(spec))

    def steps(count: int, shape: tuple[int, ...]) -> list[Step]:
        return [Step(str(i), "Conv2D", "conv", np.zeros(shape, "f4")) for i in range(count)]

    check_size("fits/1", steps(200, (1, 1, 10)), 16)
    with pytest.raises(ModelError, match=r"deep/1 has 201 layers; the limit is 200"):
        check_size("deep/1", steps(201, (1, 1, 1)), 1)
    with pytest.raises(ModelError, match=r"wide/1 has 16,400 maps; the limit is 16,384"):
        check_size("wide/1", steps(2, (1, 1, 8200)), 1)
    much = steps(10, (100, 100, 40))
    with pytest.raises(
        ModelError, match=r"with 8 images would have up to 171 MB; the limit is 64 MB.*--samples 3"
    ):
        check_size("much/1", much, 8)
    check_size("much/1", much, 3)
    with pytest.raises(ModelError, match=r"with 1 image .*small networks"):
        check_size("much/1", steps(10, (128, 128, 100)), 1)


def test_layers_of_tfpipe_that_answer_as_those_of_keras(spec_of: MakeSpec) -> None:
    spec = spec_of((16, 16, 3))
    images = pictures(40, (16, 16, 3))
    training = tf.data.Dataset.from_tensor_slices(images).batch(8)
    model = WhitenedCNN(widths=(8, 8, 8), views="shifted").build(spec, "auto", lambda: training)
    of_model = task_for(spec).for_model(model)
    steps = trace(model, of_model, images[0])
    by_name = {step.name: step for step in steps}
    assert by_name["conv_1_2"].form == by_name["whitening"].form == "conv"
    assert by_name["norm_1_2"].form == "batchnorm"
    assert by_name["conv_1_2"].views > by_name["rescaling"].views == 1
    expected = np.asarray(of_model.answers(model(images[:1])))[0]
    np.testing.assert_allclose(steps[-1].values, expected, rtol=1e-5, atol=1e-6)
