"""KServe's protocol: NVIDIA's client for it, unchanged; and what is wrong by hand."""

import json
from typing import Any

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException


def test_a_client_of_triton(client: Any) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{client.port}") as asking:
        assert asking.is_server_live()
        assert asking.is_server_ready()
        assert asking.is_model_ready("sums")
        assert asking.is_model_ready("sums", "1")
        assert not asking.is_model_ready("sums", "7")
        assert asking.get_server_metadata()["name"] == "tfpipe"
        assert asking.get_model_metadata("sums") == {
            "name": "sums",
            "versions": ["1"],
            "platform": "tensorflow_savedmodel",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
        }
        for binary in (True, False):
            x = triton.InferInput("x", [3], "FP32")
            x.set_data_from_numpy(np.array([1, 2, 5], np.float32), binary_data=binary)
            wanted = [triton.InferRequestedOutput("y", binary_data=binary)]
            found = asking.infer("sums", [x], outputs=wanted, request_id="mine")
            assert found.get_response()["id"] == "mine"
            np.testing.assert_array_equal(found.as_numpy("y"), [2.5, 3.0, 4.5])

            text = triton.InferInput("text", [2], "BYTES")
            text.set_data_from_numpy(np.array([b"ab", "é".encode()], object), binary_data=binary)
            outputs = [triton.InferRequestedOutput("upper", binary_data=binary)]
            parameters = {"signature_name": "texts"}
            found = asking.infer("sums", [text], outputs=outputs, parameters=parameters)
            upper = [t if isinstance(t, str) else t.decode() for t in found.as_numpy("upper")]
            assert upper == ["AB", "é"]

            inputs = [triton.InferInput("a", [1, 2], "FP32"), triton.InferInput("b", [1], "INT32")]
            inputs[0].set_data_from_numpy(np.array([[1, 2]], np.float32), binary_data=binary)
            inputs[1].set_data_from_numpy(np.array([3], np.int32), binary_data=not binary)
            found = asking.infer("sums", inputs, parameters={"signature_name": "two"})
            assert (found.as_numpy("sum")[0], found.as_numpy("twice")[0]) == (6.0, 6)
        with pytest.raises(InferenceServerException, match="Latest"):
            asking.infer("other", inputs)


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]} | changes


WRONG = [
    (b"{", "The body is no JSON: "),
    (b"[]", "The body should be a JSON object."),
    ({}, "'inputs' should be a list of tensors: name, shape, datatype, data."),
    ({"inputs": [tensor(name="z")]}, "The inputs are ['z']; serving_default takes 'x'."),
    ({"inputs": [tensor(), tensor()]}, "The inputs are ['x', 'x']; serving_default takes 'x'."),
    ({"inputs": [tensor(datatype="INT8")]}, "'x' has datatype 'INT8', expected 'FP32'."),
    ({"inputs": [tensor(shape=[2])]}, "'x' has 1 values, and shape [2] holds 2."),
    ({"inputs": [tensor(shape=[1, 1])]}, "'x' has shape [1, 1], expected [-1]"),
    ({"inputs": [tensor(shape=[-1])]}, "'x' should have a shape, a list of lengths."),
    ({"inputs": [tensor(shape="a")]}, "'x' should have a shape, a list of lengths."),
    ({"inputs": [tensor(data=1)]}, "'x' should have its data in a list."),
    ({"inputs": [tensor(data=["a"])]}, "'x' takes float32, got text."),
    (
        {"inputs": [tensor(parameters={"binary_data_size": 8})]},
        "'x': binary_data_size is 8, of 0 bytes.",
    ),
    ({"inputs": [tensor(parameters=1)]}, "'parameters' should be an object."),
    ({"inputs": [tensor()], "outputs": [{"name": "z"}]}, "There is no output 'z'; there is 'y'."),
    ({"inputs": [tensor()], "outputs": 1}, "'outputs' should be a list of objects with a name."),
    ({"inputs": [tensor()], "id": 1}, "'id' should be a text."),
    (
        {"inputs": [tensor()], "parameters": {"signature_name": []}},
        "parameters.signature_name should be a text.",
    ),
    ({"inputs": [tensor(shape=[0], data=[])]}, "There should be at least one sample."),
]


@pytest.mark.parametrize(("body", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_what_is_wrong_is_said(client: Any, body: Any, said: str) -> None:
    status, found, _ = client.ask("/v2/models/sums/infer", body)
    assert status == 400
    assert said in found["error"]


def test_nested_data_and_bytes_that_do_not_fit(client: Any) -> None:
    a = {"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4]]}
    b = {"name": "b", "shape": [2], "datatype": "INT32", "data": [0, 1]}
    body = {"inputs": [a, b], "parameters": {"signature_name": "two"}}
    status, found, _ = client.ask("/v2/models/sums/versions/1/infer", body)
    assert status == 200
    assert found["outputs"][0] == {
        "name": "sum",
        "shape": [2],
        "datatype": "FP32",
        "data": [3.0, 8.0],
    }
    binary = {key: value for key, value in tensor().items() if key != "data"}
    head = json.dumps({"inputs": [binary | {"parameters": {"binary_data_size": 4}}]}).encode()
    for behind, length, said in (
        (b"\0" * 4, "1e3", "inference-header-content-length is '1e3'"),
        (b"\0" * 4, "9999", "inference-header-content-length is '9999'"),
        (b"\0" * 3, str(len(head)), "'x': binary_data_size is 4, of 3 bytes."),
        (b"\0" * 6, str(len(head)), "2 bytes behind the tensors belong to none of them."),
    ):
        headers = {"Inference-Header-Content-Length": length}
        status, found, _ = client.ask("/v2/models/sums/infer", head + behind, headers)
        assert status == 400
        assert said in found["error"]
