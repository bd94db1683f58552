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

from tfpipe.declare.hp import Choice
from tfpipe.declare.overrides import with_value, write_override
from tfpipe.declare.part import unvalidated
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import dotted, is_range, outside_ranges, set_at, walk
from tfpipe.errors import ConfigError
from tfpipe.tuning.dimension import Dimension, Value, When, labels_of

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
        return self._count(lambda dimension: dimension.size, ())

    @property
    def grid_size(self) -> int:
        """The number of settings of a grid search, with 10 samples of a continuous range."""
        return self._count(lambda dimension: dimension.grid_size, ()) or 0

    def hyperparameters(self) -> "keras_tuner.HyperParameters":
        """The space as Keras Tuner's, with its conditions, so that nothing appears later."""
        from keras_tuner import HyperParameters

        made = HyperParameters()
        for dimension in self.dimensions:
            with ExitStack() as scopes:
                for name, label in dimension.when:
                    scopes.enter_context(made.conditional_scope(name, [label]))
                dimension.register(made)
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

    def resolved(self, values: Mapping[str, Value]) -> Pipeline:
        """The declaration with some values, as a trial has it; its fields are not compared.

        Raises:
            ConfigError: as `overrides` does.
        """
        pipeline = self.pipeline
        with unvalidated():
            for dimension in (d for d in self.dimensions if not d.when):
                chosen = self._chosen(dimension.name, values)
                pipeline = with_value(pipeline, dimension.name, chosen)
        return pipeline

    def to_json(self) -> dict[str, Any]:
        """The space as plain data: its dimensions and its sizes."""
        dimensions = [dimension.to_json() for dimension in self.dimensions]
        return {"dimensions": dimensions, "size": self.size, "grid_size": self.grid_size}

    def check(self) -> None:
        """Prove that each value of each range can be given to a run; raises ConfigError."""
        for dimension in self.dimensions:
            outermost = dimension.when[0][0] if dimension.when else dimension.name
            for value in dimension.candidates():
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
            return dimension.number(values[name])
        index = dimension.position(values[name])
        inside = f"{name}[{dimension.labels[index]}]"
        return self._filled(dimension.range.values[index], inside, values)

    def _filled(self, value: Any, name: str, values: Mapping[str, Value]) -> Any:
        """A value with the ranges in it replaced by what a trial takes."""
        for path, item in walk(value, outside_ranges):
            if is_range(item):
                chosen = self._chosen(dotted((name, *path)), values)
                value = set_at(value, path, chosen)
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
    for path, item in walk(value, outside_ranges):
        if not is_range(item):
            continue
        full = dotted((name, *path) if name else path)
        labels = labels_of(item) if isinstance(item, Choice) else ()
        yield Dimension(full, item, when, labels)
        for label, chosen in zip(labels, getattr(item, "values", ()), strict=True):
            yield from _dimensions(chosen, f"{full}[{label}]", (*when, (full, label)))
