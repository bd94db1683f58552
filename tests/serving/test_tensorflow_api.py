"""TensorFlow Serving's REST API: each kind of request of its documentation, and each error."""

import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

PREDICT = [
    # One input comes bare, and one output goes bare.
    ({"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
    ({"instances": [{"x": 1.0}]}, {"predictions": [2.5]}),
    ({"signature_name": "serving_default", "instances": [1]}, {"predictions": [2.5]}),
    ({"inputs": [1.0, 2.0]}, {"outputs": [2.5, 3.0]}),
    ({"inputs": {"x": [1.0]}}, {"outputs": [2.5]}),
    # What a signature without a batch takes comes in columns.
    ({"signature_name": "alone", "inputs": 1.5}, {"outputs": 2.5}),
    # Several inputs are objects by name, and so are several outputs.
    (
        {"signature_name": "two", "instances": [{"a": [1, 2], "b": 3}, {"a": [0, 0.5], "b": 1}]},
        {"predictions": [{"sum": 6.0, "twice": 6}, {"sum": 1.5, "twice": 2}]},
    ),
    (
        {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [3]}},
        {"outputs": {"sum": [6.0], "twice": [6]}},
    ),
    # Bytes are base64; an output whose name ends in _bytes goes so too.
    (
        {"signature_name": "texts", "instances": ["a", {"b64": base64.b64encode(b"b").decode()}]},
        {
            "predictions": [
                {"same_bytes": {"b64": "YQ=="}, "upper": "A"},
                {"same_bytes": {"b64": "Yg=="}, "upper": "B"},
            ]
        },
    ),
    (
        {"signature_name": "texts", "inputs": {"text": {"b64": "YQ=="}}},
        None,
    ),
    (
        {"signature_name": "texts", "inputs": ["é"]},
        {"outputs": {"same_bytes": [{"b64": "w6k="}], "upper": ["é"]}},
    ),
    # Other fields are not looked at.
    ({"instances": [2.0], "comment": "mine"}, {"predictions": [3.0]}),
]


@pytest.mark.parametrize(("body", "answer"), PREDICT)
def test_predict(client: Any, body: Any, answer: Any) -> None:
    status, found = client.predict(body)
    if answer is None:
        assert status == 400
    else:
        assert (status, found) == (200, answer)


def test_numbers_that_json_has_not(client: Any) -> None:
    status, found = client.predict(b'{"instances": [NaN, Infinity, -Infinity]}')
    assert status == 200
    assert json.dumps(found) == '{"predictions": [NaN, Infinity, -Infinity]}'


WRONG = [
    (b"{", 400, "JSON Parse error: "),
    (b"[1]", 400, "The body should be a JSON object."),
    ({}, 400, "either 'instances' (rows) or 'inputs' (columns), it has nothing."),
    ({"instances": [1], "inputs": [1]}, 400, "it has 'instances', 'inputs'."),
    ({"instances": []}, 400, "'instances' should be a list of at least one sample."),
    ({"instances": 1}, 400, "'instances' should be a list of at least one sample."),
    ({"instances": ["a"]}, 400, "'x' takes float32, got text."),
    ({"instances": [True]}, 400, "'x' takes float32, got true or false."),
    ({"instances": [None]}, 400, "'x' takes float32, got null: write NaN where it is missing."),
    ({"instances": [{"b64": "AA=="}]}, 400, 'such as "signature_name": "serving_bytes".'),
    ({"instances": [{}]}, 400, "'x' takes float32, got a mixture, a null, an object or too"),
    ({"instances": [[1.0]]}, 400, "'x' has shape [1, 1], expected [-1] (-1 is any length)."),
    ({"instances": [[1], [1, 2]]}, 400, "'x' has lists of different lengths."),
    (
        {"instances": [1], "signature_name": "no"},
        400,
        "There is no signature 'no'; there is 'alone'",
    ),
    ({"instances": [1], "signature_name": 1}, 400, "'signature_name' should be a text."),
    ({"signature_name": "two", "instances": [{"a": [1, 2]}]}, 400, "Sample 0 lacks 'b'."),
    (
        {"signature_name": "two", "instances": [[1]]},
        400,
        "Sample 0 should be an object with 'a', 'b'.",
    ),
    (
        {"signature_name": "two", "instances": [{"a": [1, 2], "b": 1, "c": 1}]},
        400,
        "Sample 0 has 'c', which two does not take; it takes 'a', 'b'.",
    ),
    (
        {"signature_name": "two", "instances": [{"a": [1, 2], "b": 1.5}]},
        400,
        "'b' takes int32, got numbers with",
    ),
    (
        {"signature_name": "two", "instances": [{"a": [1, 2], "b": 2**40}]},
        400,
        "'b' takes int32, from -2147483648",
    ),
    (
        {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [1, 2]}},
        400,
        "different numbers of samples: 'a' 1, 'b' 2.",
    ),
    ({"signature_name": "two", "inputs": [1]}, 400, "'inputs' should be an object with 'a', 'b'."),
    ({"signature_name": "alone", "instances": [1]}, 400, "alone takes no batches: ask in columns"),
    (
        {"signature_name": "texts", "instances": [{"b64": "?"}]},
        400,
        "'text' holds what is no base64: '?'",
    ),
    ({"signature_name": "texts", "instances": [1]}, 400, "'text' takes text, or bytes as"),
    (
        {"signature_name": "texts", "instances": ["ok", "bad", "ok"]},
        400,
        "cannot answer sample 1: ",
    ),
    (b'{"instances": ' + b"[" * 100_000, 400, "JSON Parse error: "),
]


@pytest.mark.parametrize(
    ("body", "status", "said"), WRONG, ids=[said[-30:] for _, _, said in WRONG]
)
def test_what_is_wrong_is_said(client: Any, body: Any, status: int, said: str) -> None:
    code, found = client.predict(body)
    assert code == status
    assert found.keys() == {"error"}
    assert said in found["error"]


def test_classify_and_regress(client: Any) -> None:
    examples = {"signature_name": "classes", "examples": [{"x": 0.25}, {"x": 1.0}]}
    assert client.predict(examples, verb="classify") == (
        200,
        {"result": [[["0", 0.25], ["1", 0.75]], [["0", 1.0], ["1", 0.0]]]},
    )
    shared = {"signature_name": "values", "context": {"x": 2.0}, "examples": [{}, {"x": 1.5}]}
    assert client.predict(shared, verb="regress") == (200, {"result": [20.0, 15.0]})
    status, found = client.predict({"examples": [{"x": 1.0}]}, verb="classify")
    assert (status, found["error"][:36]) == (400, "This signature does not classify: it")
    status, found = client.predict({"examples": [{"x": 1.0}]}, verb="regress")
    assert (status, found["error"][:35]) == (400, "This signature does not regress: it")
    status, found = client.predict({"instances": [1.0]}, verb="classify")
    assert (status, found["error"][:31]) == (400, "The body should have 'examples'")


def test_status_metadata_and_addresses(client: Any) -> None:
    available = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for path in ("", "/versions/1", "/labels/latest"):
        assert client.ask(f"/v1/models/sums{path}")[:2] == (
            200,
            {"model_version_status": [available]},
        )
        body = {"instances": [1.0]}
        assert client.ask(f"/v1/models/sums{path}:predict", body)[:2] == (
            200,
            {"predictions": [2.5]},
        )
    status, found, _ = client.ask("/v1/models/sums/metadata")
    assert status == 200
    assert found["model_spec"] == {"name": "sums", "signature_name": "", "version": "1"}
    definitions = found["metadata"]["signature_def"]
    two = definitions["signature_def"]["two"]
    assert two["inputs"]["a"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
            "unknown_rank": False,
        },
        "name": two["inputs"]["a"]["name"],
    }
    assert two["method_name"] == "tensorflow/serving/predict"
    # TensorFlow Serving's own message reads it.
    read = json_format.ParseDict(definitions, SignatureDefMap(), ignore_unknown_fields=True)
    assert read.signature_def["two"].inputs["b"].dtype == 3

    missing = [
        ("/v1/models/other", "Servable not found for request: Latest(other)"),
        ("/v1/models/sums/versions/7", "Could not find version 7 of sums"),
        ("/v1/models/sums/labels/odd", "Unrecognized servable version label: odd"),
        ("/v1/models/sums/labels/previous", "Unrecognized servable version label: previous"),
        ("/v1/models/..%2F..%2Fetc", "Malformed request: GET /v1/models/../../etc"),
        ("/nothing", "Malformed request: GET /nothing"),
    ]
    for path, said in missing:
        assert client.ask(path)[:2] == (404, {"error": said}), path
    assert client.ask("/v1/models/sums/versions/9:predict", {"instances": [1.0]})[:2] == (
        404,
        {"error": "Servable not found for request: Specific(sums, 9)"},
    )
    assert client.ask("/v1/models/sums:explode", {})[:2] == (
        404,
        {"error": "Malformed request: POST /v1/models/sums:explode"},
    )
    status, found, _ = client.ask("/v1/models/sums/metadata", {})
    assert (status, found) == (405, {"error": "Malformed request: POST /v1/models/sums/metadata"})
