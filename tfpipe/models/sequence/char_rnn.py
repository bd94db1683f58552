"""CharRNN: tokens into recurrent layers, and a last layer that says which token is next."""

import logging
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from tfpipe.declare.field_types import Fraction, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ModelError
from tfpipe.models.layers import logits
from tfpipe.models.sequence.tokens import embedded, tokens_feature

if TYPE_CHECKING:
    import keras

logger = logging.getLogger("tfpipe.models")

Cell = Literal["rnn", "gru", "lstm"]


class CharRNN(ModelBuilder):
    """Recurrent layers over the tokens of a text, with a logit for each token that may be next.

    With one-hot rows and 28 tokens it has the parameters of the networks in Dive into Deep
    Learning: 291,356 as a tanh RNN of 512 units, 226,844 as a GRU and 299,036 as an LSTM of 256.

    Where the text comes in sequential order (`Text(order="sequential")`), each layer keeps the
    state in which a training batch ended for the next one. The layers' arguments are those with
    which cuDNN computes them on a GPU.

    Args:
        cell: "rnn" for tanh units, "gru" (reset after the product) or "lstm".
        units: of each layer.
        layers: how many follow each other.
        bidirectional: whether each also reads backwards, with units of its own. To predict the
            next token it sees the answer: it is here to be shown as the wrong tool.
        embedding: the width of a token's row of numbers; its one-hot row when None.
        dropout: the share of values left out after each layer.

    Raises:
        ModelError: when the data is no text of tokens.

    Example:
        >>> CharRNN(cell="lstm", units=256, layers=2)
        CharRNN(cell='lstm', units=256, layers=2)
    """

    cell: Cell = "rnn"
    units: Positive = 256
    layers: Positive = 1
    bidirectional: bool = False
    embedding: Positive | None = None
    dropout: Fraction = 0.0
    contract: ClassVar[str] = "a window of tokens; the vocabulary is learnt from the training text"

    def check(self, spec: ElementSpec) -> None:
        tokens_feature(spec, "CharRNN")

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        feature = tokens_feature(spec, "CharRNN")
        if self.bidirectional:
            logger.warning(
                "CharRNN(bidirectional=True) reads the text backwards, too: at each place it sees "
                "the token that it should predict. Its perplexity says nothing, and it cannot "
                "continue a text."
            )
        rows = self._rows(feature, train)
        inputs = keras.Input((None,), name=feature.name, dtype="int32")
        x = embedded(inputs, len(feature.categories), self.embedding)
        for number in range(1, self.layers + 1):
            x = self._layer(f"recurrent_{number}", rows)(x)
            x = keras.layers.Dropout(self.dropout)(x) if self.dropout else x
        return keras.Model(inputs, logits(x, spec, task), name=f"char_{self.cell}")

    @classmethod
    def example(cls) -> Self:
        return cls(units=8)

    def _layer(self, name: str, rows: int) -> "keras.Layer":
        import keras

        from tfpipe.models.sequence.carried import Carried

        kinds = {"rnn": "SimpleRNN", "gru": "GRU", "lstm": "LSTM"}
        make = getattr(keras.layers, kinds[self.cell])
        if self.bidirectional:
            return keras.layers.Bidirectional(make(self.units, return_sequences=True), name=name)
        if not rows:
            return make(self.units, return_sequences=True, name=name)
        return Carried(make(self.units, return_sequences=True, return_state=True), rows, name=name)

    def _rows(self, feature: Feature, train: Training | None) -> int:
        """How many rows of a batch carry their state; 0 where samples stand alone."""
        if train is None or self.bidirectional:
            return 0
        if feature.tokens is None or not feature.tokens.carried:
            return 0
        import tensorflow as tf

        if (replicas := tf.distribute.get_strategy().num_replicas_in_sync) > 1:
            raise ModelError(
                'Text(order="sequential") carries the state of each row from batch to batch, which '
                f"works on one device; here are {replicas} replicas. Choose one with device=, or "
                'use order="random".'
            )
        return len(next(iter(train())))
