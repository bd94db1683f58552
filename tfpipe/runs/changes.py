"""What differs between a run's declaration and the one it should go on with, and what that means.

safe        the weights become the same: more epochs, callbacks that only log
result      the run would end elsewhere: learning rate, batch size; needs `--fork`, a new run
impossible  what was trained does not fit any more: data, classes, task, architecture
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tfpipe.declare.codec import in_module, show_json

Meaning = Literal["safe", "result", "impossible"]

_ABSENT = object()

_SAFE = ("epochs", "checkpoint_every", "steps_per_execution")
_IMPOSSIBLE = {
    "data": "it decides what was trained on and what was held out",
    "task": "it decides what the model's answers mean",
    "seed": "it decides which samples are held out, and every random choice",
}
# Keras's callbacks that write and watch, and change nothing.
_LOGGING = {
    f"keras.callbacks.{name}"
    for name in ("CSVLogger", "ModelCheckpoint", "ProgbarLogger", "RemoteMonitor", "TensorBoard")
}


@dataclass(frozen=True)
class Change:
    """One field that is not as it was.

    Args:
        name: its dotted name, or "the code of NAME".
        was: its value in the run, as text.
        now: its value now, as text.
        meaning: what that does to the run.
        why: for an impossible one, why it is.
    """

    name: str
    was: str
    now: str
    meaning: Meaning
    why: str = ""


def changes(
    was: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[Change]:
    """The fields that differ, the smallest that do; not those that a newer tfpipe has by default.

    Args:
        was: the run's fields, as `tfpipe.verbs.config.config` gives them.
        now: those of the declaration to go on with.
    """
    now = {n: e for n, e in now.items() if n in was or e.get("origin") != "default"}
    values = [
        {name: in_module(entry["value"], "") for name, entry in fields.items()}
        for fields in (was, now)
    ]
    found = []
    for name in _differing(*values):
        before, after = (v.get(name, _ABSENT) for v in values)
        if name.startswith("fine_tune") and _goes_further(*(v.get("fine_tune") for v in values)):
            found.append(Change(name, _show(before), _show(after), "safe"))
            continue
        meaning, why = _meaning(name, before, after, *(v.get("callbacks") for v in values))
        found.append(Change(name, _show(before), _show(after), meaning, why))
    return found


def changed_code(was: Path, now: Path) -> list[Change]:
    """The functions and methods of a pipeline file whose code is not that of the run's copy."""
    before, after = (_functions(path) for path in (was, now))
    return [
        Change(f"the code of {name}", _code(before, name), _code(after, name), "result")
        for name in sorted(set(before) | set(after))
        if before.get(name) != after.get(name)
    ]


def names(found: Iterable[Change]) -> set[str]:
    """The fields, without what is inside them, that changes are about."""
    return {change.name.partition(".")[0] for change in found}


def _differing(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The dotted names that differ; a part only where it is another one, not for what is in it."""
    found: list[str] = []
    for name in sorted(set(was) | set(now), key=lambda n: (n.count("."), n)):
        before, after = was.get(name, _ABSENT), now.get(name, _ABSENT)
        if before == after or any(name.startswith(f"{whole}.") for whole in found):
            continue
        if not _same_kind(before, after) or not _inside(name, was):
            found.append(name)
    return sorted(found)


def _same_kind(before: Any, after: Any) -> bool:
    """Whether two values are the same part, or tuples of the same parts, with other arguments."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(map(_same_kind, before, after))
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    kinds = ("part", "call", "name", "function")
    return [before.get(k) for k in kinds] == [after.get(k) for k in kinds]


def _inside(name: str, values: dict[str, Any]) -> bool:
    return any(other.startswith(f"{name}.") for other in values)


def _meaning(
    name: str, before: Any, after: Any, callbacks_before: Any, callbacks_after: Any
) -> tuple[Meaning, str]:
    field = name.partition(".")[0]
    if field in _SAFE:
        return "safe", ""
    if field in _IMPOSSIBLE:
        return "impossible", _IMPOSSIBLE[field]
    if field == "callbacks" and _acting(callbacks_before) == _acting(callbacks_after):
        return "safe", ""
    return "result", ""


def _goes_further(before: Any, after: Any) -> bool:
    """Whether phases are as they were, but for more of them or more epochs in what was the last."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    old, new = before["phases"], after["phases"]
    if len(new) < len(old) or new[: len(old) - 1] != old[:-1]:
        return False
    was, now = old[-1], new[len(old) - 1]
    return now == was | {"epochs": max(now["epochs"], was["epochs"])}


def _acting(callbacks: Any) -> list[Any]:
    """The callbacks that may change what training does."""
    listed = callbacks if isinstance(callbacks, list) else []
    return [c for c in listed if not (isinstance(c, dict) and c.get("call") in _LOGGING)]


def _functions(path: Path) -> dict[str, str]:
    """Each function and method of a file with its code, without its docstrings."""
    found: dict[str, str] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[prefix + child.name] = ast.dump(_without_docstring(child))
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


def _without_docstring(function: Any) -> Any:
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    return function


def _code(functions: dict[str, str], name: str) -> str:
    return "not there" if name not in functions else "other code"


def _show(value: Any) -> str:
    return "not given" if value is _ABSENT else show_json(value)
