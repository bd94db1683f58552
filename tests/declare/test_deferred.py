"""Keras, deferred. The one module here that imports Keras: to build, and to check signatures."""

import copy
import pickle
import sys

import pytest

from tfpipe import deferred, hp, keras
from tfpipe.declare.deferred import Deferred, build, check_signatures, find
from tfpipe.errors import ConfigError
from tfpipe.models import CNN_2_4_6

CALLBACK = """
import keras

class Confusion(keras.callbacks.Callback):
    def __init__(self, every=1, *, normalize=False):
        super().__init__()
        self.every = every
"""


def refused(value, where=""):
    with pytest.raises(ConfigError) as error:
        check_signatures(value, where)
    return str(error.value)


# Declared


def test_positional_arguments_get_their_names():
    assert keras.optimizers.SGD(0.01, 0.9) == keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)


def test_positional_arguments_without_a_known_name_stay():
    call = deferred("nowhere").Thing(1, two=2)
    assert repr(call) == "nowhere.Thing(1, two=2)"
    assert call.replace(**{"0": 3}) == deferred("nowhere").Thing(3, two=2)


def test_an_argument_given_twice_is_refused():
    with pytest.raises(ConfigError) as error:
        keras.optimizers.SGD(0.01, learning_rate=0.02)
    assert str(error.value) == (
        "keras.optimizers.SGD got 'learning_rate' twice: by position and by name."
    )


def test_repr_is_the_declaration():
    call = keras.optimizers.AdamW(
        learning_rate=keras.optimizers.schedules.CosineDecay(0.001, decay_steps=1000),
        weight_decay=hp.Float(1e-4, min=1e-6, max=1e-2, log=True),
    )
    assert repr(call) == (
        "keras.optimizers.AdamW(learning_rate=keras.optimizers.schedules.CosineDecay("
        "initial_learning_rate=0.001, decay_steps=1000), "
        "weight_decay=hp.Float(0.0001, min=1e-06, max=0.01, log=True))"
    )
    assert eval(repr(call), {"keras": keras, "hp": hp}) == call


def test_equal_calls_have_equal_hashes_whatever_their_order():
    first = keras.losses.Huber(delta=1, name="x")
    second = keras.losses.Huber(name="x", delta=1.0)
    assert first == second
    assert hash(first) == hash(second)
    assert first != keras.losses.Huber(delta=2, name="x")


def test_calls_and_names_are_frozen():
    call = keras.optimizers.SGD(0.01)
    with pytest.raises(ConfigError) as error:
        call.momentum = 0.9
    assert str(error.value) == ("keras.optimizers.SGD(...) is frozen: use replace(momentum=...).")
    with pytest.raises(TypeError):
        call.kwargs["momentum"] = 0.9
    with pytest.raises(ConfigError, match=r"^keras.optimizers is deferred: its attributes cannot"):
        keras.optimizers.SGD = 3


def test_replace_sets_arguments_on_a_copy():
    call = keras.optimizers.SGD(0.01)
    assert call.replace(momentum=0.9) == keras.optimizers.SGD(0.01, momentum=0.9)
    assert call == keras.optimizers.SGD(0.01)


def test_calls_and_names_can_be_copied_and_pickled():
    call = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
    assert copy.deepcopy(call) == call
    assert pickle.loads(pickle.dumps(call)) == call
    assert pickle.loads(pickle.dumps(keras.losses.Huber)) == keras.losses.Huber


# Built


def test_building_makes_the_real_object_with_what_is_nested_in_it():
    call = keras.optimizers.SGD(
        learning_rate=keras.optimizers.schedules.CosineDecay(
            hp.Float(0.1, min=0.01, max=1), decay_steps=10
        ),
        momentum=0.9,
    )
    built = call.build()
    import keras as real

    assert isinstance(built, real.optimizers.SGD)
    assert built.momentum == 0.9
    assert float(built.learning_rate) == pytest.approx(0.1)


def test_tuples_are_built_as_lists():
    assert build((1, hp.Int(2, min=1, max=3), {"a": (3,)})) == [1, 2, {"a": [3]}]


def test_defaults_yield_to_what_is_declared():
    metric = keras.metrics.AUC(name="area").build(name="auc", num_thresholds=7)
    assert (metric.name, metric.num_thresholds) == ("area", 7)


def test_a_name_is_built_as_the_thing_itself():
    import keras as real

    assert keras.losses.Huber.build() is real.losses.Huber


def test_what_keras_refuses_is_an_error_of_the_declaration():
    with pytest.raises(ConfigError, match=r"^keras.layers.Dense\(units=-1\) cannot be made: "):
        keras.layers.Dense(-1).build()


# Checked


@pytest.mark.parametrize(
    "value",
    [
        keras.optimizers.SGD(0.01, nesterov=True),
        keras.optimizers.Adam(clipnorm=1.0),
        keras.layers.Dense(3, name="last", dtype="float32", kernel_regularizer="l2"),
        keras.layers.Conv2D(3, 3, input_shape=(8, 8, 1)),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=hp.Int(3, min=1, max=9)),
        keras.losses.Huber,
        (keras.metrics.AUC(), "accuracy", keras.metrics.Precision),
        CNN_2_4_6(initializer=keras.initializers.HeNormal(seed=1)),
        hp.Choice("adam", values=("adam", keras.optimizers.SGD(0.1))),
    ],
)
def test_real_names_and_arguments_pass(value):
    check_signatures(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            keras.optimizers.Adm(),
            "optimizer: keras.optimizers has no 'Adm'. Did you mean 'Adam', 'Nadam' or 'AdamW'?",
        ),
        (
            keras.optimizer.Adam(),
            "optimizer: keras has no 'optimizer'. "
            "Did you mean 'Optimizer', 'optimizers' or 'Initializer'?",
        ),
        (
            keras.optimizers.SGD(learning_rte=0.1),
            "optimizer: keras.optimizers.SGD takes no argument 'learning_rte'. "
            "Did you mean 'learning_rate'?",
        ),
        (
            keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, decay_step=3)),
            "optimizer.learning_rate: keras.optimizers.schedules.CosineDecay takes no argument "
            "'decay_step'. Did you mean 'decay_steps'?",
        ),
        (
            keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1)),
            "optimizer.learning_rate: keras.optimizers.schedules.CosineDecay("
            "initial_learning_rate=0.1): missing a required argument: 'decay_steps'.",
        ),
        (keras.optimizers.schedules(), "optimizer: keras.optimizers.schedules cannot be called."),
        (
            (3, keras.callbacks.EarlyStopping(patienc=3)),
            "optimizer.1: keras.callbacks.EarlyStopping takes no argument 'patienc'. "
            "Did you mean 'patience'?",
        ),
        (
            {"a": keras.losses.Hubr},
            "optimizer.a: keras.losses has no 'Hubr'. Did you mean 'Huber'?",
        ),
        (
            hp.Choice("adam", values=("adam", keras.optimizers.SGG(0.1))),
            "optimizer: keras.optimizers has no 'SGG'. Did you mean 'SGD'?",
        ),
        (
            CNN_2_4_6(initializer=keras.initializers.HeNormal(sed=1)),
            "optimizer.initializer: keras.initializers.HeNormal takes no argument 'sed'. "
            "Did you mean 'seed'?",
        ),
        (
            deferred("kears").optimizers.Adam(),
            "optimizer: kears.optimizers.Adam: there is no module 'kears'.",
        ),
    ],
)
def test_wrong_names_and_arguments_are_refused_with_suggestions(value, message):
    assert refused(value, "optimizer") == message


def test_too_many_positional_arguments_are_refused():
    assert refused(keras.losses.Huber(*range(9))) == (
        "keras.losses.Huber(0, 1, 2, 3, 4, 5, 6, 7, 8): too many positional arguments."
    )


# The project's own


def test_callbacks_of_the_project_are_parts(project):
    sys.path.insert(0, str(project({"callbacks/mistakes.py": CALLBACK})))
    call = deferred("callbacks.mistakes").Confusion(2)
    assert call == Deferred("callbacks.mistakes.Confusion", (), {"every": 2})
    assert "callbacks.mistakes" not in sys.modules
    check_signatures(call)
    assert call.build().every == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: deferred("callbacks.mistakes").Confusion(evry=2),
            "callbacks.mistakes.Confusion takes no argument 'evry'. Did you mean 'every'?",
        ),
        (
            lambda: deferred("callbacks.mistakes").Confuson(),
            "callbacks.mistakes has no 'Confuson'. Did you mean 'Confusion'?",
        ),
        (
            lambda: deferred("callbacks.mitsakes").Confusion(),
            "callbacks has no 'mitsakes'. Did you mean 'mistakes'?",
        ),
    ],
)
def test_mistakes_with_callbacks_of_the_project_are_refused(project, make, message):
    sys.path.insert(0, str(project({"callbacks/mistakes.py": CALLBACK})))
    assert refused(make()) == message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import keras\nimport nosuch\n", "2: ModuleNotFoundError: No module named 'nosuch'."),
        ("def f():\n    1 / 0\n\nf()\n", "2: ZeroDivisionError: division by zero."),
    ],
)
def test_a_module_that_does_not_import_is_said_with_file_and_line(project, source, said):
    folder = project({"callbacks/broken.py": source})
    sys.path.insert(0, str(folder))
    with pytest.raises(ConfigError) as error:
        find("callbacks.broken.Thing")
    file = folder / "callbacks" / "broken.py"
    assert str(error.value) == f"callbacks.broken.Thing does not import: {file}:{said}"
