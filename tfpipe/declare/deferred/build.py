"""What is deferred, instantiated: names are imported, calls are made."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from tfpipe.declare.deferred.call import Deferred, Name
from tfpipe.declare.deferred.source import public_names
from tfpipe.declare.tree import Children, Key, elements, fold, resolve
from tfpipe.errors import ConfigError, places, suggest


def build(value: object) -> Any:
    """Return a declared value as Keras takes it: calls made, ranges resolved, tuples as lists.

    Args:
        value: a deferred call or name, a tuple or mapping of them, or a plain value.

    Raises:
        ConfigError: when a name is unknown or an object refuses its arguments.

    Example:
        >>> build((1, keras.optimizers.SGD(0.1)))
        [1, <SGD name=SGD>]
    """
    return fold(resolve(value), _instantiate, _arguments)


def build_named(field: str, value: object, home: str) -> Any:
    """Return a declared object, or the one that Keras knows under a name such as "adam".

    Args:
        field: the field that declares it, for the error.
        value: a name, or what `build` takes.
        home: the module of Keras: "optimizers", "losses" or "metrics".

    Raises:
        ConfigError: for a name that Keras does not know.
    """
    if not isinstance(value, str):
        return build(value)
    try:
        return find(f"keras.{home}").get(value)
    except ValueError:
        names = public_names(f"keras.{home}") or ()
        raise ConfigError(
            f"{field}={value!r}: Keras has none of that name. {suggest(value, names)}"
        ) from None


def _arguments(value: object) -> Children:
    return value.items() if isinstance(value, Deferred) else elements(value)


def _instantiate(value: object, arguments: dict[Key, Any]) -> Any:
    if isinstance(value, Name):
        return find(value.path)
    if isinstance(value, Deferred):
        by_position = [arguments.pop(str(index)) for index in range(len(value.args))]
        target = find(value.path)
        try:
            return target(*by_position, **arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{value!r} cannot be made: {error}") from error
    if isinstance(value, tuple):
        return list(arguments.values())
    return arguments if isinstance(value, Mapping) else value


def find(path: str) -> Any:
    """Return the object with a dotted name; raise ConfigError that suggests names."""
    known, *names = path.split(".")
    item = _module(known, path)
    if item is None:
        raise ConfigError(f"{path}: there is no module {known!r}.")
    for name in names:
        full = f"{known}.{name}"
        if hasattr(item, name):
            item = getattr(item, name)
        elif not hasattr(item, "__path__") or (module := _module(full, path)) is None:
            submodules = {m.name for m in pkgutil.iter_modules(getattr(item, "__path__", []))}
            public = {n for n in {*dir(item), *submodules} if not n.startswith("_")}
            raise ConfigError(f"{known} has no {name!r}. {suggest(name, public)}")
        else:
            item = module
        known = full
    return item


def _module(name: str, path: str) -> Any:
    """Return a module; None where there is none; raise ConfigError for one that is broken."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing == name:
            return None
        file, line = places(error)[-1]
        raise ConfigError(
            f"{path} does not import: {file}:{line}: {type(error).__name__}: {error}."
        ) from error
