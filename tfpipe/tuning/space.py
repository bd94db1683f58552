"""The ranges of a declaration as one space that a search goes through.

    space = space_of(pipeline)
    space.hyperparameters()            the same for Keras Tuner, all of it known from the start
    space.overrides(values)            what `tfpipe run` takes to get those values

A range that stands inside a value of a Choice is a dimension too, in the trials that take that
value: `optimizer[SGD].momentum`.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.declare.deferred import Deferred, Name
from tfpipe.declare.fieldtypes import is_range, show
from tfpipe.declare.hp import Bool, Choice, Float, Int, Range, same
from tfpipe.declare.overrides import write_override
from tfpipe.declare.part import Part, unvalidated
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import keras_tuner

Value = str | int | float | bool
When = tuple[tuple[str, Value], ...]

_LONGEST_LABEL = 40  # longer ones make tables and reports hard to read


@dataclass(frozen=True)
class Dimension:
    """One range of a space.

    Args:
        name: the dotted name of its place, such as "optimizer.learning_rate"; inside a value of a
            Choice, "optimizer[SGD].learning_rate".
        range: the range as it was declared.
        when: the dimensions and values, outermost first, which a trial must have for this one to
            count; empty for one that always does.
        labels: the short names, unique within the dimension, of a Choice's values, in their order;
            numbers and texts serve themselves. Empty for other ranges.
    """

    name: str
    range: Range
    when: When = ()
    labels: tuple[Value, ...] = ()

    @property
    def declared(self) -> Value:
        """The declaration's own value, as Keras Tuner holds it."""
        if isinstance(self.range, Choice):
            return self.labels[_index(self.range)]
        value: Value = self.range.value  # type: ignore[attr-defined]
        return value

    @property
    def size(self) -> int | None:
        """How many values a search may take; None where there is no end of them."""
        if isinstance(self.range, (Float, Int)):
            return _steps(self.range)
        return len(self.labels) or 2

    @property
    def grid(self) -> tuple[Value, ...]:
        """The values of a grid search: all, or 10 spread evenly, and the declared one."""
        values = self.labels or _grid(self.range)
        return values if self.declared in values else (self.declared, *values)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether a trial with these values has this dimension."""
        return all(values.get(name) == label for name, label in self.when)

    def to_json(self) -> dict[str, Any]:
        """The dimension as plain data: its name, type, bounds or labels, and conditions."""
        data: dict[str, Any] = {"name": self.name, "type": type(self.range).__name__}
        data["declared"] = self.declared
        if isinstance(self.range, (Float, Int)):
            data |= {n: v for n, v in self.range.items() if n != "value"}
        if isinstance(self.range, Choice):
            data["labels"] = list(self.labels)
            data["values"] = [show(value) for value in self.range.values]
        return data | {"when": [list(condition) for condition in self.when]}


@dataclass(frozen=True)
class Space:
    """All ranges of a pipeline; `space_of` makes it.

    Args:
        pipeline: the declaration, with its ranges.
        dimensions: them, each after those that it depends on.

    Example:
        >>> space_of(DigitsMLP()).declared()
        {'optimizer.learning_rate': 0.001}
    """

    pipeline: Pipeline
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int | None:
        """The number of different settings; None where a range is continuous."""
        return self._count(lambda dimension: dimension.size, ())

    @property
    def grid_size(self) -> int:
        """The number of settings of a grid search, with 10 samples of a continuous range."""
        return self._count(lambda dimension: len(dimension.grid), ()) or 0

    def hyperparameters(self) -> "keras_tuner.HyperParameters":
        """The space as Keras Tuner's, with its conditions, so that nothing appears later."""
        from keras_tuner import HyperParameters

        made = HyperParameters()
        for dimension in self.dimensions:
            with ExitStack() as scopes:
                for name, label in dimension.when:
                    scopes.enter_context(made.conditional_scope(name, [label]))
                _register(made, dimension)
        return made

    def declared(self) -> dict[str, Value]:
        """The values of the declaration as it is, of the dimensions that it has."""
        return self._completed({})

    def overrides(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """What `tfpipe run` takes to get some values: a text for each outermost range.

        Args:
            values: by the dimensions' names, as Keras Tuner holds them.

        Raises:
            ConfigError: when a value is missing, or is none of its dimension.
        """
        return tuple(self._override(d, values) for d in self.dimensions if not d.when)

    def to_json(self) -> dict[str, Any]:
        """The space as plain data: its dimensions and its sizes."""
        dimensions = [dimension.to_json() for dimension in self.dimensions]
        return {"dimensions": dimensions, "size": self.size, "grid_size": self.grid_size}

    def check(self) -> None:
        """Prove that each value of each range can be given to a run; raises ConfigError."""
        for dimension in self.dimensions:
            outermost = dimension.when[0][0] if dimension.when else dimension.name
            for value in dimension.labels or tuple(dimension.range.candidates()):
                values = self._completed({**dict(dimension.when), dimension.name: value})
                self._override(self._named(outermost), values)

    def _named(self, name: str) -> Dimension:
        return next(d for d in self.dimensions if d.name == name)

    def _completed(self, values: dict[str, Value]) -> dict[str, Value]:
        """Some values, and the declared ones of the other dimensions that such a trial has."""
        found = dict(values)
        for dimension in self.dimensions:
            if dimension.holds(found):
                found.setdefault(dimension.name, dimension.declared)
        return found

    def _override(self, dimension: Dimension, values: Mapping[str, Value]) -> str:
        with unvalidated():  # fields that do not fit each other are the trial's failure
            chosen = self._chosen(dimension.name, values)
        return write_override(self.pipeline, dimension.name, chosen)

    def _chosen(self, name: str, values: Mapping[str, Value]) -> Any:
        """The declared value, free of ranges, that a dimension takes."""
        dimension = self._named(name)
        if name not in values:
            raise ConfigError(f"A trial needs a value for {name}, got {dict(values)}.")
        if not isinstance(dimension.range, Choice):
            return _number(dimension.range, values[name])
        index = _position(dimension, values[name])
        inside = f"{name}[{dimension.labels[index]}]"
        return self._filled(dimension.range.values[index], inside, values)

    def _filled(self, value: Any, name: str, values: Mapping[str, Value]) -> Any:
        """A value with the ranges in it replaced by what a trial takes."""
        if is_range(value):
            return self._chosen(name, values)
        inside = {k: self._filled(v, n, values) for k, n, v in _children(value, name)}
        if isinstance(value, tuple):
            return tuple(inside.values())
        if isinstance(value, Mapping):
            return inside
        if isinstance(value, (Part, Deferred)):
            changed = {k: v for k, v in inside.items() if not same(v, dict(value.items())[k])}
            return value.replace(**changed) if changed else value
        return value

    def _count(self, single: Callable[[Dimension], int | None], when: When) -> int | None:
        """The settings of the dimensions under a condition: the product of each one's."""
        product = 1
        for dimension in (d for d in self.dimensions if d.when == when):
            counts = [
                self._count(single, (*when, (dimension.name, label))) for label in dimension.labels
            ] or [single(dimension)]
            known = [count for count in counts if count is not None]
            if len(known) < len(counts):
                return None
            product *= sum(known)
        return product


def space_of(pipeline: Pipeline) -> Space:
    """The space of a pipeline's ranges, wherever they stand in it.

    Args:
        pipeline: a declaration with its ranges, overrides applied.

    Raises:
        ConfigError: when it has no range, or one with a value that no run could be given.
    """
    space = Space(pipeline, tuple(_dimensions(pipeline, "", ())))
    if not space.dimensions:
        raise ConfigError(
            f"{type(pipeline).__name__} has no ranges to search. Declare one in its file, such as "
            "learning_rate=hp.Float(1e-3, min=1e-4, max=1e-1, log=True), or give one here: "
            "--vary optimizer.learning_rate=1e-4..1e-1:log."
        )
    twice = [n for n, count in Counter(d.name for d in space.dimensions).items() if count > 1]
    if twice:
        raise ConfigError(f"Two ranges have the name {twice[0]!r}: rename a key of their mapping.")
    space.check()
    return space


def _dimensions(value: Any, name: str, when: When) -> Iterator[Dimension]:
    if not is_range(value):
        for _, dotted, child in _children(value, name):
            yield from _dimensions(child, dotted, when)
        return
    labels = _labels(value) if isinstance(value, Choice) else ()
    yield Dimension(name, value, when, labels)
    for label, chosen in zip(labels, getattr(value, "values", ()), strict=True):
        yield from _dimensions(chosen, f"{name}[{label}]", (*when, (name, label)))


def _children(value: Any, name: str) -> Iterator[tuple[Any, str, Any]]:
    """The key, the dotted name and the value of each thing inside a value."""
    items: Any = ()
    if isinstance(value, tuple):
        items = enumerate(value)
    elif isinstance(value, (Part, Deferred, Mapping)):
        items = value.items()
    yield from ((key, f"{name}.{key}" if name else str(key), item) for key, item in items)


def _labels(choice: Choice) -> tuple[Value, ...]:
    """The short names of a Choice's values; numbers alone and texts alone serve themselves."""
    values = choice.values
    if len({type(v) for v in values}) == 1 and type(values[0]) in (str, int, float):
        return tuple(values)
    shorts, written = [_short(v) for v in values], [_written(v) for v in values]
    taken = Counter(shorts)
    labels: list[str] = []
    for index, (short, call) in enumerate(zip(shorts, written, strict=True)):
        unique = taken[short] == 1
        fits = len(call) <= _LONGEST_LABEL and written.count(call) == 1
        labels.append(short if unique else call if fits else f"{short} {index + 1}")
    return tuple(labels)


def _short(value: Any) -> str:
    if isinstance(value, (Deferred, Name)):
        return value.path.rpartition(".")[2]
    short = type(value).__name__ if isinstance(value, Part) else _written(value)
    return short if len(short) <= _LONGEST_LABEL else type(value).__name__


def _written(value: Any) -> str:
    """A value as it is declared, without Keras's module."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else show(value)
    return text.rpartition(".")[2] if isinstance(value, Name) else _without_module(value, text)


def _without_module(value: Any, text: str) -> str:
    if not isinstance(value, Deferred):
        return text
    module = value.path.rpartition(".")[0]
    return text.removeprefix(f"{module}.") if module else text


def _index(choice: Choice) -> int:
    """Where a Choice's own value stands among its values."""
    matching = [i for i, v in enumerate(choice.values) if same(v, choice.value)]
    return matching[0] if matching else choice.values.index(choice.value)


def _position(dimension: Dimension, label: Value) -> int:
    """Where a label stands; a number that was rounded on its way is the one it is close to."""
    if label in dimension.labels:
        return dimension.labels.index(label)
    for index, known in enumerate(dimension.labels):
        numbers = isinstance(known, float) and isinstance(label, float)
        if numbers and math.isclose(known, label, rel_tol=1e-6):  # type: ignore[arg-type]
            return index
    listed = ", ".join(map(str, dimension.labels))
    raise ConfigError(f"{dimension.name} is one of {listed}, got {label!r}.")


def _number(given: Range, value: Any) -> Value:
    """A value from Keras Tuner as the field takes it, within the bounds that were declared."""
    if isinstance(given, Bool):
        return bool(value)
    assert isinstance(given, (Float, Int))
    # Bayesian proposals are NumPy's floats, and the grid of an Int with log=True has 16.0 for 16.
    number: int | float = round(float(value)) if isinstance(given, Int) else float(value)
    if isinstance(given, Float) and given.step is not None:
        number = float(f"{number:.12g}")  # 0.3, where adding up steps gives 0.30000000000000004
    return min(max(number, given.min), given.max)


def _steps(given: Float | Int) -> int | None:
    """How many values a numeric range has; None for a continuous one."""
    step = given.step or (1 if isinstance(given, Int) else None)
    if step is None:
        return None
    if given.log and given.step:
        return int(math.log(given.max / given.min, step) + 1e-8) + 1
    return int((given.max - given.min) / step + 1e-8) + 1


def _grid(given: Range) -> tuple[Value, ...]:
    """The values of Keras Tuner's grid: 10 samples where the range names no steps."""
    if isinstance(given, Bool):
        return (True, False)
    assert isinstance(given, (Float, Int))
    count = _steps(given)
    if given.step is None and (given.log or count is None):
        return tuple(dict.fromkeys(_sample(given, index * 0.1 + 0.05) for index in range(10)))
    step, low = given.step or 1, given.min
    values = (low * step**i if given.log else low + step * i for i in range(count or 0))
    return tuple(_number(given, value) for value in values)


def _sample(given: Float | Int, share: float) -> Value:
    """The value at a share of a range, as Keras Tuner finds it."""
    whole = isinstance(given, Int)
    low, high = given.min, given.max + whole  # so that the last whole number has a share of its own
    value = low * (high / low) ** share if given.log else low + share * (high - low)
    return int(value) if whole else value


def _register(made: "keras_tuner.HyperParameters", dimension: Dimension) -> None:
    """Add a dimension to Keras Tuner's space, under the conditions that are open."""
    given, default = dimension.range, dimension.declared
    if isinstance(given, Bool):
        made.Boolean(dimension.name, default=default)
    elif isinstance(given, Choice):
        made.Choice(dimension.name, list(dimension.labels), default=default)
    else:
        assert isinstance(given, (Float, Int))
        add = made.Int if isinstance(given, Int) else made.Float
        add(
            dimension.name,
            given.min,
            _reachable(given),
            step=given.step,
            sampling="log" if given.log else "linear",
            default=default,
        )


def _reachable(given: Float | Int) -> float:
    """The end of a range such that Keras Tuner's steps get to it.

    It takes 0.5 // 0.1 for the number of steps to 0.5, which is 4.
    """
    count = _steps(given)
    if given.step is None or given.log or count is None:
        return given.max
    missed = (given.max - given.min) // given.step + 1 < count
    return given.min + given.step * (count - 1 + 1e-6) if missed else given.max
