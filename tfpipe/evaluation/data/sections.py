"""What was found in data as sections of a page: duplicates, columns, texts."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tfpipe.evaluation.data.associations import Association
from tfpipe.evaluation.data.duplicates import Duplicates
from tfpipe.evaluation.report.sections import Card, Section, Table
from tfpipe.text import counted, listed, number, quoted

_MOST_COLUMNS = 60
_MOST_PAIRS = 3
_MOST_WORDS = 15


def duplicates_section(
    found: Sequence[Duplicates],
    alike: Sequence[Duplicates] | None,
    looked_at: str,
    places: Mapping[str, Sequence[str]],
    cards: Sequence[Card],
) -> Section:
    """Return which samples are twice.

    Args:
        found: equal samples.
        alike: images that look alike; None where samples are no images.
        looked_at: among which images was searched, for people.
        places: where each sample of a split comes from; empty where that is not known.
        cards: some pairs of images.
    """
    heads = ("splits", "samples", "with another label", "some of them")
    tables = []
    text = [told_duplicates(found)]
    if found:
        tables.append(Table(heads, [_pairs(one, places) for one in found], "Equal samples."))
    if alike is not None:
        text.append(told_alike(alike, looked_at))
        if alike:
            rows = [_pairs(one, places) for one in alike]
            tables.append(Table(heads, rows, "Images that look alike."))
    data = {
        "exact": [_as_data(one, places) for one in found],
        "near": [_as_data(one, places) for one in alike or ()],
        "compared": looked_at,
    }
    groups = (("Images that look alike", tuple(cards)),) if cards else ()
    return Section(
        "duplicates", "Samples that are twice", tuple(text), tuple(tables), cards=groups, data=data
    )


def told_duplicates(found: Sequence[Duplicates]) -> str:
    """Return in a sentence how many samples are twice."""
    within = sum(one.count for one in found if one.first == one.second)
    across = sum(one.count for one in found if one.first != one.second)
    if not found:
        return "No sample is twice."
    otherwise = sum(one.otherwise for one in found)
    return (
        f"{counted(within, 'sample')} stand twice in their split, and {across:,} of a held-out "
        f"split stand in another one too; {otherwise:,} of them with another label."
    )


def told_alike(alike: Sequence[Duplicates], looked_at: str) -> str:
    """Return in a sentence how many images look alike."""
    across = [
        f"{one.count:,} of {one.second} like one of {one.first}"
        for one in alike
        if one.first != one.second
    ]
    within = sum(one.count for one in alike if one.first == one.second)
    if not alike:
        return f"No two images look alike, {looked_at}."
    return (
        f"Images that look alike without being equal, {looked_at}: "
        f"{listed([*across, f'{within:,} within their split'])}."
    )


def _pairs(one: Duplicates, places: Mapping[str, Sequence[str]]) -> tuple[str, str, str, str]:
    where = one.first if one.first == one.second else f"{one.second} in {one.first}"
    some = "; ".join(
        f"{_place(one.second, b, places)} = {_place(one.first, a, places)}"
        for a, b in one.pairs[:_MOST_PAIRS]
    )
    return where, f"{one.count:,}", f"{one.otherwise:,}" if one.otherwise else "", some


def _place(split: str, row: int, places: Mapping[str, Sequence[str]]) -> str:
    known = places.get(split)
    return known[row] if known else f"{split} {row}"


def _as_data(one: Duplicates, places: Mapping[str, Sequence[str]]) -> dict[str, object]:
    named = [[_place(one.first, a, places), _place(one.second, b, places)] for a, b in one.pairs]
    return {**vars(one), "places": named}


def columns_section(
    found: Mapping[str, Sequence[Association]], usual: Mapping[str, float]
) -> Section:
    """Return how much each column says of what is to be predicted.

    Args:
        found: of each target by name.
        usual: how often the most frequent answer is right, by target that is a class.
    """
    text = ["How much each column says by itself, on training samples."]
    tables = []
    several = len(found) > 1
    for target, ranked in found.items():
        away = [a for a in ranked if a.gives_away]
        text += [told_giveaway(a, target if several else "", target in usual) for a in away]
        rows = [
            (a.column, a.how, f"{a.strength:.3f}", told_alone(a, target in usual))
            for a in ranked[:_MOST_COLUMNS]
        ]
        note = "The last column is R² on unseen rows."
        if target in usual:
            note = (
                "The last column is the share of unseen rows answered right; the most frequent "
                f"answer alone is right in {usual[target]:.1%}."
            )
        heads = (f"column, for {target}", "measured by", "strength", "a tree on it alone")
        tables.append(Table(heads, rows, note, frozenset(a.column for a in away)))
    names = dict.fromkeys(a.column for ranked in found.values() for a in ranked if a.identifies)
    if names:
        text.append(
            f"Nearly every row has a value of its own in {quoted(names, 5)}: what names a row says "
            "nothing of another one. Leave it out, unless it is measured."
        )
    data = {
        "associations": [
            {"label": target, **a._asdict()} for target, ranked in found.items() for a in ranked
        ]
    }
    return Section("columns", "Columns and the label", tuple(text), tuple(tables), data=data)


def told_alone(found: Association, classes: bool) -> str:
    """Return what a tree on one column alone reaches."""
    return f"{found.alone:.1%}" if classes else number(found.alone)


def told_giveaway(found: Association, target: str, classes: bool) -> str:
    """Return the sentence on a column that gives the label away.

    Args:
        found: the column.
        target: which of several labels; empty where there is one.
        classes: whether it is a class.
    """
    share = f"{found.alone:.1%} of unseen rows right" if classes else f"R² {found.alone:.3f}"
    of = f" for {target!r}" if target else ""
    return (
        f"The column {found.column!r} alone answers {share}{of}: will it be known when the model "
        "is asked? If not, leave it out."
    )


def texts_section(name: str, texts: np.ndarray, size: int, twice: int) -> Section:
    """Return the lengths and the words of texts.

    Args:
        name: of the feature.
        texts: [rows] bytes, some of the training split's.
        size: how many the training split has.
        twice: how many of these stand twice in it.
    """
    known = [bytes(t).decode("utf-8", "replace") for t in texts.reshape(-1)]
    split = [re.findall(r"\w+(?:'\w+)*", text.lower()) for text in known]
    words = Counter(word for text in split for word in text)
    lengths = {"words": [len(text) for text in split], "characters": [len(text) for text in known]}
    quantiles = {"least": 0.0, "5%": 0.05, "half": 0.5, "95%": 0.95, "greatest": 1.0}
    measured = {
        of: dict(zip(quantiles, np.quantile(values, [*quantiles.values()]).tolist(), strict=True))
        for of, values in lengths.items()
    }
    rows = [(of, *(f"{v:,.0f}" for v in values.values())) for of, values in measured.items()]
    once = sum(count == 1 for count in words.values())
    empty = sum(not text.strip() for text in known)
    total = max(sum(words.values()), 1)
    text = (
        f"{counted(len(known), 'text')} of the {size:,} in the training split have {len(words):,} "
        f"different words, of which {once:,} occur once; half of them have no more than "
        f"{measured['words']['half']:,.0f} words, 95% no more than "
        f"{measured['words']['95%']:,.0f}. "
        f"{empty / len(known):.1%} are empty, and {twice / max(size, 1):.1%} of all stand twice.",
    )
    often = [(w[:40], f"{n:,}", f"{n / total:.1%}") for w, n in words.most_common(_MOST_WORDS)]
    tables = (Table(("length in", *quantiles), rows), Table(("word", "times", "share"), often))
    data = {
        "vocabulary": len(words),
        "once": once,
        "empty": empty,
        "twice": twice,
        "lengths": measured,
        "frequent": dict(words.most_common(_MOST_WORDS)),
    }
    return Section("texts", f"Texts: {name}", text, tables, data=data)
