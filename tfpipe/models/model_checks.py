"""What a model that a person wrote must be: built, giving logits, in float32 at the end."""

import logging
from math import prod
from typing import TYPE_CHECKING, Any

from tfpipe.errors import ModelError
from tfpipe.tasks import Task
from tfpipe.tasks.several import Several, output_layers
from tfpipe.tasks.task import last_activation
from tfpipe.text import counted, quoted

if TYPE_CHECKING:
    import keras

logger = logging.getLogger("tfpipe.models")


def check_model(model: Any, by: str) -> None:
    """Refuse what is no built keras.Model that may be trained by steps; raises ModelError.

    Args:
        model: what was returned.
        by: what returned it, such as "build_model()".
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(f"{by} should return a keras.Model, got {type(model).__name__}.")
    if not model.built:
        raise ModelError(f"{by} returned a model without an input shape: add keras.Input.")
    own = [n for n in ("fit", "evaluate") if getattr(type(model), n) != getattr(keras.Model, n)]
    if own:
        raise ModelError(
            f"{by} returned a {type(model).__name__}, whose own {own[0]}() would not be called: "
            "training goes from step to step, so that it can be resumed at any of them. Override "
            "train_step or test_step instead, use a callback, or return keras.Model(model.inputs, "
            "model.outputs) if its layers are all that is wanted."
        )


def check_width(model: "keras.Model", task: Task, by: str) -> None:
    """Refuse outputs that have not one value for each thing to predict; raises ModelError."""
    output = getattr(model, "output", None)
    shapes = {"": getattr(model, "output_shape", None)}
    if isinstance(output, dict):
        shapes = {name: tensor.shape for name, tensor in output.items()}
    parts = task.parts if isinstance(task, Several) else {"": task}
    if isinstance(task, Several) and {*shapes} != {*parts}:
        given = quoted(shapes) if isinstance(output, dict) else "without names"
        raise ModelError(
            f"{by} should give a mapping of the outputs {quoted(parts)}, as the labels are; its "
            f"outputs are {given}. Return keras.Model(inputs, {{name: output, ...}})."
        )
    if not isinstance(task, Several) and isinstance(output, (list, tuple, dict)):
        raise ModelError(
            f"{by} has {counted(len(output), 'output')} in a {type(output).__name__}, and there is "
            "one label. Return keras.Model(inputs, output), or give labels that are a mapping of "
            "the outputs' names."
        )
    for name, part in parts.items():
        shape = shapes.get(name)
        if not isinstance(shape, tuple) or None in shape[1:]:
            continue  # Keras cannot tell beforehand
        if part.label.is_vocabulary and len(shape) == 3 and shape[2] == part.units:
            raise ModelError(
                f"{by} reads windows of {shape[1]} tokens alone; texts come in windows of any "
                "length. Use keras.Input((None,))."
            )
        if part.units and prod(shape[1:]) != part.units:
            of = f" for {name!r}" if name else ""
            raise ModelError(
                f"{by} gave {prod(shape[1:])} output(s) a sample{of}; the task, {part.name}, needs "
                f"{part.units}."
            )


def check_logits(model: "keras.Model", task: Task, by: str) -> None:
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
    if getattr(last, "compute_dtype", "") in ("bfloat16", "float16"):
        logger.warning(
            "The last layer of %s, %r, computes in %s: give it dtype='float32', as rounded logits "
            "cost accuracy.",
            by,
            last.name,
            last.compute_dtype,
        )
