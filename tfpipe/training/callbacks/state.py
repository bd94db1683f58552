"""What callbacks remember from one epoch to the next, for the saved state.

Keras's callbacks forget it when training begins, and say nowhere what it is, so it is named here:
never every attribute, some of which Keras changes on the way in (`min_delta` gets a sign). A
callback of one's own that remembers more has two methods:

    def get_state(self) -> dict: ...        # values that JSON can hold
    def set_state(self, state: dict) -> None: ...
"""

from typing import Any

import numpy as np

VALUES = ("best", "best_epoch", "wait", "cooldown_counter", "stopped_epoch")
WEIGHTS = "best_weights"

Values = dict[str, dict[str, Any]]


def remember(callbacks: list[Any]) -> tuple[Values, dict[str, np.ndarray]]:
    """What the callbacks hold: plain values by callback, and arrays by name."""
    values: Values = {}
    arrays: dict[str, np.ndarray] = {}
    for name, callback in _named(callbacks):
        held = {v: _plain(getattr(callback, v)) for v in VALUES if hasattr(callback, v)}
        if hasattr(callback, "get_state"):
            held["own"] = callback.get_state()
        weights = getattr(callback, WEIGHTS, None)
        if weights is not None:
            held[WEIGHTS] = len(weights)
            arrays |= {f"{name} {i}": np.asarray(w) for i, w in enumerate(weights)}
        if held:
            values[name] = held
    return values, arrays


def remind(callbacks: list[Any], values: Values, arrays: dict[str, np.ndarray]) -> None:
    """Give callbacks back what `remember` took; call it after `on_train_begin`."""
    for name, callback in _named(callbacks):
        held = dict(values.get(name, {}))
        own, count = held.pop("own", None), held.pop(WEIGHTS, None)
        for attribute, value in held.items():
            setattr(callback, attribute, value)
        if count is not None:
            setattr(callback, WEIGHTS, [arrays[f"{name} {i}"] for i in range(count)])
        if own is not None:
            callback.set_state(own)


def _named(callbacks: list[Any]) -> list[tuple[str, Any]]:
    """Each callback under its class's name; a second of the same class gets a number.

    Not by place alone: a callback that only logs may come or go when a run is resumed.
    """
    found: list[tuple[str, Any]] = []
    for callback in callbacks:
        kind = type(callback).__name__
        number = sum(type(other).__name__ == kind for _, other in found)
        found.append((f"{kind} {number + 1}" if number else kind, callback))
    return found


def _plain(value: Any) -> Any:
    """A number as JSON has it; None stays None."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return float(value)
