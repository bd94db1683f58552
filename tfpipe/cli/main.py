"""The command `tfpipe`: its verbs, and what becomes of errors.

A verb's file is imported when the verb is called, so `tfpipe --help` takes milliseconds.
"""

import atexit
import gc
import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from tfpipe.errors import Interrupted, TfpipeError, suggest

VERBS = {
    "check": (
        "tfpipe.cli.check",
        "Check a pipeline with a few training steps; write nothing.",
    ),
    "data": ("tfpipe.cli.data", "What is in the data, and how fast it comes."),
    "profile": ("tfpipe.cli.profile", "Where the time of a training step goes, and what to try."),
    "config": ("tfpipe.cli.config", "The resolved declaration, and where each value came from."),
    "run": ("tfpipe.cli.training.run", "Train, evaluate, export."),
    "resume": ("tfpipe.cli.training.resume", "Go on exactly where a run stopped."),
    "evaluate": ("tfpipe.cli.results.evaluate", "How good a trained model is, with a report."),
    "predict": ("tfpipe.cli.results.predict", "What a model says of pictures, rows and texts."),
    "inspect": (
        "tfpipe.cli.results.inspect",
        "What each layer of a small CNN makes of an image.",
    ),
    "export": (
        "tfpipe.cli.serving.export",
        "What was trained as a SavedModel, LiteRT or ONNX.",
    ),
    "verify": ("tfpipe.cli.serving.verify", "Prove again that an export is what was trained."),
    "serve": ("tfpipe.cli.serving.serve", "Answer requests with a model, and a page to try it."),
    "bench": ("tfpipe.cli.serving.bench", "How fast a model answers, in process and over HTTP."),
    "search": (
        "tfpipe.cli.training.search",
        "Vary what is declared as a range, and find good values.",
    ),
    "compare-models": ("tfpipe.cli.training.compare_models", "Which pretrained network to take."),
    "runs": ("tfpipe.cli.results.runs", "What was run, and how it ended."),
    "tensorboard": ("tfpipe.cli.results.tensorboard", "TensorBoard on the right folders."),
    "devices": ("tfpipe.cli.devices", "The hardware that was found, what is picked and why."),
    "models": ("tfpipe.cli.models", "The model builders, their fields and input contracts."),
    "completion": ("tfpipe.cli.completion", "A script for completion in bash, zsh or fish."),
}


class Verbs(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        return import_module(VERBS[cmd_name][0]).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(f"There is no verb {args[0]!r}. {suggest(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfpipe", prog_name="tfpipe")
def tfpipe() -> None:
    """A training job is one declarative Python class; these are the things to do with it.

    FILE is a pipeline file, or FILE::ClassName where it holds several. Overrides are a.b=value.
    """


# As it ends, Python looks through all objects several times: with TensorFlow's, for a second.
atexit.register(gc.freeze)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 1 some of what was asked has no answer, 2 wrong input, 3 a check failed, 130
    interrupted.
    """
    words = sys.argv[1:] if args is None else args
    debug = "--debug" in words
    if debug:
        os.environ["TFPIPE_DEBUG"] = "1"
    try:
        code = tfpipe.main([w for w in words if w != "--debug"], "tfpipe", standalone_mode=False)
    except click.ClickException as error:
        _explained(error).show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 (the outermost frame: whatever it is, it is said)
        if debug:
            traceback.print_exc()
        sys.exit(_explain(error))
    sys.exit(code if isinstance(code, int) else 0)


def _explained(error: click.ClickException) -> click.ClickException:
    """Say how a field is set, where a person took it for an option."""
    from tfpipe.declare.pipeline import Pipeline

    field = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    if not isinstance(error, click.NoSuchOption) or field not in Pipeline._defaults:
        return error
    more = f" A field of the pipeline is set without dashes: {field}=..."
    return click.UsageError(error.message + more, error.ctx)


def _explain(error: Exception) -> int:
    """Say what went wrong, without a traceback; the exit code."""
    word = "Interrupted" if isinstance(error, Interrupted) else "Error"
    colour: Any = "yellow" if word == "Interrupted" else "red"
    text = str(error) or type(error).__name__
    if not isinstance(error, TfpipeError):
        first = next((line for line in text.splitlines() if line.strip()), "")
        text = f"{type(error).__name__}: {first}\nRun it again with --debug for the traceback."
    click.echo(f"{click.style(word, fg=colour, bold=True)}: {text}", err=True)
    return error.exit_code if isinstance(error, TfpipeError) else 1
