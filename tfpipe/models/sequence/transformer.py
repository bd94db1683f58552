"""Transformer: blocks of attention that read a sentence, and others that say its translation."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.formats import PAD
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ConfigError
from tfpipe.models.layers import logits
from tfpipe.models.sequence.sentences import composed, embedding, sentence_features

if TYPE_CHECKING:
    import keras


class Transformer(ModelBuilder):
    """An encoder and a decoder of attention and dense layers (Vaswani et al. 2017).

    Each part of a block has its normalisation before it, which small networks learn better with,
    and positions are learnt. No place of a translation sees those behind it, and none sees the
    padding of the sentence.

    Args:
        layers: how many blocks the encoder has, and the decoder.
        heads: of each attention; they divide the width.
        width: of a token's row of numbers.
        hidden: the width between a block's two dense layers; four times that of a token when None.
        dropout: the share of values left out after the embedding and each part of a block.

    Raises:
        ConfigError: when the heads do not divide the width.
        ModelError: when the data has no sentences with translations.

    Example:
        >>> Transformer(layers=2, heads=4, width=64)
        Transformer(layers=2, heads=4, width=64)
    """

    layers: Positive = 2
    heads: Positive = 4
    width: Positive = 64
    hidden: Positive | None = None
    dropout: Fraction = 0.1
    contract: ClassVar[str] = "a sentence; the vocabularies are learnt from the training pairs"

    def validate(self) -> None:
        """Refuse heads that do not divide the width."""
        width, heads = (getattr(v, "value", v) for v in (self.width, self.heads))
        if width % heads:
            raise ConfigError(
                f"Transformer.width={width} cannot be divided among heads={heads}: use a multiple "
                f"of it, such as width={heads * max(1, round(width / heads))}."
            )

    def check(self, spec: ElementSpec) -> None:
        sentence_features(spec, "Transformer")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        features = source, target = sentence_features(spec, "Transformer")
        read = keras.Input((None,), dtype="int32", name="source")
        mask = keras.ops.not_equal(read, PAD)
        x = self._embedded(read, source)
        for number in range(1, self.layers + 1):
            x = self._attention(x, x, f"block_{number}_self", mask)
            x = self._dense(x, f"block_{number}")
        encoder = keras.Model(read, [_normalised(x, "norm"), mask], name="encoder")
        said = keras.Input((None,), dtype="int32", name="target")
        memory = keras.Input((None, self.width), name="memory")
        mask = keras.Input((None,), dtype="bool", name="mask")
        x = self._embedded(said, target)
        for number in range(1, self.layers + 1):
            x = self._attention(x, x, f"block_{number}_self", None)
            name = "attention" if number == self.layers else f"block_{number}_cross"
            x = self._attention(x, memory, name, mask)
            x = self._dense(x, f"block_{number}")
        last = logits(_normalised(x, "norm"), spec, task)
        decoder = keras.Model([said, memory, mask], [last], name="decoder")
        return composed(features, encoder, decoder, "transformer")

    @classmethod
    def example(cls) -> Self:
        return cls(layers=1, heads=2, width=8)

    def _embedded(self, tokens: "keras.KerasTensor", feature: Feature) -> "keras.KerasTensor":
        import keras

        places = keras.ops.cumsum(keras.ops.ones_like(tokens), axis=1) - 1
        x = embedding(len(feature.categories), self.width)(tokens)
        x = x + keras.layers.Embedding(feature.shape[0], self.width, name="position")(places)
        return self._dropped(x)

    def _attention(
        self,
        x: "keras.KerasTensor",
        seen: "keras.KerasTensor",
        name: str,
        mask: "keras.KerasTensor | None",
    ) -> "keras.KerasTensor":
        """Add what is found at the places that are seen: those of `mask`, or those not behind."""
        import keras

        asked = _normalised(x, f"{name}_norm")
        found, _ = keras.layers.MultiHeadAttention(
            self.heads, self.width // self.heads, dropout=self.dropout, name=name
        )(
            asked,
            asked if seen is x else seen,
            attention_mask=None if mask is None else mask[:, None],
            use_causal_mask=mask is None,
            return_attention_scores=True,
        )
        return x + self._dropped(found)

    def _dense(self, x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        import keras

        hidden = keras.layers.Dense(self.hidden or 4 * self.width, "relu", name=f"{name}_dense_1")
        y = hidden(_normalised(x, f"{name}_norm"))
        return x + self._dropped(keras.layers.Dense(self.width, name=f"{name}_dense_2")(y))

    def _dropped(self, x: "keras.KerasTensor") -> "keras.KerasTensor":
        import keras

        return keras.layers.Dropout(self.dropout)(x) if self.dropout else x


def _normalised(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    import keras

    return keras.layers.LayerNormalization(epsilon=1e-5, name=name)(x)
