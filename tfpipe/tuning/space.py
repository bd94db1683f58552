"""The ranges of a declaration as one space that a search goes through.

    space = space_of(pipeline)
    space.hyperparameters()            the same for Keras Tuner, all of it known from the start
    space.overrides(values)            what `tfpipe run` takes to get those values

A range that stands inside a value of a Choice is a dimension too, in the trials that take that
value: `optimizer[SGD].momentum`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.declare.hp import Choice, Range
from tfpipe.declare.labels import Value
from tfpipe.declare.overrides import with_value, write_override
from tfpipe.declare.part import unvalidated
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import dotted, is_range, outside_ranges, set_at, walk
from tfpipe.errors import ConfigError
from tfpipe.tuning.dimension import Dimension, When

if TYPE_CHECKING:
    import keras_tuner


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
        return self._count(lambda given: given.size, ())

    @property
    def grid_size(self) -> int:
        """The number of settings of a grid search, with 10 samples of a continuous range."""
        return self._count(lambda given: given.grid_size, ()) or 0

    def size_for(self, tuner: str) -> int | None:
        """Return the number of settings that a tuner may try; None where there is no end."""
        return self.grid_size if tuner == "grid" else self.size

    def hyperparameters(self) -> "keras_tuner.HyperParameters":
        """Return the space as Keras Tuner's, with its conditions, so that nothing appears later."""
        from keras_tuner import HyperParameters

        space = HyperParameters()
        for dimension in self.dimensions:
            with ExitStack() as scopes:
                for name, label in dimension.when:
                    scopes.enter_context(space.conditional_scope(name, [label]))
                dimension.range.register(dimension.name, space)
        return space

    def declared(self) -> dict[str, Value]:
        """Return the values of the declaration as it is, of the dimensions that it has."""
        return self._completed({})

    def overrides(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """Return what `tfpipe run` takes to get some values: a text for each outermost range.

        Args:
            values: by the dimensions' names, as Keras Tuner holds them.

        Raises:
            ConfigError: when a value is missing, or is none of its dimension.
        """
        return tuple(self._override(d, values) for d in self.dimensions if not d.when)

    def resolved(self, values: Mapping[str, Value]) -> Pipeline:
        """Return the declaration with some values, as a trial has it; its fields are not compared.

        Raises:
            ConfigError: as `overrides` does.
        """
        pipeline = self.pipeline
        with unvalidated():
            for dimension in (d for d in self.dimensions if not d.when):
                value = self._value(dimension.name, values)
                pipeline = with_value(pipeline, dimension.name, value)
        return pipeline

    def to_json(self) -> dict[str, Any]:
        """Return the space as plain data: its dimensions and its sizes."""
        dimensions = [dimension.to_json() for dimension in self.dimensions]
        return {"dimensions": dimensions, "size": self.size, "grid_size": self.grid_size}

    def check(self) -> None:
        """Prove that each value of each range can be given to a run; raise ConfigError."""
        for dimension in self.dimensions:
            outermost = dimension.when[0][0] if dimension.when else dimension.name
            for label in dimension.range.labels or tuple(dimension.range.candidates()):
                values = self._completed({**dict(dimension.when), dimension.name: label})
                self._override(self._named(outermost), values)

    def _named(self, name: str) -> Dimension:
        return next(d for d in self.dimensions if d.name == name)

    def _completed(self, values: dict[str, Value]) -> dict[str, Value]:
        """Return some values, and the declared ones of the other dimensions of such a trial."""
        completed = dict(values)
        for dimension in self.dimensions:
            if dimension.holds(completed):
                completed.setdefault(dimension.name, dimension.range.declared)
        return completed

    def _override(self, dimension: Dimension, values: Mapping[str, Value]) -> str:
        with unvalidated():  # fields that do not fit each other are the trial's failure
            value = self._value(dimension.name, values)
        return write_override(self.pipeline, dimension.name, value)

    def _value(self, name: str, values: Mapping[str, Value]) -> Any:
        """Return the declared value, free of ranges, that a dimension takes."""
        given = self._named(name).range
        if name not in values:
            raise ConfigError(f"A trial needs a value for {name}, got {dict(values)}.")
        label = given.label_for(values[name])
        if not isinstance(given, Choice):
            return label
        if label is None:
            listed = ", ".join(map(str, given.labels))
            raise ConfigError(f"{name} is one of {listed}, got {values[name]!r}.")
        value = given.values[given.labels.index(label)]
        for path, item in walk(value, outside_ranges):
            if is_range(item):
                inner = self._value(dotted((f"{name}[{label}]", *path)), values)
                value = set_at(value, path, inner)
        return value

    def _count(self, single: Callable[[Range], int | None], when: When) -> int | None:
        """Return the settings of the dimensions under a condition: the product of each one's."""
        product = 1
        for dimension in (d for d in self.dimensions if d.when == when):
            labels = dimension.range.labels
            counts = [self._count(single, (*when, (dimension.name, label))) for label in labels]
            known = [c for c in counts or [single(dimension.range)] if c is not None]
            if len(known) < max(len(counts), 1):
                return None
            product *= sum(known)
        return product


def space_of(pipeline: Pipeline) -> Space:
    """Return the space of a pipeline's ranges, wherever they stand in it.

    Args:
        pipeline: a declaration with its ranges, overrides applied.

    Raises:
        ConfigError: when it has no range, or one with a value that no run could be given.
    """
    space = Space(pipeline, tuple(_dimensions(pipeline, (), ())))
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


def _dimensions(value: object, above: tuple[str, ...], when: When) -> Iterator[Dimension]:
    for path, item in walk(value, outside_ranges):
        if not is_range(item):
            continue
        name = dotted((*above, *path))
        yield Dimension(name, item, when)
        if isinstance(item, Choice):
            for label, inner in zip(item.labels, item.values, strict=True):
                yield from _dimensions(inner, (f"{name}[{label}]",), (*when, (name, label)))
