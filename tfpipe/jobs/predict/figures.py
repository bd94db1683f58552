"""Pictures with captions and, beside them, bars of the top probabilities, as PNG files."""

import io
import re
import warnings
from collections.abc import Iterable, Mapping
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.errors import ConfigError
from tfpipe.jobs.predict.prediction import Prediction
from tfpipe.storage import storage, write_whole
from tfpipe.tasks.task import Named, Task
from tfpipe.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tfpipe.jobs.predict.predictor import Predictor

_BLUE, _PALE = "#3572b0", "#b7cbe0"  # the most probable, and the others
_SIZE = (5.2, 2.2)  # inches of a picture and its bars


class Figures:
    """A folder of figures, which come while answers do.

    Args:
        folder: where they are written.
        per_page: how many pictures in one file.
        ready: the model that answers.

    Raises:
        ConfigError: where the model reads no pictures.
        StorageError: where the folder cannot be written.
    """

    def __init__(self, folder: Path, per_page: int, ready: "Predictor") -> None:
        if not ready.reads_images:
            inputs = ", ".join(f"{f.name} ({f.kind})" for f in ready.spec.features[:5])
            raise ConfigError(f"--figures draws pictures, and {ready.name} reads {inputs}.")
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._per_page, self._outputs = folder, per_page, ready.outputs
        self._waiting: list[Prediction] = []
        self._pictures = 0
        self.written = 0

    def add(self, answers: Iterable[Prediction]) -> None:
        """Draw the next answers; those without a picture are left out."""
        for answer in answers:
            if answer.image is not None:
                self._waiting.append(answer)
                if len(self._waiting) == self._per_page:
                    self.end()

    def end(self) -> None:
        """Write the pictures that wait for their page to fill."""
        if not self._waiting:
            return
        self.written += 1
        name = f"page_{self.written:04}"
        if self._per_page == 1:  # a picture's own name, of letters that make no path
            own = re.sub(r"[^A-Za-z0-9_-]+", "_", self._waiting[0].file).strip("_")
            name = f"{self.written:04}_{own[-80:]}"
        write_whole(self._folder / f"{name}.png", _png(self._waiting, self._outputs))
        self._waiting = []


def caption(answer: Prediction, outputs: Mapping[str, Task]) -> str:
    """Return an answer in a line: "cat 87%"; of several outputs "kind: cat 87%, size: 3.2000".

    Args:
        answer: what was answered.
        outputs: the task of each output.
    """
    said = []
    for output, values in answer.outputs.items():
        if outputs[output].output == "probabilities":
            shown = f"{values[0][0]} {values[0][1]:.0%}"
        else:
            shown = ", ".join(number(value) for _, value in values[:4])
        said.append(f"{output}: {shown}" if output else shown)
    return ", ".join(said)


def in_order(values: Named, task: Task) -> Named:
    """Return probabilities in the order of the classes where all are there, so that frames compare.

    Args:
        values: the classes with their probabilities, the most probable first.
        task: what they answer.
    """
    classes = task.label.classes
    if len(values) < len(classes) or task.output != "probabilities":
        return values
    return tuple(sorted(values, key=lambda pair: classes.index(pair[0])))


def _png(answers: list[Prediction], outputs: Mapping[str, Task]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = ceil(sqrt(len(answers) / 2)) if len(answers) > 1 else 1
    down = ceil(len(answers) / across)
    figure = Figure((_SIZE[0] * across, _SIZE[1] * down), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(down, 2 * across, squeeze=False, width_ratios=(1, 1.4) * across)
    axes = grid.reshape(-1)
    for axis in axes[2 * len(answers) :]:
        axis.set_axis_off()
    for index, answer in enumerate(answers):
        _draw(axes[2 * index], axes[2 * index + 1], answer, outputs)
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # in a class's name
        figure.savefig(written, format="png")
    return written.getvalue()


def _draw(picture: "Axes", bars: "Axes", answer: Prediction, outputs: Mapping[str, Task]) -> None:
    assert answer.image is not None
    pixels = answer.image[..., 0] if answer.image.shape[-1] == 1 else answer.image
    picture.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    picture.set_axis_off()
    name = answer.file if len(answer.file) <= 36 else f"…{answer.file[-35:]}"
    bars.set_title(name, fontsize=7, color="gray", loc="left", parse_math=False)
    picture.set_title(caption(answer, outputs), fontsize=9, loc="left", parse_math=False)
    probable = [
        (f"{output}: {name}" if output else name, value, _BLUE if name == values[0][0] else _PALE)
        for output, values in answer.outputs.items()
        for name, value in in_order(values, outputs[output])
        if outputs[output].output == "probabilities"
    ]
    if not probable:
        bars.set_axis_off()
        return
    names, values, colours = zip(*probable, strict=True)
    drawn = bars.barh(range(len(names)), values, color=colours)
    bars.bar_label(drawn, [f"{value:.0%}" for value in values], fontsize=6, padding=2)
    bars.set_yticks(range(len(names)), [n[:30] for n in names], fontsize=7, parse_math=False)
    bars.set_xlim(0, 1.12)
    bars.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"], fontsize=6)
    bars.invert_yaxis()
    bars.spines[["top", "right"]].set_visible(False)
