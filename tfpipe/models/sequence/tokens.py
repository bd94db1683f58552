"""What networks of tokens share: the feature that they read, and the row of numbers of a token."""

from typing import TYPE_CHECKING

from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError

if TYPE_CHECKING:
    import keras


def tokens_feature(spec: ElementSpec, builder: str) -> Feature:
    """Return the tokens that a network reads; raise ModelError for anything else.

    Args:
        spec: the element spec of the data.
        builder: who asks, for the message.
    """
    other = next((f for f in spec.features if f.kind != "tokens"), None)
    if other is not None:
        raise ModelError(
            f"{builder} reads the tokens of a text; {other.name!r} is of kind {other.kind!r}. Use "
            "Text for the data, or another model."
        )
    return spec.feature


def embedded(
    tokens: "keras.KerasTensor", vocabulary: int, width: int | None
) -> "keras.KerasTensor":
    """Return a row of numbers for each token: a learnt one, or its one-hot row where width is None.

    Args:
        tokens: [rows, tokens].
        vocabulary: how many tokens there are.
        width: of a learnt row.
    """
    import keras

    if width is None:
        return keras.ops.one_hot(tokens, vocabulary)
    return keras.layers.Embedding(vocabulary, width, name="embedding")(tokens)
