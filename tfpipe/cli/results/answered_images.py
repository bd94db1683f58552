"""Images that a model answers with, written into a folder while they come."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from tfpipe.jobs.predict.prediction import Prediction
    from tfpipe.jobs.predict.predictor import Predictor

_LONGEST = 200  # bytes of a file's name; systems take 255 with its ending and a number


def check_folder(ready: "Predictor", folder: Path | None, figures: Path | None) -> None:
    """Refuse a folder for a model that gives no images, and none for one that does.

    Args:
        ready: the model.
        folder: where images are to be written.
        figures: where figures are to be drawn.

    Raises:
        ConfigError: see above.
    """
    if ready.finds_boxes and figures is not None:
        raise ConfigError(
            f"{ready.name} finds boxes, which --to draws on the pictures; --figures draws bars "
            "beside them. Use --to DIR."
        )
    if ready.gives_images and folder is None:
        raise ConfigError(
            f"{ready.name} answers with images: say where to write them, such as --to answers"
        )
    if ready.gives_images and figures is not None:
        raise ConfigError(
            f"{ready.name} answers with images, which --to writes; --figures draws bars beside "
            "pictures. Leave it out."
        )
    if folder is not None and not (ready.gives_images or ready.finds_boxes):
        raise ConfigError(
            f"{ready.name} is of the task {ready.task.title}, and --to is for models that answer "
            "with images or find boxes. Leave it out; --figures DIR draws pictures with answers."
        )


class ImageWriter:
    """Writes each answer as a PNG file, and says which: in a line, in CSV or in JSON.

    A file bears the name of what it answers, with a number where one of that name is there already.

    Args:
        folder: where to.
        form: "table", "csv", "jsonl" or "json".
        stream: where it is said.
    """

    def __init__(self, folder: Path, form: str, stream: IO[str]) -> None:
        self._folder, self._form, self._stream = folder, form, stream
        self._all: list[dict[str, Any]] = []
        if form == "csv":
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow(["file", "image", "height", "width", "error"])

    def write(self, answers: "Sequence[Prediction]") -> None:
        """Write the next ones."""
        for answer in answers:
            image = answer.answer
            file = "" if image is None else str(save_picture(self._folder, answer.file, image))
            height, width = (0, 0) if answer.answer is None else answer.answer.shape[:2]
            if self._form == "csv":
                size = ["", ""] if answer.error else [height, width]
                self._csv.writerow([answer.file, file, *size, answer.error])
            elif self._form == "table":
                shown = f"error: {answer.error}" if answer.error else f"{file}  {width}x{height}"
                self._stream.write(f"{answer.file}  {shown}\n")
            else:
                found = {"file": answer.file, "image": file, "height": height, "width": width}
                if answer.error:
                    found = {"file": answer.file, "error": answer.error}
                if self._form == "jsonl":
                    self._stream.write(json.dumps(found) + "\n")
                else:
                    self._all.append(found)

    def end(self) -> None:
        """Write what follows the last one."""
        if self._form == "json":
            self._stream.write(json.dumps(self._all, indent=2) + "\n")


def save_picture(folder: Path, file: str, image: "np.ndarray") -> Path:
    """Write an image as a PNG file, whole or not at all, and return where it is.

    It bears the name of what it answers, with a number where one of that name is there already.

    Args:
        folder: where to.
        file: what it answers.
        image: [height, width, channels] uint8.
    """
    import io
    import re

    from PIL import Image

    from tfpipe.storage import storage, write_whole

    # Of letters that make no path, whatever the place of a frame is.
    stem = re.sub(r"[^\w.-]+", "_", Path(file).stem).strip("._") or "image"
    stem = stem.encode()[:_LONGEST].decode(errors="ignore")
    name, number = stem, 1
    while (folder / f"{name}.png").exists():
        number += 1
        name = f"{stem}_{number}"
    written = io.BytesIO()
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(pixels).save(written, "PNG")
    path = folder / f"{name}.png"
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, written.getvalue())
    return path
