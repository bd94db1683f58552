"""`tfpipe serve`: answer requests with exported models."""

from pathlib import Path

import click

from tfpipe.cli.options import debug_option, root_option


@click.command("serve")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Listen at another address than this machine's own.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    metavar="N",
    help="Where to listen; 8501, and 0 for any port that is free.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Holds the token that requests have to bring; or the variable TFPIPE_TOKEN.",
)
@click.option(
    "--versions",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="How many of the newest versions answer; 1.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL=VERSION",
    help="Keep a version, and call it so: as in stable=3, or MODEL/stable=3.",
)
@click.option(
    "--poll",
    type=click.FloatRange(0),
    default=1.0,
    metavar="SECONDS",
    help="How often to look for new versions; 1, and 0 for never.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1, 4096),
    default=32,
    metavar="N",
    help="Samples that are answered together, at most; 32.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(1),
    default=1024,
    metavar="N",
    help="Samples that may wait, before requests are sent away with 503; 1024.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1),
    default=32,
    metavar="MB",
    help="The size of a request, at most; 32.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=50_000_000,
    metavar="N",
    help="Width times height of an image, at most; 50000000.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0.001),
    default=30.0,
    metavar="SECONDS",
    help="Within which a request is answered, else 504; 30.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    metavar="N",
    help="Processes that answer, each with the models in memory; 1.",
)
@click.option(
    "--threads",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Of TensorFlow's operations in each process; one less than the processors.",
)
@click.option("--no-log", is_flag=True, help="Write no line for each request.")
@root_option
@debug_option
def command(
    models: tuple[str, ...],
    host: str,
    port: int,
    token_file: Path | None,
    versions: int,
    labels: tuple[str, ...],
    poll: float,
    max_batch: int,
    max_queue: int,
    max_body: int,
    max_pixels: int,
    deadline: float,
    workers: int,
    threads: int,
    no_log: bool,
    root: Path,
) -> None:
    """Answer requests with MODEL..., and show a page to try them, until Ctrl-C.

    MODEL is the folder of an exported model, its name in saved_models/, or NAME=FOLDER. The
    requests are those of TensorFlow Serving's REST API and of KServe's protocol version 2.
    """
    from tfpipe.serving.options import MEGABYTE, ServingOptions, parse_labels
    from tfpipe.serving.token import token_of
    from tfpipe.terminal import Terminal
    from tfpipe.verbs.serving.serve import serve

    options = ServingOptions(
        host=host,
        port=port,
        token=token_of(token_file),
        versions=versions,
        labels=parse_labels(labels),
        poll=poll,
        max_batch=max_batch,
        max_queue=max_queue,
        max_body=max_body * MEGABYTE,
        max_pixels=max_pixels,
        deadline=deadline,
        workers=workers,
        threads=threads,
        log=not no_log,
    )
    serve(models, options, root=root, terminal=Terminal())
