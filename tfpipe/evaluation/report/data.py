"""Data as sections of a page: splits, values, samples, duplicates, columns, texts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.evaluation.data.associations import Association
from tfpipe.evaluation.data.duplicates import Duplicates
from tfpipe.evaluation.data.summary import SplitSummary
from tfpipe.evaluation.report.charts import bars_figure
from tfpipe.evaluation.report.sections import Card, Drawing, Section, Table
from tfpipe.evaluation.samples import Sample, shown
from tfpipe.text import counted, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES = 20
_MOST_COLUMNS = 60
_MOST_WORDS = 15


def splits_section(spec: ElementSpec, splits: Mapping[str, SplitSummary], reading: str) -> Section:
    """Return how large splits are, and how often they have each class."""
    label = spec.label
    text = [f"The labels are {reading}."] if reading else []
    rows = [(name, f"{len(found.ids):,}") for name, found in splits.items()]
    tables, drawings = [Table(("split", "samples"), rows)], []
    counts = class_counts(label, splits)
    for output, by_split in counts.items():
        classes = next(p.classes for p in label.parts or (label,) if p.name == output)
        train = next(iter(by_split.values()))
        order = sorted(range(len(classes)), key=lambda i: -train[i])
        few = order if len(order) <= _MOST_CLASSES else [*order[:10], *order[-10:]]
        cells = [(classes[i], *(f"{by_split[name][i]:,}" for name in by_split)) for i in few]
        note = "" if few == order else f"The 10 most and the 10 least frequent of {len(order):,}."
        tables.append(Table(("class", *by_split), cells, note))
        names, values = [classes[i] for i in few], [train[i] for i in few]
        title = f"Samples of each class in the {next(iter(by_split))} split"
        drawings.append(
            Drawing(
                f"classes_{output}", title, partial(bars_figure, names, values, None, "samples")
            )
        )
    data = {
        "splits": {name: len(found.ids) for name, found in splits.items()},
        "class_counts": counts,
        "labels": reading,
        "classes": {part.name: list(part.classes) for part in label.parts or (label,)},
    }
    return Section("splits", "Splits", tuple(text), tuple(tables), tuple(drawings), data=data)


def class_counts(
    label: Label, splits: Mapping[str, SplitSummary]
) -> dict[str, dict[str, list[int]]]:
    """Return how often each class occurs, by the label's name and split."""
    counts = {}
    for part in label.parts or (label,):
        if part.is_class:
            name = part.name if label.parts else ""
            counts[part.name] = {
                split: np.bincount(
                    found.labels(name).reshape(-1).astype(int), minlength=len(part.classes)
                ).tolist()
                for split, found in splits.items()
            }
    return counts


def values_section(
    splits: Mapping[str, SplitSummary], seen: Mapping[str, np.ndarray] | str
) -> Section:
    """Return the values of each feature, before and after preprocessing.

    Args:
        splits: what each split holds.
        seen: what the first trained layer gets of some samples, by name; or why that is not known.
    """
    name, found = next(iter(splits.items()))
    numbers, words = [], []
    for spread in list(found.spreads.values())[:_MOST_COLUMNS]:
        feature = spread.feature
        about = (feature.name, feature.kind, _shape(feature.shape), feature.dtype)
        missing = f"{spread.missing:,}" if spread.missing else ""
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
            f"The {name} split, as the source gives it, and what the first trained layer gets.",
        )
        rows = [
            (
                layer,
                _shape(v.shape[1:]),
                *(f"{x:.4g}" for x in (v.min(), v.max(), v.mean(), v.std())),
            )
            for layer, v in seen.items()
        ]
        tables.append(
            Table(("what goes into", "shape", "least", "greatest", "mean", "deviation"), rows)
        )
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
    return Section("values", "Values", text, tuple(tables), data=data)


def _shape(shape: Sequence[int | None]) -> str:
    return " x ".join(map(str, shape)) or "one"


def samples_section(
    spec: ElementSpec,
    samples: Sequence[tuple[Sample, str]],
    augmented: Sequence[Sample] | None,
) -> Section:
    """Return samples with their labels, and what augmentation makes of each beside it.

    Args:
        spec: what they are.
        samples: each with its label in words.
        augmented: the same samples after augmentation; None where there is none.
    """
    cards = []
    for place, (sample, name) in enumerate(samples):
        seen = shown(sample, spec.features)
        other = shown(augmented[place], spec.features) if augmented else seen
        cards.append(
            Card(
                name,
                image=seen.png() if seen.image is not None else b"",
                image_name=f"{name}, sample {place}",
                overlay=other.png() if augmented and other.image is not None else b"",
                rows=seen.columns,
                text=seen.text,
            )
        )
    text = ("Each sample as it is, and as augmentation changes it.",) if augmented else ()
    return Section("", "Samples", text, cards=(("Training samples", tuple(cards)),))


def grid_figure(
    spec: ElementSpec, samples: Sequence[tuple[Sample, str]], augmented: Sequence[Sample] | None
) -> "Figure":
    """Draw images in a grid with their names; augmented ones in the rows below."""
    from matplotlib.figure import Figure

    columns = min(8, len(samples))
    lines = -(-len(samples) // columns) * (2 if augmented else 1)
    figure = Figure(figsize=(1.2 * columns, 1.35 * lines))
    axes = figure.subplots(lines, columns, squeeze=False)
    for axis in axes.reshape(-1):
        axis.set_axis_off()
    for place, (sample, name) in enumerate(samples):
        row, column = divmod(place, columns)
        row *= 2 if augmented else 1
        for below, one in enumerate((sample, *([augmented[place]] if augmented else ()))):
            image = shown(one, spec.features).image
            if image is not None:
                axes[row + below, column].imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes[row, column].set_title(name[:16], fontsize=8)
    return figure


def duplicates_section(
    found: Sequence[Duplicates], alike: Sequence[Duplicates] | None, looked_at: str
) -> Section:
    """Return which samples are twice.

    Args:
        found: equal samples.
        alike: images that look alike; None where samples are no images.
        looked_at: among which images was searched, for people.
    """
    heads = ("splits", "samples", "with another label", "some of them, by row")
    tables = []
    text = [told_duplicates(found)]
    if found:
        tables.append(Table(heads, [_pairs(one) for one in found]))
    if alike is not None:
        count = sum(one.count for one in alike)
        text.append(f"{counted(count, 'image')} nearly look like another one, {looked_at}.")
        if alike:
            tables.append(Table(heads, [_pairs(one) for one in alike], "Images that look alike."))
    data = {
        "exact": [one.__dict__ for one in found],
        "near": [one.__dict__ for one in alike or ()],
    }
    return Section("duplicates", "Samples that are twice", tuple(text), tuple(tables), data=data)


def told_duplicates(found: Sequence[Duplicates]) -> str:
    """Return in a sentence how many samples are twice."""
    within = sum(one.count for one in found if one.first == one.second)
    across = sum(one.count for one in found if one.first != one.second)
    if not found:
        return "No sample is twice."
    return (
        f"{counted(within, 'sample')} stand twice in their split, and {across:,} of a held-out "
        "split stand in another one too."
    )


def _pairs(one: Duplicates) -> tuple[str, str, str, str]:
    where = one.first if one.first == one.second else f"{one.second} in {one.first}"
    some = ", ".join(f"{a} and {b}" for a, b in one.pairs[:6])
    return where, f"{one.count:,}", f"{one.otherwise:,}" if one.otherwise else "", some


def columns_section(found: Sequence[Association], classes: bool) -> Section:
    """Return how much each column says of the label."""
    rows = [
        (a.column, a.how, f"{a.strength:.3f}", f"{a.alone:.1%}" if classes else number(a.alone))
        for a in found[:_MOST_COLUMNS]
    ]
    away = [a for a in found if a.gives_away]
    text = ["How much each column says of the label by itself, on training rows."]
    text += [told_giveaway(a, classes) for a in away]
    marked = frozenset(a.column for a in away)
    heads = ("column", "measured by", "strength", "a tree on it alone")
    note = "Right answers of unseen rows." if classes else "R² on unseen rows."
    table = Table(heads, rows, note, marked)
    data = {"associations": [a._asdict() for a in found]}
    return Section("columns", "Columns and the label", tuple(text), (table,), data=data)


def told_giveaway(found: Association, classes: bool) -> str:
    """Return the sentence on a column that gives the label away."""
    share = f"{found.alone:.1%} of unseen rows" if classes else f"R² {found.alone:.3f}"
    return (
        f"The column {found.column!r} alone answers {share}: will it be known when the model is "
        "asked? If not, leave it out."
    )


def texts_section(texts: np.ndarray) -> Section:
    """Return the lengths and the words of some texts, [rows] bytes."""
    known = [bytes(t).decode("utf-8", "replace") for t in texts.reshape(-1)]
    words = Counter(word for text in known for word in text.lower().split())
    lengths = {
        "words": [len(text.split()) for text in known],
        "characters": [len(text) for text in known],
    }
    quantiles = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
    rows = [
        (name, *(f"{v:,.0f}" for v in np.quantile(values, quantiles)))
        for name, values in lengths.items()
    ]
    heads = ("length in", "least", "a quarter", "half", "three quarters", "95%", "greatest")
    once = sum(count == 1 for count in words.values())
    empty = sum(not text.strip() for text in known)
    text = (
        f"{counted(len(known), 'text')} of the training split have {len(words):,} different words, "
        f"of which {once:,} occur once; {empty:,} are empty.",
    )
    often = [(word[:40], f"{count:,}") for word, count in words.most_common(_MOST_WORDS)]
    tables = (Table(heads, rows), Table(("word", "times"), often))
    data = {"vocabulary": len(words), "once": once, "empty": empty}
    return Section("texts", "Texts", text, tables, data=data)
