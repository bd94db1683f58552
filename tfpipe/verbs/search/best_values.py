"""`tfpipe run FILE --best SEARCH`: a pipeline with the best values that a search has found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tfpipe.declare.loading import Loaded, load
from tfpipe.errors import ConfigError, RunError
from tfpipe.text import short_path
from tfpipe.tuning import store
from tfpipe.tuning.commands import kept, target_of
from tfpipe.tuning.store import Search


@dataclass(frozen=True)
class Best:
    """A pipeline with the best values of a search.

    Args:
        loaded: the pipeline; what the command line gives comes before what the search found.
        search: the search.
        words: the `a.b=v` texts of the search.
    """

    loaded: Loaded
    search: Search
    words: tuple[str, ...]

    def notes(self, sample: int | bool | None = None) -> list[str]:
        """What a person should know of the difference between the search and the run.

        Args:
            sample: what `--sample` of the run is.
        """
        name = self.search.name
        given = {text.partition("=")[0].strip() for text in self.loaded.overrides}
        apart = kept(self.search, given)
        notes = []
        if apart:
            notes.append(
                f"search {name} was made with {' '.join(apart)}, which this run has not: add it "
                "for the same training."
            )
        if self.search.options.sample and not sample:
            notes.append(
                f"search {name} was made on generated data (--sample): its best values say nothing "
                "about the real data set."
            )
        return notes


def with_best(target: str, overrides: Iterable[str], reference: str, root: Path) -> Best:
    """The pipeline of a file with the best values of a search.

    Args:
        target: `FILE` or `FILE::ClassName`.
        overrides: `a.b=value` texts of the command line, which come before the search's.
        reference: the search's name, a unique beginning of it, its path, or "last".
        root: the folder that holds searches/.

    Raises:
        RunError: for no such search, or one without a trial that was trained to its end.
        ConfigError: when its values do not fit the pipeline.
    """
    search, overrides = store.find_search(root, reference), tuple(overrides)
    words = _words(search)
    try:
        loaded = load(target, (*words, *overrides))
    except ConfigError as error:
        file = short_path(Path(load(target, overrides).path or target))  # wrong by itself: says so
        raise ConfigError(
            f"The best values of search {search.name} do not fit {file}: {error} The search was "
            f"made over {target_of(search)}."
        ) from None
    source = f"search {search.name}"
    sources = {text: source for text in words if text not in overrides}
    return Best(replace(loaded, sources=sources), search, words)


def _words(search: Search) -> tuple[str, ...]:
    """The overrides of a search's best trial; raises RunError where there is none."""
    best = search.best()
    if best is not None:
        return best.overrides
    trials = search.trials()
    failed = [trial for trial in trials if trial.state == "failed"]
    how = f"{len(trials)} began" + (f", {len(failed)} failed" if failed else "")
    why = f" Trial {failed[-1].id}: {failed[-1].reason}" if failed else ""
    raise RunError(
        f"Search {search.name} has no finished trial ({how}), so there are no best values yet."
        f"{why} Go on with it: tfpipe search --resume {search.name}"
    )
