"""Seq2Seq: recurrent layers that read a sentence, and others that say its translation."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.formats import PAD
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec
from tfpipe.models.layers import logits
from tfpipe.models.sequence.sentences import composed, embedding, sentence_features

if TYPE_CHECKING:
    import keras

    Tensors = list[keras.KerasTensor]


class Seq2Seq(ModelBuilder):
    """An encoder and a decoder of recurrent layers, trained with the true tokens before each.

    The decoder begins with the encoder's last states. Without attention it also reads the last
    state of the encoder's last layer at each step, beside the token (Cho et al. 2014; the network
    of Dive into Deep Learning with the defaults). With attention it looks at all outputs of the
    encoder: its own output asks, a learnt product compares, and a tanh layer joins what was found
    with that output (Luong, Pham and Manning 2015, "general").

    Args:
        cell: "gru" (reset after the product) or "lstm".
        units: of each layer.
        layers: how many follow each other, in the encoder and in the decoder.
        embedding: the width of a token's row of numbers.
        dropout: the share of values left out between two layers.
        attention: whether the decoder looks at all of the sentence.

    Raises:
        ModelError: when the data has no sentences with translations.

    Example:
        >>> Seq2Seq(units=64, attention=True)
        Seq2Seq(units=64, attention=True)
    """

    cell: Literal["gru", "lstm"] = "gru"
    units: Positive = 32
    layers: Positive = 2
    embedding: Positive = 32
    dropout: Fraction = 0.1
    attention: bool = False
    contract: ClassVar[str] = "a sentence; the vocabularies are learnt from the training pairs"

    def check(self, spec: ElementSpec) -> None:
        sentence_features(spec, "Seq2Seq")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        source, target = sentence_features(spec, "Seq2Seq")
        encoder = self._encoder(len(source.categories))
        decoder = self._decoder(len(target.categories), spec, task)
        return composed((source, target), encoder, decoder, f"seq2seq_{self.cell}")

    @classmethod
    def example(cls) -> Self:
        return cls(units=8, embedding=8)

    def _encoder(self, vocabulary: int) -> "keras.Model":
        import keras

        source = keras.Input((None,), dtype="int32", name="source")
        mask = keras.ops.not_equal(source, PAD)
        x = embedding(vocabulary, self.embedding)(source)
        x, states = self._recurrent(x, None, mask)
        kept = [x, mask] if self.attention else [states[-2 if self.cell == "lstm" else -1]]
        return keras.Model(source, [*kept, *states], name="encoder")

    def _decoder(self, vocabulary: int, spec: ElementSpec, task: TaskName) -> "keras.Model":
        import keras

        layers, ops = keras.layers, keras.ops
        target = keras.Input((None,), dtype="int32", name="target")
        kept = [keras.Input((self.units,), name="context")]
        if self.attention:
            kept = [
                keras.Input((None, self.units), name="memory"),
                keras.Input((None,), dtype="bool", name="mask"),
            ]
        count = self.layers * (2 if self.cell == "lstm" else 1)
        before = [keras.Input((self.units,), name=f"state_{i}") for i in range(1, count + 1)]
        x = embedding(vocabulary, self.embedding)(target)
        if not self.attention:
            everywhere = ops.zeros_like(x[..., :1]) + kept[0][:, None]
            x = layers.Concatenate()([x, everywhere])
        x, after = self._recurrent(x, before, None)
        if self.attention:
            memory, mask = kept
            asked = layers.Dense(self.units, use_bias=False, name="query")(x)
            found, _ = layers.Attention(name="attention")(
                [asked, memory], mask=[None, mask], return_attention_scores=True
            )
            x = layers.Dense(self.units, "tanh", name="joined")(layers.Concatenate()([x, found]))
        return keras.Model(
            [target, *kept, *before], [logits(x, spec, task), *after], name="decoder"
        )

    def _recurrent(
        self, x: "keras.KerasTensor", before: "Tensors | None", mask: "keras.KerasTensor | None"
    ) -> "tuple[keras.KerasTensor, Tensors]":
        """What all layers make of [rows, tokens, numbers], and the states in which they end.

        Args:
            x: the numbers.
            before: the states in which they begin; zeros when None.
            mask: [rows, tokens] which of them count; all when None.
        """
        import keras

        make = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[self.cell]
        states: Tensors = []
        each = 2 if self.cell == "lstm" else 1
        for number in range(self.layers):
            if number and self.dropout:
                x = keras.layers.Dropout(self.dropout)(x)
            layer = make(
                self.units, return_sequences=True, return_state=True, name=f"recurrent_{number + 1}"
            )
            begin = None if before is None else before[number * each : (number + 1) * each]
            x, *after = layer(x, initial_state=begin, mask=mask)
            states += after
        return x, states
