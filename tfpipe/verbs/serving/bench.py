"""`tfpipe bench`: how many examples a model answers in a second, and how long one takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfpipe.terminal import Silent, Terminal

if TYPE_CHECKING:
    from tfpipe.serving.bench.load import Load

CONNECTIONS = (1, 8, 32, 128)
SECONDS = 2.0


def bench(
    model: str | Path,
    *,
    seconds: float = SECONDS,
    connections: Sequence[int] = CONNECTIONS,
    samples: str | Path | None = None,
    token: str | None = None,
    root: str | Path = ".",
    terminal: Terminal | None = None,
) -> dict[str, Any]:
    """Measure how fast a model answers its golden samples: in process, and over HTTP.

    Args:
        model: an exported model: the folder of a SavedModel or of its versions, for which a server
            is started; a .onnx or .tflite file, which is measured in process alone; or a name below
            `root`/saved_models. Or the address of a model on a running server,
            http://HOST:PORT/v1/models/NAME, which is measured alone.
        seconds: how long each figure is measured, after a warm-up that does not count.
        connections: how many connections ask at once, one after the other.
        samples: the folder whose golden samples a running server is sent; saved_models/NAME.
        token: the bearer token that a server asks for; the variable TFPIPE_TOKEN when None.
        root: the folder with saved_models/.
        terminal: told what is being measured.

    Returns:
        `model`; `in_process`: for each signature, for batches of 1, 2, 4, ... while larger ones
        are faster, `batch`, examples `per_second` and `p50`, `p90`, `p99` of a call in
        milliseconds, empty for a running server; `http`: for each signature, for each number of
        connections, `connections` and the fields of `tfpipe.serving.bench.load.Latencies`, where
        each request has one example.

    Raises:
        ModelError: for a model that is not there, does not start or does not answer.
        ConfigError: for an address that names no model.

    Example:
        tfpipe.bench("saved_models/cifar10_cnn")["http"]["serving_bytes"][0]["p99"]
    """
    from tfpipe.serving.bench.over_http import load_on, model_name, serving
    from tfpipe.serving.bench.timing import time_in_process
    from tfpipe.serving.token import token_of
    from tfpipe.verbs.serving.verify import artefact

    terminal, token = terminal or Silent(), token or token_of(None)
    address = str(model)
    if address.startswith(("http://", "https://")):
        load = load_on(address, seconds, token)
        folder = artefact(samples or model_name(load.path), Path(root))
        http = _over_http(load, folder, connections, terminal)
        return {"model": address, "in_process": {}, "http": http}
    folder = artefact(model, Path(root))
    with terminal.waiting("measuring the signatures in process"):
        in_process = time_in_process(folder, seconds / 4)
    if folder.is_file():
        return {"model": str(folder), "in_process": in_process, "http": {}}
    with serving(folder) as server:
        load = load_on(f"{server}/v1/models/{model_name(folder)}", seconds, token)
        http = _over_http(load, folder, connections, terminal)
    return {"model": str(folder), "in_process": in_process, "http": http}


def _over_http(
    load: "Load", folder: Path, connections: Sequence[int], terminal: Terminal
) -> dict[str, list[dict[str, Any]]]:
    """What was measured of each signature, for each number of connections."""
    from tfpipe.serving.bench.over_http import measure_http, request_bodies
    from tfpipe.serving.bench.timing import golden_samples

    found = {}
    for signature, samples in golden_samples(folder).items():
        bodies = request_bodies(signature, samples)
        with terminal.waiting(f"measuring {signature} over HTTP"):
            found[signature] = [measure_http(load, bodies, count) for count in connections]
    return found
