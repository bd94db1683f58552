"""Requests that nobody sends by mistake: each is answered in JSON, and never with 500."""

import json
from typing import Any

import pytest

from tests.serving.conftest import serving
from tfpipe.serving.protocols import tensorflow_api as v1

LONE = "\ud800"  # half of a character, which JSON can name and UTF-8 cannot hold


def nested(depth: int, inner: str) -> str:
    return "[" * depth + inner + "]" * depth


BODIES = [
    json.dumps({"signature_name": "texts", "instances": [LONE]}),
    json.dumps({"signature_name": LONE, "instances": [1]}),
    json.dumps({"signature_name": "two", "instances": [{LONE: 1}]}),
    *('{{"instances": {}}}'.format(nested(depth, "1")) for depth in (40, 70, 400, 900)),
    *(
        '{{"signature_name": "texts", "instances": {}}}'.format(nested(depth, '"a"'))
        for depth in (2, 40, 70, 400, 900, 5000)
    ),
    '{"instances": [%s]}' % ("9" * 5000),
    '{"instances": [1%s]}' % ("0" * 4000),
    '{"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [1%s]}}' % ("0" * 400),
    '{"instances": [{}]}',
    '{"inputs": {}}',
    '{"inputs": null}',
    '{"inputs": []}',
    '{"signature_name": "alone", "inputs": [[]]}',
    '{"signature_name": "texts", "instances": [[]]}',
    '{"signature_name": "texts", "instances": [{"b64": "é"}]}',
    "\x00",
    "",
]


@pytest.mark.parametrize("body", BODIES, ids=[ascii(b)[:50] for b in BODIES])
def test_predict(client: Any, body: str) -> None:
    status, found = client.predict(body.encode())
    assert (status, [*found]) == (400, ["error"])
    status, found = client.predict(body.encode(), verb="classify")
    assert (status, [*found]) == (400, ["error"])


@pytest.mark.parametrize("depth", [2, 70, 900, 5000])
def test_infer(client: Any, depth: int) -> None:
    tensor = '{"name": "text", "shape": [1], "datatype": "BYTES", "data": %s}'
    for inner in ('"a"', '"\\ud800"', "1"):
        body = '{"parameters": {"signature_name": "texts"}, "inputs": [%s]}'
        body %= tensor % nested(depth, inner)
        status, found, _ = client.ask("/v2/models/sums/infer", body.encode())
        assert (status, [*found]) in (
            (400, ["error"]),
            (200, ["model_name", "model_version", "outputs"]),
        )


def test_numbers_of_thousands_of_digits(client: Any) -> None:
    many = "9" * 5000
    for path in (
        f"/v1/models/sums/versions/{many}",
        f"/v2/models/sums/versions/{many}",
        f"/v1/models/sums/versions/{many}/metadata",
    ):
        status, found, _ = client.ask(path)
        assert (status, [*found]) == (404, ["error"])
    status, found, _ = client.ask(
        "/v2/models/sums/infer", b"{}", {"Inference-Header-Content-Length": many}
    )
    assert (status, [*found]) == (400, ["error"])


def test_large_numbers_are_numbers(client: Any) -> None:
    status, found = client.predict(b'{"instances": [1%s, -1]}' % (b"0" * 30))
    assert (status, found) == (200, {"predictions": [5e29, 1.5]})


def test_other_codings_and_other_ways_to_write_a_token(client: Any, sums: Any) -> None:
    body = {"instances": [0.0]}
    status, found, _ = client.ask("/v1/models/sums:predict", body, {"Content-Encoding": "gzip"})
    assert (status, found) == (
        415,
        {"error": "The body is encoded as 'gzip': send it as it is."},
    )
    with serving({"sums": sums}, token="secret") as closed:
        for given, expected in (("bearer secret", 200), ("Bearer", 401), ("Basic secret", 401)):
            headers = {"Authorization": given}
            assert closed.ask("/v1/models/sums:predict", body, headers)[0] == expected


def test_what_fails_here_is_said_in_json(sums: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v1, "metadata", lambda servable: 1 // 0)
    with serving({"sums": sums}) as client:
        assert client.ask("/v1/models/sums/metadata")[:2] == (
            500,
            {"error": "The server failed: ZeroDivisionError."},
        )
        assert client.predict({"instances": [0.0]})[0] == 200
