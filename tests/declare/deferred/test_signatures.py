"""Deferred calls, compared with the real signatures of Keras and of a project's own callbacks."""

import sys

import pytest

from tfpipe import deferred, hp, keras
from tfpipe.declare.deferred import Deferred, build, check_signatures
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


def test_callbacks_of_the_project_are_parts(project):
    sys.path.insert(0, str(project({"callbacks/mistakes.py": CALLBACK})))
    call = deferred("callbacks.mistakes").Confusion(2)
    assert call == Deferred("callbacks.mistakes.Confusion", (), {"every": 2})
    assert "callbacks.mistakes" not in sys.modules
    check_signatures(call)
    assert build(call).every == 2


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
