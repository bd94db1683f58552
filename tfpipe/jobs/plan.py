"""From a declaration to everything that training needs, refusing what cannot work on the way."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfpipe.data.input_fn import check_batch_size, steps_per_epoch
from tfpipe.data.sources.own import Own
from tfpipe.data.sources.sample import Sample, sample_of
from tfpipe.declare.deferred import check_signatures
from tfpipe.declare.kinds import ModelBuilder, Source
from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline, has_own_input
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import resolve
from tfpipe.devices import (
    ChosenPrecision,
    Picked,
    choose_precision,
    join,
    pick,
    start_tensorflow,
)
from tfpipe.devices.cluster.membership import Cluster
from tfpipe.errors import ConfigError
from tfpipe.models.pretrained.cut import why_not_cached
from tfpipe.terminal import Terminal

logger = logging.getLogger("tfpipe.verbs")

SAMPLES = 64


@dataclass(frozen=True)
class Team:
    """Several workers that train together.

    Args:
        cluster: who they are, and which of them this process is.
        deadline: how many seconds to wait for all to come.
    """

    cluster: Cluster
    deadline: float = 300.0


@dataclass(frozen=True)
class Prepared:
    """A pipeline that is about to run.

    Args:
        loaded: as it was asked for.
        pipeline: its ranges resolved; its data replaced by generated data for `--sample`.
        spec: the element spec of its data.
        picked: what it runs on.
        precision: the type of its arithmetic.
        compiled: the compiled model (`tfpipe.training.compile.Compiled`).
        stands_for: the real data set's name when generated data stands in for it.
        left_out: what generated data did without, for people; empty for nothing.
        on_features: the head alone, to be trained on what the frozen base answers, where that is
            computed once (`cache_features`); it shares its layers with the model.
        features_cost: what computing them took: seconds, batch_seconds and samples.
    """

    loaded: Loaded
    pipeline: Pipeline
    spec: ElementSpec
    picked: Picked
    precision: ChosenPrecision
    compiled: Any
    stands_for: str | None
    left_out: str = ""
    on_features: "Prepared | None" = None
    features_cost: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trained(self) -> "Prepared":
        """What is trained: this, or the head alone."""
        return self.on_features or self

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        p = self.pipeline
        size = self.spec.splits["train"]
        return steps_per_epoch(size, p.batch_size, p.drop_remainder, p.steps_per_epoch)

    @property
    def sample_size(self) -> int | None:
        """How many generated training samples stand in for the data; None where none do."""
        data = self.pipeline.data
        return data.size if isinstance(data, Sample) else None

    def notes(self) -> list[str]:
        """What a person must not overlook about the numbers."""
        assert self.pipeline.data is not None
        found = self.pipeline.data.notes()
        if self.stands_for is not None:
            found.append(
                f"Generated data stood in for {self.stands_for}: these numbers say nothing about "
                "the real data set."
            )
        return [*found, self.left_out] if self.left_out else found


def prepare(
    loaded: Loaded, sample: int | bool | None, terminal: Terminal, team: Team | None = None
) -> Prepared:
    """Check a declaration against Keras, the device and the data, and compile its model.

    Args:
        loaded: the pipeline.
        sample: run on generated data: True, or how many samples.
        terminal: told what is slow.
        team: the workers that train together; None for this process alone.
    """
    pipeline: Pipeline = resolve(loaded.pipeline)
    nothing = pipeline.data is not None and not pipeline.data.trains  # which it says itself
    if pipeline.model is not None and not sample and not nothing:
        with terminal.waiting("looking for the model's weights"):
            pipeline.model.fetch()
    with terminal.waiting("starting TensorFlow"):
        tf = start_tensorflow()
    from tfpipe.training.compile import compile_model

    if pipeline.fine_tune is not None:
        pipeline = pipeline.replace(epochs=pipeline.all_epochs)
    check_signatures(pipeline)
    _check_cached(pipeline, team)
    if team is not None:
        with terminal.waiting(f"waiting for {team.cluster.size} workers"):
            picked = join(team.cluster, pipeline.device, team.deadline)
    else:
        with terminal.waiting("trying the device"):
            picked = pick(pipeline.device)
    precision = choose_precision(pipeline.precision, picked)
    if picked.kind == "cpu":
        tf.config.experimental.enable_op_determinism()
    if pipeline.data is None:
        pipeline = pipeline.replace(data=Own(pipeline.input_fn))
    assert pipeline.data is not None
    stands_for, left_out = None, ""
    if sample:
        stands_for = source_name(pipeline.data)
        size = None if sample is True else int(sample)
        pipeline = pipeline.replace(data=sample_of(pipeline.data, size, pipeline.seed))
        if pipeline.model is not None:
            model, left_out = pipeline.model.offline()
            pipeline = pipeline.replace(model=model)
    assert pipeline.data is not None
    with terminal.waiting(f"looking at {source_name(pipeline.data)}"):
        spec = pipeline.spec()
    check_strings(spec, picked)
    if not isinstance(pipeline.data, Own):  # whose batches are its own
        check_batch_size(pipeline.batch_size, spec.splits["train"])
    pipeline = among_replicas(pipeline, picked, spec.splits["train"])
    if pipeline.model is not None:
        pipeline.model.check(spec)
    with terminal.waiting("building the model"):
        compiled = compile_model(
            pipeline, spec, picked.strategy, precision.name, picked.jit_compile
        )
    return Prepared(loaded, pipeline, spec, picked, precision, compiled, stands_for, left_out)


def _check_cached(pipeline: Pipeline, team: Team | None) -> None:
    """Refuse to compute features once where they are others every epoch; raises ConfigError."""
    if not pipeline.cache_features:
        return
    reason = why_not_cached(pipeline) or ("each worker sees a part of the data" if team else "")
    if reason:
        raise ConfigError(
            f"cache_features=true computes once what the frozen base answers, and {reason}. Leave "
            "it out."
        )


def check_samples(prepared: Prepared) -> None:
    """Refuse real samples that are not what the model's first layers expect.

    They are the first ones of the first epoch, drawn from all of the training split and not
    augmented, but for what an overridden input_fn does. Generated data is left alone.

    Raises:
        ModelError: with what was expected and what was found.
    """
    from tfpipe.training.loop import dataset

    pipeline = prepared.pipeline
    if pipeline.model is None or prepared.stands_for is not None:
        return
    if type(pipeline.model).check_samples is ModelBuilder.check_samples:  # which looks at nothing
        return
    batches = dataset(pipeline.replace(augment=(), shuffle=True), "train")
    samples = batches.map(lambda features, *_: features).unbatch().batch(SAMPLES).take(1)
    for features in samples.as_numpy_iterator():
        pipeline.model.check_samples(prepared.compiled.model, prepared.spec, features)


def check_strings(spec: ElementSpec, picked: Picked) -> None:
    """Refuse texts and categories on a TPU, which computes with numbers only."""
    words = [f.name for f in spec.features if f.dtype == "string"]
    if words and picked.kind == "tpu":
        raise ConfigError(
            f"{words[0]!r} holds texts, which the model looks up itself, and a TPU computes with "
            "numbers only. Use device=cpu or device=gpu."
        )


def among_replicas(pipeline: Pipeline, picked: Picked, size: int) -> Pipeline:
    """The pipeline as several replicas, or a TPU, can train it.

    A batch is divided among the replicas. A last batch that does not divide would count its samples
    more than others, so it is left out; a TPU needs every batch to have one size.

    Raises:
        ConfigError: for a batch size that does not divide.
    """
    from tfpipe.training.replicas import check_replicas

    replicas, batch = picked.replicas, pipeline.batch_size
    if replicas > 1:
        check_replicas(pipeline, picked.device)
    check_divides(batch, replicas, f"the {replicas} replicas of {picked.device}")
    uneven = not pipeline.steps_per_epoch and size % batch % replicas
    if (uneven or picked.kind == "tpu") and not pipeline.drop_remainder:
        logger.info(
            "The last %d samples of each epoch are left out: they do not divide among %d replicas.",
            size % batch,
            replicas,
        )
        return pipeline.replace(drop_remainder=True)
    return pipeline


def check_divides(batch_size: int, parts: int, among: str) -> None:
    """Refuse a batch that does not divide.

    Args:
        batch_size: samples in a step, over all parts together.
        parts: among how many it has to divide.
        among: what they are, for people: "2 workers".

    Raises:
        ConfigError: naming the nearest sizes that do.
    """
    if batch_size % parts:
        below = batch_size - batch_size % parts
        fitting = f"{below} or {below + parts}" if below else str(parts)
        raise ConfigError(
            f"batch_size={batch_size} does not divide among {among}: it is the size over all of "
            f"them. Use {fitting}."
        )


def first_batch(prepared: Prepared, terminal: Terminal) -> str:
    """Read the training data, so that what is wrong with it is known before anything is written.

    With it the last variables are made, those of the optimizer and the metrics; several workers do
    that together.

    Returns:
        A checksum of the first training batch as it is before augmentation, by which other data is
        noticed when a run is resumed; empty for an overridden input_fn, which may draw as it likes.
    """
    from tfpipe.training.compile import build_state
    from tfpipe.training.loop import dataset

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


def _checksum(batch: Any) -> str:
    import keras
    import numpy as np

    found = hashlib.sha256()
    for tensor in keras.tree.flatten(batch):
        array = np.asarray(tensor)
        found.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
    return found.hexdigest()


def source_name(source: Source) -> str:
    """What people call a source: its data set's name where it has one."""
    return str(getattr(source, "name", type(source).__name__))
