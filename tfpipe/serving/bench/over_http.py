"""What `tfpipe bench` measures over HTTP: a server, started for it or running, under load."""

import base64
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tfpipe.errors import ConfigError, ModelError
from tfpipe.serving.bench.load import Load, measure

if TYPE_CHECKING:
    import numpy as np

_START = 120.0  # seconds that a server may take to be ready


def request_bodies(signature: str, samples: "dict[str, np.ndarray]") -> list[bytes]:
    """Return a body in TensorFlow Serving's row format for each example.

    Args:
        signature: the signature that is called.
        samples: an array for each input, an example in each row; bytes that are no text are
            encoded.
    """
    names = list(samples)
    bodies = []
    for row in zip(*(samples[name] for name in names), strict=True):
        values = {name: _as_json(value) for name, value in zip(names, row, strict=True)}
        instance = values if len(names) > 1 else next(iter(values.values()))
        body = {"signature_name": signature, "instances": [instance]}
        bodies.append(json.dumps(body, separators=(",", ":")).encode())
    return bodies


def _as_json(value: "np.generic | np.ndarray | bytes") -> object:
    found = value if isinstance(value, bytes) else value.tolist()
    if not isinstance(found, bytes):
        return found
    try:
        text = found.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(found).decode()}
    return text


def model_name(place: Path | str) -> str:
    """Return the name of a model by the folder of a version of it, or by its path on a server."""
    if isinstance(place, str):
        return place.partition("/v1/models/")[2].split("/")[0].split(":")[0]
    place = place.absolute()
    return place.parent.name if place.name.isdigit() else place.name


def load_on(address: str, seconds: float, token: str | None = None) -> Load:
    """Return a load on a model, without bodies.

    Args:
        address: http://HOST:PORT/v1/models/NAME, perhaps with /versions/N.
        seconds: how long is measured.
        token: the bearer token that the server asks for.

    Raises:
        ConfigError: for an address of another form.
    """
    parts = urlsplit(address.rstrip("/"))
    _, api, name = parts.path.partition("/v1/models/")
    if not (parts.hostname and api and name):
        raise ConfigError(
            f"{address} does not name a model of a server. Write "
            "http://HOST:PORT/v1/models/NAME, such as http://127.0.0.1:8501/v1/models/cifar10_cnn."
        )
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    return Load(
        parts.hostname,
        port,
        f"{parts.path}:predict",
        (),
        seconds=seconds,
        warm_up=seconds / 2,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        tls=tls,
    )


def measure_http(load: Load, bodies: Sequence[bytes], connections: int) -> dict[str, Any]:
    """Measure a load of that many connections.

    Args:
        load: where to, and how long.
        bodies: what is sent.
        connections: how many ask at once.

    Returns:
        `connections`, and the fields of `tfpipe.serving.bench.load.Latencies`.

    Raises:
        ModelError: when the server does not answer, or answers none of the requests well.
    """
    try:
        found = measure(replace(load, bodies=bodies, connections=connections))
    except ConnectionError as error:
        raise ModelError(
            f"Nothing that can be measured answers at {load.host}:{load.port}: {error}. Is "
            "`tfpipe serve` running there?"
        ) from None
    if not found.statuses.get("200"):
        raise ModelError(
            f"The server refused what it was sent at {load.path}, the golden samples of the model: "
            f"{found.refused or 'it closed the connection'}"
        )
    return {"connections": connections, **asdict(found)}


@contextlib.contextmanager
def serving(model: Path, options: Sequence[str] = ()) -> Iterator[str]:
    """Start a server of one model, in a process of its own on a free port, and end it.

    Args:
        model: the folder of the model, or of a version of it.
        options: more words for `tfpipe serve`.

    Yields:
        The address of the server: http://127.0.0.1:PORT.

    Raises:
        ModelError: when it does not start.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "tfpipe", "serve", str(model), "--port", str(port), *options]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            if not _is_ready(process, address):
                log.seek(0)
                raise ModelError(f"The server of {model} did not start:\n{log.read()[-2000:]}")
            yield address
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(process: "subprocess.Popen[bytes]", address: str) -> bool:
    end = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    return False
