"""Keras, deferred: `keras.optimizers.SGD(learning_rate=0.01)` is a part that is built later.

Names and arguments are Keras's own. Nothing is imported when a declaration is read; the real
signature is checked by `check_signatures`, before any data is touched, and `build` makes the
object, inside the strategy's scope.

    deferred("callbacks.confusion_matrix").ConfusionMatrix(every=2)

does the same for any module, the project's own callbacks first of all.
"""

import importlib
import inspect
import pkgutil
import traceback
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from tfpipe.declare.fieldtypes import show
from tfpipe.declare.signatures import parameter_names
from tfpipe.declare.tree import (
    Children,
    Declared,
    Node,
    children,
    dotted,
    freeze,
    hashable,
    is_range,
    own_value,
    walk,
)
from tfpipe.errors import ConfigError, suggest

__all__ = ["Deferred", "Name", "build", "check_signatures", "deferred", "keras"]


class Name(Declared):
    """A module, class or function by its dotted name; call it to declare an object of it.

    Example:
        >>> keras.optimizers.SGD
        keras.optimizers.SGD
    """

    described = "a name such as keras.metrics.AUC"
    _path: str

    def __init__(self, path: str) -> None:
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> "Name":
        if name.startswith("__"):
            raise AttributeError(name)
        return Name(f"{self._path}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise ConfigError(f"{self._path} is deferred: its attributes cannot be set.")

    def __call__(self, *args: Any, **kwargs: Any) -> "Deferred":
        return Deferred(self._path, args, kwargs)

    def __repr__(self) -> str:
        return self._path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and self._path == other._path

    def __hash__(self) -> int:
        return hash(self._path)

    @property
    def path(self) -> str:
        """The dotted name."""
        return self._path

    def build(self) -> Any:
        """The object of that name itself."""
        return find(self._path)


def deferred(module: str) -> Any:
    """A module whose names are parts, imported only when they are built.

    Args:
        module: its dotted name, such as "callbacks.confusion_matrix".
    """
    return Name(module)


keras: Any = Name("keras")


class Deferred(Node):
    """A call that is made later: a dotted name and its arguments.

    Args:
        path: the dotted name, such as "keras.optimizers.SGD".
        args: values by position; those whose names Keras's source tells are kept by name.
        kwargs: values by name, nested as deep as wanted.
    """

    described = "a Keras object such as keras.optimizers.SGD(learning_rate=0.01)"
    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __init__(
        self, path: str, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        kwargs = dict(kwargs or {})
        named = parameter_names(path) if args else None
        if named is not None and len(args) <= len(named):
            for name in named[: len(args)]:
                if name in kwargs:
                    raise ConfigError(f"{path} got {name!r} twice: by position and by name.")
            kwargs = {**dict(zip(named, args, strict=False)), **kwargs}
            args = ()
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "args", freeze(tuple(args)))
        object.__setattr__(self, "kwargs", MappingProxyType(freeze(kwargs)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise ConfigError(f"{self.path}(...) is frozen: use replace({name}=...).")

    def items(self) -> Iterator[tuple[str, Any]]:
        """The arguments: those by position under their index, the others by name."""
        yield from ((str(i), a) for i, a in enumerate(self.args))
        yield from self.kwargs.items()

    def replace(self, **changes: Any) -> "Deferred":
        """A copy with some arguments set; `replace(**{"0": x})` sets one given by position."""
        args = tuple(changes.pop(str(i), a) for i, a in enumerate(self.args))
        return Deferred(self.path, args, {**self.kwargs, **changes})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Deferred) and (self.path, self.args, self.kwargs) == (
            other.path,
            other.args,
            other.kwargs,
        )

    def __hash__(self) -> int:
        return hash((self.path, hashable(self.args), hashable(self.kwargs)))

    def __repr__(self) -> str:
        inner = [show(a) for a in self.args] + [f"{k}={show(v)}" for k, v in self.kwargs.items()]
        return f"{self.path}({', '.join(inner)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Deferred, (self.path, self.args, dict(self.kwargs))

    def build(self, **defaults: Any) -> Any:
        """The real object.

        Args:
            defaults: arguments to add where the declaration gives none.

        Raises:
            ConfigError: when the name is unknown or the object refuses its arguments.
        """
        target = find(self.path)
        arguments = {**defaults, **{k: build(v) for k, v in self.kwargs.items()}}
        try:
            return target(*(build(a) for a in self.args), **arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{self!r} cannot be made: {error}") from error


def build(value: Any) -> Any:
    """A declared value as Keras wants it: parts built, ranges resolved, tuples as lists."""
    value = own_value(value)
    if isinstance(value, (Deferred, Name)):
        return value.build()
    if isinstance(value, tuple):
        return [build(v) for v in value]
    if isinstance(value, Mapping):
        return {k: build(v) for k, v in value.items()}
    return value


def find(path: str) -> Any:
    """The object with a dotted name; raises ConfigError that suggests names."""
    seen, *names = path.split(".")
    found = _module(seen, path)
    if found is None:
        raise ConfigError(f"{path}: there is no module {seen!r}.")
    for name in names:
        dotted = f"{seen}.{name}"
        if hasattr(found, name):
            found = getattr(found, name)
        elif not hasattr(found, "__path__") or (module := _module(dotted, path)) is None:
            inside = {m.name for m in pkgutil.iter_modules(getattr(found, "__path__", []))}
            public = {n for n in {*dir(found), *inside} if not n.startswith("_")}
            raise ConfigError(f"{seen} has no {name!r}. {suggest(name, public)}")
        else:
            found = module
        seen = dotted
    return found


def _module(dotted: str, path: str) -> Any:
    """A module by its name; None where there is none; raises ConfigError for one that is broken."""
    try:
        return importlib.import_module(dotted)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing == dotted:
            return None
        file, line = _place_of(error)
        raise ConfigError(
            f"{path} does not import: {file}:{line}: {type(error).__name__}: {error}."
        ) from error


def _place_of(error: BaseException) -> tuple[str, int]:
    """The file and the line that raised an error; of a SyntaxError, those that are wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 1
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename, last.lineno or 1


def check_signatures(value: Any, where: str = "") -> None:
    """Check every deferred name and argument in a value against the real objects.

    Args:
        value: a part, a deferred call, a tuple or a mapping of them, at any depth.
        where: the field that holds it, for the message.

    Raises:
        ConfigError: for an unknown name or argument, with suggestions.
    """
    for path, item in walk(value, _candidates):
        place = dotted((where, *path) if where else path)
        if isinstance(item, Name):
            _find_for(item.path, place)
        elif isinstance(item, Deferred):
            _check_call(item, place)


def _candidates(value: Any) -> Children:
    """What is inside a value; of a range, each value that a search may take."""
    return ((None, c) for c in value.candidates()) if is_range(value) else children(value)


def _find_for(path: str, where: str) -> Any:
    try:
        return find(path)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}" if where else str(error)) from error


def _check_call(call: Deferred, where: str) -> None:
    target = _find_for(call.path, where)
    prefix = f"{where}: " if where else ""
    if not callable(target):
        raise ConfigError(f"{prefix}{call.path} cannot be called.")
    known, open_ended = accepted(target)
    for name in call.kwargs:
        if name not in known and not open_ended:
            raise ConfigError(
                f"{prefix}{call.path} takes no argument {name!r}. {suggest(name, known)}"
            )
    try:
        inspect.signature(target).bind(*call.args, **call.kwargs)
    except TypeError as error:
        raise ConfigError(f"{prefix}{call!r}: {error}.") from None


def accepted(target: Any) -> tuple[set[str], bool]:
    """The argument names that a class or function takes, and whether it takes any other.

    A class that passes `**kwargs` on takes what its base classes take. Keras's own base classes
    end in a `**kwargs` that they check themselves and refuse, so it does not count.
    """
    owners = [target]
    if inspect.isclass(target):
        owners = [c for c in target.__mro__ if "__init__" in c.__dict__]
    names: set[str] = set()
    for owner in owners:
        function = owner.__init__ if inspect.isclass(owner) else owner
        parameters = inspect.signature(function).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names - {"self"}, False
        if owner.__module__.startswith("keras.") and owner.__name__ in ("Layer", "BaseOptimizer"):
            return (names | {"input_shape", "input_dim"}) - {"self"}, False
    return names - {"self"}, True
