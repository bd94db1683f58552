"""How large a model may be that is shown layer by layer, and what is said of a larger one."""

from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ModelError
from tfpipe.evaluation.inspection.step import Step
from tfpipe.tasks.task import Task
from tfpipe.text import byte_size, counted

MOST_PIXELS = 128 * 128
MOST_STEPS = 200
MOST_MAPS = 16_384
MOST_BYTES = 64_000_000
MOST_IMAGES = 16

_SMALLER = "tfpipe inspect is for small networks"


def check_kind(name: str, spec: ElementSpec, task: Task) -> None:
    """Refuse a model that is no classifier of one image of at most 128x128 pixels.

    Args:
        name: the run's, for the message.
        spec: what the model reads.
        task: what its outputs mean.

    Raises:
        ModelError: saying what the model reads or gives, and what is expected.
    """
    if len(spec.features) != 1 or spec.features[0].kind != "image":
        inputs = ", ".join(f"{f.name} ({f.kind})" for f in spec.features[:4])
        more = f" and {len(spec.features) - 4} more" if len(spec.features) > 4 else ""
        raise ModelError(
            f"{name} reads {inputs}{more}; tfpipe inspect shows models that read one image. "
            f"How good this one is, and by what it answers: tfpipe evaluate {name}"
        )
    if task.judged_as not in ("class", "yes_no") or not task.activations:
        raise ModelError(
            f"{name} is of the task {task.title}; tfpipe inspect shows classifiers of images: "
            "the tasks classification, binary and multilabel, with one output."
        )
    height, width, _ = spec.feature.shape
    if not 0 < height * width <= MOST_PIXELS:
        size = f"{width}x{height}: {height * width:,} pixels" if height * width else "of any size"
        raise ModelError(
            f"{name} reads images {size}; the limit is {MOST_PIXELS:,} pixels (128x128), as every "
            f"map of every layer is in the page. {_SMALLER}: train one on smaller images, such as "
            "with data.size=(96, 96)."
        )


def check_size(name: str, steps: list[Step], images: int) -> None:
    """Refuse a model of too many layers, maps or numbers.

    Args:
        name: the run's, for the message.
        steps: of one image.
        images: how many images the page is to hold.

    Raises:
        ModelError: saying the number and the limit.
    """
    maps = sum(step.maps for step in steps)
    for count, limit, noun in ((len(steps), MOST_STEPS, "layer"), (maps, MOST_MAPS, "map")):
        if count > limit:
            raise ModelError(
                f"{name} has {counted(count, noun)}; the limit is {limit:,}. {_SMALLER}: train "
                "one with fewer or narrower layers."
            )
    weights = sum(array.nbytes for step in steps for array in step.weights.values())
    one = sum(step.values.nbytes for step in steps)
    size = page_bytes(weights + images * one)
    if size > MOST_BYTES:
        fit = max(0, int((MOST_BYTES * 3 / 4 - weights) // one))
        advice = (
            f"Show {counted(fit, 'image')} or fewer: name fewer files, or --samples {fit}."
            if fit
            else f"{_SMALLER}: train one with narrower layers."
        )
        raise ModelError(
            f"The page of {name} with {counted(images, 'image')} would have up to "
            f"{byte_size(size)}; the limit is {byte_size(MOST_BYTES)}. {advice}"
        )


def page_bytes(numbers: int) -> int:
    """Return how many bytes of a page so many bytes of numbers take at the most."""
    return -(-numbers * 4 // 3)
