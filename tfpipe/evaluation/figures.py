"""Figures of a trained model, as the bytes of PNG files."""

from io import BytesIO

import numpy as np

from tfpipe.evaluation.classes import Confusion

MOST_NUMBERS = 20  # more classes than this have colours alone


def confusion_figure(found: Confusion, title: str) -> bytes:
    """The confusion matrix: shares of each true class as colour, counts as numbers.

    Args:
        found: the counts.
        title: what it is of.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(found.classes)
    side = float(np.clip(0.55 * count + 2.2, 3.6, 14.0))
    figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = found.matrix / np.maximum(found.matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set(xlabel="answered", ylabel="true", title=title)
    if count <= 60:
        axes.set_xticks(
            range(count), found.classes, rotation=45, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(range(count), found.classes)
    if count <= MOST_NUMBERS:
        for (row, column), number in np.ndenumerate(found.matrix):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{number:,}", ha="center", va="center", color=colour)
    encoded = BytesIO()
    figure.savefig(encoded, format="png")
    return encoded.getvalue()
