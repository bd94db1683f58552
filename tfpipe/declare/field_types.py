"""What a field may hold: checked by pydantic, described in words.

Values are taken strictly (the text "32" is no number, true is no 1), except that a list serves as a
tuple and a whole number as a real one. A range from `hp` may stand wherever its values may.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from tfpipe.declare.tree import Key, elements, fold, freeze, holds_range, variations
from tfpipe.errors import ConfigError
from tfpipe.text import either


class Duration(float):
    """A length of time in seconds, written `30s`, `10m` or `2h`.

    Example:
        >>> Duration.parse("600s")
        '10m'
    """

    UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}  # noqa: RUF012

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Parse `90s`, `10m`, `1.5h` or a mixture such as `1h30m`; raise ValueError."""
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", text)
        if not parts or "".join(n + u for n, u in parts) != re.sub(r"\s", "", text):
            raise ValueError(f"{text!r} is no duration: write it as 30s, 10m or 2h")
        seconds = sum(float(n) * cls.UNITS[u] for n, u in parts)
        if not seconds:
            raise ValueError(f"{text!r} is no time at all")
        return cls(seconds)

    def __str__(self) -> str:
        for unit in ("d", "h", "m"):
            if self >= self.UNITS[unit] and self % self.UNITS[unit] == 0:
                return f"{int(self / self.UNITS[unit])}{unit}"
        return f"{float(self)!r}s".replace(".0s", "s")

    def __repr__(self) -> str:
        return repr(str(self))  # as it is declared


def _duration(value: object) -> object:
    if isinstance(value, str):
        try:
            return Duration.parse(value)
        except ValueError as error:
            raise PydanticCustomError("duration", str(error)) from error
    return value


DurationField = Annotated[Duration, BeforeValidator(_duration)]
Positive = Annotated[int, annotated_types.Ge(1)]
Count = Annotated[int, annotated_types.Ge(0)]
PositiveFloat = Annotated[float, annotated_types.Gt(0)]
NonNegative = Annotated[float, annotated_types.Ge(0)]
Fraction = Annotated[float, annotated_types.Ge(0), annotated_types.Lt(1)]
OpenFraction = Annotated[float, annotated_types.Gt(0), annotated_types.Lt(1)]


@lru_cache(maxsize=512)
def adapter(annotation: Any) -> TypeAdapter[Any]:
    """Return the pydantic checker of a field's annotation."""
    return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True, strict=True))


def check_value(owner: str, name: str, annotation: object, value: object) -> Any:
    """Return a value as its field holds it.

    Args:
        owner: the class's name, for the message.
        name: the field's name.
        annotation: the field's type.
        value: what was given; the candidates of a range are checked one by one.

    Raises:
        ConfigError: when the value does not fit.
    """
    value = freeze(value)
    checked: list[Any] = []
    for candidate in variations(value):
        try:
            checked.append(adapter(annotation).validate_python(candidate))
        except ValidationError as error:
            received = _received(candidate)
            details = error.errors(include_url=False)
            if len(details) == 1 and details[0]["type"] != "missing":
                place = "".join(f"[{p}]" for p in details[0]["loc"] if isinstance(p, int))
                if place:
                    received = f"{_received(details[0]['input'])} at {name}{place}"
            within = f", in {show(value)}" if holds_range(value) else ""
            raise ConfigError(
                f"{owner}.{name} takes {describe(annotation)}, got {received}{within}."
            ) from None
    return value if holds_range(value) else checked[0]


def _received(value: object) -> str:
    if value is None:
        return "none"
    if hasattr(value, "__qualname__"):
        return f"the {'class' if isinstance(value, type) else 'function'} {show(value)}"
    return f"{show(value)} ({type(value).__name__})"


def show(value: object) -> str:
    """Return a value as it would be written in a declaration."""
    return fold(value, _written, elements)


def _written(value: object, inside: dict[Key, str]) -> str:
    if isinstance(value, tuple):
        items = ", ".join(inside.values())
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {v}" for k, v in inside.items()) + "}"
    if isinstance(value, Callable) and hasattr(value, "__qualname__"):  # type: ignore[arg-type]
        return str(value.__qualname__)
    return repr(value)


_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "none",
    dict: "a mapping",
    tuple: "a tuple",
    Duration: "a duration such as 30s, 10m or 2h",
    Any: "any value",
}


def describe(annotation: Any) -> str:
    """Return a type in words: `a whole number of at least 1`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *rest = get_args(annotation)
        bounds = [b for b in (_bound(r) for r in rest) if b]
        return describe(base) + (" " + " and ".join(bounds) if bounds else "")
    if origin is Literal:
        values = [repr(a) if isinstance(a, str) else str(a).lower() for a in get_args(annotation)]
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    if origin in (Union, UnionType):
        # The long descriptions last, so that it is clear what belongs to them.
        return either(sorted(map(describe, get_args(annotation)), key=lambda w: ", " in w))
    if origin is tuple:
        inner = get_args(annotation)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return f"a tuple, each item {describe(inner[0])}"
        return f"a tuple of {len(inner)}: " + ", ".join(describe(i) for i in inner)
    if origin is not None and issubclass(origin, Mapping):
        return "a mapping of {} to {}".format(*map(describe, get_args(annotation)))
    if Callable in (origin, annotation):
        return "a function"
    if annotation in _WORDS:
        return _WORDS[annotation]
    return str(getattr(annotation, "described", None) or _article(annotation.__name__))


def _article(noun: str) -> str:
    return ("an " if noun[0] in "AEIOU" else "a ") + noun


def _bound(constraint: object) -> str:
    texts = {
        annotated_types.Ge: "of at least {0.ge:g}",
        annotated_types.Gt: "above {0.gt:g}",
        annotated_types.Le: "of at most {0.le:g}",
        annotated_types.Lt: "below {0.lt:g}",
    }
    text = texts.get(type(constraint))
    return text.format(constraint) if text else ""
