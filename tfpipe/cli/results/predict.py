"""`tfpipe predict TARGET PATH...`: what a model says of pictures, rows and texts."""

import contextlib
import gc
import re
import sys
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import click

from tfpipe.cli.options import PipelineFile, debug_option, json_option, root_option
from tfpipe.cli.results.answered_images import ImageWriter, check_folder
from tfpipe.cli.results.answers import BlockWriter, Writer, writer_of
from tfpipe.cli.results.continuation import asked_of, prompt_options, show
from tfpipe.cli.results.found_boxes import BoxWriter, check_boxes
from tfpipe.storage import whole_text
from tfpipe.text import counted

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"}
_FEW = 20  # answers, which are shown as blocks
_MACHINE = ("csv", "jsonl", "json", "coco")


@click.command("predict")
@click.argument("target", metavar="FILE|RUN|MODEL", type=PipelineFile())
@click.argument("words", metavar="PATH... [a.b=value]...", nargs=-1)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many classes of each output; 5, in a table 3.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *_MACHINE]),
    help="How answers are printed; by default a block for each of a few, else a table.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the answers to FILE, whole or not at all; .csv, .jsonl and .json say the format.",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the pictures with captions and bars of the probabilities, as PNG files.",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write the images that a model answers with, or pictures with their boxes.",
)
@click.option(
    "--score",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Of a model that finds boxes: the score that a box must have; 0.5.",
)
@click.option(
    "--per-page",
    type=click.IntRange(1, 25),
    default=1,
    metavar="N",
    help="How many pictures in one file of --figures; 1.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Of the frames of a clip, every Nth; 1.",
)
@click.option(
    "--signs",
    is_flag=True,
    help="Each picture is of one sign, such as a digit: cut it out and centre it, as in MNIST.",
)
@click.option(
    "--beam",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of a model that translates: how many translations to keep at each place; 1.",
)
@prompt_options
@root_option
@json_option
@debug_option
def command(
    target: str,
    words: tuple[str, ...],
    top: int | None,
    form: str | None,
    out: Path | None,
    figures: Path | None,
    folder: Path | None,
    score: float | None,
    per_page: int,
    every: int,
    signs: bool,
    beam: int | None,
    root: Path,
    as_json: bool,
    **prompted: str | float | None,
) -> int | None:
    """Say what a model makes of pictures, rows or texts; exit 1 when any could not be read.

    With --prompt a model of a text's next tokens continues it. For a model that translates, what
    names no file is a sentence, and text files have one a line; --beam 4 finds better translations.
    A model that answers with images writes them into the folder --to. One that finds boxes says
    them in pixels; --to draws them, and --format coco writes them as a COCO data set.

    FILE declares a network that needs no training (head="imagenet"); RUN is a run's name, a unique
    beginning of it, a path or `last`, whose best model is used; MODEL is an exported SavedModel:
    saved_models/NAME, whose newest version is taken, or saved_models/NAME/VERSION.

    PATHs are files, folders and quoted patterns ("photos/**/*.jpg"): image files and, with OpenCV,
    clips; CSV files and JSON lines (.jsonl, .ndjson) for models that read rows or a text; for those
    that read a text also .txt files, each a text.

    - is standard input. A model of pictures takes a path a line. One of rows takes JSON lines where
    the first character is { or [, else CSV with a header. One of a text takes JSON lines where the
    first character is { or a double quote, else a text a line.
    """
    from tfpipe.cli.logs import log_shown
    from tfpipe.jobs.predict.continuation import check_no_files
    from tfpipe.jobs.predict.figures import Figures
    from tfpipe.tasks.detection import SHOWN
    from tfpipe.terminal import Silent, Terminal
    from tfpipe.verbs.predict import predictor

    paths, overrides = _split_words(words)
    asked = asked_of(
        prompted,
        bool(paths),
        bool(top or form or out or figures or folder or per_page > 1 or every > 1 or beam),
    )
    if not paths and asked is None:
        raise click.UsageError(
            "Give at least one file, folder, pattern, or - for standard input; or --prompt TEXT."
        )
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} are two formats: choose one.")
    if out and not form and not as_json:
        form = _BY_SUFFIX.get(out.suffix.lower(), "table")
    if asked is not None:
        terminal = Terminal(sys.stderr)
        with log_shown(terminal):
            ready = predictor(target, overrides=overrides, root=root, terminal=terminal)
            show(ready, asked, terminal, as_json)
        return None
    form = "json" if as_json else form
    terminal = Terminal(sys.stderr if form in _MACHINE and out is None else sys.stdout)
    with contextlib.ExitStack() as opened:
        opened.enter_context(log_shown(terminal))
        stream = opened.enter_context(whole_text(out)) if out else sys.stdout
        ready = predictor(target, overrides=overrides, root=root, terminal=terminal)
        check_no_files(ready)
        check_folder(ready, folder, figures)
        check_boxes(ready, score, form)
        ready = ready.with_beam(beam) if beam else ready
        drawn = Figures(figures, per_page, ready) if figures else None
        for note in ready.notes:
            terminal.note(note)
        least = SHOWN if score is None else score
        top_most = top or max(5, ready.beam)
        parts = ready.in_parts(paths, top_most, every, drawn is not None, signs, least)
        failed, total, noted = 0, 0, 0
        writer: Writer | None = None
        first = next(parts, [])  # before the live line, as the model is loaded for it
        gc.freeze()  # TensorFlow's objects: each collection would look through them, half the time
        opened.callback(gc.unfreeze)
        began = time.monotonic()
        live = terminal if out else Silent() if sys.stdout.isatty() else Terminal(sys.stderr)
        count = opened.enter_context(live.counting(ready.nouns))
        for some in chain([first], parts):
            if ready.finds_boxes:
                writer = writer or BoxWriter(ready, folder, form or "table", stream)
            elif folder is not None:
                writer = writer or ImageWriter(folder, form or "table", stream)
            elif writer is None and form is None and len(some) <= _FEW:
                writer = BlockWriter(ready, terminal)
            writer = writer or writer_of(form or "table", ready, stream, top)
            writer.write(some)
            stream.flush()
            if drawn:
                drawn.add(some)
            failed, total = failed + sum(bool(a.error) for a in some), total + len(some)
            noted += sum(bool(a.note) for a in some)
            count(total, failed)
        if writer:
            writer.end()
        if drawn:
            drawn.end()
    seconds = time.monotonic() - began
    if failed:
        terminal.note(f"{failed:,} of {total:,} {ready.nouns} could not be read.")
    if noted and not isinstance(writer, BlockWriter):
        terminal.note(f"Of {noted:,} of {total:,} {ready.nouns} a part was unknown or too long.")
    if out:
        more = total - len(first)  # than were read while the model was loaded
        rate = f", {more / seconds:,.0f} {ready.nouns}/s" if more else ""
        terminal.say(f"{out}: {counted(total, 'answer')}{rate}")
    if drawn:
        terminal.say(f"{figures}: {counted(drawn.written, 'figure')}")
    return 1 if failed else None


def _split_words(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Paths, and overrides: what looks like one and is no file."""
    overrides = [w for w in words if _OVERRIDE.match(w) and not Path(w).exists()]
    return [w for w in words if w not in overrides], overrides
