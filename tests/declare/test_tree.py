"""A declaration as dotted names, as JSON and back."""

import json

import pytest

from tfpipe import Pipeline, deferred, hp, keras
from tfpipe.data import TFDS, Arrays, augment
from tfpipe.declare.fieldtypes import Duration
from tfpipe.declare.loading import load
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.declare.tree import flatten, from_json, resolve, to_json
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6, MLP


def arrays():
    return None


class Everything(Pipeline):
    data = Arrays(arrays, validation=0.2)
    model = CNN_2_4_6(
        dropout=(0.1, hp.Float(0.2, min=0.0, max=0.5), 0.3),
        initializer=keras.initializers.HeNormal(seed=1),
    )
    augment = (augment.flip(), augment.rotate(15))
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(
            hp.Float(1e-3, min=1e-4, max=1e-1, log=True), decay_steps=1000
        ),
        momentum=0.9,
    )
    loss = keras.losses.Huber
    metrics = ("accuracy", keras.metrics.AUC(), keras.metrics.Precision)
    batch_size = hp.Choice(32, values=(32, 64))
    callbacks = (
        deferred("callbacks.confusion").Confusion(1, every=2),
        keras.callbacks.EarlyStopping(patience=5),
    )
    checkpoint_every = "1h30m"


def test_flatten_names_what_is_inside_parts_calls_and_tuples():
    found = flatten(Everything())
    assert list(found)[:3] == ["data", "data.load", "data.validation"]
    assert found["model.dropout"] == Everything.model.dropout
    assert found["augment.1.degrees"] == 15.0
    assert found["optimizer.learning_rate.decay_steps"] == 1000
    assert found["callbacks.0.0"] == 1
    assert found["callbacks.1.patience"] == 5
    assert "batch_size.value" not in found


def test_resolve_leaves_no_range():
    pipeline = resolve(Everything())
    assert pipeline.batch_size == 32
    assert pipeline.model.dropout == (0.1, 0.2, 0.3)
    assert pipeline.optimizer.kwargs["learning_rate"].kwargs["initial_learning_rate"] == 1e-3
    assert "hp." not in repr(pipeline)
    assert resolve(pipeline) == pipeline


@pytest.mark.parametrize(
    "value",
    [
        Everything(),
        Everything(epochs=3, augment=(), checkpoint_every=100),
        resolve(Everything()),
        MLP(units=()),
        TFDS("mnist", validation="test"),
        hp.Choice("a", values=("a", 3, None, MLP())),
        deferred("callbacks.x").Odd(args=1, call="2", name="3", part=4, kwargs=None),
        keras.layers.Layer({1: "a", "b": (2, 3)}, config={"name": "x", "part": "y"}),
        keras.losses.Huber,
        ElementSpec(
            (Feature("image", (32, 32, 3), "uint8", "image"),),
            Label("label", "class", classes=("cat", "dog")),
            {"train": 10, "test": 5},
        ),
        ({"mapping": (1,)}, {"name": "a"}, {"function": 1.5}, {}),
    ],
)
def test_json_and_back_is_equal(value):
    text = json.dumps(to_json(value))
    back = from_json(json.loads(text))
    assert back == value
    assert repr(back) == repr(value)
    assert to_json(back) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (Duration(5400), "90m"),
        ((1, 2.5, None, True, "a"), [1, 2.5, None, True, "a"]),
        (keras.losses.Huber, {"name": "keras.losses.Huber"}),
        (keras.losses.Huber(delta=2), {"call": "keras.losses.Huber", "delta": 2}),
        (arrays, {"function": f"{__name__}:arrays"}),
        (
            augment.rotate(15),
            {"part": "tfpipe.data.augment.rotate", "degrees": 15.0, "fill": "nearest"},
        ),
    ],
)
def test_values_as_json(value, data):
    assert to_json(value) == data


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ConfigError) as error:
        to_json((1, {2}))
    assert str(error.value) == "{2} (set) cannot be written as JSON."


def test_a_part_that_is_not_loaded_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"^The part 'tfpipe\.models\.mlp\.MPL' is not known: load its file first\. "
        r"Did you mean 'tfpipe\.models\.mlp\.MLP'",
    ):
        from_json({"part": "tfpipe.models.mlp.MPL"})


@pytest.mark.parametrize(
    "reference", ["os.nowhere:system", "nowhere:f", f"{__name__}:nothing", f"{__name__}:__name__"]
)
def test_a_function_that_is_not_loaded_is_refused(reference):
    with pytest.raises(ConfigError) as error:
        from_json({"function": reference})
    assert str(error.value) == f"The function {reference!r} is not known: load its file first."


def test_a_file_that_was_loaded_again_gives_its_newest_class(project):
    source = (
        "from tfpipe import Pipeline\nfrom tfpipe.data import TFDS\nfrom tfpipe.models import MLP\n"
        "class Job(Pipeline):\n    data = TFDS('mnist')\n    model = MLP()\n"
    )
    project({"job.py": source})
    old = load("job.py").pipeline
    new = load("job.py").pipeline
    assert from_json(to_json(old)) == new
