"""The one traversal of a declaration: what is inside a value, at which path, and changed copies.

    walk(pipeline)                                  every value with its path
    flatten(pipeline)                               {"batch_size": 32, "model.convs": 6, ...}
    set_at(pipeline, ("model", "convs"), 4)         a changed copy
    map_tree(pipeline, change)                      a copy with each value changed

A declaration is made of nodes (parts and deferred calls), tuples and mappings; anything else is a
leaf. A path is a tuple of field names, argument names, indices and keys.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

Key = Any  # a field's or an argument's name, a tuple's index, or whatever a mapping has for a key
Path = tuple[Key, ...]
Children = Iterable[tuple[Key, Any]]


class Declared:
    """What a declaration names: a part, a deferred call, a deferred name."""


class Node(Declared):
    """A declared value with named values in it: a part, or a deferred call."""

    def items(self) -> Iterator[tuple[str, Any]]:
        """The names and values directly inside."""
        raise NotImplementedError

    def replace(self, **changes: Any) -> Self:
        """A copy with some of them changed."""
        raise NotImplementedError


def is_range(value: Any) -> bool:
    """Whether a value is one of `hp`'s ranges."""
    return getattr(type(value), "is_range", False) is True


def children(value: Any) -> Children:
    """The keys and values directly inside a value; none for a leaf."""
    if isinstance(value, tuple):
        return enumerate(value)
    return value.items() if isinstance(value, (Node, Mapping)) else ()


def elements(value: Any) -> Children:
    """As `children`, for tuples and mappings alone: what a single field holds."""
    return () if isinstance(value, Node) else children(value)


def outside_ranges(value: Any) -> Children:
    """As `children`, but a range is a leaf."""
    return () if is_range(value) else children(value)


def walk(
    value: Any, inside: Callable[[Any], Children] = children, path: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Every value with its path, what holds others before what it holds.

    Args:
        value: where to begin; itself the first, with the path given.
        inside: the keys and values inside a value; a key of None adds nothing to the path.
        path: of the value.
    """
    yield path, value
    for key, child in inside(value):
        yield from walk(child, inside, path if key is None else (*path, key))


def map_tree(
    value: Any, change: Callable[[Any], Any], inside: Callable[[Any], Children] = children
) -> Any:
    """A copy in which each value, from the outside in, is what `change` makes of it.

    What nothing changes is not copied.
    """
    value = change(value)
    return with_children(value, {k: map_tree(c, change, inside) for k, c in inside(value)})


def with_children(value: Any, changed: Mapping[Key, Any]) -> Any:
    """A value with some of what is directly inside it exchanged; itself where that is the same."""
    now = dict(children(value))
    changed = {k: v for k, v in changed.items() if k not in now or now[k] is not v}
    if not changed:
        return value
    if isinstance(value, Node):
        return value.replace(**changed)
    return tuple((now | changed).values()) if isinstance(value, tuple) else now | changed


def get_at(value: Any, path: Sequence[Key]) -> Any:
    """The value at a path; raises KeyError where there is none."""
    for key in path:
        value = dict(children(value))[key]
    return value


def set_at(value: Any, path: Sequence[Key], new: Any) -> Any:
    """A copy with another value at a path; a call may get an argument that it had not."""
    if not path:
        return new
    below = dict(children(value)).get(path[0])
    return with_children(value, {path[0]: set_at(below, path[1:], new)})


def dotted(path: Path) -> str:
    """A path as it is written: `optimizer.learning_rate`."""
    return ".".join(map(str, path))


def flatten(value: Any) -> dict[str, Any]:
    """Every named value by its dotted name, parts before what is inside them."""
    return {dotted(path): child for path, child in walk(value, named_children) if path}


def named_children(value: Any) -> Children:
    """What has a dotted name of its own: inside of nodes, and of tuples of what is declared."""
    if isinstance(value, tuple) and not any(isinstance(v, Declared) for v in value):
        return ()
    return () if isinstance(value, Mapping) else outside_ranges(value)


def resolve(value: Any, inside: Callable[[Any], Children] = children) -> Any:
    """The value with every range replaced by the value that it holds.

    Args:
        value: any declared value.
        inside: `elements` to look for ranges in tuples and mappings alone, as in a single field.
    """
    return map_tree(value, own_value, inside)


def own_value(value: Any) -> Any:
    """What a range holds, or the value that is no range."""
    while is_range(value):
        value = value.value
    return value


def holds_range(value: Any) -> bool:
    """Whether a field's value is a range, or a tuple or mapping with one in it."""
    return any(is_range(item) for _, item in walk(value, elements))


def variations(value: Any) -> Iterator[Any]:
    """A field's value with its ranges' own values, then with each range's others in turn."""
    plain = resolve(value, elements)
    yield plain
    for path, item in walk(value, elements):
        if is_range(item):
            for candidate in list(item.candidates())[1:]:
                yield from variations(set_at(plain, path, candidate))


def freeze(value: Any) -> Any:
    """A copy in which lists are tuples and mappings are its own, so that nothing changes it."""
    return map_tree(
        value,
        lambda v: tuple(v) if isinstance(v, list) else dict(v) if isinstance(v, Mapping) else v,
        elements,
    )


def hashable(value: Any) -> Any:
    """A value to take the hash of: equal for equal values, whatever the order of their names."""
    if isinstance(value, Mapping):
        return frozenset((name, hashable(v)) for name, v in value.items())
    return tuple(map(hashable, value)) if isinstance(value, tuple) else value
