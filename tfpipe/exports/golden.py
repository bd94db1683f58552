"""Golden samples: raw inputs with the trained model's answers, which travel with an export."""

import io
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.data.images.decoding import decode
from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.predict import answers
from tfpipe.evaluation.translation.translations import (
    Translations,
    asked_samples,
)
from tfpipe.exports.box_signatures import RAW, golden_boxes
from tfpipe.exports.continuations import continues_texts, golden_texts
from tfpipe.exports.parity import BEAM, away
from tfpipe.exports.signatures import takes_files
from tfpipe.models.images_out.reach import reach_of
from tfpipe.models.images_out.tiles import SIDE
from tfpipe.tasks.detection import Detection
from tfpipe.tasks.task import Task

GOLDEN = 32
_SMALL = 8  # golden images, of those that are answered with an image
_SCALES = (1.0, 1.0, 1.7, 0.6, 1.0, 2.3, 0.6, 1.0)
_LONGEST = 640  # pixels of an enlarged image's side


def golden_samples(
    model: Any, task: Task, spec: ElementSpec, samples: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return samples and the trained model's answers to them, as arrays of an npz file.

    `array_NAME` are the inputs and `answers` the answers; of images also `file_0`, `file_1`, ...,
    encoded as PNG and JPEG, in the size that the model has and in others, with `file_answers`. Of
    several outputs the answers are `answers:OUTPUT`. Of models that continue texts there are
    `prompts`, how many tokens to say (`lengths`), and the `texts` that they become. Of models that
    translate the inputs are sentences, their `answers` are scores, and there are `translations`:
    the most probable tokens, and the best of a beam. Of models that find objects `answers` are
    boxes, `raw` the numbers by which they were chosen of the first samples, and `least_score` the
    score that a box must have. Of models that answer with an image there are
    `picture_0`, `picture_1`, ... for the files, the first of which is so large that an export
    answers it in parts.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        samples: [rows, ...] raw samples, an array for each feature.
    """
    kept = {name: values[:GOLDEN] for name, values in samples.items()}
    if spec.gives_images:
        return _golden_images(model, task, spec, kept)
    if isinstance(task, Detection):
        return _golden_boxes(model, task, spec, kept)
    if spec.translates:
        return _golden_translations(model, task, spec, asked_samples(spec, kept))
    alone: Any = next(iter(kept.values())) if len(kept) == 1 else kept
    golden = {f"array_{name}": storable(values) for name, values in kept.items()}
    golden |= _by_output("answers", answers(model, task, alone))
    if takes_files(spec):
        files = [_encode(image, i) for i, image in enumerate(alone)]
        decoded = np.stack([decode(tf.constant(f), spec.feature).numpy() for f in files])
        golden |= {f"file_{i}": np.frombuffer(f, np.uint8) for i, f in enumerate(files)}
        golden |= _by_output("file_answers", answers(model, task, decoded))
    if continues_texts(spec) and precision_of(model) == "float32":
        # In coarser arithmetic two tokens may be as probable, and the next ones follow from that.
        texts = golden_texts(model, task, spec, alone)
        golden |= {name: np.array(values) for name, values in texts.items()}
    return golden


def _golden_boxes(
    model: Any, task: Detection, spec: ElementSpec, samples: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Images and files with the boxes that the trained model finds, and its raw numbers."""
    ((name, images),) = samples.items()
    images = images[:_SMALL]
    files = [_encode(image, i) for i, image in enumerate(images)]
    golden = golden_boxes(model, task, spec.feature, images, files)
    if precision_of(model) != "float32":
        # In coarser arithmetic another of two boxes that are nearly equal may be the better one.
        golden = {RAW: golden[RAW]}
    golden |= {f"file_{i}": np.frombuffer(f, np.uint8) for i, f in enumerate(files)}
    return {f"array_{name}": images, **golden}


def _golden_translations(
    model: Any, task: Task, spec: ElementSpec, texts: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Sentences with the trained model's translations and scores."""
    translations = Translations(model, task, spec)
    ((name, sentences),) = texts.items()
    greedy, best = (translations.of_texts(tf.constant(sentences), beam) for beam in (1, BEAM))
    golden = {f"array_{name}": storable(sentences), "answers:score": greedy["score"][:, 0].numpy()}
    if precision_of(model) == "float32":
        # In coarser arithmetic two tokens may be as probable, and the next ones follow from that.
        said = [part["translation"][:, 0].numpy() for part in (greedy, best)]
        golden["translations"] = storable(np.stack(said, axis=1))
    return golden


def rounding_of(model: Any, task: Task, golden: dict[str, np.ndarray]) -> float:
    """Return how much of golden answers is rounding: their difference from those of one graph.

    Operation by operation and as a graph, whose operations are joined, a model computes the same
    but for the order of sums; an export is such a graph. Of a model that answers otherwise each
    time nothing is rounding.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        golden: as `golden_samples` gives them.
    """
    if "answers:score" in golden:  # of translations, which are computed as a graph
        return 0.0
    if RAW in golden:
        return _rounding_of_raw(model, golden)
    given = {n.removeprefix("array_"): a for n, a in golden.items() if n.startswith("array_")}
    tensors = {name: tf.constant(array) for name, array in given.items()}
    alone: Any = next(iter(tensors.values())) if len(tensors) == 1 else tensors
    graph = tf.function(lambda x: task.answers(model(x, training=False)), autograph=False)
    found, again = (
        _by_output("answers", tf.nest.map_structure(np.asarray, graph(alone))) for _ in range(2)
    )
    if any(not np.array_equal(found[name], again[name]) for name in found):
        return 0.0  # it is random, which is no rounding
    wide = {name: found[name].astype(np.float64) for name in found}  # bytes do not go below 0
    differences = (np.abs(wide[name] - golden[name]) for name in found)
    worst = max(float(np.max(part, initial=0.0)) for part in differences)
    return worst if np.isfinite(worst) else 0.0


def _rounding_of_raw(model: Any, golden: dict[str, np.ndarray]) -> float:
    """The same of a model that finds objects, by the numbers before boxes are chosen."""
    images = next(a for n, a in golden.items() if n.startswith("array_"))[: len(golden[RAW])]
    graph = tf.function(lambda x: model(x, training=False), autograph=False)
    found, again = (graph(tf.constant(images)).numpy() for _ in range(2))
    if not np.array_equal(found, again):
        return 0.0  # it is random, which is no rounding
    return away(found, golden[RAW])


def _golden_images(
    model: Any, task: Task, spec: ElementSpec, samples: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Small images, and files of which one is large, with what the trained model makes of them."""
    name, small = next(iter(samples.items()))
    small = small[:_SMALL]
    reach = reach_of(model)
    side = SIDE + 2 * (reach.pixels if reach else 0) + 1
    down, across = -(-side // small.shape[1]), -(-side // small.shape[2])
    # As broad as an export answers at once, and one image less high.
    places = np.arange(max(1, down - 1) * across).reshape(-1, across) % len(small)
    large = np.concatenate([np.concatenate(small[row], axis=1) for row in places])
    files = [tf.io.encode_png(large).numpy(), tf.io.encode_png(small[0]).numpy()]
    golden = {f"array_{name}": small, "answers": answers(model, task, small)}
    for number, (file, image) in enumerate(zip(files, (large, small[0]), strict=True)):
        golden[f"file_{number}"] = np.frombuffer(file, np.uint8)
        golden[f"picture_{number}"] = answers(model, task, image[None])[0]
    return golden


def packed(golden: dict[str, np.ndarray]) -> bytes:
    """Return golden samples as the content of an npz file."""
    written = io.BytesIO()
    np.savez_compressed(written, allow_pickle=False, **golden)
    return written.getvalue()


def storable(values: np.ndarray) -> np.ndarray:
    """Return an array as npz files have it without pickling: texts as bytes of one length."""
    return values.astype(bytes) if values.dtype == object else values


def _by_output(name: str, answered: Any) -> dict[str, np.ndarray]:
    """Return answers under a name; those of several outputs with the output's behind a colon."""
    several = isinstance(answered, dict)
    return {f"{name}:{k}": v for k, v in answered.items()} if several else {name: answered}


def _encode(image: np.ndarray, number: int) -> bytes:
    """Return an image as PNG or JPEG in turn, as it is, larger, or smaller."""
    height, width = image.shape[:2]
    scale = min(_SCALES[number % len(_SCALES)], max(1.0, _LONGEST / max(height, width)))
    size = [max(1, round(length * scale)) for length in (height, width)]
    resized = image if scale == 1.0 else tf.cast(tf.image.resize(image, size), tf.uint8)
    as_png = number % 2 == 0 or image.shape[2] == 4  # JPEG has no transparency
    encode = tf.io.encode_png if as_png else tf.io.encode_jpeg
    return bytes(encode(resized).numpy())


def precision_of(model: Any) -> str:
    """Return the coarsest arithmetic in a model."""
    used = {layer.compute_dtype for layer in model._flatten_layers()}
    return next((p for p in ("bfloat16", "float16") if p in used), "float32")
