"""The figures of a detector's report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.evaluation.report.page import BLUE, COLOURS, ORANGE, new_figure, scale_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (3.9, 2.8)  # inches
_MOST = 2000  # boxes that are drawn


def precision_recall_figure(classes: Sequence[str], precision: np.ndarray) -> "Figure":
    """Draw the precision of each class over its recall.

    Args:
        classes: their names.
        precision: [recalls, classes] at the recalls 0, 0.01, ... 1; -1 of what is not known.
    """
    figure, axes = new_figure(*_SIZE, left=0.65, bottom=0.45)
    recalls = np.linspace(0, 1, len(precision))
    for index, name in enumerate(classes):
        values = precision[:, index]
        if (values > -1).any():
            label = f"{name} {values.mean():.3f}"
            colour = COLOURS[(index + 1) % len(COLOURS)]
            axes.plot(recalls, values, color=colour, label=label, linewidth=1.2)
    for which in ("x", "y"):
        scale_axis(axes, which, (-0.01, 1.01))
    axes.set(xlabel="share of the objects that is found", ylabel="share of the boxes that is right")
    if axes.lines:
        axes.legend(fontsize=7)
    return figure


def mistakes_figure(counts: Mapping[str, int]) -> "Figure":
    """Draw how often each kind of error occurs."""
    figure, axes = new_figure(3.9, 0.6 + 0.3 * len(counts), left=1.0, bottom=0.45)
    places = range(len(counts))
    bars = axes.barh(places, [*counts.values()], color=BLUE, height=0.7, gid="kinds")
    axes.bar_label(bars, fontsize=8, padding=2)
    axes.set_yticks(places, [*counts])
    axes.invert_yaxis()
    scale_axis(axes, "x", (0.0, 1.15 * max(1, *counts.values())), whole=True)
    axes.set(xlabel="boxes, or objects that are missed")
    return figure


def sizes_figure(objects: np.ndarray, anchors: np.ndarray) -> "Figure":
    """Draw how wide and high objects are, as shares of the image, beside the anchors.

    Args:
        objects: [objects, 2] widths and heights.
        anchors: [shapes, 2] the same of the anchors; none of them for a model without.
    """
    figure, axes = new_figure(*_SIZE, left=0.65, bottom=0.45)
    some = objects[np.linspace(0, len(objects) - 1, min(len(objects), _MOST)).astype(int)]
    axes.plot(*some.T, "o", color=BLUE, ms=3, alpha=0.4, mec="none", label="objects", gid="objects")
    if len(anchors):
        axes.plot(*anchors.T, "x", color=ORANGE, ms=5, label="anchors", gid="anchors")
    for which in ("x", "y"):
        scale_axis(axes, which, (0.0, max(1.0, float(anchors.max(initial=0.0)))))
    axes.set(xlabel="width, as a share of the image", ylabel="height")
    axes.legend(fontsize=7)
    return figure
