"""Several outputs: a label, an output and a task of its own for each name."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError, suggest
from tfpipe.tasks.task import Named, Task, task_of

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class Several(Task):
    """What is predicted are several things, each with a task: `{"kind": ..., "size": ...}`.

    Args:
        label: of kind "several", with a label for each output.
        tasks: the declared task of an output by its name; the others follow from their labels.
    """

    name = "several"
    has_accuracy = False
    reads_logits = False
    output: ClassVar[str] = ""

    def __init__(self, label: Label, tasks: Mapping[str, str] | None = None) -> None:
        super().__init__(label)
        declared = _by_name("task", tasks or {}, [part.name for part in label.parts])
        self.parts = {p.name: task_of(p, declared.get(p.name, "auto")) for p in label.parts}

    @property
    def title(self) -> str:
        return ", ".join(f"{name}: {part.title}" for name, part in self.parts.items())

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "several"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return cls.fits(label)

    @classmethod
    def describe(cls, label: Label) -> str:
        names = ", ".join(part.name for part in label.parts)
        return f"several, {names}: give a task to each, {{{label.parts[0].name!r}: ...}}"

    @property
    def units(self) -> int:
        return sum(part.units for part in self.parts.values())

    @property
    def loss(self) -> Deferred:
        raise NotImplementedError("Each output has a loss of its own.")

    @property
    def metrics(self) -> tuple[Deferred, ...]:
        raise NotImplementedError("Each output has metrics of its own.")

    def loss_for(self, declared: object = None) -> Any:
        given = _mapping("loss", declared, self.parts)
        return {name: part.loss_for(given.get(name)) for name, part in self.parts.items()}

    def metrics_for(self, declared: "Iterable[object] | None" = None) -> Any:
        given = _mapping("metrics", declared, self.parts)
        return {name: part.metrics_for(given.get(name)) for name, part in self.parts.items()}

    def loss_weights_for(self, declared: Mapping[str, float] | None) -> dict[str, float] | None:
        given = _by_name("loss_weights", declared or {}, self.parts)
        if declared and not any(given.get(name, 1.0) for name in self.parts):
            raise ConfigError("loss_weights are 0 for every output: nothing would be trained.")
        return {name: given.get(name, 1.0) for name in self.parts}

    def for_model(self, model: "keras.Model") -> Task:
        last = output_layers(model)
        task = type(self)(self.label, {name: part.name for name, part in self.parts.items()})
        task.parts = {n: p.for_model(last[n]) if n in last else p for n, p in self.parts.items()}
        return task

    def answers(self, outputs: Any) -> Any:
        return {name: part.answers(outputs[name]) for name, part in self.parts.items()}

    def outputs(self, answers: Any) -> "dict[str, tf.Tensor]":
        outputs: dict[str, tf.Tensor] = {}
        for name, part in self.parts.items():
            for key, value in part.outputs(answers[name]).items():
                outputs[name if key == part.output else f"{name}_{key}"] = value
        return outputs

    def answers_of(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        return {
            name: part.answers_of({part.output: outputs[name]}) for name, part in self.parts.items()
        }

    def named(self, answer: Any, top: int = 5) -> Named:
        return flattened(self.named_outputs(answer, top))

    def named_outputs(self, answer: Any, top: int = 5) -> dict[str, Named]:
        return {name: part.named(answer[name], top) for name, part in self.parts.items()}


def flattened(outputs: Mapping[str, Named]) -> Named:
    """Return the answers of several outputs in a row, each with its output's name before it.

    Args:
        outputs: as `Task.named_outputs` gives them; those of an only one stay as they are.
    """
    if "" in outputs:
        return outputs[""]
    named: list[tuple[str, float]] = []
    for output, values in outputs.items():
        alone = [name for name, _ in values] == [output]  # a single number
        named += [(n if alone else f"{output}: {n}", value) for n, value in values]
    return tuple(named)


def rows_of(answers: Any) -> "Iterable[Any]":
    """Return answers row by row; those of several outputs as a mapping for each."""
    if not isinstance(answers, dict):
        return iter(answers)
    return (dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True))


def output_layers(model: "keras.Model") -> "dict[str, keras.Layer]":
    """Return the layer behind each output of a model whose outputs have names; else none."""
    outputs = getattr(model, "output", None)
    if not isinstance(outputs, dict):
        return {}
    return {name: tensor._keras_history.operation for name, tensor in outputs.items()}


def _mapping(field: str, declared: object, parts: Mapping[str, Task]) -> Mapping[str, Any]:
    """Return what is declared for each output; raise ConfigError for what is for none or all."""
    if declared is None:
        return {}
    if not isinstance(declared, Mapping):
        first = next(iter(parts))
        raise ConfigError(
            f"{field}: the data has several outputs ({', '.join(parts)}), so {field} is a mapping "
            f"of their names, such as {{{first!r}: ...}}; got {declared!r}."
        )
    return _by_name(field, declared, parts)


def _by_name(field: str, declared: Mapping[str, Any], names: Iterable[str]) -> Mapping[str, Any]:
    """Return a mapping of outputs; raise ConfigError for a name that no output has."""
    for name in declared:
        if name not in names:
            raise ConfigError(f"{field}: there is no output {name!r}. {suggest(name, names)}")
    return declared
