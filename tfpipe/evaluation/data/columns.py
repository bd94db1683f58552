"""The columns of a table, and what is to be predicted of it, as plain numbers and words."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfpipe.declare.formats import PAD, SPECIAL
from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.text import listed

_WIDEST = 60  # numbers of a vector that are columns of their own
_MOST_TARGETS = 10


class LabelColumn(NamedTuple):
    """What is to be predicted: `labels` are [rows] class indices, or numbers."""

    name: str
    labels: np.ndarray
    classes: bool

    @property
    def usual(self) -> float:
        """How often the most frequent class is the right answer."""
        return float(np.bincount(self.labels).max() / len(self.labels))


def columns_of(spec: ElementSpec, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns of a table: [rows] numbers, NaN where one is missing, or words as bytes.

    Numbers and dates that come as texts are read as the model reads them; of a date each part is a
    column. The numbers of a vector are columns too, where there are few.

    Args:
        spec: what the samples are.
        rows: [rows, ...] by feature.
    """
    columns: dict[str, np.ndarray] = {}
    for feature in spec.features:
        values = rows[feature.name]
        if feature.format is not None:
            from tfpipe.models.text_columns import text_column

            values = np.asarray(text_column(feature)(values))
        elif feature.kind not in ("number", "category", "vector"):
            continue
        if values.ndim == 1:
            columns[feature.name] = values
        elif values.ndim == 2 and values.shape[1] <= _WIDEST:
            names = getattr(feature.format, "names", None) or range(values.shape[1])
            one = values.shape[1] == 1
            columns |= {
                feature.name if one else f"{feature.name}[{name}]": values[:, place]
                for place, name in enumerate(names if not one else [0])
            }
    return columns


def label_columns(label: Label, labels: Mapping[str, np.ndarray]) -> list[LabelColumn]:
    """Return what is to be predicted, one column each: classes, yes/no answers and numbers.

    The tokens of a text and boxes are none.

    Args:
        label: what it is; several by name too.
        labels: [rows, ...] by name; that of the only one is empty.
    """
    found = []
    for part in label.parts or (label,):
        if part.is_vocabulary or part.kind == "boxes":
            continue
        values = labels[part.name if label.parts else ""]
        if part.is_class:
            found.append(LabelColumn(part.name, values.reshape(-1).astype(int), True))
            continue
        flat = values.reshape(len(values), -1)
        names = part.classes or part.columns
        for place in range(flat.shape[1]):
            name = names[place] if names else f"{part.name}[{place}]"
            name = part.name if flat.shape[1] == 1 and not names else name
            yes_no = bool(part.classes)
            column = flat[:, place].astype(int) if yes_no else flat[:, place]
            found.append(LabelColumn(name, column, yes_no))
    return found[:_MOST_TARGETS]


def named(label: Label, value: np.ndarray) -> str:
    """Return the label of one sample in words."""
    if label.is_class:
        return str(label.classes[int(value.reshape(-1)[0])])
    if label.is_vocabulary:
        words = [label.classes[number] for number in value.reshape(-1).tolist()]
        words = [word for word in words if label.kind != "sentence" or word != SPECIAL[PAD]]
        return ("" if max(map(len, words)) == 1 else " ").join(words)
    if label.classes:
        yes = [n for n, v in zip(label.classes, value.reshape(-1), strict=True) if v]
        return listed(yes, 3) if yes else "none"
    return ", ".join(f"{v:.4g}" for v in value.reshape(-1)[:4])
