"""What a model that a person wrote must be: built, giving logits, in float32 at the end."""

import logging
from math import prod
from typing import Any

from tfpipe.errors import ModelError
from tfpipe.tasks import Task
from tfpipe.tasks.several import Several, output_layers
from tfpipe.tasks.task import last_activation
from tfpipe.text import quoted

logger = logging.getLogger("tfpipe.models")


def check_model(model: Any, by: str) -> None:
    """Refuse what is no built keras.Model; raises ModelError.

    Args:
        model: what was returned.
        by: what returned it, such as "build_model()".
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(f"{by} should return a keras.Model, got {type(model).__name__}.")
    if not model.built:
        raise ModelError(f"{by} returned a model without an input shape: add keras.Input.")


def check_width(model: Any, task: Task, by: str) -> None:
    """Refuse a last layer that has not one value for each thing to predict; raises ModelError."""
    shape = getattr(model, "output_shape", None)
    if isinstance(task, Several):
        _check_several(model, task, by)
        return
    if not isinstance(shape, tuple) or None in shape[1:]:
        return  # several outputs, or one that Keras cannot tell beforehand
    if prod(shape[1:]) != task.units:
        raise ModelError(
            f"{by} gave {prod(shape[1:])} output(s) a sample; the task, {task.name}, needs "
            f"{task.units}."
        )


def _check_several(model: Any, task: Several, by: str) -> None:
    """Refuse a model whose outputs are not those of the labels, by name; raises ModelError."""
    outputs = getattr(model, "output", None)
    if not isinstance(outputs, dict) or {*outputs} != {*task.parts}:
        given = quoted(outputs) if isinstance(outputs, dict) else "without names"
        raise ModelError(
            f"{by} should give a mapping of the outputs {quoted(task.parts)}, as the labels are; "
            f"its outputs are {given}. Return keras.Model(inputs, {{name: output, ...}})."
        )
    for name, part in task.parts.items():
        width = prod(outputs[name].shape[1:])
        if width != part.units:
            raise ModelError(
                f"{by} gave {width} number(s) a sample for {name!r}; the task, {part.name}, needs "
                f"{part.units}."
            )


def check_logits(model: Any, task: Task, by: str) -> None:
    """Refuse probabilities, and warn of logits that are rounded; raises ModelError."""
    if isinstance(task, Several):
        layers = output_layers(model)
        for output, part in task.parts.items():
            check_logits(layers[output], part, f"{by}[{output!r}]")
        return
    last = (getattr(model, "layers", None) or [model])[-1]
    name = last_activation(model)
    if name and task.reads_logits and name not in task.activations[:1]:
        raise ModelError(
            f"{by} should give logits; its last layer, {last.name!r}, has activation={name!r}. "
            "Leave the activation out: prediction and export add it."
        )
    if last.compute_dtype in ("bfloat16", "float16"):
        logger.warning(
            "The last layer of %s, %r, computes in %s: give it dtype='float32', as rounded logits "
            "cost accuracy.",
            by,
            last.name,
            last.compute_dtype,
        )
