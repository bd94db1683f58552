"""Where each value came from."""

import pytest

from tfpipe import Pipeline
from tfpipe.data import TFDS
from tfpipe.declare.loading import from_instance, load
from tfpipe.declare.origins import origins
from tfpipe.models import MLP

BASE = """\
from tfpipe import Pipeline, keras, hp
from tfpipe.data import TFDS, augment
from tfpipe.models import CNN_2_4_6


class Base(Pipeline):
    data = TFDS("cifar10", validation=0.05)
    batch_size = 64
"""
JOB = """\
from base import Base
from tfpipe import hp, keras
from tfpipe.data import augment
from tfpipe.models import CNN_2_4_6

SHARED = keras.optimizers.schedules.CosineDecay(
    0.1, decay_steps=10
)


class Quick:
    seed = 7


class Job(Quick, Base):
    model = CNN_2_4_6(
        4,
        dropout=0.2,
        batch_norm=True,
    )
    augment = (
        augment.flip(),
        augment.rotate(
            15,
        ),
    )
    optimizer = keras.optimizers.SGD(
        hp.Float(
            0.1,
            min=0.01,
            max=1,
        ),
        momentum=0.9,
    )
    callbacks = [
        keras.callbacks.EarlyStopping(
            monitor="loss",
            patience=3,
        ),
    ]
    width: int = 64
    if width > 3:
        epochs = 30
    shuffle = True
    shuffle = False


class Longer(Job):
    epochs = 60
    optimizer = keras.optimizers.Adam(SHARED)
"""


@pytest.fixture
def found(project):
    project({"base.py": BASE, "job.py": JOB})

    def find(*overrides, target="job.py::Job"):
        return origins(load(target, overrides))

    return find


def line(text, source=JOB):
    """The number of the only line that reads so."""
    [number] = [n for n, own in enumerate(source.splitlines(), 1) if own.strip() == text]
    return number


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model", "model = CNN_2_4_6("),
        ("model.convs", "4,"),
        ("model.dropout", "dropout=0.2,"),
        ("model.batch_norm", "batch_norm=True,"),
        ("augment", "augment = ("),
        ("augment.0", "augment.flip(),"),
        ("augment.1", "augment.rotate("),
        ("augment.1.degrees", "15,"),
        ("optimizer", "optimizer = keras.optimizers.SGD("),
        ("optimizer.learning_rate", "hp.Float("),
        ("optimizer.momentum", "momentum=0.9,"),
        ("callbacks", "callbacks = ["),
        ("callbacks.0", "keras.callbacks.EarlyStopping("),
        ("callbacks.0.patience", "patience=3,"),
        ("width", "width: int = 64"),
        ("epochs", "epochs = 30"),
        ("seed", "seed = 7"),
        ("shuffle", "shuffle = False"),
    ],
)
def test_a_declared_value_has_the_very_line_it_stands_on(found, name, text):
    assert found()[name] == f"job.py:{line(text)}"


@pytest.mark.parametrize("name", ["model.l2", "augment.0.horizontal", "device", "data.test"])
def test_what_nobody_set_is_a_default(found, name):
    assert found()[name] == "default"


def test_what_is_inherited_has_the_place_of_the_class_that_set_it(found):
    origin = found()
    assert origin["batch_size"] == f"base.py:{line('batch_size = 64', BASE)}"
    assert origin["data.validation"] == "base.py:7"
    assert found(target="job.py::Longer")["model.dropout"] == f"job.py:{line('dropout=0.2,')}"


def test_what_a_subclass_changes_has_its_line(found):
    origin = found(target="job.py::Longer")
    assert origin["epochs"] == f"job.py:{line('epochs = 60')}"
    assert origin["optimizer"] == f"job.py:{line('optimizer = keras.optimizers.Adam(SHARED)')}"


def test_what_a_name_stands_for_has_the_line_of_its_attribute(found):
    origin = found(target="job.py::Longer")
    place = f"job.py:{line('optimizer = keras.optimizers.Adam(SHARED)')}"
    assert origin["optimizer.learning_rate.decay_steps"] == place


def test_an_override_is_from_the_command_line_and_nothing_else_is(found):
    changed = found("optimizer.momentum=0.5", "epochs=2", "callbacks.0.patience=9")
    assert {n for n, o in changed.items() if o == "command line"} == {
        "optimizer.momentum",
        "epochs",
        "callbacks.0.patience",
    }
    assert changed["optimizer"] == found()["optimizer"]


def test_a_part_from_the_command_line_has_its_own_defaults(found):
    changed = found("model=MLP(units=(3,))")
    assert changed["model"] == changed["model.units"] == "command line"
    assert changed["model.dropout"] == "default"
    assert "model.convs" not in changed


def test_a_field_of_a_part_from_the_command_line(found):
    changed = found("optimizer=Adam(0.1)", "optimizer.clipnorm=1.0")
    assert changed["optimizer"] == "command line"
    assert changed["optimizer.learning_rate"] == "command line"
    assert changed["optimizer.clipnorm"] == "command line"
    changed = found("model=MLP()", "model.dropout=0.1")
    assert changed["model.dropout"] == "command line"
    assert changed["model.units"] == "default"


def test_a_part_after_one_of_its_fields(found):
    changed = found("model.dropout=0.5", "model=CNN_2_4_6(convs=2)")
    assert changed["model.convs"] == "command line"
    assert changed["model.dropout"] == "default"


def test_what_has_no_entry_of_its_own_marks_its_holder(found):
    changed = found("optimizer.learning_rate.max=0.5", "model.dropout=0,0.1", "model.dropout.1=0.2")
    assert changed["optimizer.learning_rate"] == "command line"
    assert changed["model.dropout"] == "command line"
    assert changed["optimizer"] == found()["optimizer"]


def test_every_name_has_an_origin(found):
    assert all(found("augment=()", "optimizer=SGD(0.1)").values())


def test_an_edited_file_has_its_new_lines(found, project):
    before = found()["seed"]
    project({"job.py": "\n\n" + JOB})
    assert (before, found()["seed"]) == ("job.py:12", "job.py:14")


class Here(Pipeline):
    data = TFDS("mnist")
    model = MLP()


def test_what_python_gave_is_said():
    origin = origins(from_instance(Here(epochs=3, model=MLP(units=(3,)))))
    assert origin["epochs"] == origin["model"] == origin["model.units"] == "given in Python"
    assert origin["model.dropout"] == "default"
    assert origin["data"].rpartition("/")[2].startswith("test_origins.py:")
