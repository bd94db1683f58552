"""Data as sections of a page: splits, values, samples."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.evaluation.data.columns import LabelColumn, label_columns
from tfpipe.evaluation.data.summary import SplitSummary
from tfpipe.evaluation.report.charts import bars_figure
from tfpipe.evaluation.report.page import BLUE, new_figure, scale_axis
from tfpipe.evaluation.report.sections import Card, Drawing, Section, Table
from tfpipe.evaluation.samples import Sample, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES = 20
_MOST_COLUMNS = 60


def splits_section(spec: ElementSpec, splits: Mapping[str, SplitSummary], reading: str) -> Section:
    """Return how large splits are, and how often they have each class."""
    label = spec.label
    text = [f"The labels are {reading}."] if reading else []
    rows = [(name, f"{len(found.ids):,}") for name, found in splits.items()]
    tables, drawings = [Table(("split", "samples"), rows)], []
    counts = class_counts(label, splits)
    first = next(iter(splits))
    parts = label.parts or (label,)
    of = {part.name: "objects" if part.kind == "boxes" else "samples" for part in parts}
    for output, by_split in counts.items():
        classes = next(p.classes for p in parts if p.name == output)
        few, left_out = folded(by_split[first])
        cells = [(classes[i], *(f"{by_split[name][i]:,}" for name in by_split)) for i in few]
        note = f"The most and the least frequent; {left_out:,} between them." if left_out else ""
        tables.append(Table(("class", *by_split), cells, note))
        names, values = [classes[i] for i in few], [by_split[first][i] for i in few]
        draw = partial(bars_figure, names, values, None, of[output])
        title = f"{of[output].capitalize()} of each class in the {first} split"
        drawings.append(Drawing(f"classes_{output}", title, draw))
    numbers: dict[str, dict[str, float]] = {}
    for target in _numbers(label, splits.get("train")):
        real = target.labels.astype(float)
        ends = ("least", "a quarter below", "half below", "three quarters below", "greatest")
        quantiles = np.quantile(real, (0, 0.25, 0.5, 0.75, 1)).tolist()
        numbers[target.name] = dict(zip(ends, quantiles, strict=True)) | {
            "mean": float(real.mean())
        }
        title = f"{target.name} in the train split"
        draw = partial(histogram_figure, real, target.name)
        drawings.append(Drawing(f"values_{len(drawings)}", title, draw))
    if numbers:
        cells = [(n, *(f"{v:.4g}" for v in of.values())) for n, of in numbers.items()]
        tables.append(Table(("label", *next(iter(numbers.values()))), cells, "Training samples."))
    data = {
        "splits": {name: len(found.ids) for name, found in splits.items()},
        "class_counts": counts,
        "counted": of,
        "label_values": numbers,
        "labels": reading,
        "classes": {part.name: list(part.classes) for part in parts},
    }
    return Section("splits", "Splits", tuple(text), tuple(tables), tuple(drawings), data=data)


def folded(counts: Sequence[int]) -> tuple[list[int], int]:
    """Return the classes to name, the most frequent first, and how many are left out."""
    order = sorted(range(len(counts)), key=lambda i: -counts[i])
    if len(order) <= _MOST_CLASSES:
        return order, 0
    half = _MOST_CLASSES // 2
    return [*order[:half], *order[-half:]], len(order) - 2 * half


def class_counts(
    label: Label, splits: Mapping[str, SplitSummary]
) -> dict[str, dict[str, list[int]]]:
    """Return how often each class occurs, by the label's name and split; of boxes, the objects."""
    counts: dict[str, dict[str, list[int]]] = {}
    for part in label.parts or (label,):
        for split, found in splits.items() if not part.is_vocabulary and part.classes else ():
            values = found.labels(part.name if label.parts else "")
            if part.kind == "boxes":
                values = values[..., 4][values[..., 4] >= 0]
            if part.is_class or part.kind == "boxes":
                flat = values.reshape(-1).astype(int)
                count = np.bincount(flat, minlength=len(part.classes)).tolist()
            else:  # yes/no answers
                count = values.reshape(len(values), -1).astype(int).sum(axis=0).tolist()
            counts.setdefault(part.name, {})[split] = count
    return counts


def _numbers(label: Label, train: SplitSummary | None) -> list[LabelColumn]:
    """The labels that are numbers; none where the training split is not looked at."""
    if train is None:
        return []
    parts = [part.name for part in label.parts] or [""]
    found = label_columns(label, {name: train.labels(name) for name in parts})
    return [target for target in found if not target.classes]


def histogram_figure(values: np.ndarray, name: str) -> "Figure":
    """Draw how often values occur.

    Args:
        values: [rows].
        name: what they are.
    """
    figure, axes = new_figure(3.9, 2.8, left=0.7, bottom=0.45)
    axes.hist(values, bins=min(40, max(5, int(len(values) ** 0.5))), color=BLUE, alpha=0.8)
    scale_axis(axes, "x")
    scale_axis(axes, "y", whole=True)
    axes.set(xlabel=name, ylabel="samples")
    return figure


def values_section(
    splits: Mapping[str, SplitSummary], seen: Mapping[str, np.ndarray] | str
) -> Section:
    """Return the values of each feature, before and after preprocessing.

    Args:
        splits: what each split holds.
        seen: what the first trained layer gets of some samples, by name; or why that is not known.
    """
    name, found = "train", splits["train"]
    numbers, words = [], []
    for spread in list(found.spreads.values())[:_MOST_COLUMNS]:
        feature = spread.feature
        about = (feature.name, feature.kind, _shape(feature.shape), feature.dtype)
        missing = f"{spread.missing:,}" if spread.missing else ""
        if feature.kind == "text":
            continue  # which have a section of their own
        if spread.words:
            often = ", ".join(f"{w[:24]} ({n:,})" for w, n in spread.words.most_common(3))
            words.append((*about[:2], f"{len(spread.words):,}", missing, often))
        else:
            limits = (spread.least, spread.greatest, spread.mean, spread.deviation)
            numbers.append((*about, missing, *(f"{value:.4g}" for value in limits)))
    heads = (
        "feature",
        "kind",
        "shape",
        "type",
        "missing",
        "least",
        "greatest",
        "mean",
        "deviation",
    )
    tables = [Table(heads, numbers)] if numbers else []
    if words:
        tables.append(Table(("feature", "kind", "different", "missing", "most frequent"), words))
    if isinstance(seen, str):
        text = (f"The {name} split, as the source gives it. {seen}",)
    else:
        text = (
            f"The {name} split as the source gives it, and what the first layer with weights gets "
            "of some of its samples, without augmentation.",
        )
        rows = [
            (
                layer,
                _shape(v.shape[1:]),
                str(v.dtype),
                *(f"{x:.4g}" for x in _moments(v)),
            )
            for layer, v in seen.items()
        ]
        tables.append(Table(("what goes into", *heads[2:4], *heads[5:]), rows))
    data = {
        s.feature.name: {
            "missing": s.missing,
            "least": s.least,
            "greatest": s.greatest,
            "mean": s.mean,
            "deviation": s.deviation,
        }
        for s in found.spreads.values()
        if not s.words
    }
    if isinstance(seen, str):
        unknown = {"source": data, "model": {}, "why": seen}
        return Section("values", "Values", text, tuple(tables), data=unknown)
    names = ("least", "greatest", "mean", "deviation")
    model = {layer: dict(zip(names, _moments(v), strict=True)) for layer, v in seen.items()}
    return Section("values", "Values", text, tuple(tables), data={"source": data, "model": model})


def _moments(values: np.ndarray) -> tuple[float, float, float, float]:
    """The least and the greatest value, the mean and the standard deviation."""
    known = np.asarray(values, np.float32)
    return float(known.min()), float(known.max()), float(known.mean()), float(known.std())


def _shape(shape: Sequence[int | None]) -> str:
    return " x ".join(map(str, shape)) or "one"


def samples_section(
    spec: ElementSpec,
    samples: Sequence[tuple[Sample, str, str]],
    augmented: Sequence[Sample] | None,
) -> Section:
    """Return samples with their labels, and what augmentation makes of each beside it.

    Args:
        spec: what they are.
        samples: each with its label in words, and where it comes from.
        augmented: the same samples after augmentation; None where there is none.
    """
    cards = []
    for place, (sample, name, where) in enumerate(samples):
        seen = shown(sample, spec.features)
        other = shown(augmented[place], spec.features) if augmented else seen
        cards.append(
            Card(
                name,
                image=seen.png() if seen.image is not None else b"",
                image_name=f"{name}, sample {place}",
                overlay=other.png() if augmented and other.image is not None else b"",
                overlay_name="augmented",
                rows=seen.columns,
                text=seen.text,
                note=where,
            )
        )
    text = ("Each sample as it is, and as augmentation changes it.",) if augmented else ()
    return Section("", "Samples", text, cards=(("Training samples", tuple(cards)),))


def grid_figure(
    spec: ElementSpec,
    samples: Sequence[tuple[Sample, str, str]],
    augmented: Sequence[Sample] | None,
) -> "Figure":
    """Draw images in a grid with their names; augmented ones in the rows below."""
    from matplotlib.figure import Figure

    columns = min(8, len(samples))
    lines = -(-len(samples) // columns) * (2 if augmented else 1)
    figure = Figure(figsize=(1.2 * columns, 1.35 * lines))
    axes = figure.subplots(lines, columns, squeeze=False)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.25 / (1.35 * lines))
    for axis in axes.reshape(-1):
        axis.set_axis_off()
    for place, (sample, name, _) in enumerate(samples):
        row, column = divmod(place, columns)
        row *= 2 if augmented else 1
        for below, one in enumerate((sample, *([augmented[place]] if augmented else ()))):
            image = shown(one, spec.features).image
            if image is not None:
                axes[row + below, column].imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes[row, column].set_title(name[:16], fontsize=8)
    return figure
