"""GPT: a decoder-only Transformer of Keras layers that says which token is next."""

from typing import TYPE_CHECKING, ClassVar, Self

from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.layers import logits
from tfpipe.models.sequence.tokens import embedded, tokens_feature

if TYPE_CHECKING:
    import keras

_SPREAD = 0.02  # of the weights at the start, as GPT-2 has it


class GPT(ModelBuilder):
    """Blocks of causal attention and two dense layers, each with its normalisation before it.

    Positions are learnt. The network is GPT-2's (Radford et al. 2019) without biases in the
    attention and the normalisation, which small ones do better without.

    Args:
        layers: how many blocks.
        heads: of each block's attention; they divide the width.
        width: of a token's row of numbers.
        context: how many tokens are seen; as many as the windows of the data have, which is also
            the default.
        dropout: the share of values left out after the embedding, the attention and the dense
            layers.

    Raises:
        ConfigError: when the heads do not divide the width.
        ModelError: when the data is no text of tokens, or its windows are not as long as the
            context.

    Example:
        >>> GPT(layers=4, heads=4, width=128, context=64)
        GPT(layers=4, heads=4, width=128, context=64)
    """

    layers: Positive = 4
    heads: Positive = 4
    width: Positive = 128
    context: Positive | None = None
    dropout: Fraction = 0.0
    contract: ClassVar[str] = "a window of tokens; the vocabulary is learnt from the training text"

    def validate(self) -> None:
        """Refuse heads that do not divide the width."""
        width, heads = (getattr(v, "value", v) for v in (self.width, self.heads))
        if width % heads:
            raise ConfigError(
                f"GPT.width={width} cannot be divided among heads={heads}: use a multiple of it, "
                f"such as width={heads * max(1, round(width / heads))}."
            )

    def check(self, spec: ElementSpec) -> None:
        (windows,) = tokens_feature(spec, "GPT").shape
        if self.context is not None and self.context > windows:
            raise ModelError(
                f"GPT.context={self.context} is longer than the windows of {windows} tokens that "
                f"it would be trained on. Use context={windows}, or data.windows={self.context}."
            )
        if self.context is not None and self.context < windows:
            raise ModelError(
                f"GPT.context={self.context} is shorter than the windows of {windows} tokens. Use "
                f"context={windows}, or data.windows={self.context}."
            )

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        self.check(spec)
        feature = tokens_feature(spec, "GPT")
        inputs = keras.Input((None,), name=feature.name, dtype="int32")
        places = keras.ops.cumsum(keras.ops.ones_like(inputs), axis=1) - 1
        x = embedded(inputs, len(feature.categories), self.width)
        x = x + keras.layers.Embedding(feature.shape[0], self.width, name="position")(places)
        x = keras.layers.Dropout(self.dropout)(x) if self.dropout else x
        for number in range(1, self.layers + 1):
            x = self._block(x, f"block_{number}")
        x = _normalised(x, "norm")
        return keras.Model(inputs, logits(x, spec, task, use_bias=False), name="gpt")

    @classmethod
    def example(cls) -> Self:
        return cls(layers=1, heads=2, width=8)

    def _block(self, x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        """What one block makes of [rows, tokens, width]."""
        import keras

        layers, start = keras.layers, keras.initializers.RandomNormal
        normed = _normalised(x, f"{name}_norm_1")
        attention = layers.MultiHeadAttention(
            self.heads,
            self.width // self.heads,
            dropout=self.dropout,
            use_bias=False,
            kernel_initializer=start(_SPREAD),
            name=f"{name}_attention",
        )
        x = x + self._dropped(attention(normed, normed, use_causal_mask=True))
        hidden = layers.Dense(
            4 * self.width, "gelu", kernel_initializer=start(_SPREAD), name=f"{name}_dense_1"
        )(_normalised(x, f"{name}_norm_2"))
        last = start(_SPREAD / (2 * self.layers) ** 0.5)  # GPT-2 has it so, as blocks add up
        return x + self._dropped(
            layers.Dense(self.width, kernel_initializer=last, name=f"{name}_dense_2")(hidden)
        )

    def _dropped(self, x: "keras.KerasTensor") -> "keras.KerasTensor":
        import keras

        return keras.layers.Dropout(self.dropout)(x) if self.dropout else x


def _normalised(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    import keras

    return keras.layers.LayerNormalization(epsilon=1e-5, center=False, name=name)(x)
