"""Models to serve that need no training, and a server in this process."""

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.chromium import BROWSER, Tab, tab
from tfpipe.serving import server
from tfpipe.serving.app import application
from tfpipe.serving.metrics import Metrics
from tfpipe.serving.options import ServingOptions
from tfpipe.serving.repository import Repository


class Arithmetic(tf.Module):
    """Small sums, each of another kind of signature."""

    def __init__(self, plus: float = 2.0) -> None:
        super().__init__()
        self.plus = tf.Variable(plus)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def half_plus_two(self, x: Any) -> Any:
        return {"y": x * 0.5 + self.plus}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, "a"),
            tf.TensorSpec([None], tf.int32, "b"),
        ]
    )
    def two(self, a: Any, b: Any) -> Any:
        return {"sum": tf.reduce_sum(a, 1) + tf.cast(b, tf.float32), "twice": 2 * b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def texts(self, text: Any) -> Any:
        tf.debugging.Assert(tf.reduce_all(text != b"bad"), ["this text is not liked"])
        return {"upper": tf.strings.upper(text), "same_bytes": text}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def classes(self, x: Any) -> Any:
        return {"probabilities": tf.stack([x, 1 - x], 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def values(self, x: Any) -> Any:
        return {"values": x[:, None] * 10}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "x")])
    def unique(self, x: Any) -> Any:
        return {"values": tf.unique(x)[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def mean(self, x: Any) -> Any:
        return {"mean": tf.reduce_mean(x), "x": x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress_x(self, inputs: Any) -> Any:
        features = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"outputs": features["x"] * 0.5 + 3}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify_objects(self, inputs: Any) -> Any:
        of = {name: tf.io.FixedLenFeature([1], tf.string) for name in ("image", "caption")}
        features = tf.io.parse_example(inputs, of)
        lengths = tf.strings.length(tf.concat([features["image"], features["caption"]], 1))
        return {
            "classes": tf.concat([features["image"], features["caption"]], 1),
            "scores": tf.cast(lengths, tf.float32),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def positive(self, x: Any) -> Any:
        return {"y": tf.boolean_mask(x, x > 0)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
    def alone(self, x: Any) -> Any:
        return {"y": x + 1}

    def save(self, folder: Path) -> None:
        """Write it as a SavedModel."""
        signatures = {
            "serving_default": self.half_plus_two,
            **{n: getattr(self, n) for n in ("two", "texts", "classes", "values", "alone")},
            **{n: getattr(self, n) for n in ("unique", "mean", "positive")},
            **{n: getattr(self, n) for n in ("regress_x", "classify_objects")},
        }
        tf.saved_model.save(self, str(folder), signatures=signatures)
        # TensorFlow 2 calls all of them predict; TensorFlow 1 and its Estimators say what they are.
        file = folder / "saved_model.pb"
        saved = SavedModel.FromString(file.read_bytes())
        for name in ("regress", "classify"):
            for signature, definition in saved.meta_graphs[0].signature_def.items():
                if signature.startswith(f"{name}_"):
                    definition.method_name = f"tensorflow/serving/{name}"
        file.write_bytes(saved.SerializeToString())


@dataclass
class Client:
    """Asks a server.

    Args:
        port: where it listens.
        repository: its models.
    """

    port: int
    repository: Repository

    def ask(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, method: str = ""
    ) -> tuple[int, Any, dict[str, str]]:
        """The status, the body (read as JSON where it is some) and the headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        usual = "GET" if body is None else "POST"
        connection.request(method or usual, path, content, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        kind = answer.headers.get_content_type()
        found = json.loads(text) if kind == "application/json" else text
        return answer.status, found, {k.lower(): v for k, v in answer.headers.items()}

    def predict(self, body: Any, model: str = "sums", verb: str = "predict") -> tuple[int, Any]:
        """The status and the body of an answer of TensorFlow Serving's protocol."""
        return self.ask(f"/v1/models/{model}:{verb}", body)[:2]


Serve = Callable[..., contextlib.AbstractContextManager[Client]]


@contextlib.contextmanager
def serving(
    folders: dict[str, Path], said: list[str] | None = None, **options: Any
) -> Iterator[Client]:
    """A server of some models in a thread of this process."""
    chosen = replace(ServingOptions(port=0, log=False, poll=0.05), **options)
    metrics = Metrics()
    notes: list[str] = [] if said is None else said
    repository = server.repository_of(folders, chosen, metrics, notes.append)
    repository.start()
    listener = server.listen("127.0.0.1", 0)
    running = server.Server(application(repository, chosen, metrics), repository, chosen)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([listener])))
    thread.start()
    try:
        yield Client(listener.getsockname()[1], repository)
    finally:
        running.should_exit = True
        thread.join()
        repository.close()


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of versions of the small sums."""
    folder = tmp_path_factory.mktemp("models") / "sums"
    Arithmetic().save(folder / "1")
    return folder


@pytest.fixture(scope="module")
def client(sums: Path) -> Iterator[Client]:
    """A server of the small sums."""
    with serving({"sums": sums}) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of models that need no training, for what their pages show."""
    from tests.serving.page_models import serving_all  # which needs what is above

    with serving_all(tmp_path_factory.mktemp("models")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    """A page that is open."""
    if BROWSER is None:
        pytest.skip("there is no Chromium")
    with tab() as found:
        yield found
