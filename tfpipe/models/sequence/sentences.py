"""What networks that translate share: the sentences that they read, and how they are put together.

Such a network is two models in one. "encoder" reads a sentence and gives a list: what stays as it
is while the translation is said and, last, the states that change. "decoder" reads tokens and this
list, and gives a list of the logits and the states after the last token. So a translation is said
token by token without reading the sentence again; see `tfpipe.models.sequence.decoding`.

Masks are tensors of their own and not those that Keras hands from layer to layer, which do not pass
from the encoder to the decoder. These do, are saved with the model, and XLA compiles them.
"""

from typing import TYPE_CHECKING

from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError
from tfpipe.text import listed

if TYPE_CHECKING:
    import keras


def sentence_features(spec: ElementSpec, builder: str) -> tuple[Feature, Feature]:
    """Return the sentences that a network reads and says; raise ModelError for anything else.

    Args:
        spec: the element spec of the data.
        builder: who asks, for the message.
    """
    if spec.label.kind != "sentence":
        has = listed(f"{f.name!r} of kind {f.kind!r}" for f in spec.features)
        raise ModelError(
            f"{builder} translates sentences; the data has {has}, and labels of kind "
            f"{spec.label.kind!r}. Use Pairs for the data, or another model."
        )
    source, target = spec.features
    return source, target


def composed(
    features: tuple[Feature, Feature], encoder: "keras.Model", decoder: "keras.Model", name: str
) -> "keras.Model":
    """Return the model that is trained: of a sentence and its translation the logits at each place.

    Args:
        features: the sentences and their translations.
        encoder: see above.
        decoder: see above.
        name: of the model.
    """
    import keras

    source, target = features
    inputs = {f.name: keras.Input((None,), dtype="int32", name=f.name) for f in features}
    known = keras.tree.flatten(encoder(inputs[source.name]))
    logits, *_ = keras.tree.flatten(decoder([inputs[target.name], *known]))
    return keras.Model(inputs, logits, name=name)


def embedding(vocabulary: int, width: int) -> "keras.Layer":
    """Return what gives a token its row of numbers."""
    import keras

    return keras.layers.Embedding(vocabulary, width, name="embedding")
