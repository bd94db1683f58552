"""`tfpipe bench`: what it measures of a server whose speed is known, and what it refuses."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DELAY = 0.02


class Server(ThreadingHTTPServer):
    """Answers after 20 ms, as its model's name says: well, not at all, or with an error."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any], str]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers.get("Authorization", "")))
        time.sleep(DELAY)
        if "gone" in self.path:
            self.close_connection = True
            return
        status = 503 if "full" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Length", "19")
        if "once" in self.path:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b'{"error": "is full"' if status != 200 else b'{"predictions": []}')

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server in a thread."""
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A folder with golden samples, which is all that is read of it."""
    folder = tmp_path / "saved_models" / "pictures" / "3"
    (folder / "assets").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    pictures = np.arange(8, dtype="uint8").reshape(2, 2, 2, 1)
    file = np.frombuffer(b"\x89PNG\xff", np.uint8)
    np.savez(folder / "assets" / "golden.npz", array_image=pictures, file_0=file)
    (folder / "assets" / "contract.json").write_text("{}")
    return folder


@pytest.fixture
def rows(golden: Path) -> Path:
    """The golden samples of a table."""
    np.savez(golden / "assets" / "golden.npz", array_age=[1.5, 2.5], array_city=[b"Rom", b"Ulm"])
    return golden


def address(server: Server, name: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1/models/{name}"


def test_a_server_is_measured(tfpipe: Any, server: Server, golden: Path) -> None:
    server.asked.clear()
    Path("token").write_text("secret\n")
    words = ("--seconds", "0.4", "--connections", "1,4", "--token-file", "token", "--json")
    done = tfpipe("bench", address(server, "pictures"), *words)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["in_process"] == {}
    assert list(found["http"]) == ["serving_default", "serving_bytes"]
    for one, four in found["http"].values():
        assert (one["connections"], four["connections"]) == (1, 4)
        assert 1000 * DELAY <= one["p50"] <= one["p90"] <= one["p99"] <= one["most"]
        assert one["per_second"] <= 1 / DELAY + 2.5
        assert four["per_second"] > 2 * one["per_second"]
        assert one["statuses"] == {"200": one["requests"]}
    paths, bodies, tokens = zip(*server.asked, strict=True)
    assert set(paths) == {"/v1/models/pictures:predict"}
    assert set(tokens) == {"Bearer secret"}
    first, last = bodies[0], bodies[-1]
    assert first["instances"] == [[[[0], [1]], [[2], [3]]]]
    assert last == {
        "signature_name": "serving_bytes",
        "instances": [{"b64": "iVBOR/8="}],
    }


def test_several_inputs_are_sent_by_name(tfpipe: Any, server: Server, rows: Path) -> None:
    server.asked.clear()
    place = address(server, "people/versions/3")
    done = tfpipe("bench", place, "--samples", rows, "--seconds", "0.1", "--connections", "1")
    assert done.code == 0, done.err
    path, body, token = server.asked[1]
    assert path == "/v1/models/people/versions/3:predict"
    assert body["instances"] == [{"age": 2.5, "city": "Ulm"}]
    assert token == ""
    assert "serving_default over HTTP, an example in a request" in done.out
    assert "connections  examples/s  p50 ms  p90 ms  p99 ms  refused" in done.out


def test_connections_that_the_server_closes_are_opened_again(
    tfpipe: Any, server: Server, rows: Path
) -> None:
    words = ("--samples", rows, "--seconds", "0.3", "--connections", "2", "--json")
    [load] = json.loads(tfpipe("bench", address(server, "once"), *words).out)["http"][
        "serving_default"
    ]
    assert load["requests"] > 5
    assert set(load["statuses"]) == {"200"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("full", '{"error": "is full"'),
        ("gone", "it closed the connection"),
    ],
)
def test_a_server_that_refuses(
    tfpipe: Any, server: Server, rows: Path, name: str, said: str
) -> None:
    words = ("--samples", rows, "--seconds", "0.1", "--connections", "1")
    done = tfpipe("bench", address(server, name), *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"Error: The server refused what it was sent at /v1/models/{name}:predict, the golden "
        f"samples of the model: {said}\n"
    )


def test_what_is_no_model(tfpipe: Any, rows: Path) -> None:
    done = tfpipe("bench", "nothing")
    assert (done.code, done.err) == (
        2,
        "Error: nothing is no exported model: expected is the folder of a SavedModel or of its "
        "versions, a .onnx or a .tflite file.\n",
    )
    done = tfpipe("bench", "http://127.0.0.1:8501/models/x")
    assert (done.code, done.err) == (
        2,
        "Error: http://127.0.0.1:8501/models/x does not name a model of a server. Write "
        "http://HOST:PORT/v1/models/NAME, such as "
        "http://127.0.0.1:8501/v1/models/cifar10_cnn.\n",
    )
    done = tfpipe("bench", "http://127.0.0.1:1/v1/models/x", "--samples", rows)
    assert (done.code, done.err) == (
        2,
        "Error: Nothing that can be measured answers at 127.0.0.1:1: ConnectionRefusedError: "
        "[Errno 111] Connection refused. Is `tfpipe serve` running there?\n",
    )
    done = tfpipe("bench", "nothing", "--connections", "1,0")
    assert done.code == 2
    assert "'1,0' are no counts: write 1,8,32, or 8 for one." in done.err
