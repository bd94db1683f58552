"""The saved state of a training run: everything that decides what happens next.

    checkpoints/state-0003-000120/   three epochs and 120 steps of the fourth are done
      arrays.npz    every variable of model, optimizer and metrics, seed states of dropout included
      state.json    epoch, step, names of the variables, callbacks, checksums

A state appears whole or not at all, and the last two are kept. One that was damaged since is
noticed by its checksums, and the one before it is used.
"""

import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tfpipe.errors import RunError
from tfpipe.storage import whole_folder
from tfpipe.text import counted

logger = logging.getLogger("tfpipe.training")

KEPT = 2
_NAME = re.compile(r"state-(\d+)-(\d+)$")
GROUPS = ("model", "optimizer", "metrics")
_GATHERS: WeakKeyDictionary[Any, tuple[Any, Callable[[], list[Any]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class State:
    """Where training is, beside the values of its variables.

    Args:
        epoch: how many epochs are complete.
        step: how many steps of the next one are.
        callbacks: the states of the callbacks, by class name.
        stopped: whether a callback has ended the training.
        saved_at: when it was saved, in seconds since 1970.
        phase: which phase of the training it is in, from 0.
        phase_began: how many epochs were done before that phase.
    """

    epoch: int
    step: int
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: bool = False
    saved_at: float = 0.0
    phase: int = 0
    phase_began: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A state that was read back and found intact.

    Args:
        path: its folder.
        state: where training was.
        variables: for each array its group, path and type.
        arrays: the values, in the same order.
    """

    path: Path
    state: State
    variables: tuple[dict[str, Any], ...]
    arrays: tuple[np.ndarray, ...]

    def group(self, name: str) -> list[np.ndarray]:
        """The arrays of the model, the optimizer or the metrics."""
        return list(self.named(name).values())

    def named(self, group: str) -> dict[str, np.ndarray]:
        """The arrays of a group by a name that no other has."""
        pairs = enumerate(zip(self.variables, self.arrays, strict=True))
        return {
            v["path"] if group == "callbacks" else f"{i} {v['path']}": array
            for i, (v, array) in pairs
            if v["group"] == group
        }


def groups(model: Any) -> dict[str, list[Any]]:
    """Every variable that decides what training does next, without repeats, in a fixed order.

    `model.variables` has the seed states of dropout, which `model.weights` lacks, and the metrics,
    which come last.
    """
    metrics = list(model.metrics_variables)
    seen = {id(v) for v in metrics}
    grouped: dict[str, list[Any]] = {"model": [], "optimizer": [], "metrics": metrics}
    optimizers = getattr(model, "optimizers", None) or [model.optimizer]
    of_optimizers = [v for optimizer in optimizers for v in optimizer.variables]
    for name, variables in (("model", model.variables), ("optimizer", of_optimizers)):
        for variable in variables:
            if id(variable) not in seen:
                seen.add(id(variable))
                grouped[name].append(variable)
    return grouped


def read(model: Any) -> list[tuple[str, Any, np.ndarray]]:
    """Every variable with its group and its value.

    Each replica has its own share of a metric. They are kept apart and stacked, because a sum that
    is divided again would not be the same to the last bit. Under several workers each of them has
    to call this.
    """
    tagged = [(name, v) for name, variables in groups(model).items() for v in variables]
    shared = [v for _, v in tagged if _per_replica(model, v)]
    stacked = dict(zip(map(id, shared), _shares(model, shared), strict=True))
    return [(name, v, stacked[id(v)] if id(v) in stacked else v.numpy()) for name, v in tagged]


def copies(variables: Iterable[Any]) -> list[np.ndarray]:
    """The values of variables, which later steps do not change."""
    return [np.array(variable.numpy()) for variable in variables]


def put_back(model: Any, variables: Iterable[Any], values: Iterable[np.ndarray]) -> None:
    """Give a model's variables the values that `copies` gave."""
    with model.distribute_strategy.scope():
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _shares(model: Any, variables: list[Any]) -> list[np.ndarray]:
    """The replicas' values of some variables, each stacked into one array."""
    import tensorflow as tf

    if not variables:
        return []
    strategy = model.distribute_strategy

    @tf.function
    def gather() -> list[Any]:
        own = strategy.run(lambda: [tf.expand_dims(v.value, 0) for v in variables])
        return [strategy.gather(value, axis=0) for value in own]

    key = tuple(map(id, variables))  # compiled anew, a model has other metrics
    if model not in _GATHERS or _GATHERS[model][0] != key:
        _GATHERS[model] = key, gather  # traced once
    return [value.numpy() for value in _GATHERS[model][1]()]


def _write(model: Any, variables: list[Any], values: list[np.ndarray]) -> None:
    """Give variables the values that `read` gave."""
    import tensorflow as tf

    pairs = list(zip(variables, values, strict=True))
    shared = [(v, tf.constant(value)) for v, value in pairs if _per_replica(model, v)]

    @tf.function
    def assign() -> None:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        for variable, stacked in shared:
            variable.value.assign(stacked[replica])

    with model.distribute_strategy.scope():
        for variable, value in pairs:
            if not _per_replica(model, variable):
                variable.assign(value)
        if shared:
            model.distribute_strategy.run(assign)


def _per_replica(model: Any, variable: Any) -> bool:
    return model.distribute_strategy.num_replicas_in_sync > 1 and _one_a_replica(variable)


def _one_a_replica(variable: Any) -> bool:
    import tensorflow as tf

    on_read = tf.VariableSynchronization.ON_READ
    return getattr(variable.value, "synchronization", None) == on_read


def save(
    folder: Path,
    model: Any,
    state: State,
    weights: dict[str, np.ndarray] | None = None,
    keep: bool = True,
) -> Path:
    """Write a state; older ones than the last two are removed.

    Args:
        folder: the run's checkpoints folder.
        model: the compiled, built model.
        state: where training is.
        weights: the arrays among the states of callbacks, by name.
        keep: whether to write; a worker that is not the chief takes part in the reading only.

    Raises:
        StorageError: when it cannot be written; earlier states are untouched.
    """
    final = folder / f"state-{state.epoch:04d}-{state.step:06d}"
    values_read = read(model)
    if not keep or final.exists():  # the same step, saved again after an interruption
        return final
    described = [{"group": g, "path": v.path, "dtype": str(v.dtype)} for g, v, _ in values_read]
    arrays_held = [value for _, _, value in values_read]
    for name, value in (weights or {}).items():
        described.append({"group": "callbacks", "path": name, "dtype": str(value.dtype)})
        arrays_held.append(value)
    with whole_folder(final) as temporary:
        arrays = temporary / "arrays.npz"
        values = {f"{i:05d}": _plain(value) for i, value in enumerate(arrays_held)}
        np.savez(arrays, allow_pickle=False, **values)
        content = {
            "epoch": state.epoch,
            "step": state.step,
            "stopped": state.stopped,
            "saved_at": state.saved_at or time.time(),
            "phase": state.phase,
            "phase_began": state.phase_began,
            "callbacks": state.callbacks,
            "variables": described,
            "arrays_sha256": _checksum(arrays),
        }
        text = json.dumps(content | {"sha256": _checksum_of(content)}, indent=1)
        (temporary / "state.json").write_text(text)
    for old in states(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def states(folder: Path) -> list[Path]:
    """The saved states of a run, the oldest first."""
    return sorted((p for p in folder.glob("state-*") if _NAME.search(p.name)), key=_position)


def latest(folder: Path, accept: Callable[[State], bool] | None = None) -> Checkpoint | None:
    """The newest intact state; None where none was ever saved. Nothing is changed.

    Args:
        folder: the run's checkpoints folder.
        accept: says which states to consider; all when None.

    Raises:
        RunError: when there are states and all of them are damaged.
    """
    errors, intact = [], False
    for path in reversed(states(folder)):
        try:
            saved = load(path)
        except RunError as error:
            errors.append((path.name, str(error)))
            continue
        intact = True
        if accept is None or accept(saved.state):
            for _, reason in errors:
                logger.warning("%s The one before it is used.", reason)
            return saved
    if errors and not intact:
        damaged = [name for name, _ in errors]
        best = folder / "best.keras"
        kept = f" {best} is a whole model that Keras loads." if best.is_file() else ""
        raise RunError(
            f"All saved states in {folder} are damaged: {', '.join(damaged)}. Nothing was changed. "
            "Bring one back from a backup, or start anew with tfpipe run FILE." + kept
        )
    return None


def load(path: Path) -> Checkpoint:
    """A state, proven to be what was saved; raises RunError when it is not."""
    try:
        content = json.loads((path / "state.json").read_bytes())
        if _checksum_of({k: v for k, v in content.items() if k != "sha256"}) != content["sha256"]:
            raise ValueError("state.json is not what was saved")
        if _checksum(path / "arrays.npz") != content["arrays_sha256"]:
            raise ValueError("arrays.npz is not what was saved")
        with np.load(path / "arrays.npz", allow_pickle=False) as stored:
            arrays = [stored[name] for name in sorted(stored)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The saved state {path} is damaged ({error}).") from error
    described = tuple(content["variables"])
    restored = [_typed(a, d["dtype"]) for a, d in zip(arrays, described, strict=True)]
    state = State(
        content["epoch"],
        content["step"],
        content["callbacks"],
        content["stopped"],
        content["saved_at"],
        content.get("phase", 0),
        content.get("phase_began", 0),
    )
    return Checkpoint(path, state, described, tuple(restored))


def set_damaged_aside(folder: Path, used: Path) -> None:
    """Rename the states that are newer than the one in use, so that they are not taken for good."""
    for path in states(folder):
        if _position(path) > _position(used):
            aside = path.with_name(f"damaged-{path.name.removeprefix('state-')}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)


def restore(model: Any, saved: Checkpoint, parts: tuple[str, ...] = GROUPS) -> None:
    """Give a compiled and built model the values of a saved state.

    Args:
        model: the model.
        saved: the state.
        parts: which of "model", "optimizer" and "metrics".

    Raises:
        RunError: when the variables are others than those that were saved.
    """
    grouped = groups(model)
    for part in parts:
        if difference := misfit(model, saved, part):
            raise RunError(f"{saved.path} does not fit the {part}: {difference}.")
    for part in parts:
        _write(model, grouped[part], saved.group(part))


def misfit(model: Any, saved: Checkpoint, part: str) -> str:
    """How the variables of one part differ from the saved ones; empty when they fit."""
    variables, arrays = groups(model)[part], saved.group(part)
    names = [v["path"] for v in saved.variables if v["group"] == part]
    if len(variables) != len(arrays):
        return f"it has {len(variables)} variables, the state has {len(arrays)}"
    replicas = model.distribute_strategy.num_replicas_in_sync
    for variable, array, name in zip(variables, arrays, names, strict=True):
        shape, saved_shape = tuple(variable.shape), tuple(array.shape)
        saved_replicas = 1
        shared = _one_a_replica(variable)
        if shared and len(saved_shape) > len(shape):
            saved_replicas, saved_shape = saved_shape[0], saved_shape[1:]
        if shape != saved_shape:
            return f"{variable.path} has shape {shape}, {name} in the state {saved_shape}"
        if shared and saved_replicas != replicas:
            there = "there is" if replicas == 1 else "there are"
            return f"saved with {counted(saved_replicas, 'replica')}, {there} {replicas} now"
    return ""


def _position(path: Path) -> tuple[int, int]:
    match = _NAME.search(path.name)
    assert match
    return int(match[1]), int(match[2])


def _plain(array: np.ndarray) -> np.ndarray:
    """Types that NumPy's file format does not know, such as bfloat16, as their bytes."""
    return array if array.dtype.kind in "biufSU" else array.view(np.uint16)


def _typed(array: np.ndarray, dtype: str) -> np.ndarray:
    """The array in the type of its variable, from what `_plain` made of it."""
    if dtype != "bfloat16" or array.dtype != np.uint16:
        return array
    import tensorflow as tf

    return array.view(tf.bfloat16.as_numpy_dtype)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum_of(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
