"""Pictures of what a detector found, beside what is true."""

import io
from collections.abc import Sequence

import numpy as np

from tfpipe.evaluation.detection.drawing import colour_of, with_boxes
from tfpipe.tasks.detection import SHOWN, Box, Detection

_WHITE = (255, 255, 255)
_LEAST = 480  # pixels of the longer side


def picture(
    task: Detection, image: np.ndarray, answer: np.ndarray, label: np.ndarray | None = None
) -> bytes:
    """Return an image with the boxes that were found, and the true ones, as a PNG file.

    Args:
        task: what the boxes mean.
        image: [height, width, channels] uint8.
        answer: [boxes, 6] what was found.
        label: [boxes, 6] what is true; None where that is not known.
    """
    from PIL import Image

    drawn = Image.fromarray(enlarged(image))
    size = (drawn.height, drawn.width)
    boxes = [] if label is None else true_boxes(task, label, size)
    pixels = np.asarray(drawn)
    pixels = with_boxes(pixels, [("", box[2:], _WHITE) for box in boxes])
    pixels = found_drawn(task, pixels, task.boxes(answer, size, SHOWN))
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return written.getvalue()


def found_drawn(task: Detection, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Return an image with boxes in the colours of their classes, each with name and score.

    Args:
        task: knows the classes.
        image: [height, width, 3] uint8.
        boxes: in pixels of the image.
    """
    classes = task.label.classes
    return with_boxes(
        image,
        [
            (f"{box.name} {box.score:.0%}", box[2:], colour_of(classes.index(box.name)))
            for box in boxes
        ],
    )


def true_drawn(task: Detection, image: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return an image with its true boxes in the colours of their classes, and their names.

    Args:
        task: knows the classes.
        image: [height, width, channels] uint8.
        label: [boxes, 6] what is true.
    """
    large, classes = enlarged(image), task.label.classes
    boxes = true_boxes(task, label, (large.shape[0], large.shape[1]))
    return with_boxes(large, [(b.name, b[2:], colour_of(classes.index(b.name))) for b in boxes])


def true_boxes(task: Detection, label: np.ndarray, size: tuple[int, int]) -> list[Box]:
    """Return the boxes of a label, in pixels of an image of that height and width."""
    scored = np.concatenate([label[:, :4], np.ones((len(label), 1)), label[:, 4:5]], axis=1)
    return task.boxes(scored, size, 0.0)


def enlarged(image: np.ndarray) -> np.ndarray:
    """Return an image in colour, whose longer side has at least so many pixels that names fit."""
    from PIL import Image

    colour = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    times = max(1.0, _LEAST / max(colour.size))
    size = [round(side * times) for side in colour.size]
    return np.asarray(colour.resize((size[0], size[1]), Image.Resampling.BILINEAR))
