"""What a field may hold, and how it is refused."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import annotated_types
import pytest

from tfpipe import hp, keras
from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.field_types import (
    Count,
    Duration,
    DurationField,
    Fraction,
    NonNegative,
    OpenFraction,
    Positive,
    PositiveFloat,
    check_value,
    describe,
)
from tfpipe.declare.kinds import Augmentation, ModelBuilder, Source
from tfpipe.errors import ConfigError
from tfpipe.models import MLP


def check(annotation, value):
    return check_value("Job", "x", annotation, value)


def refused(annotation, value):
    with pytest.raises(ConfigError) as error:
        check(annotation, value)
    return str(error.value)


@pytest.mark.parametrize(
    ("annotation", "given", "held"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 2.5, 2.5),
        (bool, True, True),
        (str, "32", "32"),
        (int | str, "32", "32"),
        (int | None, None, None),
        (Positive | DurationField, 600, 600),
        (Positive | DurationField, "10m", Duration(600)),
        (Literal["auto"] | bool, False, False),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[float, ...], (1, 2), (1.0, 2.0)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (Fraction | tuple[Fraction, ...], [0, 0.5], (0.0, 0.5)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Callable[..., Any], len, len),
        (Any, None, None),
    ],
)
def test_what_fits_is_held(annotation, given, held):
    value = check(annotation, given)
    assert value == held
    assert type(value) is type(held)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, True, "Job.x takes a whole number, got True (bool)."),
        (int, "32", "Job.x takes a whole number, got '32' (str)."),
        (int, 2.5, "Job.x takes a whole number, got 2.5 (float)."),
        (int, 2.0, "Job.x takes a whole number, got 2.0 (float)."),
        (int, None, "Job.x takes a whole number, got none."),
        (float, True, "Job.x takes a number, got True (bool)."),
        (float, "0.1", "Job.x takes a number, got '0.1' (str)."),
        (bool, 1, "Job.x takes true or false, got 1 (int)."),
        (bool, "true", "Job.x takes true or false, got 'true' (str)."),
        (str, 3, "Job.x takes a text, got 3 (int)."),
        (Positive, 0, "Job.x takes a whole number of at least 1, got 0 (int)."),
        (Count, -1, "Job.x takes a whole number of at least 0, got -1 (int)."),
        (PositiveFloat, 0, "Job.x takes a number above 0, got 0 (int)."),
        (NonNegative, -0.1, "Job.x takes a number of at least 0, got -0.1 (float)."),
        (Fraction, 1.0, "Job.x takes a number of at least 0 and below 1, got 1.0 (float)."),
        (OpenFraction, 0.0, "Job.x takes a number above 0 and below 1, got 0.0 (float)."),
        (Positive | None, 0, "Job.x takes a whole number of at least 1 or none, got 0 (int)."),
        (int | str, 1.5, "Job.x takes a whole number or a text, got 1.5 (float)."),
        (Literal[2, 4, 6], 3, "Job.x takes one of 2, 4, 6, got 3 (int)."),
        (
            Literal["float32", "bfloat16"],
            "fp16",
            "Job.x takes one of 'float32', 'bfloat16', got 'fp16' (str).",
        ),
        (Literal["auto"] | bool, 1, "Job.x takes 'auto' or true or false, got 1 (int)."),
        (
            DurationField,
            "soon",
            "Job.x takes a duration such as 30s, 10m or 2h, got 'soon' (str).",
        ),
        (DurationField, 600, "Job.x takes a duration such as 30s, 10m or 2h, got 600 (int)."),
        (
            Positive | DurationField,
            "0s",
            "Job.x takes a whole number of at least 1 or a duration such as 30s, 10m or 2h, "
            "got '0s' (str).",
        ),
        (
            tuple[int, ...],
            64,
            "Job.x takes a tuple, each item a whole number, got 64 (int).",
        ),
        (
            tuple[int, ...],
            [1, "2"],
            "Job.x takes a tuple, each item a whole number, got '2' (str) at x[1].",
        ),
        (
            tuple[int, str],
            (1,),
            "Job.x takes a tuple of 2: a whole number, a text, got (1,) (tuple).",
        ),
        (
            tuple[str, ...] | None,
            "accuracy",
            "Job.x takes none or a tuple, each item a text, got 'accuracy' (str).",
        ),
        (
            dict[str, int],
            {"a": "b"},
            "Job.x takes a mapping of a text to a whole number, got {'a': 'b'} (dict).",
        ),
        (dict, 3, "Job.x takes a mapping, got 3 (int)."),
        (Callable[[], int], 3, "Job.x takes a function, got 3 (int)."),
        (Callable[[], int] | None, 3, "Job.x takes a function or none, got 3 (int)."),
        (str, len, "Job.x takes a text, got the function len."),
        (
            ModelBuilder | None,
            MLP,
            "Job.x takes a model builder such as CNN_2_4_6(convs=6) or none, got the class MLP.",
        ),
        (
            Source,
            "cifar10",
            "Job.x takes a data source such as TFDS(\"cifar10\"), got 'cifar10' (str).",
        ),
        (
            tuple[Augmentation, ...],
            [MLP()],
            "Job.x takes a tuple, each item an augmentation such as augment.flip(), "
            "got MLP() (MLP) at x[0].",
        ),
        (
            Deferred | str,
            keras.optimizers.SGD,
            "Job.x takes a Keras object such as keras.optimizers.SGD(learning_rate=0.01) "
            "or a text, got keras.optimizers.SGD (Name).",
        ),
        (
            Name,
            3,
            "Job.x takes a name such as keras.metrics.AUC, got 3 (int).",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(annotation, value, message):
    assert refused(annotation, value) == message


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, annotated_types.Le(9)], "a whole number of at most 9"),
        (hp.Float, "a range from hp"),
        (Any, "any value"),
        (OSError, "an OSError"),
        (
            tuple[Deferred | str, ...] | None,
            "none or a tuple, each item a Keras object such as "
            "keras.optimizers.SGD(learning_rate=0.01) or a text",
        ),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(annotation) == words


# Ranges


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Fraction, hp.Float(0.2, min=0, max=0.5)),
        (Positive, hp.Int(3, min=1, max=9)),
        (bool, hp.Bool(True)),
        (Literal["a", "b"], hp.Choice("a", values=["a", "b"])),
        (tuple[Fraction, ...], (0.1, hp.Float(0.2, min=0, max=0.5))),
        (Fraction | tuple[Fraction, ...], hp.Choice(0.1, values=[0.1, (0.1, 0.2)])),
        (dict[str, Fraction], {"a": 0.1, "b": hp.Float(0.2, min=0, max=0.5)}),
    ],
)
def test_a_range_stands_wherever_its_values_may(annotation, value):
    assert check(annotation, value) == value


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (
            Fraction,
            hp.Float(0.2, min=0, max=1.5),
            "Job.x takes a number of at least 0 and below 1, got 1.5 (float), "
            "in hp.Float(0.2, min=0.0, max=1.5).",
        ),
        (
            int,
            hp.Float(1, min=0, max=2),
            "Job.x takes a whole number, got 1.0 (float), in hp.Float(1.0, min=0.0, max=2.0).",
        ),
        (
            bool,
            hp.Choice(True, values=(True, "no")),
            "Job.x takes true or false, got 'no' (str), in hp.Choice(True, values=(True, 'no')).",
        ),
        (
            tuple[Fraction, ...],
            (0.1, hp.Float(0.2, min=-1, max=0.5)),
            "Job.x takes a tuple, each item a number of at least 0 and below 1, "
            "got -1.0 (float) at x[1], in (0.1, hp.Float(0.2, min=-1.0, max=0.5)).",
        ),
        (
            dict[str, Fraction],
            {"a": 0.1, "b": hp.Choice(0.2, values=(0.2, 1.5))},
            "Job.x takes a mapping of a text to a number of at least 0 and below 1, "
            "got {'a': 0.1, 'b': 1.5} (dict), "
            "in {'a': 0.1, 'b': hp.Choice(0.2, values=(0.2, 1.5))}.",
        ),
    ],
)
def test_a_range_beyond_the_field_is_refused(annotation, value, message):
    assert refused(annotation, value) == message


# Durations


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("30s", 30, "30s"),
        ("10m", 600, "10m"),
        ("2h", 7200, "2h"),
        ("1h30m", 5400, "90m"),
        ("1d", 86400, "1d"),
        ("1.5h", 5400, "90m"),
        ("500ms", 0.5, "0.5s"),
        ("90 s", 90, "90s"),
        ("1234567s", 1234567, "1234567s"),
    ],
)
def test_durations_are_read_and_written(text, seconds, shown):
    duration = Duration.parse(text)
    assert duration == seconds
    assert str(duration) == shown
    assert Duration.parse(shown) == duration
    assert repr(duration) == repr(shown)


@pytest.mark.parametrize("text", ["", "10", "m", "10x", "10m and more", "-5m", "ten m"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="is no duration: write it as 30s, 10m or 2h"):
        Duration.parse(text)
