"""A name, and a call of it that is made later."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from tfpipe.declare.deferred.source import parameter_names
from tfpipe.declare.field_types import show
from tfpipe.declare.tree import Declared, Node, freeze, hashable
from tfpipe.errors import ConfigError


class Name(Declared):
    """A module, class or function by its dotted name; call it to declare an object of it.

    Args:
        path: the dotted name, such as "keras.optimizers.SGD".

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

    def __setattr__(self, name: str, value: object) -> None:
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


def deferred(module: str) -> Any:
    """Return a module whose names are parts, imported only when they are built.

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

    Raises:
        ConfigError: for an argument given by position and by name.
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

    def __setattr__(self, name: str, value: object) -> None:
        raise ConfigError(f"{self.path}(...) is frozen: use replace({name}=...).")

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield the arguments: those by position under their index, the others by name."""
        yield from ((str(i), a) for i, a in enumerate(self.args))
        yield from self.kwargs.items()

    def replace(self, **changes: Any) -> "Deferred":
        """Return a copy with some arguments set; `replace(**{"0": x})` sets one by position."""
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
