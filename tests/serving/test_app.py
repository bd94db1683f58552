"""What every request goes through: limits, deadlines, names, the token, and how it ends."""

import contextlib
import gzip
import http.client
import json
import logging
import signal
import socket
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tritonclient import http as triton

from tests.serving.conftest import Client, serving
from tfpipe.serving import server

ONE = {"instances": [0.0]}


def test_token_names_and_limits(
    sums: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="tfpipe.serving")
    with serving({"sums": sums}, token="secret", log=True, max_body=2000, max_samples=50) as client:
        path = "/v1/models/sums:predict"
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            status, found, answered = client.ask(path, ONE, headers)
            assert (status, answered["www-authenticate"]) == (401, "Bearer")
            assert found == {"error": "A token is needed: Authorization: Bearer TOKEN."}
        assert client.ask("/metrics")[0] == client.ask("/page/models.json")[0] == 401
        for open_path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/"):
            assert client.ask(open_path)[0] == 200, open_path
        token = {"Authorization": "Bearer secret"}
        status, _, answered = client.ask(path, ONE, token | {"X-Request-ID": "mine-1"})
        assert (status, answered["x-request-id"]) == (200, "mine-1")
        status, _, answered = client.ask(path, ONE, token | {"X-Request-ID": "bad id\t"})
        assert status == 200
        assert len(answered["x-request-id"]) >= 8
        assert "\t" not in answered["x-request-id"]
        assert answered["x-content-type-options"] == "nosniff"
        for given, expected in (("bearer secret", 200), ("Bearer", 401), ("Basic secret", 401)):
            assert client.ask(path, ONE, {"Authorization": given})[0] == expected
        status, found, _ = client.ask(path, {"instances": [0.0] * 900}, token)
        assert (status, found) == (413, {"error": "The body is larger than 2,000 bytes."})
        status, found, _ = client.ask(path, {"instances": [0] * 51}, token)
        assert status == 413
        assert "51 samples" in found["error"]
        # A body whose length nobody has said is counted while it comes.
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        parts = (b"[" * 500 for _ in range(10))
        with contextlib.suppress(ConnectionError):  # closed while the rest was being sent
            connection.request("POST", path, parts, token, encode_chunked=True)
            assert connection.getresponse().status == 413
        connection.close()
        status, text, _ = client.ask("/metrics", None, token)
        assert b'tfpipe_requests_total{code="200",method="predict",model="sums"} 3.0' in text
        assert b'tfpipe_model_version{model="sums",version="1"} 1.0' in text
        description = client.ask("/openapi.json", None, token)[1]
        assert description["security"] == [{"token": []}]
        assert "/v2/models/{name}/infer" in description["paths"]
    lines = [json.loads(r.message) for r in caplog.records if r.name == "tfpipe.serving"]
    (line,) = [line for line in lines if line["id"] == "mine-1"]
    assert line["status"] == 200
    assert line["path"] == path
    assert line["milliseconds"] > 0


def test_bodies_that_come_compressed(sums: Path) -> None:
    with serving({"sums": sums}, max_body=2000) as client:
        path, plain = "/v1/models/sums:predict", json.dumps(ONE).encode()

        def ask(body: bytes, encoding: str) -> tuple[int, Any]:
            return client.ask(path, body, {"Content-Encoding": encoding})[:2]

        packed, good = gzip.compress(plain), (200, {"predictions": [2.0]})
        assert ask(packed, "gzip") == ask(zlib.compress(plain), "Deflate") == good
        assert ask(plain, "identity") == good
        bomb = gzip.compress(b" " * 10_000_000)
        assert ask(bomb[:1900], "gzip") == (413, {"error": "The body is larger than 2,000 bytes."})
        for body, encoding, status, said in (
            (packed, "br", 415, "The body is encoded as 'br'; gzip, deflate can be read."),
            (plain, "gzip", 400, "The body is not what Content-Encoding: gzip says: Error -3"),
            (packed[:-9], "gzip", 400, "The body breaks off, as Content-Encoding: gzip reads it."),
        ):
            code, found = ask(body, encoding)
            assert (code, found["error"][: len(said)]) == (status, said)
        with triton.InferenceServerClient(f"127.0.0.1:{client.port}") as asking:
            x = triton.InferInput("x", [1], "FP32")
            x.set_data_from_numpy(np.zeros(1, np.float32))
            for kind in ("gzip", "deflate"):
                found = asking.infer("sums", [x], request_compression_algorithm=kind)
                assert found.as_numpy("y") == [2.0]


def test_an_answer_that_nobody_reads(sums: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends its connection, and one that is read slowly does not."""
    monkeypatch.setattr(server, "_TAKING", 0.5)
    text = "a" * 6_000_000
    body = json.dumps({"signature_name": "texts", "instances": [text]}).encode()
    head = f"POST /v1/models/sums:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with serving({"sums": sums}) as client:
        sizes = []
        for pause, step in ((1.4, 0.0), (0.0, 0.005)):
            with socket.socket() as asking:
                asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
                asking.connect(("127.0.0.1", client.port))
                asking.sendall(head.encode() + b"\r\n" + body)
                answer = [asking.recv(100)]
                time.sleep(pause)
                with contextlib.suppress(ConnectionResetError):
                    while part := asking.recv(1 << 20):
                        answer.append(part)
                        if len(answer) > 20 and b"}]}" in part[-20:]:
                            break
                        time.sleep(step)
            sizes.append(sum(map(len, answer)))
        assert sizes[0] < sizes[1] == pytest.approx(14_000_000, rel=0.01)


def test_a_full_queue_and_a_deadline(sums: Path) -> None:
    """Of a model that is busy: when to come again, or that it was too late."""
    with serving({"sums": sums}, max_queue=3, max_batch=2, deadline=1.0) as client:
        batcher = client.repository.models["sums"]._all()[0].batcher
        signature = client.repository.models["sums"].servables()[0].signature("")
        held, go = threading.Event(), threading.Event()
        function = signature.function

        def slow(**arrays: Any) -> Any:
            held.set()
            go.wait(20)
            return function(**arrays)

        object.__setattr__(signature, "function", slow)
        found: dict[int, tuple[int, Any]] = {}

        def ask(number: int) -> None:
            status, body, headers = client.ask("/v1/models/sums:predict", {"instances": [number]})
            found[number] = status, body, headers.get("retry-after")

        threads = [threading.Thread(target=ask, args=(0,))]
        threads[0].start()
        assert held.wait(10)
        for number in (1, 2, 3):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            end = time.monotonic() + 10
            while batcher.waiting < number and time.monotonic() < end:
                time.sleep(0.005)
        ask(4)
        full = {"error": "The queue is full: try again in a second."}
        assert found[4] == (503, full, "1")
        for thread in threads:
            thread.join()
        late = {"error": "The deadline passed before the model had answered."}
        assert [found[number] for number in range(4)] == [(504, late, None)] * 4
        go.set()
        object.__setattr__(signature, "function", function)
        end = time.monotonic() + 10
        while batcher.waiting and time.monotonic() < end:
            time.sleep(0.005)
        # Answers stay in order, and those of many samples are put together again.
        status, body = client.predict({"instances": [*range(3)]})
        assert (status, body) == (200, {"predictions": [2.0, 2.5, 3.0]})


def test_one_bad_sample_answers_for_itself_alone(client: Any) -> None:
    """Requests that come together are answered together, but for the one that cannot be."""
    found: dict[int, tuple[int, Any]] = {}

    def ask(number: int) -> None:
        text = "bad" if number == 5 else f"t{number}"
        found[number] = client.predict({"signature_name": "texts", "instances": [text]})

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status, body = found.pop(5)
    assert status == 400
    said = "The model cannot answer sample 0: assertion failed: [this text is not liked]"
    assert body == {"error": said}
    for number, (status, body) in found.items():
        assert status == 200
        assert body["predictions"][0]["upper"] == f"T{number}"


def test_answers_that_are_not_one_a_sample_stay_with_their_request(client: Any) -> None:
    """What a model leaves out is not taken from somebody else's answer."""
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        inputs = [float(number), -1.0] if number % 2 else [-1.0]
        found[number] = client.predict({"signature_name": "positive", "inputs": inputs})

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answer in found.items():
        assert answer == (200, {"outputs": [float(number)] if number % 2 else []})
    status, body = client.predict({"signature_name": "positive", "instances": [1.0, -1.0]})
    assert status == 400
    assert body["error"].startswith("positive does not answer sample by sample: ask in columns")


def test_half_a_character_is_wrong_and_no_error_of_the_server(client: Any) -> None:
    said = {"error": "'text' holds half a character: '\\ud800'."}
    body = b'{"signature_name": "texts", "instances": ["\\ud800"]}'
    assert client.predict(body) == (400, said)
    text = b'{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["\\ud800"]}'
    body = b'{"parameters": {"signature_name": "texts"}, "inputs": [' + text + b"]}"
    assert client.ask("/v2/models/sums/infer", body)[:2] == (400, said)


def test_what_was_accepted_is_answered_at_the_end(
    sums: Path, python: Callable[..., Any], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = python("-m", "tfpipe", "serve", sums, "--port", port, "--no-log", cwd=tmp_path)
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=5).read()
            break
        except OSError:
            time.sleep(0.1)
    # The head of a request has come, and half of its body, when the server is told to end.
    body = json.dumps(ONE).encode()
    with socket.create_connection(("127.0.0.1", port)) as half:
        head = (
            f"POST /v1/models/sums:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        )
        half.sendall(head.encode() + b"\r\n" + body[:5])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
        half.sendall(body[5:])
        answer = b""
        while part := half.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"predictions": [2.0]}')
    ended = process.end()
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == f"serving sums at {address}"
    assert "ended; every accepted request was answered" in ended.out


@pytest.mark.slow
def test_several_processes_on_one_socket(
    sums: Path, python: Callable[..., Any], tmp_path: Path
) -> None:
    """Counts are those of all of them; one that is killed is started again; all end together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--port", port, "--no-log", "--workers", 2)
    process = python("-m", "tfpipe", "serve", sums, *words, cwd=tmp_path)
    lines = iter(process.stdout.readline, "")
    assert any(line.startswith("ready in ") for line in lines)
    client = Client(port, repository=None)  # type: ignore[arg-type]
    for _ in range(40):
        assert client.predict(ONE) == (200, {"predictions": [2.0]})
    own = psutil.Process(process.pid).children()
    assert len(own) == 2
    counted = 'tfpipe_requests_total{code="200",method="predict",model="sums"} 40.0'
    until = time.monotonic() + 10  # the other process may count its last one after its answer
    while counted not in client.ask("/metrics")[1].decode():
        assert time.monotonic() < until
    own[0].kill()
    assert any("process 1 ended (SIGKILL) and is started again" in line for line in lines)
    assert any("sums version 1 answers" in line for line in lines)
    until = time.monotonic() + 60
    while len(psutil.Process(process.pid).children()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert client.predict(ONE) == (200, {"predictions": [2.0]})
    process.send_signal(signal.SIGTERM)
    ended = process.end()
    assert ended.code == 0, ended.err
    assert not any(child.is_running() for child in own)

    broken = tmp_path / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"nothing")
    answer = python("-m", "tfpipe", "serve", broken.parent, *words).end()
    assert answer.code == 2
    assert "has no version to serve." in answer.err


def test_words_that_are_wrong(tfpipe: Any, sums: Path, tmp_path: Path) -> None:
    answer = tfpipe("serve", "nothing")
    assert answer.code == 2
    assert (
        "There is no exported model 'nothing': expected is a folder with saved_model.pb"
        in answer.err
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = tfpipe("serve", sums, "--port", port)
    assert answer.code == 2
    assert f"Port {port} cannot be used (Address already in use): give another" in answer.err
    answer = tfpipe("serve", sums, "--host", "192.0.2.1")
    assert answer.code == 2
    assert "'192.0.2.1' is no address of this machine. Listen at 127.0.0.1" in answer.err
    empty = tmp_path / "token"
    empty.write_text("two words\n")
    answer = tfpipe("serve", sums, "--token-file", empty)
    assert answer.code == 2
    assert f"{empty} holds no token: expected are letters, digits and signs." in answer.err
