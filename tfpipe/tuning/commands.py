"""The command that trains with what a search has found, as a person would type it."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from tfpipe.text import short_path
from tfpipe.tuning.dimension import dimensions_of
from tfpipe.tuning.store import Search

# Fields by which a search is made shorter than the run that it is for.
_SHORTER = ("epochs", "steps_per_epoch")


def train_with_best(search: Search) -> str:
    """`tfpipe run FILE --best SEARCH`, with what the search was given besides its ranges."""
    words = [target_of(search), *kept(search, _SHORTER), "--best", search.name]
    root = [] if search.root == Path(".") else ["--root", str(search.root)]
    return shlex.join(["tfpipe", "run", *words, *root])


def target_of(search: Search) -> str:
    """FILE::ClassName as a person would type it."""
    file, _, cls = search.target.rpartition("::")
    return f"{short_path(Path(file))}::{cls}"


def kept(search: Search, apart: Iterable[str] = ()) -> list[str]:
    """The overrides that a search was made with, without its ranges.

    Args:
        search: which.
        apart: fields to leave out besides.
    """
    without = {dimension.name for dimension in dimensions_of(search.space)} | set(apart)
    texts = ((text.partition("=")[0].strip(), text) for text in search.overrides)
    return [text for name, text in texts if name not in without]
