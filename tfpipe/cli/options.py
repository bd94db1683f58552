"""Options and arguments that several verbs share."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class PipelineFile(click.ParamType):
    """`FILE` or `FILE::ClassName`, completed with Python files and the classes in them."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        file, colons, _ = incomplete.partition("::")
        if not colons:
            return [CompletionItem(incomplete, type="file")]
        return [
            CompletionItem(f"{file}::{name}")
            for name in _classes(Path(file))
            if f"{file}::{name}".startswith(incomplete)
        ]


class RunName(click.ParamType):
    """A run's name, completed from the runs that there are."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from tfpipe.runs.directory import list_runs

        names = ["last", *(run.name for run in list_runs(Path(ctx.params.get("root") or ".")))]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class SearchName(click.ParamType):
    """A search's name, completed from the searches that there are."""

    name = "search"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        folders = (Path(ctx.params.get("root") or ".") / "searches").glob("*/*/search.json")
        there = sorted((f.parent for f in folders), key=lambda folder: folder.name)
        names = ["last", *(f"{folder.parent.name}/{folder.name}" for folder in there)]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class Override(click.ParamType):
    """`a.b=value`, completed with the field names of the file's pipeline."""

    name = "a.b=value"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from tfpipe.declare.loading import load
        from tfpipe.declare.tree import flatten
        from tfpipe.errors import TfpipeError

        try:
            names = flatten(load(ctx.params["file"]).pipeline)
        except (TfpipeError, KeyError):
            return []
        return [CompletionItem(f"{n}=") for n in names if f"{n}=".startswith(incomplete)]


def _classes(file: Path) -> list[str]:
    import ast

    try:
        tree = ast.parse(file.read_text())
    except (OSError, SyntaxError, ValueError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


class SampleCommand(click.Command):
    """A command whose `--sample` may stand alone, before whatever comes next."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        for index, word in enumerate(words):
            following = words[index + 1] if index + 1 < len(words) else ""
            if word == "--sample" and not following.isdigit():
                words[index] = "--sample=0"
        return super().parse_args(ctx, words)


def pipeline_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """FILE and its overrides."""
    function = click.argument("overrides", nargs=-1, type=Override())(function)
    return click.argument("file", type=PipelineFile())(function)


sample_option: Decorator = click.option(
    "--sample",
    type=click.IntRange(min=0),
    metavar="[SIZE]",
    help="Run on generated data of the same shape: no download, no network.",
)

root_option: Decorator = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    metavar="DIR",
    help="Where runs/ and saved_models/ are; the current folder by default.",
)


class StepRange(click.ParamType):
    """The first and the last of some steps, or one of them."""

    name = "steps"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """`10..20` as (10, 20)."""
        first, _, last = value.partition("..")
        if not (first.isdecimal() and (last or first).isdecimal()):
            self.fail(f"{value!r} are no steps: write 10..20, or 10 for one.", param, ctx)
        steps = int(first), int(last or first)
        if not 1 <= steps[0] <= steps[1]:
            self.fail(f"{value!r}: steps count from 1 up.", param, ctx)
        return steps


profile_option: Decorator = click.option(
    "--profile",
    type=StepRange(),
    metavar="FROM..TO",
    help="Trace these training steps with TensorFlow's profiler.",
)


def worker_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How many workers train together, and, on a cluster, which one this is."""
    for option in reversed(
        (
            click.option(
                "--workers",
                type=click.IntRange(min=1),
                metavar="N",
                help="Train with N processes on this machine, started again when one dies.",
            ),
            click.option(
                "--cluster",
                metavar="HOST:PORT,...",
                help="All workers; each machine runs this command, with --worker.",
            ),
            click.option("--worker", type=int, metavar="I", help="Which worker of --cluster."),
            click.option(
                "--start-deadline",
                type=click.FloatRange(min=1),
                default=300.0,
                metavar="SECONDS",
                help="How long to wait for all workers to come.",
            ),
        )
    ):
        function = option(function)
    return function


def team_of(cluster: str | None, worker: int | None, deadline: float) -> Any:
    """The workers that this process belongs to (`tfpipe.jobs.prepare.Team`); None alone."""
    import os

    from tfpipe.devices.cluster.membership import find_cluster
    from tfpipe.jobs.prepare import Team
    from tfpipe.processes.lifeline import attend

    attend()
    members = find_cluster(cluster, worker, os.environ)
    return None if members is None else Team(members, deadline)


def worker_flags(
    export: bool, root: Path, as_json: bool, profile: tuple[int, int] | None
) -> list[str]:
    """The options of a verb that each of its workers gets as well."""
    return [
        *([] if export else ["--no-export"]),
        *([] if profile is None else [f"--profile={profile[0]}..{profile[1]}"]),
        *("--root", str(root)),
        *(["--json"] if as_json else []),
    ]


def say_on_error_stream(text: str) -> None:
    """A sentence for the person, beside what the workers print."""
    click.echo(text, err=True)


json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on standard output, and nothing else."
)

debug_option: Decorator = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show tracebacks and TensorFlow's messages."
)


def sample_size(value: int | None) -> int | bool | None:
    """What `--sample` means: None without it, True for its own size, or a number."""
    return True if value == 0 else value


def pipeline_words(file: str, overrides: tuple[str, ...], sample: int | None) -> str:
    """The same pipeline for another command line, on the same data."""
    size = [] if sample is None else ["--sample", *([str(sample)] if sample else [])]
    return shlex.join([file, *overrides, *size])


def print_json(data: Any) -> None:
    """JSON for programs."""
    click.echo(json.dumps(data, indent=2))


def print_run(result: Any) -> None:
    """What became of a run, for programs."""
    print_json(
        {
            "name": result.name,
            "directory": str(result.directory),
            "metrics": result.metrics,
            "history": result.history,
            "exports": [str(path) for path in result.exported],
        }
    )
