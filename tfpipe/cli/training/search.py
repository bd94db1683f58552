"""`tfpipe search FILE`: vary what is declared as a range, and find good values."""

import re
import sys
from pathlib import Path
from typing import Any

import click

from tfpipe.cli.options import (
    Override,
    PipelineFile,
    SampleCommand,
    SearchName,
    debug_option,
    json_option,
    print_json,
    root_option,
    sample_option,
    sample_size,
)

_TUNERS = ("random", "bayesian", "hyperband", "grid")
_UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


class Time(click.ParamType):
    """A length of time, in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """`2h` as 7200."""
        from tfpipe.declare.field_types import Duration

        try:
            return float(Duration.parse(str(value)))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class MemorySize(click.ParamType):
    """An amount of memory, in bytes."""

    name = "memory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`4GB` as 4,000,000,000."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value))
        unit = _UNITS.get(match[2].upper()) if match else None
        if match is None or unit is None or not float(match[1]):
            self.fail(f"{value!r} is no amount of memory: write it as 4GB or 800MB.", param, ctx)
        return int(float(match[1]) * unit)


class SearchCommand(SampleCommand):
    """`search FILE ...`, and `search show` beside it."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of `show` where the first word is that, as no pipeline file is called so."""
        if args[:1] == ["show"]:
            return show.make_context(f"{info_name} show", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The ways to call it, one a line."""
        formatter.write_usage(ctx.command_path, "FILE [a.b=v]... [OPTIONS]")
        for words in (
            "--resume [SEARCH] [OPTIONS]",
            "--join SEARCH [OPTIONS]",
            "show [SEARCH] [--json]",
        ):
            formatter.write_usage(ctx.command_path, words, prefix=" " * len("Usage: "))


@click.command("search", cls=SearchCommand)
@click.argument("file", type=PipelineFile(), required=False)
@click.argument("overrides", nargs=-1, type=Override())
@click.option(
    "--vary",
    multiple=True,
    metavar="a.b=RANGE",
    help="Another range: a.b=1e-4..1e-1:log, a.b=2..6:2 (in steps of 2), a.b=2,4,6.",
)
@click.option(
    "--tuner",
    type=click.Choice(_TUNERS),
    default="bayesian",
    show_default=True,
    help="How the next values are chosen.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many sets of values to try: 20, if there are so many; all with grid.",
)
@click.option(
    "--budget",
    type=Time(),
    metavar="TIME",
    help="Begin no trial after this time, such as 30m or 2h; those that run are finished.",
)
@click.option("--hard", is_flag=True, help="With --budget: stop what runs then, and keep it.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="How many trials at a time; they share the processors and GPUs.",
)
@click.option("--objective", metavar="METRIC", help="What decides, such as val_accuracy.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of the choice of values; that of FILE by default.",
)
@sample_option
@click.option(
    "--median-rule", is_flag=True, help="Stop trials that do worse than half of the others."
)
@click.option("--declared-first", is_flag=True, help="Try the values in FILE first.")
@click.option("--memory", type=MemorySize(), metavar="SIZE", help="What a trial may take: 4GB.")
@click.option(
    "--join",
    type=SearchName(),
    metavar="SEARCH",
    help="Run trials of a search that is going on, here or on a machine that shares its folder.",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value="last",
    type=SearchName(),
    metavar="[SEARCH]",
    help="Go on with a search, the newest where none is named.",
)
@root_option
@json_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    file: str | None,
    join: str | None,
    resume: str | None,
    as_json: bool,
    root: Path,
    **given: Any,
) -> None:
    """Vary the ranges of the pipeline in FILE, and find good values for them.

    Ranges are the hp.Float, hp.Int, hp.Choice and hp.Bool in FILE, and those of --vary. Each trial
    is a run in a process of its own, below searches/. A search that was stopped, or killed, goes on
    with --resume; tfpipe run FILE --best SEARCH trains with the best values.

    Further processes, on this machine or on others that share its folder, --join a search and take
    trials of it.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.terminal import Terminal

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    common: dict[str, Any] = {"root": root, "terminal": terminal}
    if file is None and resume is None and join is None:
        raise click.UsageError("Name the file of a pipeline, or go on with --resume or --join.")
    if file == "show":
        raise click.UsageError("Write show first: tfpipe search show [SEARCH].")
    with log_shown(terminal):
        if resume is not None:
            result = _resume(ctx, resume, given, common)
        elif join is not None:
            result = _join(ctx, join, file, given, common)
        else:
            result = _search(str(file), given, common)
    if as_json:
        print_json(result.to_json())


def _search(file: str, given: dict[str, Any], common: dict[str, Any]) -> Any:
    if given["hard"] and given["budget"] is None:
        raise click.UsageError("--hard goes with --budget.")
    from tfpipe.declare.loading import load
    from tfpipe.verbs.search.search import search

    options = {**given, "sample": sample_size(given["sample"]), "median": given["median_rule"]}
    del options["overrides"], options["median_rule"]
    return search(load(file, given["overrides"]), **options, **common)


def _resume(
    ctx: click.Context, reference: str, given: dict[str, Any], common: dict[str, Any]
) -> Any:
    """A search goes on with what was asked when it began, apart from how much and how fast."""
    more = ("trials", "budget", "hard", "workers")
    _refuse(
        ctx,
        (*more, "resume"),
        "--resume goes on with what was asked when the search began: leave out {}. What may change "
        "is --trials, --budget, --hard and --workers.",
    )
    from tfpipe.verbs.search.search import resume_search

    changed: dict[str, Any] = {n: given[n] for n in more if _is_given(ctx, n)}
    return resume_search(reference, **changed, **common)


def _join(
    ctx: click.Context,
    reference: str,
    file: str | None,
    given: dict[str, Any],
    common: dict[str, Any],
) -> Any:
    _refuse(
        ctx,
        ("file", "overrides", "vary", "join", "workers"),
        "--join runs what the search was asked for: leave out {}. What may be given is FILE, its "
        "overrides, --vary and --workers.",
    )
    from tfpipe.declare.loading import load
    from tfpipe.verbs.search.search import join

    loaded = None if file is None else load(file, given["overrides"])
    return join(reference, loaded, vary=given["vary"], workers=given["workers"], **common)


def _refuse(ctx: click.Context, allowed: tuple[str, ...], why: str) -> None:
    """Raise UsageError for what was given and is neither allowed nor of use to all."""
    for parameter in ctx.command.params:
        name = str(parameter.name)
        if name in (*allowed, "root", "as_json") or not _is_given(ctx, name):
            continue
        shown = {"file": "FILE", "overrides": "overrides"}.get(name, parameter.opts[0])
        raise click.UsageError(why.format(shown))


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


@click.command("show")
@click.argument("search", type=SearchName(), default="last")
@root_option
@json_option
@debug_option
def show(search: str, root: Path, as_json: bool) -> None:
    """Show how far SEARCH is, its best trials and why others failed.

    SEARCH is a name, a unique beginning of one, a path, or `last`, which it is when none is named.
    """
    from tfpipe.terminal import Terminal
    from tfpipe.tuning.store import find_search
    from tfpipe.verbs.search import view

    shown = find_search(root, search)
    if as_json:
        print_json({**shown.to_json(), "state": view.state_of(shown)})
    else:
        view.show(shown, Terminal())
