"""Custom: any Keras model, written as a function."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tfpipe.declare.deferred import Name, build
from tfpipe.declare.field_types import show
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import elements, resolve
from tfpipe.errors import ConfigError, ModelError, TfpipeError, places, suggest
from tfpipe.models.model_checks import check_logits, check_model, check_width
from tfpipe.tasks import task_for
from tfpipe.tasks.several import Several

if TYPE_CHECKING:
    import keras

# What a function may name among its parameters.
GIVEN = ("spec", "task", "outputs", "train")


class Custom(ModelBuilder):
    """A model that a function makes with ordinary Keras.

    The function returns an uncompiled keras.Model that gives logits (for real numbers, values). It
    is given what it names among its parameters, all of which it may leave out:

    | parameter | what it is                                                                    |
    | --------- | ----------------------------------------------------------------------------- |
    | `spec`    | the element spec of the data: names, shapes and classes                       |
    | `task`    | classification, binary, multilabel or regression                              |
    | `outputs` | how wide the last layer has to be; of several outputs both are mappings       |
    | `train`   | a function: `train()` is a tf.data.Dataset of batches of the training split's |
    |           | features, for a preprocessing layer to `adapt` on                             |

    Args:
        function: the function; or its name, `deferred("networks").small`, where its module imports
            Keras and should not be loaded to read the declaration.
        arguments: values for its other parameters, by name; tuples arrive as lists, Keras objects
            built.

    Raises:
        ConfigError: for an argument that the function does not take, or one that it needs.
        ModelError: when the function fails, or returns something else.

    Example:
        def small(spec, outputs, width):
            inputs = keras.Input(spec.feature.shape)
            hidden = keras.layers.Dense(width, activation="relu")(inputs)
            return keras.Model(inputs, keras.layers.Dense(outputs)(hidden))

        model = Custom(small, arguments={"width": 64})
    """

    function: Callable[..., Any]
    arguments: dict[str, Any] = {}  # noqa: RUF012 (a default is copied when a part is made)
    makes_images: ClassVar[bool] = True
    contract: ClassVar[str] = "what the function's keras.Model reads, without any change"

    def validate(self) -> None:
        """Refuse arguments that do not fit the function's parameters."""
        function = resolve(self.function, elements)
        if not isinstance(function, Name):  # whose module is not loaded yet
            _check_arguments(function, resolve(self.arguments, elements))

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        function = build(self.function)
        _check_arguments(function, self.arguments)
        of = task_for(spec, task)
        given: dict[str, Any] = {"spec": spec, "train": train}
        if isinstance(of, Several):
            given["task"] = {name: part.name for name, part in of.parts.items()}
            given["outputs"] = {name: part.units for name, part in of.parts.items()}
        else:
            given |= {"task": of.name, "outputs": of.units}
        named = _parameters(function)
        passed = {name: value for name, value in given.items() if name in named}
        arguments = build(self.arguments)
        by = f"Custom: {show(function)}()"
        try:
            model: keras.Model = function(**passed, **arguments)
        except TfpipeError:
            raise
        except Exception as error:
            raise ModelError(
                f"{by} failed{_place(error, function)} with {type(error).__name__}: {error}"
            ) from error
        check_model(model, by)
        check_width(model, of, by)
        check_logits(model, of, by)
        return model

    @classmethod
    def example(cls) -> Self:
        return cls(_example)


def _example(spec: ElementSpec, outputs: int) -> "keras.Model":
    """A model of one layer, on bytes or numbers alike."""
    import keras

    from tfpipe.models.inputs import raw_input

    inputs, x = raw_input(spec.feature)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, dtype="float32")(x))


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    """A function's parameters by name; none where Python cannot tell them."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def _check_arguments(function: Any, arguments: dict[str, Any]) -> None:
    """Refuse arguments that a function does not take, and those that it lacks."""
    parameters, name = _parameters(function), show(function)
    for argument in arguments:
        if argument in GIVEN:
            raise ConfigError(
                f"Custom.arguments has {argument!r}, which {name} is given in any case: leave it "
                "out."
            )
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    own = {
        n: p
        for n, p in parameters.items()
        if n not in GIVEN and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    for argument in arguments:
        if parameters and argument not in own and not takes_any:
            raise ConfigError(
                f"Custom.arguments: {name} takes no {argument!r}. {suggest(argument, own)}".strip()
            )
    for parameter in own.values():
        if parameter.default is parameter.empty and parameter.name not in arguments:
            raise ConfigError(
                f"Custom: {name} needs a value for {parameter.name!r}: declare "
                f"arguments={{{parameter.name!r}: ...}}. What it is given without is "
                f"{', '.join(GIVEN)}."
            )


def _place(error: Exception, function: object) -> str:
    """Return the line of the function's own file that failed; nothing where it is not known."""
    own = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [line for file, line in places(error) if file == own]
    return f" at {own}:{lines[-1]}" if lines else ""
