"""Features of a frozen base computed once, and a head that is trained on them.

The head shares its layers with the whole model, so what it learns the model has learnt. It starts
from the same weights and sees the same batches as through the base, so the result is the same up to
rounding; only networks whose base is random in training (the dropped paths of EfficientNet) are
trained without that.
"""

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfpipe.data.sources.features import FeatureFile, Features, save
from tfpipe.declare.codec import to_json
from tfpipe.declare.pipeline import Pipeline
from tfpipe.errors import CheckFailed, ConfigError
from tfpipe.exports.golden import precision_of
from tfpipe.jobs.prepare import Prepared
from tfpipe.models.pretrained.split_model import split_at_base
from tfpipe.storage import storage
from tfpipe.terminal import Terminal

# The first calls of a compiled function make it; their times are not those of the others.
WARM_UP = 3
# Of logits, by the arithmetic: in bfloat16 a number has eight bits, and sums come in another order.
_TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 3e-2}
# What is trained after the base, so that the features are the same whatever it is.
_OF_THE_HEAD = ("head", "activation", "dropout", "l2")

# Told of each batch: how many samples are done, and of how many.
Done = Callable[[int, int], None]


def with_features(prepared: Prepared, terminal: Terminal) -> Prepared:
    """The same with its head ready to be trained on features, which are computed unless a file has
    them.

    Args:
        prepared: a pipeline whose base is frozen; see `why_not_cached`.
        terminal: told how far it is.

    Raises:
        ConfigError: for several outputs.
        ModelError: where the model cannot be split behind its base.
        StorageError: when there is no room for the features.
    """
    from tfpipe.training.compile import build_state, compile_head
    from tfpipe.training.datasets import dataset

    whole, pipeline, spec = prepared.compiled.model, prepared.pipeline, prepared.spec
    assert pipeline.data is not None
    if spec.label.parts:
        raise ConfigError(
            "cache_features=true keeps the features of one output, and the data has several. Leave "
            "it out."
        )
    body, head = split_at_base(whole)
    kept = {split: size for split, size in spec.splits.items() if split != "test"}
    with terminal.waiting("computing what the frozen base answers, once"):
        passes = _passes(prepared, body, kept, terminal.features)
    source = Features(
        pipeline.data,
        str(getattr(pipeline.model, "name", type(pipeline.model).__name__)),
        tuple(body.output_shape[1:]),
        spec.label,
        kept,
        {split: key for split, (key, _) in passes.items()},
    )
    of_head = pipeline.replace(data=source, cache_features=False)
    compiled = compile_head(prepared.compiled, head, of_head)
    for split in kept:
        build_state(head, dataset(of_head, split))
    known = [known for _, known in passes.values()]
    cost = {
        "samples": sum(kept.values()),
        "seconds": sum(k["seconds"] for k in known),
        "batch_seconds": next((k["batch_seconds"] for k in known if k["batch_seconds"]), None),
    }
    trained = replace(prepared, pipeline=of_head, spec=source.spec(), compiled=compiled)
    return replace(prepared, on_features=trained, features_cost=cost)


def save_whole(prepared: Prepared, best: Path) -> None:
    """Put the whole model in the place of the head that was the best, for plain Keras to load.

    Args:
        prepared: with its head, which is trained.
        best: the .keras file of the best head; left as it is where it holds the whole already.

    Raises:
        CheckFailed: when base and head together do not answer what the head answers to features.
    """
    import keras
    import tensorflow as tf

    assert prepared.on_features is not None
    whole, head = prepared.compiled.model, prepared.on_features.compiled.model
    if not best.is_file():
        return
    stored = keras.models.load_model(best, compile=False)
    if stored.input_shape != head.input_shape:
        return
    now = head.get_weights()
    head.set_weights(stored.get_weights())
    try:
        split = "validation" if "validation" in prepared.spec.splits else "train"
        samples = next(iter(_batches(prepared.pipeline, split)))[0]
        features = next(iter(_batches(prepared.on_features.pipeline, split)))[0]
        # As a graph, in which the features were computed: in bfloat16 another order tells.
        graph = tf.function(lambda x: whole(x, training=False), autograph=False)
        allowed = _TOLERANCES[precision_of(whole)]
        _compare(graph(samples), head(features, training=False), allowed)
        temporary = best.with_name(f".{best.stem}.writing.keras")
        with storage(best.parent):
            # Not the compiled one, whose optimizer has trained nothing.
            keras.Model(whole.input, whole.output, name=whole.name).save(temporary)
            os.replace(temporary, best)
    finally:
        head.set_weights(now)


def _compare(whole: Any, head: Any, allowed: float) -> None:
    """Refuse logits of the whole model that are not those of its head, but for a share."""
    import numpy as np

    one, other = (np.asarray(t, np.float32) for t in (whole, head))
    difference = float(np.max(np.abs(one - other)))
    if difference > allowed * (1 + float(np.max(np.abs(other)))):
        raise CheckFailed(
            f"The base and its trained head together answer otherwise than the head alone: logits "
            f"differ by {difference:.3g}. The base, or the data, is no longer what it was."
        )


def _batches(pipeline: Pipeline, split: str) -> Any:
    """The samples of a split in stored order, as the source gives them."""
    plain = pipeline.replace(augment=(), shuffle=False, drop_remainder=False, steps_per_epoch=None)
    return Pipeline.input_fn(plain, split, 0)


def _passes(
    prepared: Prepared, body: Any, sizes: dict[str, int], done: Done
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each split's file of features, and what is known of it: seconds and batch_seconds."""
    import tensorflow as tf

    given = _batches(prepared.pipeline, "train").element_spec[0]
    signature = tf.TensorSpec([None, *given.shape[1:]], given.dtype)
    answer = tf.function(lambda x: body(x, training=False), input_signature=[signature])
    about_body, passes, before = _digest(prepared, body), {}, 0
    for split, size in sizes.items():
        batches = _batches(prepared.pipeline, split)
        key = f"features-{_checksum(batches, about_body)}"
        one = _Pass(
            answer, batches, prepared.pipeline.batch_size, before, sum(sizes.values()), done
        )
        table = FeatureFile(key, size, tuple(body.output_shape[1:]), prepared.spec.label)
        passes[split] = key, save(table, one, one.known)
        before += size
    return passes


class _Pass:
    """A split's batches with the base's answers in place of the samples, and the time it takes.

    Args:
        answer: the base.
        batches: of samples.
        batch: how many samples a whole batch has; others are not timed.
        before: how many samples of other splits are done.
        total: how many there are in all splits.
        done: told how far it is.
    """

    def __init__(
        self,
        answer: Callable[[Any], Any],
        batches: Any,
        batch: int,
        before: int,
        total: int,
        done: Done,
    ) -> None:
        self._answer, self._batches, self._batch = answer, batches, batch
        self._before, self._total, self._done = before, total, done
        self._seconds = 0.0
        self._times: list[float] = []

    def known(self) -> dict[str, Any]:
        """How long it took, and the median of a batch."""
        times = self._times[WARM_UP:]
        return {
            "seconds": self._seconds,
            "batch_seconds": statistics.median(times) if times else None,
        }

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        count = self._before
        began = time.perf_counter()
        for samples, *rest in self._batches:
            before = time.perf_counter()
            features = self._answer(samples).numpy()
            if len(features) == self._batch:
                self._times.append(time.perf_counter() - before)
            yield features, *rest
            count += len(features)
            self._done(count, self._total)
        self._seconds = time.perf_counter() - began


def _digest(prepared: Prepared, body: Any) -> bytes:
    """What decides the answers of a base: its builder, its weights, and how it computes."""
    model = {n: to_json(v) for n, v in _fields(prepared) if n not in _OF_THE_HEAD}
    digest = hashlib.sha256(json.dumps([model, prepared.precision.name], sort_keys=True).encode())
    digest.update(json.dumps(to_json(prepared.spec.features)).encode())
    for weight in body.weights:
        digest.update(memoryview(weight.numpy()).cast("B"))
    return digest.digest()


def _fields(prepared: Prepared) -> Any:
    assert prepared.pipeline.model is not None
    return prepared.pipeline.model.items()


def _checksum(batches: Any, about_body: bytes) -> str:
    """A name for the features of these samples."""
    import numpy as np

    digest = hashlib.sha256(about_body)
    for batch in batches:
        for tensor in batch:
            digest.update(np.asarray(tensor).tobytes())
    return digest.hexdigest()[:32]
