"""`tfpipe compare-models FILE`: which pretrained network should I take?"""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from tfpipe.cli.options import (
    Override,
    PipelineFile,
    SampleCommand,
    debug_option,
    json_option,
    print_json,
    root_option,
    sample_option,
    sample_size,
)


@click.command("compare-models", cls=SampleCommand)
@click.argument("file", type=PipelineFile(), required=False)
@click.argument("overrides", nargs=-1, type=Override())
@click.option(
    "--models",
    default="all",
    metavar="all|NAME,NAME",
    help="The networks; all are the 28 of the published comparison.",
)
@click.option(
    "--data-fraction",
    type=float,
    default=1.0,
    metavar="SHARE",
    help="The share of the declared training data to use, such as 0.07.",
)
@click.option(
    "--through-base",
    is_flag=True,
    help="Run the frozen base every epoch, instead of computing what it answers once.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="How many networks at a time; they share the processors and GPUs.",
)
@sample_option
@click.option(
    "--resume",
    is_flag=False,
    flag_value="last",
    metavar="[SEARCH]",
    help="Go on with a comparison, the newest where none is named.",
)
@click.option("--retry-failed", is_flag=True, help="With --resume: train again what failed.")
@root_option
@json_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    file: str | None,
    overrides: tuple[str, ...],
    models: str,
    data_fraction: float,
    through_base: bool,
    workers: int,
    sample: int | None,
    resume: str | None,
    retry_failed: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Train the pipeline in FILE with one pretrained network after the other, and compare them.

    FILE declares data and model = Application(...), whose name is exchanged. It is a search, a grid
    over the model: each network is a trial in a process of its own, below searches/; one that fails
    is noted, and the others go on. comparison.json and three figures are written after each.

    Of a data set of TensorFlow Datasets, --data-fraction takes the first samples of the training
    split, before validation is held out of them; of any other data, a random share of each class of
    what is left to train on.
    """
    from tfpipe.declare.loading import load
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.compare_models import compare_models, resume_comparison

    terminal = Terminal(sys.stderr if as_json else sys.stdout)
    if resume is not None:
        _refuse_with_resume(ctx)
        comparison = resume_comparison(
            resume, root=root, retry_failed=retry_failed, terminal=terminal
        )
    elif file is None:
        raise click.UsageError("Name the file of a pipeline, or go on with --resume.")
    elif retry_failed:
        raise click.UsageError("--retry-failed goes with --resume.")
    else:
        comparison = compare_models(
            load(file, overrides),
            models,
            root=root,
            data_fraction=data_fraction,
            through_base=through_base,
            workers=workers,
            sample=sample_size(sample),
            terminal=terminal,
        )
    if as_json:
        from tfpipe.tuning.comparison import networks

        print_json(
            comparison.to_json() | {"networks": [asdict(row) for row in networks(comparison)]}
        )


def _refuse_with_resume(ctx: click.Context) -> None:
    """A comparison goes on with what was asked when it began."""
    given = {"file": "FILE", "models": "--models", "data_fraction": "--data-fraction"}
    given |= {"through_base": "--through-base", "sample": "--sample", "workers": "--workers"}
    for name, shown in given.items():
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                "--resume goes on with what was asked when the comparison began: leave out "
                f"{shown}."
            )
