"""A model cut in two: the frozen part, whose answers never change, and the head that is trained."""

from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.kinds import ModelBuilder, Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError
from tfpipe.models.base import base_of

if TYPE_CHECKING:
    import keras

# Layers after the base that have nothing to train and make what is kept smaller.
_POOLING = (
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Flatten",
)


class HeadAlone(ModelBuilder):
    """The head of another builder's model, which reads what its frozen base makes of a sample.

    Its weights start from the values that they have in the whole model with the same seed, and its
    dropout draws the same numbers, so that training it is training the whole model.

    Args:
        of: the builder of the whole model.
        features: what the whole model reads.

    Raises:
        ModelError: when the whole model has no frozen base to leave out.
    """

    internal: ClassVar[bool] = True
    contract: ClassVar[str] = "what the base of the whole model answers"
    of: ModelBuilder
    features: tuple[Feature, ...]

    def build(
        self, spec: ElementSpec, task: str = "auto", train: Training | None = None
    ) -> "keras.Model":
        whole = self.of.build(spec.replace(features=self.features), task)
        return cut(whole)[1]


def cut(model: Any) -> tuple[Any, Any]:
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
    found = [node for node in nodes if node.operation is base]
    while found:
        (given,) = found[-1].output_tensors
        readers = [n for n in nodes if any(tensor is given for tensor in n.input_tensors)]
        if not readers and given is model.outputs[0]:
            return found
        if len(readers) != 1 or len(readers[0].input_tensors) != 1:
            break
        found.append(readers[0])
    raise ModelError(
        f"What follows {base.name} in {model.name} is no chain of layers from it to the answers."
    )
