"""DecisionMap: what a model answers all over the plane, over the points that it learns from.

callbacks = (tfpipe.deferred("callbacks.decision_map").DecisionMap(every=50),)
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from callbacks.drawing import Drawing

_ORANGE, _BLUE = "#f59322", "#0877bd"
_COLOURS = (_ORANGE, _BLUE, "#3b9e5f", "#c0392b", "#8e5ea2", "#8c6d46", "#d773b5", "#777777")
_NEUTRAL = np.array(to_rgb("#e8eaeb"))
_GRID = 240
_MOST_POINTS = 2000  # of a split, for more would hide the map

# What the inputs of TensorFlow's playground are made of.
FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x_squared": lambda x, y: x**2,
    "y_squared": lambda x, y: y**2,
    "xy": lambda x, y: x * y,
    "sin_x": lambda x, y: np.sin(x),
    "sin_y": lambda x, y: np.sin(y),
}


class DecisionMap(Drawing):
    """Draws a two-dimensional task: the model's answer as a colour, and the points upon it.

    Blue is +1 or the second class, orange -1 or the first class, further classes have colours of
    their own; the paler, the less sure. Numbers are told apart by their sign, and shaded within ±1.
    Points of training have a white edge, points of validation a black one. The images are in
    TensorBoard under "decision_map", the last one is report/decision_map.png. The picture is that
    of TensorFlow's playground (https://playground.tensorflow.org).

    mlxtend's `plot_decision_regions` is not used: it shows which class, not how sure, and takes the
    size of its grid from pyplot's current figure, which is another one.

    The data may have two columns of numbers, a vector of two numbers, or the columns "x" and "y"
    with others made of them: "x_squared", "y_squared", "xy", "sin_x" and "sin_y" are known,
    and `inputs` says how to make any others.

    Args:
        every: draw after each so many epochs.
        inputs: takes x and y, both of [points]; returns what the model reads, columns by name or
            [points, numbers]. Needed only for columns that have no known name.

    Raises:
        ValueError: where the data has no two dimensions, or the task several answers at once.
    """

    tag = "decision_map"

    def __init__(
        self, every: int = 50, inputs: Callable[[np.ndarray, np.ndarray], Any] | None = None
    ) -> None:
        super().__init__(every)
        self.inputs = inputs
        self._points: dict[str, tuple[Any, np.ndarray, np.ndarray]] = {}
        self._names: tuple[str, str] = ("x", "y")

    def set_run(self, run: Any) -> None:
        super().set_run(run)
        if run.task == "multilabel":
            raise ValueError("DecisionMap draws one answer a point; the task is multilabel.")
        for split in ("train", "validation"):
            batches = run.batches(split)
            if batches is not None:
                self._points[split] = self._read(batches)

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        figure = Figure(figsize=(6.0, 6.8))
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
        axes = figure.add_subplot(box_aspect=1.0)
        self._draw_answers(axes)
        right = [self._draw_points(axes, split) for split in self._points]
        losses = [f"{n} {logs[n]:.4f}" for n in ("loss", "val_loss") if n in logs]
        figure.suptitle(f"{when.capitalize()}: {', '.join(right)} right", fontsize=12)
        axes.set_title("   ".join(losses), fontsize=10, color="#555555")
        axes.set_xlabel(self._names[0], fontsize=11)
        axes.set_ylabel(self._names[1], fontsize=11, rotation=0, labelpad=10)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelcolor="#555555")
        self._add_legend(figure, axes)
        return figure

    @property
    def _classes(self) -> tuple[str, ...]:
        return tuple(self.run.classes) or ("\N{MINUS SIGN}1", "+1")

    def _read(self, batches: Any) -> tuple[Any, np.ndarray, np.ndarray]:
        """The first points of a split: what the model reads, [points, 2] and [points] classes."""
        read: list[tuple[Any, np.ndarray]] = []
        for x, y, *_ in batches:
            named = isinstance(x, dict)
            x = {n: np.asarray(v) for n, v in x.items()} if named else np.asarray(x)
            read.append((x, np.asarray(y).reshape(-1)))
            if sum(len(labels) for _, labels in read) >= _MOST_POINTS:
                break
        first = read[0][0]
        if isinstance(first, dict):
            x = {name: np.concatenate([part[name] for part, _ in read]) for name in first}
        else:
            x = np.concatenate([part for part, _ in read])
        labels = np.concatenate([y for _, y in read])
        signs = self.run.task == "regression"
        return x, self._coordinates(x), (labels > 0 if signs else labels).astype(int)

    def _coordinates(self, x: Any) -> np.ndarray:
        """[points, 2] where the points lie; raises ValueError where that cannot be told."""
        if not isinstance(x, dict):
            if x.ndim == 2 and (x.shape[1] == 2 or (self.inputs and x.shape[1] > 2)):
                return x[:, :2]
            raise ValueError(
                f"DecisionMap draws points in a plane; the data is an array of shape {x.shape[1:]}."
            )
        known = {"x", "y"} <= set(x) and (self.inputs is not None or set(x) <= set(FORMULAS))
        if known or (len(x) == 2 and all(v.dtype.kind == "f" for v in x.values())):
            self._names = ("x", "y") if known else tuple(x)
            return np.stack([x[name].reshape(-1) for name in self._names], axis=1)
        raise ValueError(
            "DecisionMap draws points in a plane: two columns of numbers, or 'x', 'y' and others "
            f"that are made of them. The data has {', '.join(x)}. Columns that are made of 'x' and "
            "'y' in a way of their own need inputs=, a function of x and y."
        )

    def _made_of(self, x: np.ndarray, y: np.ndarray) -> Any:
        """What the model reads of points."""
        like = self._points["train"][0]
        if self.inputs is not None:
            made = self.inputs(x, y)
        elif not isinstance(like, dict):
            made = np.stack([x, y], axis=1)
        else:
            ours = FORMULAS | dict(zip(self._names, (FORMULAS["x"], FORMULAS["y"]), strict=True))
            made = {name: ours[name](x, y) for name in like}
        if not isinstance(made, dict):
            return np.asarray(made, np.float32)
        shapes = {name: values.shape[1:] for name, values in like.items()}
        return {n: np.asarray(v, np.float32).reshape(-1, *shapes[n]) for n, v in made.items()}

    def _shares(self, x: Any) -> np.ndarray:
        """[points, classes] how sure the model is of each class."""
        answers = self.answers(x)
        if self.run.task == "classification":
            return answers
        values = answers.reshape(-1)
        second = (np.clip(values, -1, 1) + 1) / 2 if self.run.task == "regression" else values
        return np.stack([1 - second, second], axis=1)

    def _draw_answers(self, axes: Any) -> None:
        points = np.concatenate([p for _, p, _ in self._points.values()])
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)  # a number may be missing
        margin = np.maximum(0.1 * (high - low), 1e-3)
        (left, bottom), (right, top) = low - margin, high + margin
        x, y = np.meshgrid(np.linspace(left, right, _GRID), np.linspace(bottom, top, _GRID))
        shares = self._shares(self._made_of(x.reshape(-1), y.reshape(-1)))
        axes.imshow(
            _shaded(shares).reshape(_GRID, _GRID, 3),
            extent=(left, right, bottom, top),
            origin="lower",
            interpolation="bilinear",
            aspect="auto",
        )
        count = shares.shape[1]
        for index in range(count if count > 2 else 1):
            ahead = shares[:, index] - np.delete(shares, index, axis=1).max(axis=1)
            if ahead.min() < 0 < ahead.max():
                border = ahead.reshape(_GRID, _GRID)
                axes.contour(x, y, border, levels=[0.0], colors="white", linewidths=1.2)

    def _draw_points(self, axes: Any, split: str) -> str:
        """Draw the points of a split; returns which share of them is answered right, in words."""
        x, points, classes = self._points[split]
        colours = np.array([to_rgb(_colour(c)) for c in classes])
        edge = "white" if split == "train" else "black"
        axes.scatter(*points.T, c=colours, s=30, edgecolors=edge, linewidths=0.9, zorder=2)
        right = np.mean(self._shares(x).argmax(axis=1) == classes)
        return f"{split} {right:.1%}"

    def _add_legend(self, figure: Figure, axes: Any) -> None:
        marker = {"marker": "o", "linestyle": "", "markersize": 7, "markeredgewidth": 0.9}
        named = list(enumerate(self._classes))
        for index, name in named[::-1] if len(named) == 2 else named:  # +1 before -1
            face = {"markerfacecolor": _colour(index), "markeredgecolor": "white"}
            axes.plot([], [], label=name, **marker, **face)
        for split, edge in (("train", "white"), ("validation", "black")):
            if split in self._points and len(self._points) > 1:
                face = {"markerfacecolor": "#b0b0b0", "markeredgecolor": edge}
                axes.plot([], [], label=split, **marker, **face)
        figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=10)


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _shaded(shares: np.ndarray) -> np.ndarray:
    """[points, 3] the colour of the likeliest class, the paler the less it is ahead of chance."""
    count = shares.shape[1]
    best = shares.argmax(axis=1)
    sure = (shares.max(axis=1) - 1 / count) / (1 - 1 / count)
    colours = np.array([to_rgb(_colour(i)) for i in range(count)])[best]
    return np.clip(_NEUTRAL + (colours - _NEUTRAL) * 0.6 * sure[:, None], 0, 1)
