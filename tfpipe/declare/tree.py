"""The one traversal of a declaration: what is inside a value, at which path, and changed copies.

    walk(pipeline)                                  every value with its path
    flatten(pipeline)                               {"batch_size": 32, "model.convs": 6, ...}
    set_at(pipeline, ("model", "convs"), 4)         a changed copy
    resolve(pipeline)                               a copy without ranges
    fold(value, combine)                            whatever is computed from the inside out

A declaration is made of nodes (parts and deferred calls), tuples and mappings; anything else is a
leaf. A path is a tuple of field names, argument names, indices and keys.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

Key = Any  # a field's or an argument's name, an index, or whatever a mapping has for a key
Path = tuple[Key, ...]
Children = Iterable[tuple[Key, Any]]
Result = TypeVar("Result")


class Declared:
    """What a declaration names: a part, a deferred call, a deferred name."""


class Node(Declared):
    """A declared value with named values in it: a part, or a deferred call."""

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield the names and values directly inside."""
        raise NotImplementedError

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some of them changed."""
        raise NotImplementedError


def is_range(value: object) -> bool:
    """Return whether a value is one of `hp`'s ranges."""
    return getattr(type(value), "is_range", False) is True


def children(value: object) -> Children:
    """Return the keys and values directly inside a value; none for a leaf."""
    if isinstance(value, (tuple, list)):
        return enumerate(value)
    return value.items() if isinstance(value, (Node, Mapping)) else ()


def elements(value: object) -> Children:
    """Return the children of tuples and mappings alone: what a single field holds."""
    return () if isinstance(value, Node) else children(value)


def outside_ranges(value: object) -> Children:
    """Return the children of all but ranges, which count as leaves."""
    return () if is_range(value) else children(value)


def named_children(value: object) -> Children:
    """Return the children with a dotted name: those of nodes, and of tuples of declared values."""
    if isinstance(value, tuple) and not any(isinstance(item, Declared) for item in value):
        return ()
    return () if isinstance(value, Mapping) else outside_ranges(value)


def walk(
    value: object, inside: Callable[[Any], Children] = children, path: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Yield every value with its path, each before what is inside it.

    Args:
        value: where to begin; the first that is yielded, with the path given.
        inside: returns the children of a value; a key of None adds nothing to the path.
        path: of the value.
    """
    yield path, value
    for key, child in inside(value):
        yield from walk(child, inside, path if key is None else (*path, key))


def fold(
    value: object,
    combine: Callable[[Any, dict[Key, Result]], Result],
    inside: Callable[[Any], Children] = children,
) -> Result:
    """Compute something of a value from the inside out.

    Args:
        value: where to begin.
        combine: returns the result of a value, given it and the results of its children by key.
        inside: returns the children of a value.
    """
    return combine(value, {key: fold(child, combine, inside) for key, child in inside(value)})


def with_children(value: Any, changed: Mapping[Key, Any]) -> Any:
    """Return a copy with some children exchanged, or the value itself where they are the same."""
    present = dict(children(value))
    changed = {k: v for k, v in changed.items() if k not in present or present[k] is not v}
    if not changed:
        return value
    if isinstance(value, Node):
        return value.replace(**changed)
    return tuple((present | changed).values()) if isinstance(value, tuple) else present | changed


def get_at(value: object, path: Sequence[Key]) -> Any:
    """Return the value at a path; raise KeyError where there is none."""
    for key in path:
        value = dict(children(value))[key]
    return value


def set_at(value: Any, path: Sequence[Key], new: object) -> Any:
    """Return a copy with another value at a path; a call may get an argument that it had not."""
    if not path:
        return new
    child = dict(children(value)).get(path[0])
    return with_children(value, {path[0]: set_at(child, path[1:], new)})


def dotted(path: Path) -> str:
    """Return a path as it is written: `optimizer.learning_rate`."""
    return ".".join(map(str, path))


def flatten(value: object) -> dict[str, Any]:
    """Return every named value by its dotted name, parts before what is inside them."""
    return {dotted(path): child for path, child in walk(value, named_children) if path}


def resolve(value: Any, inside: Callable[[Any], Children] = children) -> Any:
    """Return the value with every range replaced by the value that it holds.

    Args:
        value: any declared value.
        inside: `elements` to look for ranges in tuples and mappings alone, as in a single field.
    """

    def chosen(item: object) -> Children:
        return (("value", item.value),) if is_range(item) else inside(item)  # type: ignore[attr-defined]

    def settle(item: object, resolved: dict[Key, Any]) -> Any:
        return resolved["value"] if is_range(item) else with_children(item, resolved)

    return fold(value, settle, chosen)


def holds_range(value: object) -> bool:
    """Return whether a field's value is a range, or a tuple or mapping with one in it."""
    return any(is_range(item) for _, item in walk(value, elements))


def variations(value: object) -> Iterator[Any]:
    """Yield a field's value with its ranges' own values, then with each range's others in turn."""
    resolved = resolve(value, elements)
    yield resolved
    for path, item in walk(value, elements):
        if is_range(item):
            for candidate in list(item.candidates())[1:]:
                yield from variations(set_at(resolved, path, candidate))


def freeze(value: object) -> Any:
    """Return a copy in which lists are tuples and mappings its own, so that nothing changes it."""

    def frozen(item: object, inside: dict[Key, Any]) -> Any:
        if isinstance(item, list):
            return tuple(inside.values())
        return inside if isinstance(item, Mapping) else with_children(item, inside)

    return fold(value, frozen, elements)


def hashable(value: object) -> Any:
    """Return what to take the hash of: equal for equal values, whatever the order of names."""

    def plain(item: object, inside: dict[Key, Any]) -> Any:
        if isinstance(item, Mapping):
            return frozenset(inside.items())
        return tuple(inside.values()) if isinstance(item, tuple) else item

    return fold(value, plain, elements)
