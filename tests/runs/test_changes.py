"""What differs between two declarations, and what that means for a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tfpipe import FineTune, Phase, Pipeline, deferred, keras
from tfpipe.data import Arrays, augment
from tfpipe.models import CNN_2_4_6, MLP
from tfpipe.runs.changes import changed_code, changed_fields, field_changes
from tfpipe.verbs.config import config

callbacks = keras.callbacks


def points() -> Any:
    raise AssertionError("the data is not read")


def others() -> Any:
    raise AssertionError("the data is not read")


class Job(Pipeline):
    data = Arrays(points, validation=0.2)
    model = MLP(units=(8,), dropout=0.1)
    augment = (augment.flip(),)
    optimizer = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
    callbacks = (callbacks.EarlyStopping(monitor="val_loss", patience=3),)


def found(**changed: Any) -> list[Any]:
    """The changes from the declared job to one with other fields, as config.json has them."""
    before, after = (json.loads(json.dumps(config(job))) for job in (Job(), Job(**changed)))
    return field_changes(before, after)


def test_nothing_differs() -> None:
    assert found() == []
    assert found(epochs=10) == []  # the default, now said


def test_fields_that_the_runs_tfpipe_had_not_are_no_change_at_their_defaults() -> None:
    before, after = (json.loads(json.dumps(config(Job(**c)))) for c in ({}, {"ema": 0.9}))
    for name in ("fine_tune", "ema", "model.scale"):
        del before[name]
    assert [c.name for c in field_changes(before, after)] == ["ema"]


CSV = callbacks.CSVLogger("log.csv")
EARLY = Job().callbacks[0]
TRACKER = deferred("callbacks.mlflow_logger").MLflowLogger()

# Phases, as to_json has them.
PHASES = FineTune(phases=(Phase(1), Phase(2, unfreeze="all")))


def phases(*changed: Phase) -> list[tuple[str, str]]:
    """What changing the phases means, by the name of what changed."""
    before, after = (
        json.loads(json.dumps(config(Job(fine_tune=tuned))))
        for tuned in (PHASES, FineTune(phases=changed))
    )
    return [(c.name, c.meaning) for c in field_changes(before, after)]


def test_more_of_the_last_phase_and_further_phases_are_safe() -> None:
    first, last, more = *PHASES.phases, Phase(1, unfreeze=2)
    assert phases(first, last.replace(epochs=5)) == [("fine_tune.phases.1.epochs", "safe")]
    assert phases(first, last, more) == [("fine_tune.phases", "safe")]
    assert phases(first, last.replace(epochs=5), more) == [("fine_tune.phases", "safe")]


def test_other_phases_change_the_result() -> None:
    first, last = PHASES.phases
    assert phases(first, last.replace(epochs=1)) == [("fine_tune.phases.1.epochs", "result")]
    assert phases(first.replace(epochs=3), last) == [("fine_tune.phases.0.epochs", "result")]
    assert phases(first) == [("fine_tune.phases", "result")]
    changed = last.replace(unfreeze=3)
    assert phases(first, changed) == [("fine_tune.phases.1.unfreeze", "result")]


# What is changed: the name that is shown, as it was, as it is, and what it means.
TABLE: list[tuple[dict[str, Any], tuple[str, str, str, str]]] = [
    ({"epochs": 40}, ("epochs", "10", "40", "safe")),
    ({"checkpoint_every": 5}, ("checkpoint_every", "10m", "5", "safe")),
    ({"steps_per_execution": 4}, ("steps_per_execution", "auto", "4", "safe")),
    ({"callbacks": (EARLY, CSV)}, ("callbacks", "", "", "safe")),
    ({"callbacks": (CSV, EARLY)}, ("callbacks", "", "", "safe")),
    ({"callbacks": (EARLY, TRACKER)}, ("callbacks", "", "", "safe")),
    (
        {"optimizer": keras.optimizers.SGD(learning_rate=0.2, momentum=0.9)},
        ("optimizer.learning_rate", "0.1", "0.2", "result"),
    ),
    (
        {"optimizer": keras.optimizers.SGD(learning_rate=0.1)},
        ("optimizer.momentum", "0.9", "not given", "result"),
    ),
    (
        {"optimizer": keras.optimizers.Adam(0.1)},
        ("optimizer", "SGD(learning_rate=0.1, momentum=0.9)", "Adam(learning_rate=0.1)", "result"),
    ),
    (
        {"optimizer": "adam"},
        ("optimizer", "SGD(learning_rate=0.1, momentum=0.9)", "adam", "result"),
    ),
    ({"batch_size": 64}, ("batch_size", "32", "64", "result")),
    ({"steps_per_epoch": 5}, ("steps_per_epoch", "None", "5", "result")),
    ({"drop_remainder": True}, ("drop_remainder", "False", "True", "result")),
    ({"shuffle": False}, ("shuffle", "True", "False", "result")),
    ({"precision": "bfloat16"}, ("precision", "float32", "bfloat16", "result")),
    ({"device": "cpu:2"}, ("device", "auto", "cpu:2", "result")),
    ({"gradient_accumulation": 2}, ("gradient_accumulation", "1", "2", "result")),
    ({"clip_norm": 1.0}, ("clip_norm", "None", "1.0", "result")),
    ({"ema": 0.99}, ("ema", "None", "0.99", "result")),
    ({"loss": "mse"}, ("loss", "None", "mse", "result")),
    (
        {"loss": keras.losses.binary_crossentropy},
        ("loss", "None", "keras.losses.binary_crossentropy", "result"),
    ),
    ({"metrics": ("mse",)}, ("metrics", "None", "(mse,)", "result")),
    (
        {"augment": (augment.flip(vertical=True),)},
        ("augment.0.vertical", "False", "True", "result"),
    ),
    ({"augment": (augment.flip(), augment.rotate(10))}, ("augment", "", "", "result")),
    ({"augment": ()}, ("augment", "", "()", "result")),
    (
        {"callbacks": (callbacks.EarlyStopping(monitor="val_loss", patience=4),)},
        ("callbacks.0.patience", "3", "4", "result"),
    ),
    ({"callbacks": ()}, ("callbacks", "", "()", "result")),
    (
        {"callbacks": (EARLY, callbacks.ReduceLROnPlateau(monitor="val_loss"))},
        ("callbacks", "", "", "result"),
    ),
    ({"model": MLP(units=(8,), dropout=0.2)}, ("model.dropout", "0.1", "0.2", "result")),
    ({"data": Arrays(points, validation=0.3)}, ("data.validation", "0.2", "0.3", "impossible")),
    ({"data": Arrays(others, validation=0.2)}, ("data.load", "", "", "impossible")),
    ({"seed": 1}, ("seed", "0", "1", "impossible")),
    ({"task": "regression"}, ("task", "auto", "regression", "impossible")),
]


@pytest.mark.parametrize(("changed", "expected"), TABLE, ids=[t[1][0] for t in TABLE])
def test_a_change_is_named_shown_and_classed(
    changed: dict[str, Any], expected: tuple[str, str, str, str]
) -> None:
    (change,) = found(**changed)
    name, was, now, meaning = expected
    assert (change.name, change.meaning) == (name, meaning)
    assert was in ("", change.was)
    assert now in ("", change.now)
    assert bool(change.why) == (meaning == "impossible")


def test_another_part_is_one_change_not_one_for_each_of_its_fields() -> None:
    (change,) = found(model=CNN_2_4_6(convs=2))
    assert change.name == "model"
    assert change.was.startswith("MLP(units=(8,), activation=relu, dropout=0.1")
    assert change.now.startswith("CNN_2_4_6(convs=2, ")


def test_several_changes_are_all_found() -> None:
    several = found(epochs=5, batch_size=8, model=MLP(units=(9,), dropout=0.3), seed=2)
    assert [c.name for c in several] == [
        "batch_size",
        "epochs",
        "model.dropout",
        "model.units",
        "seed",
    ]
    assert changed_fields(several) == {"batch_size", "epochs", "model", "seed"}


def test_a_field_that_only_one_of_them_has() -> None:
    (change,) = field_changes(
        {"epochs": {"value": 1}}, {"epochs": {"value": 1}, "new": {"value": 2}}
    )
    assert (change.name, change.was, change.now) == ("new", "not given", "2")
    (change,) = field_changes(
        {"epochs": {"value": 1}, "old": {"value": 2}}, {"epochs": {"value": 1}}
    )
    assert (change.name, change.was, change.now) == ("old", "2", "not given")


def test_where_a_value_came_from_does_not_matter() -> None:
    was = {"epochs": {"value": 1, "origin": "default"}}
    assert field_changes(was, {"epochs": {"value": 1, "origin": "command line"}}) == []


# Code

CODE = '''
"""A pipeline."""
import numpy as np

def images(size=3):
    "Some images."
    # made up
    return np.ones(size)

class Job:
    epochs = 3

    def build_model(self):
        """The model."""
        def inner():
            return 1
        return inner()

    class Inside:
        def method(self):
            return 2
'''


def codes(tmp_path: Path, now: str) -> list[tuple[str, str, str]]:
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text(CODE)
    after.write_text(now)
    changed = changed_code(before, after)
    assert all(c.meaning == "result" for c in changed)
    return [(c.name, c.was, c.now) for c in changed]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("# made up", "# invented"),
        ('"Some images."', '"Other words."'),
        ('    "Some images."\n', ""),
        ("np.ones(size)", "np.ones( size )"),
        ("epochs = 3", "epochs = 4"),  # a field: found by its value
        ('"""A pipeline."""', "\n\n"),
    ],
)
def test_what_is_no_code_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert codes(tmp_path, CODE.replace(old, new) if old else CODE) == []


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("np.ones(size)", "np.zeros(size)", "images"),
        ("size=3", "size=4", "images"),
        ("def images", "@staticmethod\ndef images", "images"),
        ("return 1", "return 3", "Job.build_model"),
        ("return 2", "return 3", "Job.Inside.method"),
        ("        def method", "        async def method", "Job.Inside.method"),
    ],
)
def test_changed_code_is_named(tmp_path: Path, old: str, new: str, name: str) -> None:
    changed = [(f"the code of {name}", "other code", "other code")]
    assert codes(tmp_path, CODE.replace(old, new)) == changed


def test_functions_that_come_and_go_are_named(tmp_path: Path) -> None:
    assert codes(tmp_path, CODE.replace("def images", "def pictures")) == [
        ("the code of images", "other code", "not there"),
        ("the code of pictures", "not there", "other code"),
    ]
