"""ImageGrid: what the training images look like, each with its class's name."""

from typing import Any

from matplotlib.figure import Figure

from callbacks.drawing import Drawing
from callbacks.predictions import first_images, show_image


class ImageGrid(Drawing):
    """Draw a square of training images with their names, once, when training ends.

    Args:
        side: how many images a side.

    Raises:
        ValueError: for a side below 1, or data without images.

    Example:
        callbacks = (tfpipe.deferred("callbacks.image_grid").ImageGrid(side=5),)
    """

    tag = "images"

    def __init__(self, side: int = 5) -> None:
        super().__init__(every=1)
        if side < 1:
            raise ValueError(f"ImageGrid: side is a number of images, not {side}")
        self.side = side

    def set_run(self, run: Any) -> None:
        super().set_run(run)
        self.images, self.labels = first_images(run, "train", self.side**2, "ImageGrid")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0:  # they do not change
            super().on_epoch_end(epoch, logs)

    def draw(self, when: str, logs: dict[str, Any]) -> Figure:
        figure = Figure(figsize=(self.side * 1.5, self.side * 1.7), layout="constrained")
        grid = figure.subplots(self.side, self.side, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, image, label in zip(grid.flat, self.images, self.labels, strict=False):
            show_image(axes, image)
            name = self.run.classes[int(label)] if self.run.classes else f"{float(label):g}"
            axes.set_xlabel(name, fontsize=9)
        return figure
