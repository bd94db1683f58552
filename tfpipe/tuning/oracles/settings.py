"""The settings of a Keras Tuner space, one after the other.

    list(settings(hyperparameters.space, samples))     what a grid search tries

A setting holds a value of each hyperparameter that counts, by name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from keras_tuner.engine.hyperparameters import Float, Int

Values = dict[str, Any]
Candidates = Callable[[Any], Sequence[Any] | None]


def every(hp: Any) -> list[Any] | None:
    """Return all values of a hyperparameter, the declared first; None where they have no end."""
    if isinstance(hp, Float) and hp.step is None:
        return None
    if isinstance(hp, Int) and hp.step is None:
        return _declared_first(hp, range(hp.min_value, hp.max_value + 1))
    return _declared_first(hp, hp.values)


def samples(hp: Any) -> list[Any]:
    """Return the values that a grid tries: all, or ten samples of a range without steps."""
    is_sampled = isinstance(hp, Float | Int) and hp.step is None
    return _declared_first(hp, sorted(hp.values) if is_sampled else hp.values)


def _declared_first(hp: Any, values: Any) -> list[Any]:
    # Whole numbers with steps on a logarithmic scale come as fractions.
    exact = [int(value) for value in values] if isinstance(hp, Int) else values
    return [hp.default, *(value for value in exact if rounded(value) != rounded(hp.default))]


def settings(space: Sequence[Any], candidates: Candidates) -> Iterator[Values]:
    """Yield every setting of a space once, the last hyperparameter varied fastest.

    Args:
        space: the hyperparameters; what others depend on comes before them.
        candidates: the values of one, which must have an end.
    """
    return _settings(space, [candidates(hp) or [] for hp in space], {})


def _settings(
    space: Sequence[Any], candidates: Sequence[Sequence[Any]], values: Values
) -> Iterator[Values]:
    place = next((n for n, hp in enumerate(space) if _is_active(hp, values)), None)
    if place is None:
        yield values
        return
    rest, name = slice(place + 1, None), space[place].name
    for value in candidates[place]:
        yield from _settings(space[rest], candidates[rest], {**values, name: value})


def _is_active(hp: Any, values: Mapping[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in hp.conditions)


def rounded(value: Any) -> Any:
    """Return a value without rounding errors, which make twins of 0.3 and 3 x 0.1."""
    return float(f"{value:.12g}") if isinstance(value, float) else value
