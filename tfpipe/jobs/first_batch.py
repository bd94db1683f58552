"""The first batch of a training, read before anything is written, so that broken data is found."""

import hashlib
from typing import Any

import keras
import numpy as np

from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.pipeline import has_own_input
from tfpipe.jobs.prepare import Prepared
from tfpipe.terminal import Terminal
from tfpipe.training.compile import build_state
from tfpipe.training.datasets import dataset

SAMPLES = 64


def read_first_batch(prepared: Prepared, terminal: Terminal) -> str:
    """Read the training data, so that what is wrong with it is known before anything is written.

    With it the last variables are made, those of the optimizer and the metrics; several workers do
    that together.

    Returns:
        A checksum of the first training batch as it is before augmentation, by which other data is
        noticed when a run is resumed; empty for an overridden input_fn, which may draw as it likes.
    """
    pipeline, read = prepared.pipeline, {}
    with terminal.waiting("reading the training data"):
        for split in prepared.spec.splits:
            if split != "test":  # the test split is touched once, at the end
                batches = dataset(pipeline, split)
                read[split] = next(iter(batches))
                build_state(prepared.compiled.model, batches)
        check_samples(prepared)
        if has_own_input(pipeline):
            return ""
        if pipeline.augment:
            read["train"] = next(iter(dataset(pipeline.replace(augment=()), "train")))
    return _checksum(read["train"])


def check_samples(prepared: Prepared) -> None:
    """Refuse real samples that are not what the model's first layers expect.

    They are the first ones of the first epoch, drawn from all of the training split and not
    augmented, but for what an overridden input_fn does. Generated data is left alone.

    Raises:
        ModelError: with what was expected and what was found.
    """
    pipeline = prepared.pipeline
    if pipeline.model is None or prepared.stands_for is not None:
        return
    if type(pipeline.model).check_samples is ModelBuilder.check_samples:  # which looks at nothing
        return
    batches = dataset(pipeline.replace(augment=(), shuffle=True), "train")
    samples = batches.map(lambda features, *_: features).unbatch().batch(SAMPLES).take(1)
    for features in samples.as_numpy_iterator():
        pipeline.model.check_samples(prepared.compiled.model, prepared.spec, features)


def _checksum(batch: Any) -> str:
    digest = hashlib.sha256()
    for tensor in keras.tree.flatten(batch):
        array = np.asarray(tensor)
        digest.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
    return digest.hexdigest()
