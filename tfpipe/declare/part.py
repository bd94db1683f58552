"""A part: a small frozen value with named, typed fields. Everything declared is one.

    class flip(Augmentation):
        horizontal: bool = True

    flip(horizontal=False).replace(horizontal=True) == flip()

A part holds no TensorFlow object. It is checked field by field when it is created, and built later.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Self, dataclass_transform, get_origin, get_type_hints

from tfpipe.declare.field_types import check_value, show
from tfpipe.declare.tree import Node, hashable
from tfpipe.errors import ConfigError, suggest


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Required()

_HINTS: dict[type, dict[str, Any]] = {}


def _is_classvar(annotation: object) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar


_validating: ContextVar[bool] = ContextVar("validating", default=True)


@contextmanager
def unvalidated() -> Iterator[None]:
    """Let parts check their fields one by one but not against each other, while the block runs."""
    token = _validating.set(False)
    try:
        yield
    finally:
        _validating.reset(token)


@dataclass_transform(frozen_default=True)
class PartMeta(type):
    """Collect the fields of a part from its annotations, base classes first."""

    _defaults: dict[str, Any]

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> "PartMeta":
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        defaults: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            if isinstance(base, PartMeta):
                defaults.update(base._own_defaults())
        cls._defaults = defaults
        return cls

    def _own_defaults(cls) -> dict[str, Any]:
        """Return the fields that a class declares or gives a new default itself."""
        own = {
            name: cls.__dict__.get(name, REQUIRED)
            for name, annotation in inspect.get_annotations(cls).items()
            if not name.startswith("_") and not _is_classvar(annotation)
        }
        inherited = {n for base in cls.__mro__[1:] for n in getattr(base, "_defaults", {})}
        return own | {n: v for n, v in cls.__dict__.items() if n in inherited}


class Part(Node, metaclass=PartMeta):
    """A frozen value with typed fields.

    Subclasses declare fields with annotations. Instances take them by position or by name, check
    each against its annotation, and can be compared, printed, replaced and turned into JSON.

    Raises:
        ConfigError: an unknown field, a missing one, or a value that does not fit its type.
    """

    namespace: ClassVar[str] = ""  # where in tfpipe the class is public; it is stored so
    _given: ClassVar[frozenset[str]]  # set on instances; a ClassVar, so that it is no field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        names = list(cls._defaults)
        if len(args) > len(names):
            raise ConfigError(
                f"{cls.__name__} takes at most {len(names)} values ({', '.join(names)}), "
                f"got {len(args)}."
            )
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name in given:
                raise ConfigError(f"{cls.__name__} got {name!r} twice: by position and by name.")
            if name not in cls._defaults:
                raise ConfigError(no_field(cls, name))
            given[name] = value
        for name, default in cls._defaults.items():
            value = given.get(name, default)
            if value is REQUIRED:
                raise ConfigError(f"{cls.__name__} needs a value for {name!r}.")
            object.__setattr__(self, name, check_value(cls.__name__, name, hints(cls)[name], value))
        object.__setattr__(self, "_given", frozenset(given))
        if _validating.get():
            self.validate()

    def validate(self) -> None:
        """Check fields against each other; raise ConfigError. Subclasses may add to it."""

    def __setattr__(self, name: str, value: object) -> None:
        raise ConfigError(
            f"{type(self).__name__} is frozen: make a changed copy with replace({name}=...)."
        )

    def __delattr__(self, name: str) -> None:
        raise ConfigError(f"{type(self).__name__} is frozen.")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; raise ConfigError for an unknown one."""
        values = {n: getattr(self, n) for n in type(self)._defaults if n in self._given}
        return type(self)(**{**values, **changes})

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield the fields and their values, in order of declaration."""
        return ((name, getattr(self, name)) for name in type(self)._defaults)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash((type(self), hashable(dict(self.items()))))

    def __repr__(self) -> str:
        defaults = type(self)._defaults
        shown: list[str] = []
        for name, value in self.items():
            if defaults[name] is REQUIRED and name == next(iter(defaults)):
                shown.append(show(value))
            elif not self._is_default(name):
                shown.append(f"{name}={show(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _is_default(self, name: str) -> bool:
        """Return whether a field holds its default, which may be written as 1 for 1.0."""
        cls, value = type(self), getattr(self, name)
        default = cls._defaults[name]
        if default is REQUIRED:
            return False
        checked = check_value(cls.__name__, name, hints(cls)[name], default)
        return type(checked) is type(value) and bool(checked == value)

    @classmethod
    def fields(cls) -> dict[str, Any]:
        """Return the defaults by field name; REQUIRED where there is none."""
        return dict(cls._defaults)


def hints(cls: type) -> dict[str, Any]:
    """Return the resolved annotations of a part's fields."""
    if cls not in _HINTS:
        try:
            _HINTS[cls] = get_type_hints(cls, include_extras=True)
        except NameError as error:
            raise ConfigError(f"{cls.__name__} has a field of an unknown type: {error}.") from None
    return _HINTS[cls]


def no_field(cls: type, name: str) -> str:
    """Return the message for a field that a class does not have."""
    known = getattr(cls, "_defaults", {})
    return f"{cls.__name__} has no field {name!r}. {suggest(name, known)}".strip()
