"""Features of a frozen base computed once, the run that trains the head on them, and both together.

`extract` runs the base over the training and validation samples and gives the pipeline that trains
the head on what it answered; `assemble` puts the trained head back behind the base. The head starts
from the same weights and sees the same batches as in the whole model, so the result is the same up
to rounding; only networks whose base is random in training (the dropped paths of EfficientNet) are
trained without that.
"""

import gc
import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfpipe.data.sources.features import FeatureFile, Features, save
from tfpipe.declare.codec import to_json
from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline, has_own_input, overrides
from tfpipe.errors import CheckFailed
from tfpipe.jobs.plan import Prepared, check_samples, prepare
from tfpipe.models.pretrained.head_alone import HeadAlone, cut
from tfpipe.storage import storage
from tfpipe.terminal import Silent, Terminal

# The first calls of a compiled function make it; their times are not those of the others.
WARM_UP = 3
_TOLERANCE = 1e-3
# What is trained after the base, so that the features are the same whatever it is.
_OF_THE_HEAD = ("head", "activation", "dropout", "l2")

# Told of each batch: how many samples are done, and of how many.
Done = Callable[[int, int], None]


@dataclass(frozen=True)
class Extracted:
    """What the base of a model answers, and what it cost.

    Args:
        loaded: the pipeline that trains the head alone.
        parameters: of the whole model.
        trainable: those of them that are trained.
        images: how many went through the base.
        seconds: how long that took, when it was done.
        batch_seconds: the median of a batch, without the first ones; None where there are few.
    """

    loaded: Loaded
    parameters: int
    trainable: int
    images: int
    seconds: float
    batch_seconds: float | None


def why_not(pipeline: Pipeline) -> str:
    """Why the features of a pipeline's model cannot be computed once; empty where they can."""
    if pipeline.augment:
        return "augment changes the images of every epoch"
    if has_own_input(pipeline):
        return "input_fn makes the batches, and may make others every epoch"
    if overrides(type(pipeline), "build_model") or pipeline.model is None:
        return "build_model makes the model"
    if pipeline.fine_tune is not None:
        return "fine_tune has phases, which may train the base"
    if getattr(pipeline.model, "trainable", False):
        return "the base is trained (model.trainable=true)"
    return ""


def extract(loaded: Loaded, sample: int | bool | None, terminal: Terminal, done: Done) -> Extracted:
    """Compute the features of a pipeline's samples, unless a file has them.

    Args:
        loaded: a pipeline whose base is frozen; see `why_not`.
        sample: on generated data: True, or how many samples.
        terminal: told what is slow.
        done: told how far it is.

    Raises:
        TfpipeError: as `tfpipe.jobs.plan.prepare`; ModelError where the model cannot be cut.
    """
    from tfpipe.models.count import parameters, trainable_parameters

    prepared = prepare(loaded, sample, terminal)
    whole, pipeline, spec = prepared.compiled.model, prepared.pipeline, prepared.spec
    assert pipeline.data is not None
    assert pipeline.model is not None
    if not sample:
        check_samples(prepared)
    body, _ = cut(whole)
    kept = {split: size for split, size in spec.splits.items() if split != "test"}
    passes = _passes(prepared, body, kept, done)
    source = Features(
        pipeline.data,
        str(getattr(pipeline.model, "name", type(pipeline.model).__name__)),
        tuple(body.output_shape[1:]),
        spec.label,
        kept,
        {split: key for split, (key, _) in passes.items()},
    )
    known = [known for _, known in passes.values()]
    found = Extracted(
        loaded.given(data=source, model=HeadAlone(pipeline.model, spec.features)),
        parameters(whole),
        trainable_parameters(whole),
        sum(kept.values()),
        sum(k["seconds"] for k in known),
        next((k["batch_seconds"] for k in known if k["batch_seconds"]), None),
    )
    del prepared, whole, body
    gc.collect()  # layers and their calls refer to each other
    return found


def assemble(
    loaded: Loaded, sample: int | bool | None, head: Loaded, best: Path, file: Path
) -> None:
    """Write the whole model with its trained head, which plain Keras loads.

    Args:
        loaded: the pipeline of the whole model.
        sample: as for `extract`.
        head: the pipeline that trained the head.
        best: the trained head, as a .keras file.
        file: where to write the whole model.

    Raises:
        CheckFailed: when it does not answer what the head answers to the features.
    """
    import keras

    prepared = prepare(loaded, sample, Silent())
    whole = prepared.compiled.model
    trained = keras.models.load_model(best, compile=False)
    cut(whole)[1].set_weights(trained.get_weights())
    split = "validation" if "validation" in prepared.spec.splits else "train"
    samples = next(iter(_batches(prepared.pipeline, split)))[0]
    features = next(iter(_batches(head.pipeline, split)))[0]
    _compare(whole(samples, training=False), trained(features, training=False))
    temporary = file.with_name(f".{file.stem}.writing.keras")
    with storage(file.parent):
        # Not the compiled one, whose optimizer has trained nothing.
        keras.Model(whole.input, whole.output, name=whole.name).save(temporary)
        os.replace(temporary, file)


def _compare(whole: Any, head: Any) -> None:
    """Refuse logits of the whole model that are not those of its head."""
    import numpy as np

    one, other = (np.asarray(t, np.float32) for t in (whole, head))
    difference = float(np.max(np.abs(one - other)))
    if difference > _TOLERANCE * (1 + float(np.max(np.abs(other)))):
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
    found = hashlib.sha256(json.dumps([model, prepared.precision.name], sort_keys=True).encode())
    found.update(json.dumps(to_json(prepared.spec.features)).encode())
    for weight in body.weights:
        found.update(memoryview(weight.numpy()).cast("B"))
    return found.digest()


def _fields(prepared: Prepared) -> Any:
    assert prepared.pipeline.model is not None
    return prepared.pipeline.model.items()


def _checksum(batches: Any, about_body: bytes) -> str:
    """A name for the features of these samples."""
    import numpy as np

    found = hashlib.sha256(about_body)
    for batch in batches:
        for tensor in batch:
            found.update(np.asarray(tensor).tobytes())
    return found.hexdigest()[:32]
