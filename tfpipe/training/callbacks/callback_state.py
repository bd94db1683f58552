"""The state of callbacks between epochs, for the saved state of a run.

Keras's callbacks reset it when training begins, and do not say what it is, so it is listed here:
never every attribute, some of which Keras changes on the way in (`min_delta` gets a sign). A
callback of one's own that has more state defines two methods:

    def get_state(self) -> dict: ...        # values that JSON can hold
    def set_state(self, state: dict) -> None: ...
"""

from typing import Any

import numpy as np

VALUES = ("best", "best_epoch", "wait", "cooldown_counter", "stopped_epoch")
WEIGHTS = "best_weights"

Values = dict[str, dict[str, Any]]


def get_states(callbacks: list[Any]) -> tuple[Values, dict[str, np.ndarray]]:
    """Return the callbacks' states: plain values by callback, and arrays by name."""
    values: Values = {}
    arrays: dict[str, np.ndarray] = {}
    for name, callback in _named(callbacks):
        state = {v: _plain(getattr(callback, v)) for v in VALUES if hasattr(callback, v)}
        if hasattr(callback, "get_state"):
            state["own"] = callback.get_state()
        weights = getattr(callback, WEIGHTS, None)
        if weights is not None:
            state[WEIGHTS] = len(weights)
            arrays |= {f"{name} {i}": np.asarray(w) for i, w in enumerate(weights)}
        if state:
            values[name] = state
    return values, arrays


def set_states(callbacks: list[Any], values: Values, arrays: dict[str, np.ndarray]) -> None:
    """Restore what `get_states` returned; call it after `on_train_begin`."""
    for name, callback in _named(callbacks):
        state = dict(values.get(name, {}))
        own, count = state.pop("own", None), state.pop(WEIGHTS, None)
        for attribute, value in state.items():
            setattr(callback, attribute, value)
        if count is not None:
            setattr(callback, WEIGHTS, [arrays[f"{name} {i}"] for i in range(count)])
        if own is not None:
            callback.set_state(own)


def _named(callbacks: list[Any]) -> list[tuple[str, Any]]:
    """Each callback under its class's name; a second of the same class gets a number.

    Not by place alone: a callback that only logs may come or go when a run is resumed.
    """
    named: list[tuple[str, Any]] = []
    for callback in callbacks:
        kind = type(callback).__name__
        number = sum(type(other).__name__ == kind for _, other in named)
        named.append((f"{kind} {number + 1}" if number else kind, callback))
    return named


def _plain(value: Any) -> Any:
    """A number as JSON has it; None stays None."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return float(value)
