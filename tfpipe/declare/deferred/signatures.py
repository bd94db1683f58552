"""The arguments of deferred calls, compared with the real signatures."""

import inspect
from collections.abc import Callable
from typing import Any

from tfpipe.declare.deferred.build import find
from tfpipe.declare.deferred.call import Deferred, Name
from tfpipe.declare.tree import Children, children, dotted, is_range, walk
from tfpipe.errors import ConfigError, suggest


def check_signatures(value: object, where: str = "") -> None:
    """Check every deferred name and argument in a value against the real objects.

    Args:
        value: a part, a deferred call, a tuple or a mapping of them, at any depth.
        where: the field that holds it, for the message.

    Raises:
        ConfigError: for an unknown name or argument, with suggestions.
    """
    for path, item in walk(value, _candidates):
        if isinstance(item, (Name, Deferred)):
            place = dotted((where, *path) if where else path)
            _check(item, f"{place}: " if place else "")


def _candidates(value: Any) -> Children:
    """Return what is inside a value; of a range, each value that a search may take."""
    return ((None, c) for c in value.candidates()) if is_range(value) else children(value)


def _check(item: Name | Deferred, prefix: str) -> None:
    try:
        target = find(item.path)
    except ConfigError as error:
        raise ConfigError(f"{prefix}{error}") from error
    if isinstance(item, Name):
        return
    if not callable(target):
        raise ConfigError(f"{prefix}{item.path} cannot be called.")
    known, takes_any = accepted(target)
    for name in item.kwargs:
        if name not in known and not takes_any:
            raise ConfigError(
                f"{prefix}{item.path} takes no argument {name!r}. {suggest(name, known)}"
            )
    try:
        inspect.signature(target).bind(*item.args, **item.kwargs)
    except TypeError as error:
        raise ConfigError(f"{prefix}{item!r}: {error}.") from None


def accepted(target: Callable[..., object]) -> tuple[set[str], bool]:
    """Return the argument names that a class or function takes, and whether it takes any other.

    A class that passes `**kwargs` on takes what its base classes take. Keras's own base classes
    end in a `**kwargs` that they check themselves and refuse, so it does not count.
    """
    owners: list[Any] = [target]
    if inspect.isclass(target):
        owners = [cls for cls in target.__mro__ if "__init__" in cls.__dict__]
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
