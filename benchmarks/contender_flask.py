"""A Flask server of one image model, as tutorials have it: `model.predict`, or a signature.

    python -m benchmarks.contender_flask predict MODEL.keras PORT
    python -m benchmarks.contender_flask signature SAVED_MODEL PORT

It takes what `tfpipe serve` takes, `{"instances": [{"b64": ...}]}` of encoded images or
`{"instances": [[[...]]]}` of arrays, and answers in threads over connections that are kept.
"""

import base64
import json
import os
import sys
from collections.abc import Callable
from typing import Any

Answer = Callable[[list[Any]], list[Any]]


def with_predict(path: str) -> Answer:
    """Decode with TensorFlow, resize, and call `model.predict`, which gives logits."""
    import keras
    import numpy as np
    import tensorflow as tf

    model = keras.saving.load_model(path, compile=False)
    size = model.input_shape[1:3]

    def decoded(item: Any) -> np.ndarray:
        if not isinstance(item, dict):
            return np.asarray(item, np.uint8)
        image = tf.io.decode_image(base64.b64decode(item["b64"]), 3, expand_animations=False)
        return tf.image.resize(image, size).numpy().astype(np.uint8)

    def answer(instances: list[Any]) -> list[Any]:
        logits = model.predict(np.stack([decoded(item) for item in instances]), verbose=0)
        return tf.nn.softmax(logits).numpy().tolist()

    answer([np.zeros((*size, 3), np.uint8)])  # the first call takes long
    return answer


def with_signature(path: str) -> Answer:
    """Call `serving_bytes` on encoded images, `serving_default` on arrays."""
    sys.modules["keras"] = None  # type: ignore[assignment]
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    arrays, encoded = loaded.signatures["serving_default"], loaded.signatures["serving_bytes"]
    _, named = arrays.structured_input_signature
    name = next(iter(named))

    def answer(instances: list[Any]) -> list[dict[str, Any]]:
        if isinstance(instances[0], dict):
            files = [base64.b64decode(item["b64"]) for item in instances]
            answers = encoded(bytes=tf.constant(files))
        else:
            answers = arrays(**{name: tf.constant(instances, tf.uint8)})
        columns = {name: values.numpy().tolist() for name, values in answers.items()}
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, map(text, row), strict=True)) for row in rows]

    def text(value: Any) -> Any:
        return value.decode() if isinstance(value, bytes) else value

    return answer


def main(way: str, path: str, port: str) -> None:
    """Serve until the process is ended."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import logging

    from flask import Flask, Response, request
    from werkzeug.serving import WSGIRequestHandler

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    answer = {"predict": with_predict, "signature": with_signature}[way](path)
    app = Flask(__name__)

    @app.post("/v1/models/<name>:predict")
    def predict(name: str) -> Response:
        instances = request.get_json()["instances"]
        return Response(json.dumps({"predictions": answer(instances)}), mimetype="application/json")

    @app.get("/readyz")
    def ready() -> str:
        return "ready"

    app.run("127.0.0.1", int(port), threaded=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
