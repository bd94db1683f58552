"""BLEU: how many runs of one to four words of translations are in the true ones, by sacrebleu."""

from collections.abc import Sequence
from importlib.util import find_spec

from tfpipe.errors import MissingDependency

UNKNOWN_SAID = "⁇"  # so that an unknown word that was said is never the true one


def bleu(said: Sequence[str], true: Sequence[str]) -> float:
    """Return the BLEU of a corpus, 0 to 1 (Papineni et al. 2002).

    Words are those of the sentences as they are: nothing is cut apart or made lower-case again.

    Args:
        said: the translations; `<unk>` in them counts as wrong.
        true: what they should be.

    Raises:
        MissingDependency: when sacrebleu is not installed.
    """
    check_sacrebleu()
    from sacrebleu.metrics.bleu import BLEU

    measure = BLEU(tokenize="none", force=True, effective_order=True)  # of short sentences
    known = [text.replace("<unk>", UNKNOWN_SAID) for text in said]
    score: float = measure.corpus_score(known, [[*true]]).score
    return min(1.0, score / 100)  # which rounding may exceed


def check_sacrebleu() -> None:
    """Raise MissingDependency where sacrebleu is not installed."""
    if find_spec("sacrebleu") is None:
        raise MissingDependency(
            "BLEU is measured by sacrebleu, which is not installed. Install it with: pip install "
            "'tfpipe[translation]'"
        )
