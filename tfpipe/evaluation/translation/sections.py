"""How translations did, in sentences, tables and pictures."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tfpipe.declare.formats import EOS, PAD, SPECIAL
from tfpipe.errors import MissingDependency
from tfpipe.evaluation.report.judged import SHOWN, Judged
from tfpipe.evaluation.report.page import new_figure
from tfpipe.evaluation.report.sections import Drawing, Section, Table
from tfpipe.evaluation.scores.intervals import interval
from tfpipe.evaluation.translation.bleu import bleu
from tfpipe.evaluation.translation.translations import Said
from tfpipe.text import counted, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LENGTHS = 12  # groups of sentences by their length


def translation_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose sentences were translated."""
    said = judged.said
    assert said is not None
    valid = judged.answered.labels != PAD
    losses = -np.log(np.maximum(judged.answered.answers[..., 0][valid], 1e-30))
    right = judged.answered.answers[..., 1][valid] == judged.answered.labels[valid]
    exact = said.exact(said.said)
    low, high = interval(int(exact.sum()), len(exact))
    perplexity = math.exp(losses.mean())
    measured, missing = _bleu(said.said, said.true)
    by_words, _ = _bleu(said.word_by_word, said.true)
    same = float(said.exact(said.word_by_word).mean())
    of_words = "" if by_words is None else f"a BLEU of {by_words:.3f}, and "
    text = (
        f"BLEU is {measured:.3f}." if measured is not None else missing,
        f"{exact.mean():.1%} of {counted(len(exact), 'sentence')} are translated word for word as "
        f"the data set has it (95% interval {low:.1%} to {high:.1%}).",
        f"Where the true words before it are given, the most probable of {len(losses):,} tokens is "
        f"the true one for {right.mean():.1%}, with a perplexity of {number(perplexity)}.",
        "A dictionary that is counted from the training pairs, and translates word by word, "
        f"reaches {of_words}{same:.1%} word for word.",
        *judged.notes,
    )
    lengths = np.array([len(true.split()) for true in said.true])
    rows, by_length = [], []
    for length in np.unique(lengths)[:_LENGTHS].tolist():
        of = np.flatnonzero(lengths == length)
        own, _ = _bleu([said.said[i] for i in of], [said.true[i] for i in of])
        share = float(exact[of].mean())
        rows.append(
            (str(length), f"{len(of):,}", f"{share:.1%}", "" if own is None else f"{own:.3f}")
        )
        by_length.append({"length": length, "sentences": len(of), "exact": share, "bleu": own})
    note = "BLEU counts runs of up to four words: of shorter sentences it says little."
    whole = Section(
        "translation",
        "Translations",
        text,
        (Table(("words", "sentences", "word for word", "BLEU"), rows, note),),
        data={
            "bleu": measured,
            "exact": float(exact.mean()),
            "accuracy": float(right.mean()),
            "perplexity": perplexity,
            "word_by_word": {"bleu": by_words, "exact": same},
            "by_length": by_length,
        },
    )
    shown = np.where(np.isfinite(said.scores), said.scores, -np.inf)
    order = np.argsort(shown, kind="stable")
    groups = {
        "Wrong, and least probable": [i for i in order.tolist() if not exact[i]][:SHOWN],
        "Right, and most probable": [i for i in order[::-1].tolist() if exact[i]][:SHOWN],
    }
    heads = ("sentence", "translation", "truth", "score")
    tables = [
        Table(
            heads,
            [(said.sources[i], said.said[i], said.true[i], f"{said.scores[i]:.3g}") for i in group],
            title,
        )
        for title, group in groups.items()
        if group
    ]
    told = "A score is the log-probability of the words, divided by their number to the power 0.75."
    samples = Section("samples", "Sentences", (told,), tuple(tables), data={"rows": groups})
    return [whole, samples, *_pictures(said)]


def _pictures(said: Said) -> list[Section]:
    """The section that shows what was looked at; none where the model has no attention."""
    if not said.attention:
        return []
    draw: Callable[..., Figure] = _attention_figure
    drawings = []
    for place, (row, weights) in enumerate(said.attention.items(), 1):
        read, words = [*said.sources[row].split(), SPECIAL[EOS]], said.said[row].split()
        of_row = partial(draw, weights, read, words)
        drawings.append(Drawing(f"attention_{place}", f"Attention: {said.said[row]}", of_row))
    text = "Each row is a word that was said, and shows how much it looked at which word."
    return [Section("", "Attention", (text,), drawings=tuple(drawings))]


def _attention_figure(weights: np.ndarray, sources: list[str], said: list[str]) -> "Figure":
    """Draw how much each word of a sentence was looked at.

    Args:
        weights: [words said, words of the sentence and its end].
        sources: the words of the sentence, and its end.
        said: those of the translation.
    """
    figure, axes = new_figure(3.9, 3.2, left=1.0, bottom=0.95)
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(weights.shape[1]), sources[: weights.shape[1]], rotation=60, ha="right")
    axes.set_yticks(range(len(said)), said)
    axes.grid(visible=False)
    return figure


def _bleu(said: list[str], true: list[str]) -> tuple[float | None, str]:
    """BLEU; or None, and what is to be done for it."""
    try:
        return bleu(said, true), ""
    except MissingDependency as error:
        return None, str(error)
