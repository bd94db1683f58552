"""Continuing a prompt with a model of a text's next tokens, a token at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.formats import MOST_TOKENS
from tfpipe.errors import ConfigError
from tfpipe.jobs.predict.answering import ServedModel
from tfpipe.jobs.predict.predictor import Predictor

_MOST_INT = 2**31 - 1  # of what an export takes


@dataclass(frozen=True)
class Asked:
    """What is asked of a model that continues texts.

    Args:
        prompt: the beginning of the text.
        length: how many tokens to say, at most 10,000.
        temperature: 0 takes the most probable token each time; the higher, the more is chance.
        top_k: of how many of the most probable tokens one is drawn; None for all.
        top_p: of the most probable tokens, only as many as have this share of the probability.
        seed: decides what is drawn.

    Raises:
        ConfigError: for an empty prompt and for numbers that cannot be.
    """

    prompt: str
    length: int = 50
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise ConfigError(
                "The prompt is empty. Give the beginning of a text, such as --prompt 'once upon'."
            )
        if not 1 <= self.length <= MOST_TOKENS:
            raise ConfigError(
                f"A length of {self.length:,} tokens was asked for. Give 1 to {MOST_TOKENS:,}, "
                "such as 50."
            )
        if not self.temperature >= 0:
            raise ConfigError(
                f"The temperature is {self.temperature:g}. Give 0 for the most probable token each "
                "time, or more to draw, such as 0.8."
            )
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(
                f"top_k is {self.top_k}. Give 1 or more tokens to draw from, such as 10, or leave "
                "it out."
            )
        if not 0 < self.top_p <= 1:
            raise ConfigError(
                f"top_p is {self.top_p:g}. Give a share of the probability above 0 and at most 1, "
                "such as 0.9, or leave it out."
            )


def continues_texts(ready: Predictor) -> bool:
    """Return whether a model says a text's next tokens."""
    return ready.task.judged_as == "tokens"


def check_continues(ready: Predictor) -> None:
    """Refuse a prompt for a model of another task; raise ConfigError."""
    if not continues_texts(ready):
        raise ConfigError(
            f"{ready.name} is of the task {ready.task.title}, and --prompt is for models that "
            "continue texts. Give it files, folders or - instead."
        )


def check_no_files(ready: Predictor) -> None:
    """Refuse files for a model that continues texts; raise ConfigError."""
    if continues_texts(ready):
        raise ConfigError(
            f"{ready.name} continues texts, and answers no files. Give the beginning of a text "
            "with --prompt, such as --prompt 'once upon'."
        )


def prompt_notes(ready: Predictor, prompt: str) -> list[str]:
    """Return what a person must not overlook about a prompt: what of it is not known."""
    tokenizer = Tokenizer.of(ready.spec.feature)
    pieces = tokenizer.split(prompt)
    notes = [tokenizer.of_unknown(pieces)]
    letters = sum(map(str.isalnum, prompt))
    if tokenizer.form.normalise == "letters" and letters > sum(map(str.isalpha, "".join(pieces))):
        read = tokenizer.form.joint.join(pieces)
        notes.append(f"{ready.name} knows the letters a to z alone, and reads {read!r}.")
    return [note for note in notes if note]


def continuation(ready: Predictor, asked: Asked) -> Iterator[str]:
    """Yield what follows a prompt, piece by piece as it is said; of an export, as one.

    Args:
        ready: the model.
        asked: the prompt, and how it is continued.

    Raises:
        ConfigError: for a model of another task, and a prompt of which nothing is left.
    """
    check_continues(ready)
    tokenizer = Tokenizer.of(ready.spec.feature)
    tokens = tokenizer.encode(asked.prompt).tolist()
    if not tokens:
        raise ConfigError(
            f"Nothing is left of the prompt {asked.prompt!r}: {ready.name} reads letters alone. "
            "Give the beginning of a text, such as --prompt 'once upon'."
        )
    model = ready.model
    if isinstance(model, ServedModel):
        return iter([_served(model, asked)])
    from tfpipe.models.sequence.generation import Sampling, one_by_one, reader_of

    reader = reader_of(model.model, ready.spec.feature.shape[0], model.task.probabilities)
    never = tokenizer.unknown_number
    sampling = Sampling(asked.temperature, asked.top_k or 0, asked.top_p, asked.seed, never)
    joint = tokenizer.form.joint
    said = one_by_one(reader, tokens, asked.length, sampling)
    return (joint + tokenizer.vocabulary[token] for token in said)


def _served(model: ServedModel, asked: Asked) -> str:
    """Return what an export's `generate_top` adds to a prompt."""
    import tensorflow as tf

    given = {
        "prompt": tf.constant([asked.prompt.encode("utf-8", "replace")]),
        "length": tf.constant([asked.length]),
        "temperature": tf.constant([asked.temperature], tf.float32),
        "seed": tf.cast([asked.seed % 2**32], tf.int32),  # as it is where the model is Keras's
        "top_k": tf.constant([min(asked.top_k or 0, _MOST_INT)]),
        "top_p": tf.constant([asked.top_p], tf.float32),
    }
    text: bytes = model.ask("generate_top", given)["text"].numpy()[0]
    return text.decode("utf-8", "replace")[len(asked.prompt) :]
