"""LiteRT (once TensorFlow Lite): one file for phones and small devices, in float32 or int8."""

import contextlib
import io
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfpipe.errors import ModelError


def convert(
    saved_model: Path, file: Path, calibration: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write a SavedModel's `serving_default` as a LiteRT file.

    Args:
        saved_model: its folder.
        file: what to write.
        calibration: samples by input whose ranges weights and layers are rounded to int8 by; None
            for float32.

    Raises:
        ModelError: when it needs what LiteRT's own operations cannot do, such as reading text.
    """
    loaded = tf.saved_model.load(str(saved_model))
    signature = loaded.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    if texts := [name for name, spec in specs.items() if spec.dtype == tf.string]:
        raise ModelError(
            f"LiteRT cannot hold this model: its own operations read no text, and {texts[0]!r} is "
            "one. Export it as a SavedModel, or words of tables as ONNX."
        )

    @tf.function(autograph=False)
    def numbers(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = signature(**inputs)
        return {name: value for name, value in outputs.items() if value.dtype != tf.string}

    given = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()}
    function = numbers.get_concrete_function(**given)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], loaded)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _rows(calibration)
    try:
        with quiet():
            content = converter.convert()
    except Exception as error:  # noqa: BLE001 (the converter's are of many kinds)
        reason = " ".join(str(error).split())
        if "TensorList" in reason:
            raise ModelError(
                "LiteRT cannot hold this model: it has no loops of TensorFlow, and recurrent "
                "layers are one. Lay them out step by step with unroll=True (model.unroll=true for "
                "RNNForecaster), or export another format."
            ) from None
        raise ModelError(f"LiteRT cannot hold this model: {reason[:400]}") from None
    file.write_bytes(content)


def _rows(samples: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    for row in range(len(next(iter(samples.values())))):
        yield {name: values[row : row + 1] for name, values in samples.items()}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep from the terminal what the converter and the interpreter write of their own accord."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def attach(file: Path, assets: Mapping[str, bytes]) -> None:
    """Put assets behind a LiteRT file, as its metadata convention has them: `unzip` lists them.

    Args:
        file: the .tflite file.
        assets: contents by name.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        for name, content in assets.items():
            files.writestr(zipfile.ZipInfo(name), content)
    with file.open("ab") as stream:
        stream.write(packed.getvalue())
