"""Phase curves: accuracy and loss over all epochs, with a line where each phase begins."""

from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from callbacks.drawing import Drawing

TRAINING, VALIDATION, LINE = "tab:blue", "tab:orange", "0.45"


class PhaseCurves(Drawing):
    """Draw the training so far: a panel for each metric, training and validation in each.

    Where the training has phases (`FineTune`), a line and a label mark the first epoch of each. In
    TensorBoard under "phase_curves", the last one in report/phase_curves.png.

    Args:
        metrics: the metrics to draw, by their names in training; accuracy, where it is measured,
            and the loss when None.
        every: draw after each so many epochs.

    Raises:
        ValueError: for a metric that is not measured, or an `every` below 1.

    Example:
        callbacks = (tfpipe.deferred("callbacks.phase_curves").PhaseCurves(),)
    """

    tag = "phase_curves"

    def __init__(self, metrics: tuple[str, ...] | None = None, every: int = 1) -> None:
        super().__init__(every)
        self.metrics = metrics
        self.epochs: list[dict[str, float]] = []

    def get_state(self) -> dict[str, Any]:
        """The curves so far, which a resumed training goes on drawing."""
        return {"epochs": self.epochs}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up the curves of a training that was stopped."""
        self.epochs = [*state["epochs"]]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self.epochs = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        # What is not finite has no place in a picture, nor in the JSON of a saved state.
        self.epochs.append({n: v for n, v in numbers.items() if isfinite(v)} | {"epoch": epoch + 1})
        super().on_epoch_end(epoch, logs)

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        drawn = self._drawn()
        figure = Figure(figsize=(5.5 * len(drawn), 4.2), layout="constrained")
        for panel, name in enumerate(drawn, start=1):
            axes = figure.add_subplot(1, len(drawn), panel)
            self._curve(axes, name, "training", TRAINING)
            self._curve(axes, f"val_{name}", "validation", VALIDATION)
            self._dress(axes, name)
            self._phases(axes)
        figure.suptitle(f"Curves, {when}", fontsize=12)
        return figure

    def _drawn(self) -> tuple[str, ...]:
        """The metrics to draw."""
        known = {name for epoch in self.epochs for name in epoch}
        if self.metrics is None:
            return ("accuracy", "loss") if "accuracy" in known else ("loss",)
        measured = sorted(n for n in known - {"epoch", "phase"} if not n.startswith("val_"))
        missing = [name for name in self.metrics if name not in known]
        if missing and self.epochs:
            raise ValueError(
                f"PhaseCurves: {missing[0]!r} is not measured; there is: {', '.join(measured)}"
            )
        return self.metrics

    def _curve(self, axes: Axes, name: str, label: str, colour: str) -> None:
        """One line, with the last value in its label."""
        points = [(epoch["epoch"], epoch[name]) for epoch in self.epochs if name in epoch]
        if not points:
            return
        marker = "o" if len(points) <= 40 else None
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            label=f"{label} {points[-1][1]:.3f}",
            linewidth=1.8,
            marker=marker,
            markersize=3.5,
        )

    def _dress(self, axes: Axes, name: str) -> None:
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.set_xlim(0.5, (self.epochs[-1]["epoch"] if self.epochs else 1) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        if name.endswith("accuracy"):
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:  # an offset above the axis would lie on the phase's name
            axes.ticklabel_format(axis="y", useOffset=False)
        if axes.lines:
            axes.legend(frameon=False, fontsize=9)

    def _phases(self, axes: Axes) -> None:
        """A line before the first epoch of each phase, and its name at the top."""
        before: float | None = None
        for epoch in self.epochs:
            phase = epoch.get("phase")
            if phase is not None and phase != before:
                self._mark(axes, epoch["epoch"], f"phase {phase:.0f}", first=before is None)
                before = phase

    def _mark(self, axes: Axes, epoch: float, label: str, *, first: bool) -> None:
        place = epoch - 0.5
        if not first:  # the first begins where the axis does
            axes.axvline(place, color=LINE, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            label,
            (place, 1.0),
            (4, 2),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            color=LINE,
            fontsize=9,
        )
