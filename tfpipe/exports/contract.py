"""What goes into an exported model and what comes out, for whoever calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfpipe.declare.codec import to_json
from tfpipe.declare.spec import ElementSpec
from tfpipe.exports.golden import precision_of
from tfpipe.exports.parity import COARSER
from tfpipe.exports.signatures import takes_files
from tfpipe.tasks.task import Task

# What `serving_bytes` takes, for whoever calls the model.
FILES = (
    "JPEG, PNG, GIF, BMP, and WebP that does not move, of any size; photos are turned upright as "
    "their EXIF says. Convert TIFF, AVIF and others to one of these first"
)
# How far images may be from the golden ones, of 255: where a value is halfway between two, another
# machine rounds otherwise; in bfloat16 a value near white is known to one or two levels.
GREY_LEVELS = {"float32": 1.0, "float16": 2.0, "bfloat16": 8.0}
BOXES_TOLD = (
    "(x1, y1, x2, y2): of serving_default from 0 to 1 of the array, of serving_bytes in pixels of "
    "the upright image; the first `count` rows, the best first"
)
# How far boxes may be, of the image's sides, and the numbers by which they are chosen.
BOXES = 1e-4
LICENCE = (
    "The licences of the training data and of pretrained weights apply to these weights; tfpipe "
    "adds no condition of its own."
)


@dataclass(frozen=True)
class Origin:
    """Where an exported model comes from.

    Args:
        run: the run's name.
        checkpoint: which weights: "last" or "best".
        metrics: by split.
        written: how the files were written that it was trained on: the source's fields such as
            `delimiter` and `missing`.
        training: what the training data is like, as `statistics_of` says.
        generated: whether it was trained on generated data.
    """

    run: str = ""
    checkpoint: str = "last"
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    generated: bool = False


def contract(model: Any, task: Task, spec: ElementSpec, origin: Origin) -> dict[str, Any]:
    """Return what goes in and what comes out.

    What the builder has put down in the model's `input_contract` is told too: what a pretrained
    network inside expects, and how the model's first layers see to it.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        origin: where it comes from.
    """
    inside = getattr(model, "input_contract", None)
    resize = "inside serving_bytes: bilinear, antialiased, rounded"
    if any(f.resize for f in spec.features):
        resize += "; proportions kept, to cover `resize`, of which the centre of `shape` is cut out"
    if spec.gives_images:
        resize = "none: images of any size, large ones in parts"
    if any(f.letterbox for f in spec.features):
        resize += "; proportions kept, to fit in `shape`, with grey around"
    told: dict[str, Any] = {
        "task": task.title,
        "inputs": [to_json(f) for f in spec.asked.features],
        "scaling": "inside the model: give samples as the data set has them",
        "resize": resize,
        "label": to_json(spec.label),
        "output": task.output,
        "boxes": BOXES_TOLD if spec.finds_boxes else "",
        "precision": precision_of(model),
        "files": FILES if takes_files(spec) else "",
        "pretrained": inside or {},
        "written": {**origin.written},
        "run": origin.run,
        "checkpoint": origin.checkpoint,
        "generated": origin.generated,
        "metrics": {split: {**values} for split, values in origin.metrics.items()},
        "training": {**origin.training},
        "licence": LICENCE,
        "tolerance": "",
    }
    if spec.finds_boxes:
        told["tolerance"] = BOXES * COARSER[precision_of(model)]
    elif spec.gives_images:
        told["tolerance"] = GREY_LEVELS[precision_of(model)]
    return {name: value for name, value in told.items() if value not in ("", {}, False)}


def signatures_of(functions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs and outputs of signatures, each with its type and shape.

    Args:
        functions: the concrete functions by name.
    """

    def told(specs: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
        return {
            name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
            for name, spec in specs.items()
        }

    found = {}
    for name, function in functions.items():
        positional, named = function.structured_input_signature
        inputs = named or {}
        for spec in positional:
            inputs = {**inputs, **(spec if isinstance(spec, dict) else {spec.name: spec})}
        found[name] = {"inputs": told(inputs), "outputs": told(function.structured_outputs)}
    return found
