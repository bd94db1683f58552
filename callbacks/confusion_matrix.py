"""ConfusionMatrix: which classes are taken for which, while training goes on.

callbacks = (tfpipe.deferred("callbacks.confusion_matrix").ConfusionMatrix(every=5),)
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from callbacks.drawing import Drawing

_MOST_WITH_TEXT = 30  # with more classes the numbers could not be read
_MOST_WITH_NAMES = 60


class ConfusionMatrix(Drawing):
    """Draws the confusion matrix of a split: a row for each true class, a column for each answer.

    A cell is the darker, the larger its share of its row, so that rare classes show as well as
    frequent ones. The images are in TensorBoard under "confusion_matrix", the last one is
    report/confusion_matrix.png.

    mlxtend's `plot_confusion_matrix` is not used: it labels the axes through pyplot, whose current
    figure is another one, and which keeps every figure in memory.

    Args:
        every: draw after each so many epochs.
        split: "validation" or "train".
        normalize: whether the cells say their share of the row in per cent, not how many samples.

    Raises:
        ValueError: where the data has no such split, or the task has no classes.
    """

    tag = "confusion_matrix"

    def __init__(self, every: int = 1, split: str = "validation", normalize: bool = False) -> None:
        super().__init__(every)
        self.split = split
        self.normalize = normalize
        self._batches: Any = None

    def set_run(self, run: Any) -> None:
        super().set_run(run)
        if run.task not in ("classification", "binary"):
            raise ValueError(
                f"ConfusionMatrix counts samples of one class each; the task is {run.task}."
            )
        self._batches = run.batches(self.split)
        if self._batches is None:
            raise ValueError(
                f"ConfusionMatrix(split={self.split!r}): the data has no such split. Hold out a "
                "part for validation, or use split='train'."
            )

    def count(self) -> np.ndarray:
        """[classes, classes] numbers of samples: true classes in rows, answers in columns."""
        size = len(self.run.classes)
        counts = np.zeros(size * size, np.int64)
        for x, y, *_ in self._batches:
            answers = self.answers(x)
            binary = self.run.task == "binary"
            found = answers.reshape(-1) > 0.5 if binary else answers.argmax(axis=-1)
            truth = np.asarray(y).reshape(-1).astype(np.int64)
            counts += np.bincount(truth * size + found, minlength=size * size)
        return counts.reshape(size, size)

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        counts = self.count()
        right, total = int(np.trace(counts)), int(counts.sum())
        title = f"{self.split.capitalize()}, {when}\n{right / total:.1%} of {total:,} right"
        return plot(counts, self.run.classes, title, self.normalize)


def plot(counts: np.ndarray, classes: tuple[str, ...], title: str, normalize: bool) -> Figure:
    """A confusion matrix as a figure.

    Args:
        counts: [classes, classes] numbers of samples.
        classes: their names.
        title: what it is of.
        normalize: whether the cells show shares.
    """
    size = len(classes)
    side = float(np.clip(0.6 * size, 3.0, 10.0))
    names = max(map(len, classes), default=0) * 0.08 if size <= _MOST_WITH_NAMES else 0.2
    figure = Figure(figsize=(side + 1.0 + names, side + 1.2 + 0.7 * names))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_title(title, fontsize=11, pad=12)
    axes.set_xlabel("answer", fontsize=10, labelpad=8)
    axes.set_ylabel("true class", fontsize=10, labelpad=8)
    fontsize = float(np.clip(72 * 0.36 * side / size, 5.0, 10.0))
    _name(axes, classes, fontsize if size <= _MOST_WITH_NAMES else 9.0)
    if size <= _MOST_WITH_TEXT:
        _write(axes, counts, shares, normalize, fontsize)
    return figure


def _name(axes: Any, classes: tuple[str, ...], fontsize: float) -> None:
    """Ticks with the names of the classes, white lines between the cells, no frame."""
    size = len(classes)
    axes.tick_params(length=0, labelsize=fontsize)
    axes.spines[:].set_visible(False)
    if size > _MOST_WITH_NAMES:
        return
    axes.set_yticks(range(size), classes)
    if max(map(len, classes)) > 3:
        axes.set_xticks(range(size), classes, rotation=45, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(size), classes)
    axes.set_xticks(np.arange(size - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(size - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.0)
    axes.tick_params(which="minor", length=0)


def _write(
    axes: Any, counts: np.ndarray, shares: np.ndarray, normalize: bool, fontsize: float
) -> None:
    """The numbers in the cells; none where there is no sample."""
    for row, column in np.argwhere(counts):
        share = shares[row, column]
        text = f"{100 * share:.0f}%" if normalize else f"{counts[row, column]:,}"
        colour = "white" if share > 0.5 else "#202020"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=fontsize)
