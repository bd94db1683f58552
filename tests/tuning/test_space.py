"""The ranges of a declaration as one space."""

import json
import random

import pytest

from tfpipe import Pipeline, deferred, hp, keras
from tfpipe.data import Arrays
from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6, MLP
from tfpipe.tuning.dimension import Dimension, dimensions_of
from tfpipe.tuning.space import space_of


def few():
    return None


def many():
    return None


SGD = keras.optimizers.SGD(
    hp.Float(0.1, min=0.01, max=1, log=True), momentum=hp.Choice(0.9, values=(0.0, 0.9))
)
DEEP = MLP(units=(hp.Int(64, min=32, max=128, step=32), 16))
WIDE = CNN_2_4_6(convs=hp.Choice(2, values=(2, 4)), dropout=hp.Float(0.2, min=0, max=0.5, step=0.1))


class Job(Pipeline):
    """Ranges in parts, Keras's calls, tuples, mappings and values of a Choice."""

    data = hp.Choice(Arrays(few), values=(Arrays(few), Arrays(many)))
    model = hp.Choice(DEEP, values=(WIDE, DEEP))
    optimizer = hp.Choice(SGD, values=(SGD, keras.optimizers.Adam(), "rmsprop"))
    batch_size = hp.Int(32, min=16, max=256, log=True)
    class_weights = {"cat": hp.Float(1.0, min=0.5, max=2.0), "dog": 2.0}  # noqa: RUF012
    callbacks = (
        keras.callbacks.EarlyStopping(patience=hp.Int(3, min=1, max=9, step=4)),
        deferred("callbacks.mine").Mine(hp.Bool(True)),
    )
    shuffle = hp.Bool(True)


SPACE = space_of(Job())


class Plain(Pipeline):
    data = Arrays(few)
    model = MLP()


def one(**fields):
    return space_of(Plain(**fields))


# What there is


def test_every_range_is_a_dimension_after_those_that_it_depends_on():
    assert [(d.name, d.when, d.range.labels) for d in SPACE.dimensions] == [
        ("data", (), ("Arrays(few)", "Arrays(many)")),
        ("model", (), ("CNN_2_4_6", "MLP")),
        ("model[CNN_2_4_6].convs", (("model", "CNN_2_4_6"),), (2, 4)),
        ("model[CNN_2_4_6].dropout", (("model", "CNN_2_4_6"),), ()),
        ("model[MLP].units.0", (("model", "MLP"),), ()),
        ("optimizer", (), ("SGD", "Adam", "rmsprop")),
        ("optimizer[SGD].learning_rate", (("optimizer", "SGD"),), ()),
        ("optimizer[SGD].momentum", (("optimizer", "SGD"),), (0.0, 0.9)),
        ("class_weights.cat", (), ()),
        ("batch_size", (), ()),
        ("shuffle", (), (False, True)),
        ("callbacks.0.patience", (), ()),
        ("callbacks.1.0", (), (False, True)),
    ]


def test_ranges_may_be_nested_as_deep_as_wanted():
    inner = hp.Choice(hp.Int(3, min=1, max=5), values=(hp.Int(3, min=1, max=5), 64))
    rates = hp.Choice(0.2, values=(hp.Choice(0.1, values=(0.1, 0.3)), 0.2))
    model = hp.Choice(MLP(units=(inner,)), values=(MLP(units=(inner,)), CNN_2_4_6(dropout=rates)))
    space = one(model=model)
    assert [d.name for d in space.dimensions] == [
        "model",
        "model[MLP].units.0",
        "model[MLP].units.0[Int]",
        "model[CNN_2_4_6].dropout",
        "model[CNN_2_4_6].dropout[Choice]",
    ]
    assert space.dimensions[2].when == (("model", "MLP"), ("model[MLP].units.0", "Int"))
    assert space.size == (5 + 1) + (2 + 1)
    values = {"model": "CNN_2_4_6", "model[CNN_2_4_6].dropout": "Choice"}
    assert space.overrides({**values, "model[CNN_2_4_6].dropout[Choice]": 0.3}) == (
        "model=CNN_2_4_6(dropout=0.3)",
    )


# How many there are


def test_the_size_of_a_space_adds_up_what_its_choices_bring():
    models = 2 * 6 + 4  # convolutions times rates, and units
    assert SPACE.size is None
    # Weights, batch sizes (32 is a sample), shuffle, patience (3 is no step), and the switch.
    assert SPACE.grid_size == 2 * models * (11 * 2 + 1 + 1) * 11 * 10 * 2 * 4 * 2
    assert one(model=WIDE.replace(batch_norm=hp.Bool(True))).size == 2 * 6 * 2
    assert one(model=hp.Choice(DEEP, values=(WIDE, DEEP)), shuffle=hp.Bool(True)).size == 2 * models


# Keras Tuner's side


def test_keras_tuner_knows_the_whole_space_from_the_start():
    made = SPACE.hyperparameters()
    assert [p.name for p in made.space] == [d.name for d in SPACE.dimensions]
    assert made.values == SPACE.declared()
    assert made.values == {
        "data": "Arrays(few)",
        "model": "MLP",
        "model[MLP].units.0": 64,
        "optimizer": "SGD",
        "optimizer[SGD].learning_rate": 0.1,
        "optimizer[SGD].momentum": 0.9,
        "class_weights.cat": 1.0,
        "batch_size": 32,
        "shuffle": True,
        "callbacks.0.patience": 3,
        "callbacks.1.0": True,
    }
    again = type(made).from_config(json.loads(json.dumps(made.get_config())))
    assert again.get_config() == made.get_config()
    rate = next(p for p in made.space if p.name == "optimizer[SGD].learning_rate")
    assert (rate.min_value, rate.max_value, rate.sampling, rate.step) == (0.01, 1.0, "log", None)
    assert [(c.name, c.values) for c in rate.conditions] == [("optimizer", ["SGD"])]


@pytest.mark.parametrize(
    "given",
    [
        hp.Int(3, min=1, max=5),
        hp.Int(3, min=2, max=13, step=3),
        hp.Int(16, min=16, max=256, step=2, log=True),
        hp.Int(5, min=1, max=9, log=True),
        hp.Int(200, min=1, max=1000, log=True),
        hp.Float(0.2, min=0, max=1),
        hp.Float(0.3, min=0, max=0.5, step=0.1),
        hp.Float(0.25, min=0, max=0.5, step=0.1),
        hp.Float(0.1, min=0.1, max=0.3, step=0.2),
        hp.Float(-0.5, min=-1, max=0.5, step=0.3),
        hp.Float(1e-3, min=1e-4, max=1e-1, log=True),
        hp.Float(1e-3, min=1e-4, max=1e-1, step=10, log=True),
        hp.Bool(False),
        hp.Choice(0.5, values=(0.1, 0.5)),
    ],
)
def test_the_grid_is_keras_tuners(given):
    class Job(Plain):
        x: object = given

    [dimension] = space_of(Job()).dimensions
    [parameter] = space_of(Job()).hyperparameters().space
    theirs = {*parameter.values, parameter.default}
    assert sorted(dimension.range.grid) == pytest.approx(sorted(theirs))


def proposals(count, seed):
    """Values as Keras Tuner's oracles draw them."""
    draw, made = random.Random(seed), SPACE.hyperparameters()
    for _ in range(count):
        made.values = {}
        for parameter in made.space:
            if made.is_active(parameter):
                made.values[parameter.name] = parameter.random_sample(draw.random())
        yield dict(made.values)


def test_whatever_keras_tuner_proposes_can_be_given_to_a_run():
    models = set()
    for values in proposals(40, seed=1):
        made = apply_overrides(Job(), SPACE.overrides({**values, "tuner/epochs": 3}))
        assert resolve(made) == made
        assert SPACE.resolved(values) == made
        models.add(type(made.model))
        assert made.data.load is (few if values["data"] == "Arrays(few)" else many)
        assert made.batch_size == values["batch_size"]
        assert made.class_weights == {"cat": values["class_weights.cat"], "dog": 2.0}
        assert made.callbacks[1].args == (values["callbacks.1.0"],)
        if values["optimizer"] == "SGD":
            assert made.optimizer == keras.optimizers.SGD(
                values["optimizer[SGD].learning_rate"], momentum=values["optimizer[SGD].momentum"]
            )
        if values["model"] == "MLP":
            assert made.model.units == (values["model[MLP].units.0"], 16)
        else:
            assert made.model.dropout == round(values["model[CNN_2_4_6].dropout"], 1)
    assert models == {MLP, CNN_2_4_6}


# As overrides


def test_the_declared_values_are_the_declaration():
    assert SPACE.overrides(SPACE.declared()) == (
        "data=Arrays(few)",
        "model=MLP(units=(64, 16))",
        "optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)",
        "class_weights.cat=1.0",
        "batch_size=32",
        "shuffle=True",
        "callbacks.0.patience=3",
        "callbacks.1.0=True",
    )
    assert apply_overrides(Job(), SPACE.overrides(SPACE.declared())) == resolve(Job())


@pytest.mark.parametrize(
    ("given", "value", "text"),
    [
        (hp.Float(0.2, min=0, max=0.5, step=0.1), 0.30000000000000004, "clip_norm=0.3"),
        (hp.Float(0.2, min=0.1, max=0.5), 0.1 - 1e-17, "clip_norm=0.1"),
        (hp.Float(0.2, min=0.1, max=0.5), 0.5000000074505806, "clip_norm=0.5"),  # by protobuf
        (hp.Choice(0.2, values=(0.1, 0.2)), 0.20000000298023224, "clip_norm=0.2"),
        (hp.Int(2, min=1, max=64, log=True), 16.0, "clip_norm=16"),
        (hp.Float(1e-5, min=1e-7, max=1, log=True), 1.2345678901234567e-07, None),
    ],
)
def test_numbers_are_as_the_range_has_them(given, value, text):
    class Job(Plain):
        clip_norm: object = given

    [found] = space_of(Job()).overrides({"clip_norm": value})
    assert found == (text or f"clip_norm={value!r}")


def test_numpys_numbers_are_numbers():
    np = pytest.importorskip("numpy")
    space = one(clip_norm=hp.Float(0.2, min=0.1, max=0.5), epochs=hp.Int(2, min=1, max=9))
    values = {"clip_norm": np.float64(0.25), "epochs": np.int64(3)}
    assert set(space.overrides(values)) == {"clip_norm=0.25", "epochs=3"}


@pytest.mark.parametrize(
    "text", ["true", "none", "32", "1,2", " a ", "a=b", "'a'", "keras.losses.Huber", "MLP()", ""]
)
def test_texts_that_look_like_something_else_stay_texts(text):
    class Job(Plain):
        loss: object = None

    for space in (
        space_of(Job(loss=hp.Choice(text, values=(text, "b")))),
        one(callbacks=(keras.callbacks.EarlyStopping(hp.Choice(text, values=(text, "b"))),)),
    ):
        made = apply_overrides(space.pipeline, space.overrides(space.declared()))
        assert resolve(space.pipeline) == made


def test_a_key_with_a_dot_is_one_name():
    space = one(class_weights={"a.b": hp.Float(1.0, min=0.5, max=2.0), "a": 1.0})
    [text] = space.overrides({"class_weights.a.b": 1.5})
    assert apply_overrides(space.pipeline, [text]).class_weights == {"a.b": 1.5, "a": 1.0}


def test_fields_that_do_not_fit_each_other_are_left_to_the_trial():
    model = CNN_2_4_6(convs=hp.Choice(4, values=(2, 4)), dropout=(0.1, 0.2))
    outer = hp.Choice(model, values=(model, MLP()))
    values = {"model": "CNN_2_4_6", "model[CNN_2_4_6].convs": 2}
    [text] = one(model=outer).overrides(values)
    assert text == "model=CNN_2_4_6(convs=2, dropout=(0.1, 0.2))"
    made = one(model=outer, epochs=hp.Int(2, min=1, max=9)).resolved({**values, "epochs": 5})
    assert (made.model.convs, made.model.dropout, made.epochs) == (2, (0.1, 0.2), 5)
    with pytest.raises(ConfigError, match="2 rates; 2 convolutions are 1 block"):
        apply_overrides(Plain(), [text])


# As data


def test_a_space_can_be_stored():
    stored = json.loads(json.dumps(one(model=WIDE, shuffle=hp.Bool(True)).to_json()))
    assert stored == {
        "dimensions": [
            {
                "name": "model.convs",
                "range": {"part": "tfpipe.hp.Choice", "value": 2, "values": [2, 4]},
                "when": [],
            },
            {
                "name": "model.dropout",
                "range": {
                    "part": "tfpipe.hp.Float",
                    "value": 0.2,
                    "min": 0.0,
                    "max": 0.5,
                    "step": 0.1,
                    "log": False,
                },
                "when": [],
            },
            {"name": "shuffle", "range": {"part": "tfpipe.hp.Bool", "value": True}, "when": []},
        ],
        "size": 24,
        "grid_size": 24,
    }
    stored = json.loads(json.dumps(one(optimizer=hp.Choice(SGD, values=(SGD, "adam"))).to_json()))
    choice, rate, _ = dimensions_of(stored)
    assert choice == Dimension("optimizer", hp.Choice("SGD", values=("SGD", "adam")))
    assert rate == Dimension(
        "optimizer[SGD].learning_rate", SGD.kwargs["learning_rate"], (("optimizer", "SGD"),)
    )


# What is refused


def refused(call):
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)


def test_a_declaration_without_ranges_says_how_to_give_one():
    assert refused(lambda: space_of(Plain())) == (
        "Plain has no ranges to search. Declare one in its file, such as "
        "learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True), or give one here: "
        "--vary optimizer.learning_rate=1e-4..1e-1:log."
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(lambda: None, "<lambda>"), (float("inf"), "inf"), (b"\x00".decode, "bytes.decode")],
)
def test_a_value_that_no_run_could_be_given_is_refused(value, shown):
    class Job(Plain):
        anything: object = None

    message = refused(lambda: space_of(Job(anything=hp.Choice("a", values=("a", (value,))))))
    assert message.startswith(f"anything: ({shown}")
    assert message.endswith(
        "cannot be written as an override, and so given to a run. What can: numbers, texts, none, "
        "parts, Keras objects, named functions that the declaration uses, and tuples and mappings "
        "of these."
    )


def test_two_ranges_of_one_name_are_refused():
    class Job(Plain):
        weights: object = {"a": {"b": hp.Bool(True)}, "a.b": hp.Bool(True)}

    assert refused(lambda: space_of(Job())) == (
        "Two ranges have the name 'weights.a.b': rename a key of their mapping."
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "A trial needs a value for model, got {}."),
        ({"model": "MPL"}, "model is one of CNN_2_4_6, MLP, got 'MPL'."),
        (
            {"model": "MLP"},
            "A trial needs a value for model[MLP].units.0, got {'model': 'MLP'}.",
        ),
    ],
)
def test_values_of_another_space_are_refused(values, message):
    space = one(model=hp.Choice(DEEP, values=(WIDE, DEEP)))
    assert refused(lambda: space.overrides(values)) == message
