"""A model split in two: the frozen part, whose answers never change, and the head."""

from typing import Any

from tfpipe.declare.pipeline import Pipeline, has_own_input, overrides
from tfpipe.errors import ModelError
from tfpipe.models.base import base_of

# Layers after the base that have nothing to train and make what is kept smaller.
_POOLING = (
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Flatten",
)


def why_not_cached(pipeline: Pipeline) -> str:
    """Why the features of a pipeline's model cannot be computed once; empty where they can."""
    if pipeline.augment:
        return "augment changes the images of every epoch"
    if has_own_input(pipeline):
        return "input_fn makes the batches, and may make others every epoch"
    if overrides(type(pipeline), "build_model") or pipeline.model is None:
        return "build_model makes the model"
    if pipeline.fine_tune is not None:
        return "fine_tune has phases, which may train the base"
    if getattr(pipeline.model, "trainable", False):
        return "the base is trained (model.trainable=true)"
    return ""


def split_at_base(model: Any) -> tuple[Any, Any]:
    """The part of a model up to the answers of its frozen base, and the rest, which is its head.

    Both share their layers with the model: what the head learns, the model has learnt. Pooling
    after the base belongs to the first part.

    Args:
        model: a Functional model whose base is one nested model.

    Returns:
        The two models: from samples to features, and from features to logits.

    Raises:
        ModelError: for a model without a base, with a base that is trained, or with a head that is
            no chain of layers.
    """
    import keras

    base = base_of(model)
    if base is None:
        raise ModelError(f"{model.name} has no pretrained base whose answers could be kept.")
    if base.trainable_weights:
        raise ModelError(f"{base.name} is trained: its answers change with every step.")
    if (maps := len(getattr(base, "outputs", ()))) > 1:  # a module of TF-Hub has none
        raise ModelError(
            f"{base.name} answers with {maps} maps, and the features of one are kept. Leave "
            "cache_features out."
        )
    chain = _chain(model, base)
    kept = 1
    while kept < len(chain) and type(chain[kept].operation).__name__ in _POOLING:
        kept += 1
    answers = chain[kept - 1].output_tensors[0]
    body = keras.Model(model.input, answers, name="body")
    if body.trainable_weights:
        trained = body.trainable_weights[0].path
        raise ModelError(f"{trained} comes before the base's answers, and is trained.")
    inputs = x = keras.Input(answers.shape[1:], dtype="float32", name="features")
    for node in chain[kept:]:
        x = node.operation(x)
    return body, keras.Model(inputs, x, name="head")


def _chain(model: Any, base: Any) -> list[Any]:
    """The calls of layers from the base on to the model's answers, each reading the one before."""
    nodes = [node for depth in model._nodes_by_depth.values() for node in depth]
    inside = [node for node in nodes if node.operation is base]
    while inside:
        (given,) = inside[-1].output_tensors
        readers = [n for n in nodes if any(tensor is given for tensor in n.input_tensors)]
        if not readers and given is model.outputs[0]:
            return inside
        if len(readers) != 1 or len(readers[0].input_tensors) != 1:
            break
        inside.append(readers[0])
    raise ModelError(
        f"What follows {base.name} in {model.name} is no chain of layers from it to the answers."
    )
