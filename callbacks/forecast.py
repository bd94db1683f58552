"""Forecast: a series and what the model predicts of it, one step ahead and further."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from callbacks.drawing import Drawing

COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")


class Forecast(Drawing):
    """Draw predictions several steps ahead over the training and validation windows.

    A model that gives the next value is called again on its own answers: the prediction k steps
    ahead of a place has seen none of the k values up to it. In TensorBoard under "forecast", the
    last one in report/forecast.png.

    Args:
        ahead: how many steps ahead to predict, one line each.
        every: draw after each so many epochs.

    Raises:
        ValueError: for numbers below 1, or data that is not windows with the next value as label.

    Example:
        callbacks = (tfpipe.deferred("callbacks.forecast").Forecast(ahead=(1, 4, 16, 64)),)
    """

    tag = "forecast"

    def __init__(self, ahead: tuple[int, ...] = (1, 4, 16, 64), every: int = 10) -> None:
        super().__init__(every)
        if not ahead or min(ahead) < 1:
            raise ValueError(f"Forecast: ahead takes numbers of steps, not {ahead}")
        self.ahead = tuple(ahead)

    def set_run(self, run: Any) -> None:
        super().set_run(run)
        parts = [run.batches(split) for split in ("train", "validation")]
        pairs = [b[:2] for part in parts if part is not None for b in part.as_numpy_iterator()]
        if any(isinstance(x, dict) or x.ndim != 2 or y.ndim != 1 for x, y in pairs):
            raise ValueError(
                "Forecast reads windows of past values with the next one as label, as "
                "Windows(..., ahead=1) gives them"
            )
        self.past = np.concatenate([x for x, _ in pairs])
        self.next = np.concatenate([y for _, y in pairs])

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        found = self.predictions(max(self.ahead))
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(self.next, color="0.8", linewidth=1, label="series")
        for steps, colour in zip(self.ahead, COLOURS, strict=False):
            # What is `steps` ahead of a window follows the window `steps - 1` places on.
            places = np.arange(steps - 1, len(self.next))
            values = found[: len(places), steps - 1]
            error = float(np.mean((values - self.next[places]) ** 2)) if len(places) else np.nan
            axes.plot(places, values, color=colour, label=f"{steps} ahead (MSE {error:.3f})")
        axes.set(xlabel="window", ylabel="value", title=f"Predictions, {when}")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right upper", fontsize=9, frameon=False)
        return figure

    def predictions(self, steps: int) -> np.ndarray:
        """[windows, steps] what follows each window, each value predicted from those before it."""
        found = np.empty((len(self.past), steps), np.float32)
        window = self.past
        for step in range(steps):
            found[:, step] = self.answers(window).reshape(-1)
            window = np.concatenate([window[:, 1:], found[:, step : step + 1]], axis=1)
        return found
