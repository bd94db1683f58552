"""A model as sections of a report: its layers, what feeds what, and its maps of one picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.evaluation.explain.activations import activation_maps
from tfpipe.evaluation.network import LayerRow, layer_rows
from tfpipe.evaluation.report.page import BLUE, GREY, new_figure
from tfpipe.evaluation.report.sections import Card, Drawing, Section, Table
from tfpipe.evaluation.samples import Shown
from tfpipe.models.parameter_count import without_state
from tfpipe.text import byte_size

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

_IMAGE_AXES = 4
_MOST_DRAWN = 40  # layers of a diagram


def network_section(model: "keras.Model") -> Section:
    """Return the table and the diagram of a model's layers."""
    rows = layer_rows(model)
    total = sum(row.multiply_adds for row in rows)
    size = sum(
        int(np.prod(w.shape)) * np.dtype(_numpy(w.dtype)).itemsize
        for w in without_state(model, model.weights)
    )
    cells = [
        (
            row.name,
            row.kind,
            " x ".join("any" if n is None else str(n) for n in row.shape[1:]),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
        )
        for row in rows
    ]
    open_ended = any(None in tensor.shape[1:] for tensor in model.inputs or ())
    each = "a sample"
    if open_ended:
        image = len(model.inputs[0].shape) == _IMAGE_AXES
        what = "pixel of an image of any size" if image else "place of a sample of any length"
        each = f"for each {what}"
    text = (
        f"{len(rows)} layers; the weights take {byte_size(size)}; {total:,} multiply-adds {each}."
    )
    heads = ("layer", "kind", "output", "numbers held", "multiply-adds")
    drawings: tuple[Drawing, ...] = ()
    if 1 < len(rows) <= _MOST_DRAWN:
        drawings = (Drawing("network", "The layers", lambda: diagram(rows), small=False),)
    return Section(
        "network",
        "The model, layer by layer",
        (text,),
        (Table(heads, cells),),
        drawings,
        data={
            "multiply_adds": total,
            "weight_bytes": size,
            "layers": [row.__dict__ | {"shape": list(row.shape)} for row in rows],
        },
        folded=True,
    )


def _numpy(dtype: str) -> str:
    return "float16" if dtype == "bfloat16" else "int64" if dtype == "string" else dtype


def maps_section(model: "keras.Model", image: np.ndarray) -> list[Section]:
    """Return the maps that an image network makes of a picture; none where it has no maps."""
    maps = activation_maps(model, image)
    if not maps:
        return []
    cards = tuple(
        Card(name, image=Shown(tiles[..., None]).png(least=200), image_name=f"maps of {name}")
        for name, tiles in maps
    )
    text = ("Up to 16 maps a layer of one sample, each from its least value to its greatest.",)
    title = "What the layers make of a sample"
    return [Section("", title, text, cards=(("Maps", cards),), folded=True)]


def diagram(rows: Sequence[LayerRow]) -> "Figure":
    """Draw layers from top to bottom, and an arc for each connection that skips some."""
    figure, axes = new_figure(7.0, 0.3 + 0.27 * len(rows), left=0.1, bottom=0.1)
    axes.set_axis_off()
    for place, row in enumerate(rows):
        shape = " x ".join("any" if n is None else str(n) for n in row.shape[1:])
        axes.text(0.02, -place, row.name[:34], va="center", fontsize=8, fontweight="bold")
        axes.text(0.42, -place, f"{row.kind}  {shape}", va="center", fontsize=8)
        for before in row.inputs:
            skipped = place - before
            if skipped == 1:
                axes.annotate("", (0.0, -place + 0.2), (0.0, -before - 0.2), arrowprops=_ARROW)
                continue
            style = {"arrowstyle": "->", "color": BLUE, "connectionstyle": "arc3,rad=0.35"}
            axes.annotate("", (0.0, -place + 0.1), (0.0, -before - 0.1), arrowprops=style)
    axes.set(xlim=(-0.25, 1.0), ylim=(-len(rows) + 0.4, 0.6))
    return figure


_ARROW = {"arrowstyle": "->", "color": GREY}
