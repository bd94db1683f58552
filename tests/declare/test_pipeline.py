"""The Pipeline class: declared fields, subclasses, mix-ins, and its way out, the methods."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from tfpipe import Pipeline, hp, keras
from tfpipe.data import TFDS, augment
from tfpipe.declare.pipeline import is_abstract, overrides
from tfpipe.errors import ConfigError
from tfpipe.models import MLP


class Job(Pipeline):
    data = TFDS("mnist")
    model = MLP(units=(64,))
    epochs = 3


def refused(make):
    with pytest.raises(ConfigError) as error:
        make()
    return str(error.value)


def test_what_is_declared_is_held():
    job = Job()
    assert (job.data, job.model, job.epochs) == (TFDS("mnist"), MLP(units=(64,)), 3)
    assert job.batch_size == 32
    assert job.optimizer == keras.optimizers.Adam()


def test_a_class_attribute_that_is_no_field_is_refused_when_the_class_is_made():
    with pytest.raises(ConfigError) as error:

        class Typo(Pipeline):
            epoch = 3

    assert str(error.value) == "Typo has no field 'epoch'. Did you mean 'epochs'?"


def test_an_annotation_makes_a_new_field():
    class Wide(Job):
        width: int = 64

    assert Wide().width == 64
    assert Wide(width=32).width == 32
    assert refused(lambda: Wide(width="64")) == "Wide.width takes a whole number, got '64' (str)."


def test_a_new_field_may_be_required():
    class Wide(Job):
        width: int

    assert refused(Wide) == "Wide needs a value for 'width'."
    assert Wide(width=3).width == 3


def test_a_new_field_may_hold_a_function():
    def double(x):
        return 2 * x

    class Scaled(Job):
        scale: Callable[[float], float] = double

    assert Scaled().scale(2.0) == 4.0
    assert repr(Scaled()).endswith("double)")


def test_methods_properties_and_nested_classes_are_no_fields():
    class Rich(Job):
        class Inner:
            pass

        def helper(self):
            return self.width

        @property
        def width(self):
            return 3

        @cached_property
        def depth(self):
            return self.width + 1

        @staticmethod
        def load():
            return 5

        @classmethod
        def make(cls):
            return cls()

        _private = 6

    rich = Rich()
    assert (rich.helper(), rich.depth, rich.load(), Rich.make()) == (3, 4, 5, rich)


def test_a_property_in_place_of_a_field_is_refused():
    with pytest.raises(ConfigError, match=r"^Wrong\.epochs is a field: give it a value\.$"):

        class Wrong(Job):
            @property
            def epochs(self):
                return 3


def test_a_class_in_place_of_a_part_is_refused():
    with pytest.raises(
        ConfigError, match=r"^Wrong\.model is the class MLP: call it, MLP\(\.\.\.\)"
    ):

        class Wrong(Job):
            model = MLP


def test_a_method_in_place_of_a_part_is_refused():
    class Wrong(Job):
        def augment(self, images):
            return images

    assert refused(Wrong) == (
        "Wrong.augment takes a tuple, each item an augmentation such as augment.flip(), got the "
        "function test_a_method_in_place_of_a_part_is_refused.<locals>.Wrong.augment."
    )


def test_a_value_of_the_wrong_type_is_refused():
    class Wrong(Job):
        batch_size = "32"

    assert refused(Wrong) == (
        "Wrong.batch_size takes a whole number of at least 1, got '32' (str)."
    )


# Subclasses and mix-ins


class Longer(Job):
    epochs = 30
    seed = 1


class Quick:
    epochs = 1
    steps_per_epoch = 2


class Careful:
    epochs = 50
    callbacks = (keras.callbacks.EarlyStopping(patience=5),)


def test_a_subclass_changes_what_it_names_and_keeps_the_rest():
    class Last(Longer):
        seed = 2

    assert (Last().epochs, Last().seed, Last().model) == (30, 2, Job.model)
    assert (Longer().epochs, Longer().seed) == (30, 1)


def test_a_change_of_a_base_does_not_reach_its_siblings():
    assert Job().seed == 0


def test_plain_mix_ins_come_in_the_order_of_python():
    class First(Quick, Careful, Job):
        pass

    class Second(Careful, Quick, Job):
        pass

    class Own(Quick, Job):
        epochs = 7

    class Behind(Job, Quick):
        pass

    assert (First().epochs, Second().epochs, Own().epochs, Behind().epochs) == (1, 50, 7, 3)
    assert First().callbacks == Careful.callbacks
    assert First().steps_per_epoch == Behind().steps_per_epoch == 2


def test_a_pipeline_as_mix_in_changes_only_what_it_names():
    class Seeded(Pipeline):
        seed = 7

    class Both(Seeded, Longer):
        pass

    assert (Both().seed, Both().epochs) == (7, 30)


def test_a_class_may_be_made_by_type():
    made = type("Made", (Job,), {"epochs": 9})
    assert (made().epochs, made().data, made.__module__) == (9, Job.data, __name__)


def test_a_mix_in_with_a_typo_is_named():
    class Mixed:
        bach_size = 3

    with pytest.raises(
        ConfigError, match=r"^Mixed has no field 'bach_size'. Did you mean 'batch_size'\?$"
    ):

        class Whole(Mixed, Job):
            pass


# Values


def test_a_pipeline_is_frozen_and_replaced():
    job = Job()
    assert refused(lambda: setattr(job, "epochs", 5)) == (
        "Job is frozen: make a changed copy with replace(epochs=...)."
    )
    assert job.replace(epochs=5) == Job(epochs=5)
    assert job.epochs == 3


def test_repr_is_the_declaration():
    class Full(Job):
        optimizer = keras.optimizers.SGD(0.1)
        augment = (augment.flip(),)
        checkpoint_every = "30s"

    names = {"Full": Full, "TFDS": TFDS, "MLP": MLP, "keras": keras, "flip": augment.flip}
    for job in (
        Full(),
        Full(epochs=10, checkpoint_every="10m", batch_size=hp.Int(8, min=1, max=9)),
    ):
        assert eval(repr(job), names | {"hp": hp}) == job
    assert repr(Full()) == (
        "Full(data=TFDS('mnist'), model=MLP(units=(64,)), augment=(flip(),), "
        "optimizer=keras.optimizers.SGD(learning_rate=0.1), epochs=3, checkpoint_every='30s')"
    )


def test_equal_pipelines_have_equal_hashes():
    assert hash(Job(epochs=3)) == hash(Job())
    assert len({Job(), Job(epochs=3), Job(epochs=4), Longer()}) == 3


# What is missing


class OwnData(Pipeline):
    model = MLP()

    def input_fn(self, split):
        return None


class OwnModel(Pipeline):
    data = TFDS("mnist")

    def build_model(self):
        return None


@pytest.mark.parametrize(
    ("cls", "abstract"),
    [(Pipeline, True), (Job, False), (OwnData, False), (OwnModel, False)],
)
def test_a_pipeline_without_data_or_model_is_abstract(cls, abstract):
    assert is_abstract(cls) is abstract


def test_an_overridden_method_stands_for_a_field():
    assert OwnData().data is None
    assert OwnModel().model is None
    assert overrides(OwnData, "input_fn")
    assert not overrides(Job, "input_fn")


def test_a_pipeline_without_data_or_model_is_refused():
    class NoData(Pipeline):
        model = MLP()

    class NoModel(Pipeline):
        data = TFDS("mnist")

    assert refused(NoData) == (
        "NoData has no data: declare data = TFDS(...) or another source from tfpipe.data, or "
        "override input_fn(self, split)."
    )
    assert refused(NoModel) == (
        "NoModel has no model: declare model = MLP(...) or another builder from tfpipe.models, or "
        "override build_model(self)."
    )


def test_callbacks_are_built_in_order():
    class Stopping(Job):
        callbacks = (
            keras.callbacks.EarlyStopping(patience=hp.Int(4, min=1, max=9)),
            keras.callbacks.TerminateOnNaN(),
        )

    built: list[Any] = Stopping().build_callbacks()
    assert [type(c).__name__ for c in built] == ["EarlyStopping", "TerminateOnNaN"]
    assert built[0].patience == 4


def test_augmentation_that_would_do_nothing_is_refused():
    class Alone(Pipeline):
        model = MLP()
        augment = (augment.flip(),)

        def input_fn(self, split):
            return None

    with pytest.raises(ConfigError, match=r"^Alone.augment would do nothing: input_fn makes all"):
        Alone()
