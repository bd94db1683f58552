"""TextClassifier: raw texts in, learnt words, an embedding and what makes one answer of them."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import annotated_types

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Fraction, NonNegative, Positive
from tfpipe.declare.kinds import ModelBuilder, TaskName, Training
from tfpipe.declare.spec import COLUMN_KINDS, ElementSpec, Feature
from tfpipe.errors import ConfigError, ModelError
from tfpipe.models.layers import dense, logits, named

if TYPE_CHECKING:
    import keras

Vocabulary = Annotated[int, annotated_types.Ge(3)]
Body = Literal["pool", "lstm", "gru", "conv"]


class TextClassifier(ModelBuilder):
    """Words of a text embedded, made into one row of numbers, and a last layer for the task.

    The words are learnt from the training split's texts and part of the model, so raw texts go in
    wherever it is used. With its defaults it is the network of TensorFlow's guide to text
    classification: 160,033 parameters for two classes.

    Args:
        vocabulary: how many words to know at most, the most frequent ones; two of them stand for
            no word and for any other word.
        length: how many words of a text are read; the rest is left out.
        embedding: the width of a word's row of numbers.
        body: what makes one row of the words' rows: their average ("pool"), the last state of a
            recurrent layer ("lstm", "gru"), or the largest answers of a convolution ("conv").
        width: the units of the recurrent layer, or the filters of the convolution.
        kernel: how many words the convolution sees at once.
        bidirectional: whether the recurrent layer also reads backwards, with units of its own.
        units: the width of each hidden dense layer after the body.
        activation: after the convolution and each hidden layer.
        dropout: the share of values left out after the embedding, the body and each hidden layer.
        batch_norm: whether to normalise after each hidden layer.
        l2: the strength of the penalty on the hidden layers' weights.
        initializer: how the convolution's and the hidden layers' weights start.
        standardize: whether texts become lower case and lose their punctuation, and the line breaks
            and paragraphs of HTML become spaces. Words end at white space in any case.

    Raises:
        ConfigError: when `bidirectional` is given for a body that is not recurrent.
        ModelError: when the data is no text.

    Example:
        >>> TextClassifier(vocabulary=20_000, body="lstm", bidirectional=True, units=(64,))
        TextClassifier(vocabulary=20000, body='lstm', bidirectional=True, units=(64,))
    """

    vocabulary: Vocabulary = 10_000
    length: Positive = 250
    embedding: Positive = 16
    body: Body = "pool"
    width: Positive = 32
    kernel: Positive = 5
    bidirectional: bool = False
    units: tuple[Positive, ...] = ()
    activation: str = "relu"
    dropout: Fraction = 0.2
    batch_norm: bool = False
    l2: NonNegative = 0.0
    initializer: str | Deferred = "glorot_uniform"
    standardize: bool = True
    contract: ClassVar[str] = (
        "one text of any length in UTF-8; inside the model it is standardised and its words are "
        "looked up"
    )

    def validate(self) -> None:
        """Refuse a direction for what has none."""
        body = getattr(self.body, "value", self.body)
        if getattr(self.bidirectional, "value", self.bidirectional) and body in ("pool", "conv"):
            raise ConfigError(
                f"TextClassifier.bidirectional is for body='lstm' or 'gru', got body={body!r}."
            )

    def check(self, spec: ElementSpec) -> None:
        _text(spec)

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        import keras

        from tfpipe.models.text_vectorization import words_layer

        feature = _text(spec)
        inputs = keras.Input((), name=feature.name, dtype="string")
        words = words_layer(feature, train, self.vocabulary, self.length, self.standardize)
        x = words(inputs)
        # One row more than there are words, as published. The average takes padding in: that of a
        # text without words would be no number.
        recurrent = self.body in ("lstm", "gru")
        x = keras.layers.Embedding(self.vocabulary + 1, self.embedding, mask_zero=recurrent)(x)
        x = self._dropout(x)
        x = self._dropout(self._one_row(x))
        x = dense(x, self, "TextClassifier")
        return keras.Model(inputs, logits(x, spec, task), name=f"text_{self.body}")

    @classmethod
    def example(cls) -> Self:
        return cls(vocabulary=100, length=10)

    def _dropout(self, x: Any) -> Any:
        import keras

        return keras.layers.Dropout(self.dropout)(x) if self.dropout else x

    def _one_row(self, x: Any) -> Any:
        """The body: one row of numbers from a row for each word."""
        import keras

        layers = keras.layers
        if self.body == "pool":
            return layers.GlobalAveragePooling1D()(x)
        if self.body == "conv":
            convolution = layers.Conv1D(
                self.width,
                self.kernel,
                padding="same",
                activation=named("activations", "TextClassifier.activation", self.activation),
                kernel_initializer=named(
                    "initializers", "TextClassifier.initializer", self.initializer
                ),
            )
            return layers.GlobalMaxPooling1D()(convolution(x))
        layer = (layers.LSTM if self.body == "lstm" else layers.GRU)(self.width)
        return (layers.Bidirectional(layer) if self.bidirectional else layer)(x)


def _text(spec: ElementSpec) -> Feature:
    """The text to read; raises ModelError for anything else."""
    others = [f for f in spec.features if f.kind != "text"]
    if not others:
        return spec.feature
    other = others[0]
    if other.kind in COLUMN_KINDS:
        instead = "is a column of a table. Leave it out, declare it as a text, or use MLP or Linear"
    elif other.kind == "image":
        instead = "is an image. Use CNN_2_4_6, ConvNet or LeNet"
    else:
        instead = f"holds numbers of shape {other.shape}. Use MLP or Linear"
    raise ModelError(f"TextClassifier reads one text; {other.name!r} {instead}.")
