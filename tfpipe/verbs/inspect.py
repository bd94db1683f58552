"""`tfpipe inspect`: what each layer of a small image classifier makes of an image, as a page."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.declare.codec import from_json
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices import start_tensorflow
from tfpipe.errors import ConfigError
from tfpipe.evaluation.inspection.limits import MOST_IMAGES, check_kind, check_size
from tfpipe.jobs.predict.best_model import best_file, load_model
from tfpipe.jobs.restore import Stopped, read_stopped
from tfpipe.runs.directory import find_run
from tfpipe.tasks import task_for
from tfpipe.tasks.task import Task
from tfpipe.terminal import Silent, Terminal
from tfpipe.text import listed

if TYPE_CHECKING:
    import keras

    from tfpipe.evaluation.inspection.write import InspectedImage
    from tfpipe.jobs.inspection.images import LabelledImage


def inspect(
    target: str | Path,
    images: Iterable[str] = (),
    *,
    to: str | Path | None = None,
    samples: int = 4,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Write a page of what each layer of a run's best model makes of some images.

    Args:
        target: a run's name, a unique beginning of it, its path, or "last"; of a classifier of
            images of at most 128x128 pixels.
        images: image files, folders and patterns; some of the run's own data when none is named.
        to: the page; inspect.html in the run's report/ when None.
        samples: how many images of its own data, 1 to 16.
        root: the folder with runs/.
        terminal: told what is slow.

    Returns:
        "page", where it is, its "bytes", its number of "layers" and "maps", and "images", each
        with its name, true class and answer.

    Raises:
        TfpipeError: for no such run, a model that is no small image classifier, and images that
            cannot be read.

    Example:
        tfpipe.inspect("last", ["cat.png"], to="cat.html")["page"]
    """
    terminal = terminal or Silent()
    if not 1 <= samples <= MOST_IMAGES:
        raise ConfigError(f"{samples} samples were asked for. Give 1 to {MOST_IMAGES}, such as 4.")
    if to is not None and Path(to).exists() and Path(to).suffix.lower() not in (".html", ".htm"):
        raise ConfigError(
            f"{to} is there and no page, and would be written over. Name one: --to page.html"
        )
    stopped = read_stopped(find_run(Path(root), str(target)))
    best = best_file(stopped)
    spec: ElementSpec = from_json(stopped.config["spec"])
    declared = stopped.config["pipeline"]["task"]
    check_kind(stopped.name, spec, task_for(spec, declared))
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    from tfpipe.evaluation.inspection.write import Inspection, write_page
    from tfpipe.jobs.inspection.images import images_of_data, images_of_files

    named = [*images]
    if named:
        shown = images_of_files(named, spec, stopped.name)
    else:
        shown = images_of_data(stopped, spec, samples, terminal)
    with terminal.waiting("loading the model"):
        model = load_model(best, stopped)
    task = task_for(spec, declared).for_model(model)
    with terminal.waiting("computing every layer"):
        pictures = _inspected(stopped.name, model, task, shown)
    inspection = Inspection(
        stopped.name,
        spec.label.classes,
        _notes(stopped, model, max(step.views for step in pictures[0].steps)),
        pictures,
        spec.feature.dtype == "uint8",
    )
    file = stopped.directory.report / "inspect.html" if to is None else Path(to)
    size = write_page(file, inspection)
    return {
        "page": str(file),
        "bytes": size,
        "layers": len(pictures[0].steps),
        "maps": sum(step.maps for step in pictures[0].steps),
        "images": [{"name": p.name, "truth": p.truth, "answer": p.answer} for p in pictures],
    }


def _inspected(
    name: str, model: "keras.Model", task: Task, images: "list[LabelledImage]"
) -> "list[InspectedImage]":
    """What each layer makes of each image; the first one shows whether the model is too large."""
    from tfpipe.evaluation.inspection.trace import trace
    from tfpipe.evaluation.inspection.write import InspectedImage

    found: list[InspectedImage] = []
    for image in images:
        steps = trace(model, task, image.pixels)
        if not found:
            check_size(name, steps, len(images))
        answer = _in_words(task, steps[-1].values)
        found.append(InspectedImage(image.name, image.truth, answer, steps))
    return found


def _in_words(task: Task, probabilities: np.ndarray) -> str:
    """An answer as a caption says it: "cat 87%"; of several yes/no answers those that are yes."""
    named = task.named(probabilities.tolist(), len(task.label.classes))
    if task.judged_as == "yes_no":
        return ", ".join(f"{name} {p:.0%}" for name, p in named if p >= 0.5) or "none"
    return f"{named[0][0]} {named[0][1]:.0%}"


def _notes(stopped: Stopped, model: "keras.Model", views: int) -> tuple[str, ...]:
    """What must not be overlooked about the numbers."""
    notes = []
    if stopped.sample:
        notes.append("The model was trained on generated data: what it sees means nothing.")
    if views > 1:
        notes.append(
            f"The model looks at {views} views of each image and averages what it makes of them: "
            "the maps are of the first one."
        )
    types = {str(layer.compute_dtype) for layer in model.layers} & {"bfloat16", "float16"}
    if types:
        notes.append(
            f"The model computes in {listed(sorted(types))}, which rounds each number to about "
            "three digits; the page's sums are not rounded, and differ by that."
        )
    return tuple(notes)
