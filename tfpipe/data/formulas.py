"""The formulas of the generated tasks: two-dimensional points, a linear workflow, a noisy sine.

Each takes a size and a seed and returns features by name and the labels, in float64.
"""

from collections.abc import Callable

import numpy as np

Made = tuple[dict[str, np.ndarray], np.ndarray]

_EXTENT = 5.0  # the playground's points lie within this distance of the centre

# What the playground's networks may read of a point.
INPUTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x_squared": lambda x, y: x**2,
    "y_squared": lambda x, y: y**2,
    "xy": lambda x, y: x * y,
    "sin_x": lambda x, y: np.sin(x),
    "sin_y": lambda x, y: np.sin(y),
}


def make(task: str, size: int, seed: int) -> Made:
    """The features and labels of a task.

    Args:
        task: a name such as "spiral".
        size: how many rows.
        seed: decides them.
    """
    if task not in _POINTS:
        return {"linear": _linear, "sine": _sine}[task](size, seed)
    rng = np.random.default_rng(seed)
    x, y, signs = _POINTS[task](size, rng)
    order = rng.permutation(size)  # else the last rows, which may be held out, are of one sign
    return {"x": x[order], "y": y[order]}, signs[order]


def _circle(size: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A disc of +1 within a ring of -1."""
    signs = _halves(size)
    inside = rng.uniform(0.0, 0.5 * _EXTENT, size)
    radius = np.where(signs > 0, inside, rng.uniform(0.7 * _EXTENT, _EXTENT, size))
    angle = rng.uniform(0.0, 2 * np.pi, size)
    return radius * np.sin(angle), radius * np.cos(angle), signs


def _xor(size: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """+1 where both coordinates have the same sign; no point within 0.3 of an axis."""
    points = rng.uniform(-_EXTENT, _EXTENT, (2, size))
    x, y = points + np.where(points > 0, 0.3, -0.3)
    return x, y, np.where(x * y >= 0, 1.0, -1.0)


def _gaussians(size: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """+1 around (2, 2) and -1 around (-2, -2), both with a variance of 0.5."""
    signs = _halves(size)
    x, y = 2.0 * signs + rng.normal(0.0, np.sqrt(0.5), (2, size))
    return x, y, signs


def _spiral(size: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Two arms of 1.75 turns; that of -1 is half a turn on. Nothing of it is random."""
    signs = _halves(size)
    arms = [int((signs == sign).sum()) for sign in (1, -1)]
    along = np.concatenate([np.arange(n) / max(1, n) for n in arms])
    angle = 1.75 * 2 * np.pi * along + np.where(signs > 0, 0.0, np.pi)
    return _EXTENT * along * np.sin(angle), _EXTENT * along * np.cos(angle), signs


def _halves(size: int) -> np.ndarray:
    """+1 for the first half, -1 for the rest."""
    return np.where(np.arange(size) < size - size // 2, 1.0, -1.0)


_POINTS = {"circle": _circle, "xor": _xor, "gaussians": _gaussians, "spiral": _spiral}


def _linear(size: int, seed: int) -> Made:
    """z = 7x + 6y + 3a + 5 and noise, drawn in the published order: x, y, noise, a."""
    rng = np.random.RandomState(seed)  # the generator of the published numbers
    x, y = rng.uniform(-5, 5, size), rng.uniform(-5, 5, size)
    noise = rng.uniform(-1, 1, size)
    a = rng.uniform(-5, 5, size)
    return {"x": x, "y": y, "a": a}, 7 * x + 6 * y + 3 * a + 5 + noise


def _sine(size: int, seed: int) -> Made:
    """sin(0.01 t) for t = 1, 2, ... with normal noise of 0.2."""
    t = np.arange(1, size + 1, dtype=np.float64)
    noise = np.random.default_rng(seed).normal(0.0, 0.2, size)
    return {"t": t}, np.sin(0.01 * t) + noise
