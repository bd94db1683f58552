"""What differs between a run's declaration and the one it should go on with, and what that means.

safe        the weights become the same: more epochs, callbacks that only log
result      the run would end elsewhere: learning rate, batch size; needs `--fork`, a new run
impossible  what was trained does not fit any more: data, classes, task, architecture
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tfpipe.declare.codec import in_module, show_json
from tfpipe.errors import ConfigError
from tfpipe.text import listed

Meaning = Literal["safe", "result", "impossible"]
Fields = dict[str, Any]  # values as JSON, by dotted name

ABSENT = object()  # in the place of a value where there is no such field

_SAFE = ("epochs", "checkpoint_every", "steps_per_execution")
_IMPOSSIBLE = {
    "data": "it decides what was trained on and what was held out",
    "task": "it decides what the model's answers mean",
    "seed": "it decides which samples are held out, and every random choice",
}
# Callbacks that write and watch, and change nothing: Keras's, and those of this project.
_LOGGING = {
    "callbacks.mlflow_logger.MLflowLogger",
    "callbacks.wandb_logger.WandbLogger",
} | {
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

    @property
    def is_architecture(self) -> bool:
        """Whether the change may be one of the architecture, which the weights have to fit."""
        return self.name.startswith(("model", "the code of"))


def field_changes(
    was: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[Change]:
    """Return the smallest fields that differ; not those that a newer tfpipe has by default.

    Args:
        was: the run's fields, as `tfpipe.verbs.config.config` returns them.
        now: those of the declaration to go on with.
    """
    old, new = (values_of(fields) for fields in (was, now))
    new = {n: v for n, v in new.items() if n in was or now[n].get("origin") != "default"}
    return [
        Change(
            name,
            show_value(old.get(name, ABSENT)),
            show_value(new.get(name, ABSENT)),
            _meaning(name, old, new),
            _IMPOSSIBLE.get(name.partition(".")[0], ""),
        )
        for name in differing((old, new))
    ]


def values_of(fields: Mapping[str, Mapping[str, Any]]) -> Fields:
    """Return the values of a run's fields, with what its file defines named as if in one place."""
    return {name: in_module(entry["value"], "") for name, entry in fields.items()}


def refuse(changes: Iterable[Change], run: str, fork: bool) -> None:
    """Raise ConfigError for what is impossible, and for what changes the result without a fork.

    Args:
        changes: what differs.
        run: the run's name.
        fork: whether a new run starts from the state.
    """
    changes = list(changes)
    for change in changes:
        if change.meaning == "impossible":
            raise ConfigError(
                f"{change.name} cannot change within a run ({change.was} -> {change.now}): "
                f"{change.why}. Start a new run with tfpipe run."
            )
    changing = [f"{c.name} ({c.was} -> {c.now})" for c in changes if c.meaning == "result"]
    if changing and not fork:
        raise ConfigError(
            f"{run} would end elsewhere with a changed {listed(changing)}. Undo the change, or "
            "start a new run from its state, which leaves it as it is, with --fork."
        )


def changed_code(was: Path, now: Path) -> list[Change]:
    """Return the functions and methods of a pipeline file whose code is not that of a copy.

    Args:
        was: the run's copy of the file.
        now: the file.
    """
    before, after = (_functions(path) for path in (was, now))
    changed: list[Change] = []
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name):
            states = ["other code" if name in code else "not there" for code in (before, after)]
            changed.append(Change(f"the code of {name}", states[0], states[1], "result"))
    return changed


def changed_fields(differences: Iterable[Change]) -> set[str]:
    """Return the fields, without what is inside them, that changes are about."""
    return {change.name.partition(".")[0] for change in differences}


def differing(declarations: Sequence[Fields]) -> list[str]:
    """Return the dotted names of which not all have one value; a part's only for another part.

    Args:
        declarations: the values of each by dotted name, as `values_of` gives them.
    """
    names = {name for fields in declarations for name in fields}
    found: list[str] = []
    for name in sorted(names, key=lambda n: (n.count("."), n)):
        first, *others = [fields.get(name, ABSENT) for fields in declarations]
        if all(first == other for other in others):
            continue
        if any(name.startswith(f"{whole}.") for whole in found):
            continue
        has_fields = any(other.startswith(f"{name}.") for other in declarations[0])
        if not (has_fields and all(_same_kind(first, other) for other in others)):
            found.append(name)
    return sorted(found)


def _same_kind(before: object, after: object) -> bool:
    """Return whether two values are the same part, or tuples of them, with other arguments."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(map(_same_kind, before, after))
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return all(before.get(k) == after.get(k) for k in ("part", "call", "name", "function"))


def _meaning(name: str, was: Fields, now: Fields) -> Meaning:
    field = name.partition(".")[0]
    if field in _IMPOSSIBLE:
        return "impossible"
    safe = (
        field in _SAFE
        or (field == "fine_tune" and _is_longer(was.get(field), now.get(field)))
        or (field == "callbacks" and _effective(was.get(field)) == _effective(now.get(field)))
    )
    return "safe" if safe else "result"


def _is_longer(before: Any, after: Any) -> bool:
    """Return whether phases are the same but for further ones, or more epochs of the last."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    old, new = before["phases"], after["phases"]
    if len(new) < len(old) or new[: len(old) - 1] != old[:-1]:
        return False
    was, now = old[-1], new[len(old) - 1]
    return bool(now == was | {"epochs": max(now["epochs"], was["epochs"])})


def _effective(callbacks: object) -> list[Any]:
    """Return the callbacks that may change what training does."""
    listed = callbacks if isinstance(callbacks, list) else []
    return [c for c in listed if not (isinstance(c, dict) and c.get("call") in _LOGGING)]


def _functions(path: Path) -> dict[str, str]:
    """Return the code of each function and method of a file, without docstrings."""
    functions: dict[str, str] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if ast.get_docstring(child) is not None:
                    child.body = child.body[1:]
                functions[prefix + child.name] = ast.dump(child)
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(path.read_text(encoding="utf-8")), "")
    return functions


def show_value(value: Any) -> str:
    """Return the value of a field as a person would write it."""
    return "not given" if value is ABSENT else show_json(value)
