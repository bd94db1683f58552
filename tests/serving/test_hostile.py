"""Requests that nobody sends by mistake: each is answered in JSON, and never with 500."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import serving
from tfpipe.serving.protocols import tensorflow_api as v1

LONE = "\ud800"  # half of a character, which JSON can name and UTF-8 cannot hold


def nested(depth: int, inner: str) -> str:
    return "[" * depth + inner + "]" * depth


TEXTS = [2, 40, 70, 400, 900, 5000]
BODIES = [
    json.dumps({"signature_name": "texts", "instances": [LONE]}),
    json.dumps({"signature_name": LONE, "instances": [1]}),
    json.dumps({"signature_name": "two", "instances": [{LONE: 1}]}),
    *(f'{{"instances": {nested(depth, "1")}}}' for depth in (40, 70, 400, 900)),
    *(f'{{"signature_name": "texts", "instances": {nested(d, chr(34) * 2)}}}' for d in TEXTS),
    f'{{"instances": [{"9" * 5000}]}}',
    f'{{"instances": [1{"0" * 4000}]}}',
    f'{{"signature_name": "two", "inputs": {{"a": [[1, 2]], "b": [1{"0" * 400}]}}}}',
    '{"instances": [1e39]}',
    '{"instances": [-1e39, NaN]}',
    '{"instances": [{}]}',
    '{"inputs": {}}',
    '{"inputs": null}',
    '{"inputs": []}',
    '{"signature_name": "alone", "inputs": [[]]}',
    '{"signature_name": "texts", "instances": [[]]}',
    '{"signature_name": "texts", "instances": [{"b64": "\u00e9"}]}',
    '{"signature_name": "mean", "instances": [1, 2]}',
    "\0",
    "",
]


@pytest.mark.parametrize("body", BODIES, ids=[ascii(b)[:50] for b in BODIES])
def test_predict(client: Any, body: str) -> None:
    for verb in ("predict", "classify"):
        status, found = client.predict(body.encode(), verb=verb)
        assert (status, [*found]) == (400, ["error"])


def test_examples(client: Any) -> None:
    for feature in ("null", "[[1.0]]", "{}", '[1, "a"]', '"\\ud800"', "1e39", "9" * 30, "[1, 2.0]"):
        for name in ("x", "\\ud800"):
            body = f'{{"signature_name": "regress_x", "examples": [{{"{name}": {feature}}}]}}'
            status, found = client.predict(body.encode(), verb="regress")
            assert (status, [*found]) == (400, ["error"]), body


@pytest.mark.parametrize("depth", [2, 70, 900, 5000])
def test_infer(client: Any, depth: int) -> None:
    for inner in ('"a"', '"\\ud800"', "1"):
        tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": "DATA"}
        asked = {"parameters": {"signature_name": "texts"}, "inputs": [tensor]}
        body = json.dumps(asked).replace('"DATA"', nested(depth, inner))
        status, found, _ = client.ask("/v2/models/sums/infer", body.encode())
        answered = status == 200 and "outputs" in found
        assert answered or (status, [*found]) == (400, ["error"])


def test_numbers_of_thousands_of_digits(client: Any) -> None:
    many = "9" * 5000
    for protocol in ("v1", "v2"):
        for suffix in ("", "/metadata" if protocol == "v1" else "/ready"):
            path = f"/{protocol}/models/sums/versions/{many}{suffix}"
            status, found, _ = client.ask(path)
            assert (status, [*found]) == (404, ["error"])
    headers = {"Inference-Header-Content-Length": many}
    status, found, _ = client.ask("/v2/models/sums/infer", b"{}", headers)
    assert (status, [*found]) == (400, ["error"])


def test_large_numbers_are_numbers(client: Any) -> None:
    status, found = client.predict(b'{"instances": [1%s, -1]}' % (b"0" * 30))
    assert (status, found) == (200, {"predictions": [5e29, 1.5]})


def test_what_fails_here_is_said_in_json(sums: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v1, "metadata", lambda servable: 1 // 0)
    with serving({"sums": sums}) as client:
        said = {"error": "The server could not answer: its log says why."}
        assert client.ask("/v1/models/sums/metadata")[:2] == (500, said)
        assert client.predict({"instances": [0.0]})[0] == 200
