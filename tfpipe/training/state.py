"""The saved state of a training run: everything that decides what happens next.

    checkpoints/state-0003-000120/   three epochs and 120 steps of the fourth are done
      arrays.npz    every variable of model, optimizer and metrics, seed states of dropout included
      state.json    epoch, step, names of the variables, callbacks, checksum of the arrays

A state appears whole or not at all, and the last two are kept.
"""

import hashlib
import json
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfpipe.runs import whole_folder

KEPT = 2
_NAME = re.compile(r"state-(\d+)-(\d+)$")


@dataclass(frozen=True)
class State:
    """Where training is, beside the values of its variables.

    Args:
        epoch: how many epochs are complete.
        step: how many steps of the next one are.
        callbacks: what the callbacks remember, by their place and class name.
    """

    epoch: int
    step: int
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)


def variables(model: Any) -> list[Any]:
    """Every variable that decides what training does next, without repeats, in a fixed order.

    `model.variables` has the seed states of dropout, which `model.weights` lacks.
    """
    seen: set[int] = set()
    found = []
    for variable in (*model.variables, *model.optimizer.variables, *model.metrics_variables):
        if id(variable) not in seen:
            seen.add(id(variable))
            found.append(variable)
    return found


def save(folder: Path, model: Any, state: State) -> Path:
    """Write a state; older ones than the last two are removed.

    Args:
        folder: the run's checkpoints folder.
        model: the compiled, built model.
        state: where training is.

    Raises:
        StorageError: when it cannot be written; earlier states are untouched.
    """
    final = folder / f"state-{state.epoch:04d}-{state.step:06d}"
    held = variables(model)
    with whole_folder(final) as temporary:
        arrays = temporary / "arrays.npz"
        values = {f"{i:05d}": np.asarray(v.numpy()) for i, v in enumerate(held)}
        np.savez(arrays, allow_pickle=False, **{k: _plain(v) for k, v in values.items()})
        description = asdict(state) | {
            "variables": [{"path": v.path, "dtype": str(v.dtype)} for v in held],
            "sha256": _checksum(arrays),
        }
        (temporary / "state.json").write_text(json.dumps(description, indent=1))
        if final.exists():  # the same step, saved again after an interruption
            shutil.rmtree(final)
    for old in states(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def states(folder: Path) -> list[Path]:
    """The saved states of a run, the oldest first."""
    return sorted((p for p in folder.glob("state-*") if _NAME.search(p.name)), key=_position)


def _position(path: Path) -> tuple[int, int]:
    found = _NAME.search(path.name)
    assert found
    return int(found[1]), int(found[2])


def _plain(array: np.ndarray) -> np.ndarray:
    """Types that NumPy's file format does not know, such as bfloat16, as their bytes."""
    return array if array.dtype.kind in "biufSU" else array.view(np.uint16)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
