"""TensorFlow Serving's REST API: each kind of request of its documentation, and each error."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from tests.serving.conftest import serving

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
    # Outputs without a batch, or of other lengths, come in columns.
    ({"signature_name": "mean", "inputs": [1, 3]}, {"outputs": {"mean": 2.0, "x": [1.0, 3.0]}}),
    ({"signature_name": "unique", "inputs": [3, 3, 1]}, {"outputs": [3, 1]}),
    # Base64 may come in lines.
    (
        {"signature_name": "texts", "inputs": [{"b64": "YWJj\nZGVm\n"}]},
        {"outputs": {"same_bytes": [{"b64": "YWJjZGVm"}], "upper": ["ABCDEF"]}},
    ),
    # Other fields are not looked at.
    ({"inputs": {"x": [1.0], "z": [1.0]}}, {"outputs": [2.5]}),
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
        {"results": [[["", 0.25], ["", 0.75]], [["", 1.0], ["", 0.0]]]},
    )
    shared = {"signature_name": "values", "context": {"x": 2.0}, "examples": [{}, {"x": 1.5}]}
    assert client.predict(shared, verb="regress") == (200, {"results": [20.0, 15.0]})
    # A feature is a list; one of a single value may be given bare, and the other way round.
    listed = {"signature_name": "values", "examples": [{"x": [1.0]}, {"x": 2.0}]}
    assert client.predict(listed, verb="regress") == (200, {"results": [10.0, 20.0]})
    both = {"signature_name": "values", "examples": [{"x": [1.0, 2.0]}]}
    said = "'x' has shape [1, 2], expected [-1] (-1 is any length)."
    assert client.predict(both, verb="regress") == (400, {"error": said})
    # The documentation's example of serialised tf.Example, and its image with a caption.
    examples = {"signature_name": "regress_x", "examples": [{"x": 1.0}, {"x": [2.0]}]}
    assert client.predict(examples, verb="regress") == (200, {"results": [3.5, 4.0]})
    images = [("aW1hZ2UgYnl0ZXM=", "seaside"), ("YXdlc29tZSBpbWFnZSBieXRlcw==", "mountains")]
    objects = {
        "signature_name": "classify_objects",
        "examples": [{"image": {"b64": image}, "caption": caption} for image, caption in images],
    }
    pairs = [
        [["image bytes", 11.0], ["seaside", 7.0]],
        [["awesome image bytes", 19.0], ["mountains", 9.0]],
    ]
    assert client.predict(objects, verb="classify") == (200, {"results": pairs})
    shared = {"context": {"caption": "both"}, "signature_name": "classify_objects"}
    examples = shared | {"examples": [{"image": "one"}, {"image": "two", "caption": "own"}]}
    assert client.predict(examples, verb="classify") == (
        200,
        {"results": [[["one", 3.0], ["both", 4.0]], [["two", 3.0], ["own", 3.0]]]},
    )
    status, found = client.predict(
        {"signature_name": "regress_x", "examples": [{"x": [1.0, "a"]}]}, verb="regress"
    )
    said = "Example 0: feature 'x' should have texts, whole numbers or floats, and all of one kind."
    assert (status, found) == (400, {"error": said})
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


def test_the_published_example_on_a_model_of_tensorflow_1(tmp_path: Path) -> None:
    """half_plus_three, whose regression takes serialised tf.Example."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        encoded = v1.placeholder(tf.string, [None])
        x = v1.parse_example(encoded, {"x": v1.FixedLenFeature([], tf.float32)})["x"]
        y = x * v1.Variable(0.5) + v1.Variable(3.0)
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        sides = {
            "serving_default": ({"x": info(x)}, {"y": info(y)}, "predict"),
            "tensorflow/serving/regress": (
                {"inputs": info(encoded)},
                {"outputs": info(y)},
                "regress",
            ),
        }
        builder = v1.saved_model.Builder(str(tmp_path / "half" / "123"))
        signatures = {
            name: v1.saved_model.build_signature_def(given, answered, f"tensorflow/serving/{kind}")
            for name, (given, answered, kind) in sides.items()
        }
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    with serving({"half_plus_three": tmp_path / "half"}) as client:
        (state,) = client.ask("/v1/models/half_plus_three")[1]["model_version_status"]
        assert (state["version"], state["state"]) == ("123", "AVAILABLE")
        body: dict[str, Any] = {"instances": [1.0, 2.0, 5.0]}
        found = client.predict(body, "half_plus_three")
        assert found == (200, {"predictions": [3.5, 4.0, 5.5]})
        name = "tensorflow/serving/regress"
        body = {"signature_name": name, "examples": [{"x": 1.0}, {"x": 2.0}]}
        assert client.predict(body, "half_plus_three", "regress") == (200, {"results": [3.5, 4.0]})
        body = {"signature_name": name, "examples": [{"x": 1.0}, {"x": 2}]}
        status, found = client.predict(body, "half_plus_three", "regress")
        said = "The model cannot answer sample 1: "
        assert (status, found["error"][: len(said)]) == (400, said)
        assert found["error"].endswith("Data type: int64 but expected type: float")
        assert client.predict({"instances": [1.0, 5.0]}, "half") == (
            404,
            {"error": "Servable not found for request: Latest(half)"},
        )
