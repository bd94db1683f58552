"""Ranges from the command line: `--vary NAME=WHAT`, for a declaration that has none there.

optimizer.learning_rate=1e-4..1e-1:log   model.dropout=0.0..0.5   model.dropout=0.0..0.5:0.1
model.convs=2,4,6   model.convs=2..6:2   model.batch_norm   optimizer=SGD(0.01),Adam(0.001)
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.field_types import Duration
from tfpipe.declare.hp import Bool, Choice, Float, Int, Range, same
from tfpipe.declare.loading import Loaded
from tfpipe.declare.overrides import apply_overrides, declared_at, read_override, write_override
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import elements, resolve
from tfpipe.errors import ConfigError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_INTERVAL = re.compile(rf"({_NUMBER})\.\.({_NUMBER})((?::[^:]*)*)")


def vary(loaded: Loaded, texts: Iterable[str]) -> Loaded:
    """Return a pipeline with ranges where texts put them, as overrides made of hp's ranges.

    The value beside a range, which `run` would use, is the declared one where it lies in the range,
    else the middle; of several values, the first.

    Args:
        loaded: the pipeline, overrides applied.
        texts: such as "optimizer.learning_rate=1e-4..1e-1:log".

    Raises:
        ConfigError: for an unknown field, a text that is no range, or a range that does not fit.

    Example:
        >>> vary(loaded, ["model.convs=2,4,6"]).overrides
        ('model.convs=hp.Choice(6, values=(2, 4, 6))',)
    """
    overrides = tuple(_override(loaded.pipeline, text) for text in texts)
    pipeline = apply_overrides(loaded.pipeline, overrides)
    return replace(loaded, pipeline=pipeline, overrides=(*loaded.overrides, *overrides))


def _override(pipeline: Pipeline, text: str) -> str:
    """Return the override that a text stands for: of its first range that the field accepts."""
    name, equals, what = (piece.strip() for piece in text.partition("="))
    if not name:
        raise ConfigError(f"{text!r} names no field: write a.b=1e-4..1e-1:log or a.b=2,4,6.")
    errors: list[str] = []
    try:
        declared = resolve(declared_at(pipeline, name), elements)
        ranges = _ranges(pipeline, name, what, declared) if equals else [Bool(declared is True)]
        for candidate in ranges:
            try:
                return write_override(pipeline, name, candidate)
            except ConfigError as error:
                hint = f" To try other values, write {name}=1..10 or {name}=2,4,6."
                errors.append(f"{error}{hint if isinstance(candidate, Bool) else ''}")
        raise ConfigError(errors[0])
    except ConfigError as error:
        raise ConfigError(f"{text}: {error}") from None


def _ranges(pipeline: Pipeline, name: str, what: str, declared: object) -> Iterator[Range]:
    """Yield the ranges that a text may mean, the likeliest first."""
    if interval := _INTERVAL.fullmatch(what):
        start, end, suffixes = interval.groups()
        fractions = _takes_fractions(pipeline, name)
        yield from _intervals(start, end, suffixes, declared, fractions)
        return
    items = _split(what)
    if len(items) < 2:
        raise ConfigError(
            f"{what!r} is no range: write START..END, START..END:log, START..END:STEP, or several "
            "values with commas between them. To set one value, leave --vary out."
        )
    values = tuple(_as_written(read_override(pipeline, f"{name}={item}")) for item in items)
    if len(values) == 2 and all(isinstance(v, bool) for v in values) and values[0] != values[1]:
        yield Bool(declared is True)
        return
    own = next((v for v in values if same(v, _as_written(declared))), values[0])
    yield Choice(own, values=values)


def _as_written(value: object) -> object:
    """Return a value as a declaration has it: a duration is a text until its field reads it."""
    return str(value) if isinstance(value, Duration) else value


def _split(text: str) -> list[str]:
    """Return the pieces between the commas that stand in no brackets and no quotes."""
    pieces, depth, quote = [""], 0, ""
    for letter in text:
        if quote or letter in "'\"":
            quote = "" if letter == quote else quote or letter
        depth += (letter in "([{") - (letter in ")]}") if not quote else 0
        if letter == "," and not depth and not quote:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece.strip() for piece in pieces]


def _intervals(
    start: str, end: str, suffixes: str, declared: object, fractions: bool
) -> Iterator[Float | Int]:
    """Yield START..END as whole numbers or as real ones, the likelier first."""
    log, step = _parse_suffixes(suffixes)
    low, high = float(start), float(end)
    if high <= low:
        below = "is below" if high < low else "is no more than"
        raise ConfigError(f"the range's end {end} {below} its start {start}.")
    if log and low <= 0:
        raise ConfigError(f"a logarithmic range starts above 0, got {start}.")
    numbers = [number for number in (start, end, step) if number is not None]
    if all(number.lstrip("+-").isdigit() for number in numbers) and not fractions:
        yield _interval(Int, int(start), int(end), int(step) if step else None, log, declared)
        return
    yield _interval(Float, low, high, float(step) if step else None, log, declared)
    if all(float(number).is_integer() for number in numbers):
        whole = int(float(step)) if step else None
        yield _interval(Int, int(low), int(high), whole, log, declared)


def _parse_suffixes(text: str) -> tuple[bool, str | None]:
    """Return whether `:log` is there, and the step of `:STEP`."""
    log, step = False, None
    for word in text.split(":")[1:]:
        if word == "log" and not log:
            log = True
        elif re.fullmatch(_NUMBER, word) and step is None and float(word) > 0:
            step = word
        else:
            raise ConfigError(
                f"after a range come log, a step above 0, or both, such as 16..256:log:2, got "
                f"{word!r}."
            )
    return log, step


def _interval(
    kind: Callable[..., Float | Int],
    low: float,
    high: float,
    step: float | None,
    log: bool,
    declared: Any,
) -> Float | Int:
    """Return a range whose own value is the declared one, or the number half way along it."""
    number = type(low)
    fits = isinstance(declared, (int, float)) and not isinstance(declared, bool)
    if fits and low <= declared <= high and number(declared) == declared:
        value = number(declared)
    else:
        half = math.sqrt(low * high) if log else (low + high) / 2
        if step and not log:
            half = low + round((half - low) / step) * step
        elif step and step > 1:
            half = low * step ** round(math.log(half / low, step))
        value = min(max(round(half) if number is int else float(f"{half:.6g}"), low), high)
    return kind(value, min=low, max=high, step=step, log=log)


def _takes_fractions(pipeline: Pipeline, name: str) -> bool:
    """Return whether the numbers of a field are real ones, so that 0..1 means all between."""
    declared = resolve(declared_at(pipeline, name), elements)
    if isinstance(declared, (int, float)):
        return isinstance(declared, float)
    holder = name.rpartition(".")[0]
    if holder and isinstance(declared_at(pipeline, holder), Deferred):
        return False  # Keras's arguments say nothing of their type
    try:
        read_override(pipeline, f"{name}=0.5")
    except ConfigError:
        return False
    return True
