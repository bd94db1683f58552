"""The 1,000 classes of ImageNet (ILSVRC 2012), in the order in which networks answer.

`imagenet.txt` has a line a class: its WordNet id and its first name there. Two classes have the
name of another, and a word more to tell them apart: "crane bird" and "maillot tank suit".
"""

from functools import cache
from importlib.resources import files

BACKGROUND = "background"


def classes(background: bool = False) -> tuple[str, ...]:
    """Return the class names in order of their index.

    Args:
        background: with "background" before them, as networks of TensorFlow Hub have it: 1,001.
    """
    return ((BACKGROUND,) if background else ()) + tuple(_by_id().values())


def ids() -> tuple[str, ...]:
    """Return the WordNet ids, such as "n01440764", in order of the class index."""
    return tuple(_by_id())


def name_of(wordnet_id: str) -> str | None:
    """Return the name of a class by its WordNet id; None for one that is not among the 1,000."""
    return _by_id().get(wordnet_id)


@cache
def _by_id() -> dict[str, str]:
    text = files(__package__).joinpath("imagenet.txt").read_text(encoding="ascii")
    return dict(line.split(" ", 1) for line in text.splitlines())
