"""`tfpipe compare-models`: a search over the network of a pipeline, and what it shows."""

from pathlib import Path

from tfpipe.declare.hp import Choice
from tfpipe.declare.loading import Loaded, loaded_from
from tfpipe.declare.overrides import apply_overrides, write_override
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError
from tfpipe.models.pretrained.split_model import why_not_cached
from tfpipe.terminal import Silent, Terminal
from tfpipe.tuning.comparison import COLUMNS, LEGEND, networks, saving
from tfpipe.tuning.store import Search
from tfpipe.verbs.networks import check_comparable, chosen, with_network
from tfpipe.verbs.search import search as searching


def compare_models(
    file: str | Path | Pipeline | Loaded,
    models: str = "all",
    *,
    root: str | Path = ".",
    data_fraction: float = 1.0,
    through_base: bool = False,
    sample: int | bool | None = None,
    workers: int = 1,
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Train the same head on one network after the other, and compare them.

    It is a search, a grid over `model`: each network is a trial in a process of its own.

    Args:
        file: FILE or FILE::ClassName of a pipeline whose model is an `Application`, or such a
            pipeline, loaded.
        models: "all" for the published 28, or names with commas.
        root: the folder for searches/.
        data_fraction: the share of the declared training data to use, above 0 and at most 1.
        through_base: train through the frozen base every epoch, instead of computing what it
            answers once.
        sample: on generated data: True, or how many samples.
        workers: how many networks are trained at a time.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        ConfigError: for a pipeline that cannot be compared, or an unknown network.
        Interrupted: when a person stopped it; `resume_comparison` goes on.
        TrainingError: when not one network could be trained.

    Example:
        found = tfpipe.compare_models("pipelines/applications_benchmark.py", "MobileNet,VGG16")
        found.best().values["model"]
    """
    terminal = terminal or (Silent() if quiet else Terminal())
    names, loaded = chosen(models), loaded_from(file)
    _check_fraction(data_fraction, sample)
    check_comparable(loaded.pipeline)
    pipeline: Pipeline = resolve(loaded.pipeline)
    reason = "as asked" if through_base else why_not_cached(pipeline)
    texts = [_choice(pipeline, names, terminal)]
    if not reason:
        texts.append("cache_features=true")
    terminal.say(
        f"[dim]trained through the base every epoch: {reason}[/]"
        if reason
        else "[dim]the head alone is trained, on features that the frozen base computes once[/]"
    )
    compared = apply_overrides(loaded.pipeline, texts)
    search = searching.begin(
        Loaded(
            compared,
            loaded.declared,
            loaded.path,
            loaded.name,
            (*loaded.overrides, *texts),
            loaded.sources,
        ),
        terminal,
        Path(root),
        tuner="grid",
        objective="val_accuracy",
        workers=workers,
        sample=sample,
        data_fraction=float(data_fraction),
        comparison=True,
    )
    _summary(search, terminal)
    return search


def resume_comparison(
    reference: str = "last",
    *,
    root: str | Path = ".",
    retry_failed: bool = False,
    terminal: Terminal | None = None,
    quiet: bool = False,
) -> Search:
    """Go on with a comparison: finished networks stay, what was interrupted resumes its run.

    Args:
        reference: its name, a unique beginning of it, its path, or "last".
        root: the folder that holds searches/.
        retry_failed: whether to train those that failed again, from the beginning.
        terminal: where to tell how it goes; standard output when None.
        quiet: tell nothing.

    Raises:
        RunError: for no such comparison, or one that another process is at.
        ConfigError: when the file declares something else now.
    """
    terminal = terminal or (Silent() if quiet else Terminal())
    search = searching.resume_search(
        reference, root=root, retry_failed=retry_failed, terminal=terminal
    )
    _summary(search, terminal)
    return search


def _check_fraction(share: float, sample: int | bool | None) -> None:
    if not 0 < share <= 1:
        raise ConfigError(
            f"--data-fraction {share:g} is no share of the training data. Give a number above 0 "
            "and at most 1, such as 0.07."
        )
    if sample and share < 1:
        raise ConfigError(
            "--data-fraction takes a share of the declared data, and --sample generates other: "
            "give --sample a size instead."
        )


def _choice(pipeline: Pipeline, names: tuple[str, ...], terminal: Terminal) -> str:
    """The override that makes the model a choice of the networks that fit the declaration."""
    models = []
    for name in names:
        try:
            changed, notes = with_network(pipeline, name)
        except ConfigError as error:
            terminal.note(f"{name} is left out: {error}")
            continue
        models.append(changed.model)
        for note in notes:
            terminal.note(f"{name} {note}")
    if not models:
        raise ConfigError("None of the networks fits the declaration; the notes above say why.")
    return write_override(pipeline, "model", Choice(models[0], values=tuple(models)))


def _summary(search: Search, terminal: Terminal) -> None:
    """The table by accuracy, what the features saved, and where the best model is."""
    rows = networks(search)
    if not rows:
        return
    terminal.say()
    terminal.table(COLUMNS, [row.cells() for row in rows])
    terminal.say()
    terminal.say(f"[dim]{LEGEND}[/]")
    if text := saving(rows):
        terminal.say(text)
    best = search.run(next(t for t in search.trials() if t.id == rows[0].trial))
    terminal.say(
        f"{rows[0].network} with its head is [bold]{best.checkpoints / 'best.keras'}[/], for "
        "keras.models.load_model"
    )
