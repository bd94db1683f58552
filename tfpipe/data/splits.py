"""Which rows belong to which split: carved from the training data with a seed.

Rows are held out class by class where labels are classes, so that a small validation split has
the classes in the same shares as the training data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from tfpipe.errors import DataError, suggest

if TYPE_CHECKING:
    import numpy as np

Labels = Callable[[], "np.ndarray | None"]
HeldOut = float | int | str


@dataclass(frozen=True)
class Split:
    """A split as rows of what the source stores.

    Args:
        stored: the name of the stored split that the rows are from.
        rows: their indices, ascending; None for all of them.
        size: how many there are.
    """

    stored: str
    size: int
    rows: "np.ndarray | None" = None


def share_of(size: int, fraction: float) -> int:
    """Return how many rows a share is: rounded up, as scikit-learn's train_test_split does."""
    return ceil(size * fraction - 1e-6)


def held_out(size: int, fraction: float, seed: int, labels: "np.ndarray | None") -> "np.ndarray":
    """Ascending indices of a share of the rows, drawn with a seed.

    Args:
        size: how many rows there are.
        fraction: the share to hold out, between 0 and 1.
        seed: decides which.
        labels: class indices, one for each row, to hold out the same share of each class; or None.
    """
    import numpy as np

    rng = np.random.default_rng([seed, 0x5EED])
    total = share_of(size, fraction)
    if labels is None:
        return np.sort(rng.permutation(size)[:total])
    order = rng.permutation(size)
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (total / size)
    take = np.floor(exact).astype(int)
    for index in np.argsort(take - exact, kind="stable")[: total - int(take.sum())]:
        take[index] += 1
    shuffled = labels[order]
    picked = [order[shuffled == c][:n] for c, n in zip(classes, take, strict=True)]
    return np.sort(np.concatenate(picked))


def sizes(
    stored: dict[str, int], validation: HeldOut | None, test: HeldOut | None
) -> dict[str, int]:
    """Return the size of each split, without reading a label; see `plan`."""
    counts = {"train": stored["train"]}
    for name, declared in (("test", test), ("validation", validation)):
        if isinstance(declared, str):
            if declared in stored or (name, declared) != ("test", "test"):  # which need not exist
                counts[name] = stored[_stored(declared, name, stored)]
        elif declared is not None:
            size = declared if isinstance(declared, int) else share_of(counts["train"], declared)
            counts[name] = size
            counts["train"] = max(0, counts["train"] - size)
    for name, size in counts.items():
        if size == 0:
            raise DataError(
                f"The {name} split is empty: {stored['train']} training samples were found. "
                "Hold out less, or use more data."
            )
    return {n: counts[n] for n in ("train", "validation", "test") if n in counts}


def plan(
    stored: dict[str, int],
    validation: HeldOut | None,
    test: HeldOut | None,
    seed: int,
    labels: Labels,
) -> dict[str, Split]:
    """Return the splits of a source: what is stored, less what is held out.

    Args:
        stored: the sizes of the stored splits; "train" is among them.
        validation: a share of train to hold out, drawn with the seed; a number of rows, the last
            ones of train; the name of a stored split; or None.
        test: the same for the test split.
        seed: decides which rows are held out.
        labels: gives the class indices of the stored "train", or None to hold out regardless.

    Raises:
        DataError: for an unknown split or one that would be empty.
    """
    import numpy as np

    expected = sizes(stored, validation, test)
    splits: dict[str, Split] = {}
    remaining = np.arange(stored["train"])
    for name, declared in (("test", test), ("validation", validation)):
        if declared is None or name not in expected:
            continue
        if isinstance(declared, str):
            splits[name] = Split(declared, stored[declared])
            continue
        if isinstance(declared, int):
            picked = np.arange(len(remaining) - declared, len(remaining))
        else:
            classes = labels()
            classes = None if classes is None else classes[remaining]
            picked = held_out(len(remaining), declared, seed, classes)
        splits[name] = Split("train", len(picked), remaining[picked])
        remaining = np.delete(remaining, picked)
    rows = remaining if len(remaining) < stored["train"] else None
    splits["train"] = Split("train", len(remaining), rows)
    return {name: splits[name] for name in expected}


def _stored(name: str, use: str, stored: dict[str, int]) -> str:
    others = [n for n in stored if n != "train"]
    if name == "train":
        raise DataError(
            f"{use}='train' is the training split itself. Use a share such as {use}=0.1, or "
            "another split."
        )
    if name not in stored:
        raise DataError(f"There is no split {name!r} for {use}. {suggest(name, others)}".strip())
    return name
