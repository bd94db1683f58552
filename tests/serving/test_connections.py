"""Clients that are slow, endless or gone: none holds up another one."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving.conftest import Client, serving
from tfpipe.serving import server

BODY = json.dumps({"instances": [0.0]}).encode()
HEAD = b"POST /v1/models/sums:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)

Connect = Callable[[Client], socket.socket]


@pytest.fixture
def connected() -> Iterator[Connect]:
    """Connects to a server, until the test is over."""
    with contextlib.ExitStack() as held:

        def connect(client: Client) -> socket.socket:
            address = ("127.0.0.1", client.port)
            return held.enter_context(socket.create_connection(address, timeout=10))

        yield connect


def rest(connection: socket.socket) -> bytes:
    """What is answered until the connection is closed."""
    found = b""
    try:
        while part := connection.recv(4096):
            found += part
    except ConnectionResetError:
        pass
    return found


def test_headers_that_do_not_end(
    sums: Path, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_HEADER", 0.4)
    with serving({"sums": sums}, deadline=0.8) as client:
        silent, slow, body = (connected(client) for _ in range(3))
        slow.sendall(HEAD[:20])
        body.sendall(HEAD + BODY[:3])
        began = time.monotonic()
        for place in range(8):  # a byte now and then does not help
            assert client.predict({"instances": [0.0]})[0] == 200
            try:
                slow.sendall(HEAD[20 + place : 21 + place])
            except OSError:
                break
            time.sleep(0.1)
        assert (rest(silent), rest(slow)) == (b"", b"")
        answer = rest(body)
        assert answer.startswith(b"HTTP/1.1 408")
        assert answer.endswith(b'{"error":"The body did not come in time."}')
        assert time.monotonic() - began < 5

        large = connected(client)
        large.sendall(HEAD[:-2] + b"X: " + b"a" * 40_000)
        time.sleep(0.05)
        large.sendall(b"a" * 40_000)
        answer = rest(large)
        assert answer.startswith(b"HTTP/1.1 431")
        assert answer.endswith(b'{"error": "The header is too large."}')

        wrong = connected(client)
        wrong.sendall(b"nothing\r\n\r\n")
        answer = rest(wrong)
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.endswith(b'{"error": "Invalid HTTP request received."}')

        # The time between two requests of a connection is not that of a header.
        kept = connected(client)
        for pause in (0.0, 0.6):
            time.sleep(pause)
            kept.sendall(HEAD + BODY)
            answer = b""
            while not answer.endswith(b'{"predictions": [2.0]}'):
                answer += kept.recv(4096)


def test_clients_that_leave(sums: Path, connected: Connect) -> None:
    with serving({"sums": sums}) as client:
        for _ in range(20):
            with connected(client) as gone:
                gone.sendall(HEAD + BODY)
        for _ in range(20):
            with connected(client) as gone:
                gone.sendall(HEAD + BODY[:5])
        assert client.predict({"instances": [1.0]}) == (200, {"predictions": [2.5]})
        (served,) = client.repository.models["sums"]._all()
        end = time.monotonic() + 10
        while (served.leases or served.batcher.waiting) and time.monotonic() < end:
            time.sleep(0.01)
        assert (served.leases, served.batcher.waiting) == (0, 0)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 13, 33, 100])
def test_batches_of_every_size_give_the_same_answers(client: Client, rows: int) -> None:
    values = [0.25 * n for n in range(rows)]
    expected = {"predictions": [v * 0.5 + 2 for v in values]}
    assert client.predict({"instances": values}) == (200, expected)
