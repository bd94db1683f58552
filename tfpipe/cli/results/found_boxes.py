"""Boxes that a model found: as lines, CSV, JSON or a COCO data set, and drawn on the pictures."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tfpipe.cli.results.answered_images import save_picture
from tfpipe.errors import ConfigError

if TYPE_CHECKING:
    from tfpipe.jobs.predict.prediction import Prediction
    from tfpipe.jobs.predict.predictor import Predictor

_CORNERS = ("x1", "y1", "x2", "y2")


def check_boxes(ready: "Predictor", score: float | None, form: str | None) -> None:
    """Refuse what is for boxes where a model finds none; raise ConfigError."""
    if ready.finds_boxes:
        return
    given = "--score" if score is not None else "--format coco" if form == "coco" else ""
    if given:
        raise ConfigError(
            f"{given} is for models that find boxes, and {ready.name} is of the task "
            f"{ready.task.title}. Leave it out."
        )


class BoxWriter:
    """Writes the boxes of each picture, and with a folder the picture with its boxes.

    Corners are in pixels of the upright picture.

    Args:
        ready: the model.
        folder: where pictures are drawn, as PNG files; None for nowhere.
        form: "table", "csv", "jsonl", "json" or "coco".
        stream: where boxes are written.
    """

    def __init__(self, ready: "Predictor", folder: Path | None, form: str, stream: IO[str]) -> None:
        self._ready, self._folder, self._form, self._stream = ready, folder, form, stream
        self._all: list[dict[str, Any]] = []
        if form == "csv":
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow(["file", "class", "score", *_CORNERS, "error"])

    def write(self, answers: "Sequence[Prediction]") -> None:
        """Write the next ones."""
        for answer in answers:
            drawn = self._drawn(answer)
            if self._form == "table":
                self._stream.write(_lines(answer, drawn))
            elif self._form == "csv":
                self._rows(answer)
            else:
                found = _told(answer, drawn)
                if self._form == "jsonl":
                    self._stream.write(json.dumps(found) + "\n")
                else:
                    self._all.append(found)

    def end(self) -> None:
        """Write what follows the last one."""
        if self._form == "json":
            self._stream.write(json.dumps(self._all, indent=2) + "\n")
        elif self._form == "coco":
            classes = self._ready.spec.label.classes
            self._stream.write(json.dumps(_coco(self._all, classes), indent=1) + "\n")

    def _rows(self, answer: "Prediction") -> None:
        if answer.error:
            self._csv.writerow([answer.file, "", "", *[""] * 4, answer.error])
        for box in answer.boxes:
            corners = [f"{value:.1f}" for value in box[2:]]
            self._csv.writerow([answer.file, box.name, f"{box.score:.4f}", *corners, ""])

    def _drawn(self, answer: "Prediction") -> Path | None:
        """Draw a picture with its boxes, and return where it is."""
        if self._folder is None or answer.error:
            return None
        from tfpipe.evaluation.detection.pictures import found_drawn
        from tfpipe.tasks.detection import Detection

        task, pixels = self._ready.task, answer.pixels()
        assert isinstance(task, Detection)
        return save_picture(self._folder, answer.file, found_drawn(task, pixels, answer.boxes))


def _lines(answer: "Prediction", drawn: Path | None) -> str:
    if answer.error:
        return f"{answer.file}  error: {answer.error}\n"
    where = f"  {drawn}" if drawn else ""
    lines = [f"{answer.file}{where}  {len(answer.boxes)} found"]
    width = max((len(box.name) for box in answer.boxes), default=0)
    for box in answer.boxes:
        corners = " ".join(f"{value:7.1f}" for value in box[2:])
        lines.append(f"  {box.name:{width}}  {box.score:4.0%}  {corners}")
    return "\n".join(lines) + "\n"


def _told(answer: "Prediction", drawn: Path | None) -> dict[str, Any]:
    if answer.error:
        return {"file": answer.file, "error": answer.error}
    height, width = answer.size
    boxes = [
        {
            "class": box.name,
            "score": round(box.score, 4),
            "box": [round(value, 1) for value in box[2:]],
        }
        for box in answer.boxes
    ]
    found = {"file": answer.file, "width": width, "height": height, "boxes": boxes}
    return found | ({"image": str(drawn)} if drawn else {})


def _coco(found: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """Return boxes as COCO has a data set, with a score each; files with an error are left out."""
    sound = [one for one in found if "error" not in one]
    images = [
        {"id": i, "file_name": one["file"], "width": one["width"], "height": one["height"]}
        for i, one in enumerate(sound, 1)
    ]
    annotations: list[dict[str, Any]] = []
    for image, one in enumerate(sound, 1):
        for box in one["boxes"]:
            x1, y1, x2, y2 = box["box"]
            sides = [round(x2 - x1, 1), round(y2 - y1, 1)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": classes.index(box["class"]) + 1,
                    "bbox": [x1, y1, *sides],
                    "area": round(sides[0] * sides[1], 2),
                    "iscrowd": 0,
                    "score": box["score"],
                }
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(classes, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}
