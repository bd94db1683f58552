"""`tfpipe serve`: answer requests with exported models."""

import ipaddress
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfpipe.errors import ConfigError, MissingDependency
from tfpipe.terminal import Silent, Terminal
from tfpipe.text import listed

if TYPE_CHECKING:
    from tfpipe.serving.options import ServingOptions

_PACKAGES = ("starlette", "uvicorn", "prometheus_client", "httptools")


def serve(
    models: Sequence[str | Path],
    options: "ServingOptions | None" = None,
    *,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> None:
    """Answer requests with exported models until this process is asked to end.

    TensorFlow Serving's REST API, KServe's Open Inference Protocol and a page to try the models.

    Args:
        models: folders of SavedModels or of their versions, names below `root`/saved_models, or
            NAME=FOLDER.
        options: how; the defaults of `tfpipe.serving.options.ServingOptions` when None.
        root: the folder with saved_models/.
        terminal: told where the models are and what changes.

    Raises:
        ModelError: when a model is not there, damaged, or does not answer as it should.
        ConfigError: when the port is taken.
        MissingDependency: when the packages of the extra `serve` are not installed.

    Example:
        tfpipe.serve(["saved_models/cifar10_cnn"])
    """
    from importlib.util import find_spec

    from tfpipe.serving.options import ServingOptions
    from tfpipe.serving.repository import find_models

    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise MissingDependency(
            f"Serving needs {listed(missing)}, which is not installed. Install it with: "
            "pip install 'tfpipe[serve]'"
        )
    if not models:
        raise ConfigError("There is no model to serve: name at least one, as in saved_models/NAME.")
    options, terminal = options or ServingOptions(), terminal or Silent()
    folders = find_models(tuple(map(str, models)), Path(root))

    from tfpipe.serving import server
    from tfpipe.serving.metrics import Metrics
    from tfpipe.serving.workers import serve_in_workers

    began = time.perf_counter()
    listener = server.listen(options.host, options.port)
    port = listener.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    terminal.say(f"serving [bold]{listed([*folders])}[/] at [bold]http://{host}:{port}[/]")
    if not is_loopback(options.host) and options.token is None:
        terminal.note(
            "Others can reach this address, and no token is asked for: give one with --token-file, "
            "or listen at 127.0.0.1 behind a proxy."
        )
    name = next(iter(folders))
    address = f"http://{host}:{port}"

    def up() -> None:
        terminal.say(f"ready in {time.perf_counter() - began:.1f} s  (Ctrl-C ends it)")
        terminal.commands(
            [
                (f"{address}/", "the page to try it"),
                (f"curl {address}/v1/models/{name}", "its versions"),
                (f"curl {address}/v1/models/{name}/metadata", "what it takes and answers"),
            ]
        )

    if options.workers > 1:
        serve_in_workers(folders, options, listener, terminal.say, up)
    else:
        metrics = Metrics()
        repository = server.repository_of(folders, options, metrics, terminal.say)
        with terminal.waiting("starting TensorFlow and loading the models"):
            repository.start()
        up()
        server.serve(repository, options, metrics, listener)
    terminal.say("ended; every accepted request was answered")


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
