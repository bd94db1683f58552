"""Export to a SavedModel that takes raw samples and needs no tfpipe to run.

    saved_models/cifar10_cnn/1/
      saved_model.pb variables/
      assets/labels.txt       the class names, one a line; labels_NAME.txt of several outputs
      assets/contract.json    what goes in, what comes out
      assets/golden.npz       held-out samples and the trained model's answers to them

`serving_default` takes arrays as the data set gives them, raw texts and a table's columns by name
among them; `serving_bytes`, for images, takes files of any size. Preprocessing is
inside, and dropout and the like are off.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.data.images.decoding import decode
from tfpipe.declare.codec import to_json
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import StorageError
from tfpipe.evaluation.predict import answers
from tfpipe.export.parity import verify
from tfpipe.storage import Taken, whole_folder
from tfpipe.tasks.task import Task

# What `serving_bytes` takes, for whoever calls the model.
FILES = (
    "JPEG, PNG, GIF, BMP, and WebP that does not move, of any size; photos are turned upright as "
    "their EXIF says. Convert TIFF, AVIF and others to one of these first"
)


class Served(tf.Module):
    """What is saved: the model's layers, and its answers as signatures.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
    """

    def __init__(self, model: Any, task: Task, spec: ElementSpec) -> None:
        super().__init__(name="served")
        self.layers = model.layers  # and not the model, which brings the optimizer's slots along
        self._model = _Untracked(model)
        self._task = task
        self._spec = spec

    def signatures(self) -> dict[str, Any]:
        """The signatures by name."""
        features = self._spec.features
        arrays = {f.name: tf.TensorSpec([None, *f.shape], f.dtype, f.name) for f in features}
        signatures = {"serving_default": tf.function(self._from_arrays, input_signature=[arrays])}
        if _takes_files(self._spec):
            encoded = tf.TensorSpec([None], tf.string, "bytes")
            signatures["serving_bytes"] = tf.function(self._from_bytes, input_signature=[encoded])
        return {name: function.get_concrete_function() for name, function in signatures.items()}

    def _from_arrays(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        features = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        return self._task.outputs(self._task.answers(self._model.value(features, training=False)))

    def _from_bytes(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        feature = self._spec.feature
        images = tf.map_fn(
            lambda item: decode(item, feature), encoded, fn_output_signature=tf.uint8
        )
        return self._from_arrays({feature.name: images})


class _Untracked:
    """Holds an object where TensorFlow does not look for variables."""

    def __init__(self, value: Any) -> None:
        self.value = value


def export(
    model: Any,
    task: Task,
    spec: ElementSpec,
    folder: Path,
    samples: dict[str, np.ndarray],
    written: Mapping[str, Any] | None = None,
) -> Path:
    """Write the next version of a SavedModel, after proving that it answers as the model does.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        folder: the model's folder, such as saved_models/cifar10_cnn.
        samples: a few held-out samples, an array for each feature.
        written: how the files were written that it was trained on: the source's fields such as
            `delimiter` and `missing`.

    Returns:
        the folder of the new version.

    Raises:
        CheckFailed: when the reloaded artefact answers differently; nothing is left behind.
        StorageError: when it cannot be written.
    """
    for _ in range(100):
        final = folder / str(_last_version(folder) + 1)
        try:
            _write(model, task, spec, final, samples, written or {})
        except Taken:
            continue
        return final
    raise StorageError(f"{folder} changes too fast: another process keeps exporting there.")


def _write(
    model: Any,
    task: Task,
    spec: ElementSpec,
    final: Path,
    samples: dict[str, np.ndarray],
    written: Mapping[str, Any],
) -> None:
    with whole_folder(final) as temporary:
        served = Served(model, task, spec)
        tf.saved_model.save(served, str(temporary), signatures=served.signatures())
        assets = temporary / "assets"
        assets.mkdir(exist_ok=True)
        for label in spec.label.parts or (spec.label,):
            if label.classes:
                file = f"labels_{label.name}.txt" if spec.label.parts else "labels.txt"
                text = "".join(f"{name}\n" for name in label.classes)
                (assets / file).write_text(text, encoding="utf-8")
        files = {"written": {**written}} if written else {}
        text = json.dumps(contract(model, task, spec) | files, indent=2)
        (assets / "contract.json").write_text(text + "\n")
        np.savez(assets / "golden.npz", allow_pickle=False, **_golden(model, task, spec, samples))
        verify(temporary, _precision(model))


def _precision(model: Any) -> str:
    """The coarsest arithmetic in a model."""
    used = {layer.compute_dtype for layer in model._flatten_layers()}
    return next((p for p in ("bfloat16", "float16") if p in used), "float32")


def contract(model: Any, task: Task, spec: ElementSpec) -> dict[str, Any]:
    """What goes in and what comes out, for whoever calls the model.

    What the builder has put down in the model's `input_contract` is told too: what a pretrained
    network inside expects, and how the model's first layers see to it.
    """
    inside = getattr(model, "input_contract", None)
    pretrained = {"pretrained": inside} if inside else {}
    resize = "inside serving_bytes: bilinear, antialiased, rounded"
    if any(f.resize for f in spec.features):
        resize += "; proportions kept, to cover `resize`, of which the centre of `shape` is cut out"
    encoded = {"files": FILES} if _takes_files(spec) else {}
    return {
        "task": task.title,
        "inputs": [to_json(f) for f in spec.features],
        "scaling": "inside the model: give samples as the data set has them",
        "resize": resize,
        "label": to_json(spec.label),
        "precision": _precision(model),
        "output": task.output,
        **encoded,
        **pretrained,
    }


def _golden(
    model: Any, task: Task, spec: ElementSpec, samples: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Samples and the trained model's answers: as arrays, and as files of other sizes."""
    alone: Any = next(iter(samples.values())) if len(samples) == 1 else samples
    golden = {f"array_{name}": _storable(values) for name, values in samples.items()}
    golden |= _by_output("answers", answers(model, task, alone))
    if _takes_files(spec):
        files = [_encode(image, i) for i, image in enumerate(alone[:8])]
        decoded = np.stack([decode(tf.constant(f), spec.feature).numpy() for f in files])
        golden |= {f"file_{i}": np.frombuffer(f, np.uint8) for i, f in enumerate(files)}
        golden |= _by_output("file_answers", answers(model, task, decoded))
    return golden


def _by_output(name: str, answered: Any) -> dict[str, np.ndarray]:
    """Answers under a name; those of several outputs with the output's name behind a colon."""
    several = isinstance(answered, dict)
    return {f"{name}:{k}": v for k, v in answered.items()} if several else {name: answered}


def _takes_files(spec: ElementSpec) -> bool:
    """Whether a sample is one image of bytes, which files hold too."""
    return [(f.kind, f.dtype) for f in spec.features] == [("image", "uint8")]


def _storable(values: np.ndarray) -> np.ndarray:
    """An array as npz files have it without pickling: texts as bytes of one length."""
    return values.astype(bytes) if values.dtype == object else values


def _encode(image: np.ndarray, number: int) -> bytes:
    """PNG and JPEG in turn, as stored, larger, and smaller than the model's input."""
    scale = (1.0, 1.7, 0.6, 2.3)[number // 2 % 4]
    size = [max(1, round(length * scale)) for length in image.shape[:2]]
    resized = tf.cast(tf.image.resize(image, size), tf.uint8)
    encode = tf.io.encode_png if number % 2 == 0 else tf.io.encode_jpeg
    return bytes(encode(resized[..., :3]).numpy())


def _last_version(folder: Path) -> int:
    versions = [int(p.name) for p in folder.glob("*") if p.name.isdigit()]
    return max(versions, default=0)
