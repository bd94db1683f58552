"""A declaration as JSON and back."""

import importlib
import json

import pytest

import tfpipe
from tfpipe import Pipeline, data, deferred, hp, keras, models
from tfpipe.data import TFDS, Arrays, augment
from tfpipe.data.sources.user_batches import UserBatches
from tfpipe.declare.codec import from_json, known_parts, public_name, to_json
from tfpipe.declare.field_types import Duration
from tfpipe.declare.loading import load
from tfpipe.declare.part import Part
from tfpipe.declare.spec import ElementSpec, Feature, Label
from tfpipe.declare.tree import resolve
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
            (Label("label", "class", classes=("cat", "dog")),),
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
        match=r"^The part 'tfpipe\.models\.MPL' is not known: load its file first\. "
        r"Did you mean 'tfpipe\.models\.MLP'",
    ):
        from_json({"part": "tfpipe.models.MPL"})


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


def shipped(cls=Part):
    """The part classes of tfpipe, those that only tfpipe creates too."""
    for derived in cls.__subclasses__():
        if derived.__module__.startswith("tfpipe."):
            yield derived
        yield from shipped(derived)


def test_no_two_parts_are_stored_under_one_name():
    names = [public_name(cls) for cls in set(shipped())]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "cls", [MLP, CNN_2_4_6, augment.rotate, ElementSpec, UserBatches, hp.Float]
)
def test_a_part_whose_module_has_moved_is_stored_and_loaded_as_before(cls, monkeypatch):
    name = public_name(cls)
    monkeypatch.setattr(cls, "__module__", "tfpipe.models.elsewhere")
    assert public_name(cls) == name
    assert known_parts()[name] is cls


# The names that people write; specs and what tfpipe creates itself have no public home.
PUBLIC = {*tfpipe.__all__, *data.__all__, *augment.__all__, *models.__all__, *hp.__all__}


def public(name):
    """What is public under a dotted name."""
    value = importlib.import_module("tfpipe")
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(
    "cls",
    [c for c in known_parts().values() if c.__module__[:7] == "tfpipe." and c.__name__ in PUBLIC],
)
def test_a_part_is_stored_by_its_public_name_not_by_its_module(cls):
    assert public(public_name(cls)) is cls
