"""How answers did that are a text's next tokens, in sentences, tables and samples."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tfpipe.evaluation.report.judged import SHOWN, Judged
from tfpipe.evaluation.report.sections import Section, Table
from tfpipe.evaluation.scores.tokens import TokenScores
from tfpipe.text import counted, number

_TOKENS = 20  # of which a table says how they did


def scores_of(judged: Judged) -> TokenScores:
    """Return the figures of the answers to judge."""
    return TokenScores(judged.answered.answers, judged.answered.labels)


def token_sections(judged: Judged) -> list[Section]:
    """Return the sections of a split whose answers are a text's next tokens."""
    scores = scores_of(judged)
    low, high = scores.interval()
    spread = f" (95% interval {number(low)} to {number(high)})" if not math.isnan(low) else ""
    text = (
        f"Over {counted(scores.labels.size, 'token')} in {counted(len(judged.answered), 'window')} "
        f"the perplexity is {number(scores.perplexity)}{spread}: the model is as much in doubt as "
        "if it had to guess between so many tokens. The most probable token is the true one for "
        f"{scores.accuracy:.1%}.",
        *judged.notes,
    )
    classes = judged.task.label.classes
    rows = [
        (repr(classes[token]), f"{times:,}", f"{right:.1%}", number(math.exp(loss)))
        for token, times, right, loss in scores.by_token()[:_TOKENS]
    ]
    note = "Those that cost most: how often a token is there, times how much it is missed."
    whole = Section(
        "tokens",
        f"Tokens{judged.of_output}",
        text,
        (Table(("token", "times", "right", "perplexity"), rows, note),),
        data={
            "perplexity": scores.perplexity,
            "accuracy": scores.accuracy,
            "tokens": int(scores.labels.size),
            "perplexity_interval": None if math.isnan(low) else [low, high],
        },
    )
    losses = judged.task.losses(judged.answered.answers, judged.answered.labels)
    worst = np.argsort(-losses, kind="stable")[:SHOWN].tolist()
    cards = judged.cards({"Windows that are answered worst": worst})
    samples = Section("samples", "Samples", cards=cards, data={"worst": worst})
    return [whole, samples]


def continuations_section(lines: Sequence[Mapping[str, object]]) -> list[Section]:
    """Return the section that shows how a prompt was continued; none without lines.

    Args:
        lines: the epoch, the prompt and the continuation of each.
    """
    if not lines:
        return []
    rows = [(str(line["epoch"]), f"{line['prompt']}{line['continuation']}") for line in lines]
    text = (
        f"The prompt is {lines[-1]['prompt']!r}; after it the most probable token was taken each "
        "time.",
    )
    table = Table(("after epoch", "text"), rows)
    data = {"lines": list(lines)}
    return [Section("continuations", "How it continues a text", text, (table,), data=data)]
