"""Custom: a function of one's own, what it is given, and what it must return."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfpipe import Pipeline, deferred, hp
from tfpipe import keras as declared
from tfpipe.data import Arrays
from tfpipe.declare.kinds import Training
from tfpipe.declare.overrides import apply_overrides
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError, DataError, ModelError
from tfpipe.models import Custom
from tfpipe.models.parameter_count import parameters

MakeSpec = Callable[..., ElementSpec]
MakeTraining = Callable[..., Training]


def small(spec: ElementSpec, outputs: int, width: int = 4) -> keras.Model:
    """One hidden layer."""
    inputs = keras.Input(spec.feature.shape, name=spec.feature.name)
    x = keras.layers.Dense(width, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(outputs)(x))


def width_of(model: keras.Model) -> int:
    return int(model.layers[1].units)


# What it is given


def test_the_function_is_given_what_it_names(spec_of: MakeSpec, training: MakeTraining) -> None:
    given: dict[str, Any] = {}
    spec, train = spec_of((3,), "float32", "binary"), training(np.zeros((4, 3), np.float32))

    def all_of_them(task: str, train: Any, outputs: int, spec: ElementSpec) -> keras.Model:
        given.update(task=task, train=train, outputs=outputs, spec=spec)
        return small(spec, outputs)

    def none_of_them() -> keras.Model:
        return small(spec, 1)

    Custom(all_of_them).build(spec, "auto", train)
    assert given == {"task": "binary", "train": train, "outputs": 1, "spec": spec}
    assert Custom(none_of_them).build(spec).output_shape == (None, 1)


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("classification", 2)])
def test_the_task_decides_the_outputs(spec_of: MakeSpec, task: str, outputs: int) -> None:
    model = Custom(small).build(spec_of((3,), "float32", "binary"), task)
    assert model.output_shape == (None, outputs)


def test_a_layer_adapts_on_the_training_split(spec_of: MakeSpec, training: MakeTraining) -> None:
    def standardised(spec: ElementSpec, outputs: int, train: Training) -> keras.Model:
        normalization = keras.layers.Normalization()
        normalization.adapt(train())
        inputs = keras.Input(spec.feature.shape)
        return keras.Model(inputs, keras.layers.Dense(outputs)(normalization(inputs)))

    rows = np.float32([[1, 10], [3, 30], [5, 50], [7, 70]])
    spec = spec_of((2,), "float32", "regression")
    model = Custom(standardised).build(spec, "auto", training(rows, 2))
    np.testing.assert_allclose(model.layers[1](rows).numpy().mean(axis=0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(model.layers[1](rows).numpy().std(axis=0), [1, 1], atol=1e-6)
    assert parameters(model) == 3


# Its arguments


def test_arguments_reach_the_function(spec_of: MakeSpec) -> None:
    def net(outputs: int, units: list[int], loss: Any, *, name: str = "net") -> keras.Model:
        inputs = keras.Input((3,))
        x = keras.layers.Dense(sum(units), kernel_regularizer=loss)(inputs)
        return keras.Model(inputs, keras.layers.Dense(outputs)(x), name=name)

    arguments = {"units": (5, 6), "loss": declared.regularizers.L2(0.1), "name": "mine"}
    model = Custom(net, arguments=arguments).build(spec_of((3,), "float32"))
    assert (model.name, width_of(model)) == ("mine", 11)
    assert isinstance(model.layers[1].kernel_regularizer, keras.regularizers.L2)


def test_a_function_that_takes_any_argument(spec_of: MakeSpec) -> None:
    def net(spec: ElementSpec, outputs: int, **options: int) -> keras.Model:
        assert options == {"width": 9}
        return small(spec, outputs, **options)

    model = Custom(net, arguments={"width": 9}).build(spec_of((3,), "float32"))
    assert width_of(model) == 9


def test_arguments_may_be_ranges_and_overridden(spec_of: MakeSpec) -> None:
    class Mine(Pipeline):
        data = Arrays(lambda: None)
        model = Custom(small, arguments={"width": hp.Int(8, min=4, max=16)})

    assert resolve(Mine()).model == Custom(small, arguments={"width": 8})
    changed = apply_overrides(Mine(), ["model.arguments={'width': 12}"])
    assert changed.model == Custom(small, arguments={"width": 12})
    with pytest.raises(ConfigError, match="takes no 'widht'"):
        apply_overrides(Mine(), ["model.arguments={'widht': 12}"])
    built = resolve(changed.model).build(spec_of((3,), "float32"))
    assert width_of(built) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widht": 4}, "Custom.arguments: small takes no 'widht'. Did you mean 'width'?"),
        (
            {"outputs": 4},
            "Custom.arguments has 'outputs', which small is given in any case: leave it out.",
        ),
    ],
)
def test_arguments_that_the_function_does_not_take(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Custom(small, arguments=arguments)
    assert str(caught.value) == message


def test_arguments_that_the_function_lacks() -> None:
    def net(spec: ElementSpec, depth: int) -> None: ...

    with pytest.raises(ConfigError) as caught:
        Custom(net)
    assert str(caught.value) == (
        "Custom: test_arguments_that_the_function_lacks.<locals>.net needs a value for 'depth': "
        "declare arguments={'depth': ...}. What it is given without is spec, task, outputs, train."
    )
    assert Custom(net, arguments={"depth": 2}).arguments == {"depth": 2}


# A function by its name


def test_a_module_is_imported_when_the_model_is_built(
    spec_of: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "networks_of_mine.py").write_text(
        "import keras\n"
        "def wide(outputs, width):\n"
        "    inputs = keras.Input((3,))\n"
        "    x = keras.layers.Dense(width)(inputs)\n"
        "    return keras.Model(inputs, keras.layers.Dense(outputs)(x))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    builder = Custom(deferred("networks_of_mine").wide, arguments={"width": 7})
    assert "networks_of_mine" not in sys.modules
    assert width_of(builder.build(spec_of((3,), "float32"))) == 7
    with pytest.raises(ConfigError, match=r"takes no 'widht'\. Did you mean 'width'"):
        builder.replace(arguments={"widht": 7}).build(spec_of((3,), "float32"))


# What goes wrong


def test_a_function_that_fails_is_named_with_its_line(spec_of: MakeSpec) -> None:
    def broken() -> keras.Model:
        return keras.layers.Dense(-1)(keras.Input((3,)))

    with pytest.raises(ModelError) as caught:
        Custom(broken).build(spec_of())
    line = broken.__code__.co_firstlineno + 1
    start = (
        "Custom: test_a_function_that_fails_is_named_with_its_line.<locals>.broken() failed at "
        f"{__file__}:{line} with ValueError: "
    )
    assert str(caught.value).startswith(start)
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_of_tfpipe_stays_as_it_is(spec_of: MakeSpec) -> None:
    def missing() -> keras.Model:
        raise DataError("There is no vocabulary.")

    with pytest.raises(DataError, match=r"^There is no vocabulary\.$"):
        Custom(missing).build(spec_of())


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda: "a model", "Custom: <lambda>() should return a keras.Model, got str."),
        (
            lambda: keras.Sequential([keras.layers.Dense(10)]),
            "Custom: <lambda>() returned a model without an input shape: add keras.Input.",
        ),
        (
            lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(9)]),
            "Custom: <lambda>() gave 9 output(s) a sample; the task, classification, needs 10.",
        ),
        (
            lambda: keras.Model(x := keras.Input((3,)), [keras.layers.Dense(10)(x)] * 2),
            "Custom: <lambda>() has 2 outputs in a list, and there is one label. Return "
            "keras.Model(inputs, output), or give labels that are a mapping of the outputs' names.",
        ),
        (
            lambda: keras.Sequential(
                [keras.Input((3,)), keras.layers.Dense(10, activation="sigmoid", name="last")]
            ),
            "Custom: <lambda>() should give logits; its last layer, 'last', has "
            "activation='sigmoid'. Leave the activation out: prediction and export add it.",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    spec_of: MakeSpec, returned: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        Custom(returned).build(spec_of())
    prefix = "test_custom.<lambda>"
    assert str(caught.value).replace(prefix, "<lambda>") == message


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Custom("small")
    assert str(caught.value) == "Custom.function takes a function, got 'small' (str)."
