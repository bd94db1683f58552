"""Predictions: images with what the model answers, each beside its probabilities."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from callbacks.drawing import Drawing

RIGHT, WRONG, OTHER = "tab:blue", "tab:red", "0.75"
A_ROW = 3


class Predictions(Drawing):
    """Draw images of a split with their answers, blue when right and red when wrong.

    Each is captioned "Sneaker 87% (Sandal)", the answer and then the truth, beside a bar chart of
    all probabilities: in TensorBoard under "predictions", the last one in report/predictions.png.

    Args:
        every: draw after each so many epochs.
        split: whose images: "validation" or "train".
        count: how many images, the first ones as they are stored.

    Raises:
        ValueError: for numbers below 1, data without images or classes, or a split that is not
            there.

    Example:
        callbacks = (tfpipe.deferred("callbacks.predictions").Predictions(every=5),)
    """

    tag = "predictions"

    def __init__(self, every: int = 5, split: str = "validation", count: int = 15) -> None:
        super().__init__(every)
        if count < 1:
            raise ValueError(f"Predictions: count is a number of images, not {count}")
        self.split = split
        self.count = count

    def set_run(self, run: Any) -> None:
        super().set_run(run)
        if run.task not in ("classification", "binary"):
            raise ValueError(f"Predictions draws one class an image; the task is {run.task}")
        self.images, self.labels = first_images(run, self.split, self.count, "Predictions")

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        found = self.answers(self.images)
        if found.shape[1] == 1:  # binary: the second class's probability
            found = np.concatenate([1.0 - found, found], axis=1)
        rows = -(-len(self.images) // A_ROW)
        figure = Figure(figsize=(A_ROW * 3.6, rows * 2.1 + 0.4), layout="constrained")
        figure.suptitle(f"{self.split.capitalize()}, {when}")
        pairs = figure.subplots(rows, 2 * A_ROW, squeeze=False).reshape(-1, 2)
        for axes in pairs.flat:
            axes.set_axis_off()
        for pair, image, label, answer in zip(pairs, self.images, self.labels, found, strict=False):
            self._draw_one(pair, image, int(label), answer)
        return figure

    def _draw_one(self, pair: Any, image: np.ndarray, label: int, answer: np.ndarray) -> None:
        classes, best = self.run.classes, int(answer.argmax())
        picture, chart = pair
        show_image(picture, image)
        caption = f"{classes[best]} {answer[best]:.0%}\n({classes[label]})"
        picture.set_xlabel(caption, color=RIGHT if best == label else WRONG, fontsize=9)
        chart.set_axis_on()
        bars = chart.bar(range(len(answer)), answer, color=OTHER)
        bars[best].set_color(WRONG)
        bars[label].set_color(RIGHT)
        chart.set(ylim=(0, 1), yticks=[], xticks=range(len(answer)) if len(answer) <= 10 else [])
        chart.tick_params(labelsize=7)


def first_images(run: Any, split: str, count: int, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """The first images of a split as they are stored, and their labels."""
    batches = run.batches(split)
    if batches is None:
        raise ValueError(f"{owner}: there is no split {split!r}; use split='train'")
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for x, y, *_ in batches.as_numpy_iterator():
        if isinstance(x, dict) or x.ndim != 4:
            raise ValueError(f"{owner} draws images, and the data has none")
        images.append(x)
        labels.append(np.reshape(y, -1))
        if sum(map(len, images)) >= count:
            break
    return np.concatenate(images)[:count], np.concatenate(labels)[:count]


def show_image(axes: Axes, image: np.ndarray) -> None:
    """An image without ticks; grey ones dark on light."""
    axes.set_axis_on()
    high = 255.0 if image.dtype == np.uint8 else max(1.0, float(image.max()))
    grey = image.shape[-1] == 1
    axes.imshow(image[..., 0] if grey else image[..., :3] / high, cmap="gray_r" if grey else None)
    axes.set(xticks=[], yticks=[])
