"""From a declaration to everything that training needs, refusing what cannot work on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tfpipe.data.input_fn import check_batch_size, steps_per_epoch
from tfpipe.data.sources.sample import sample_of
from tfpipe.data.sources.user_batches import UserBatches
from tfpipe.declare.deferred import check_signatures
from tfpipe.declare.kinds import Source
from tfpipe.declare.loading import Loaded
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import Path, resolve, set_at, walk
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
from tfpipe.jobs.checks import (
    among_replicas,
    check_answers,
    check_octaves,
    check_strings,
    untrained_note,
)
from tfpipe.jobs.first_look import instead_of
from tfpipe.models.images_out.feature_extractor import FeatureExtractor
from tfpipe.models.pretrained.split_model import why_not_cached
from tfpipe.tasks import label_kind_of
from tfpipe.terminal import Terminal

if TYPE_CHECKING:
    from tfpipe.training.compile import Compiled


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
        compiled: the compiled model.
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
    compiled: "Compiled"
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
        return getattr(data, "size", 1) if data is not None and data.stands_in else None

    def data_notes(self) -> list[str]:
        """How the data was read, where it could be read otherwise, and what was left out."""
        assert self.pipeline.data is not None
        return self.pipeline.data.notes()

    def notes(self) -> list[str]:
        """What a person must not overlook about the numbers."""
        notes = self.data_notes()
        if note := untrained_note(self.pipeline):
            notes.append(note)
        if self.stands_for is not None:
            notes.append(
                f"Generated data stood in for {self.stands_for}{instead_of(self.loaded)}: these "
                "numbers say nothing about the real data set."
            )
        return [*notes, self.left_out] if self.left_out else notes


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
            for _, features in _extractors(pipeline):
                features.fetch()
    with terminal.waiting("starting TensorFlow"):
        tf = start_tensorflow()
    from tfpipe.training.compile import compile_model

    if pipeline.fine_tune is not None:
        pipeline = pipeline.replace(epochs=pipeline.all_epochs)
    check_signatures(pipeline)
    _check_cached(pipeline, team)
    picked = _pick(pipeline.device, team, terminal)
    precision = choose_precision(pipeline.precision, picked)
    if picked.kind == "cpu":
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(pipeline.seed % 2**32)  # without one a person's own shuffling is refused
    pipeline, stands_for, left_out = with_data(pipeline, sample)
    assert pipeline.data is not None
    with terminal.waiting(f"looking at {source_name(pipeline.data)}"):
        spec = pipeline.spec()
    check_strings(spec, picked)
    if not isinstance(pipeline.data, UserBatches):  # whose batches are its own
        check_batch_size(pipeline.batch_size, spec.splits["train"])
    pipeline = among_replicas(pipeline, picked, spec.splits["train"])
    if pipeline.model is not None:
        check_answers(pipeline.model, spec)
        check_octaves(pipeline)
        pipeline.model.check(spec)
    with terminal.waiting("building the model"):
        compiled = compile_model(
            pipeline, spec, picked.strategy, precision.name, picked.jit_compile
        )
    return Prepared(loaded, pipeline, spec, picked, precision, compiled, stands_for, left_out)


def with_data(pipeline: Pipeline, sample: int | bool | None) -> tuple[Pipeline, str | None, str]:
    """Return a pipeline with the source that it reads, for whom generated data stands, and what
    its model does without for that.

    Args:
        pipeline: the declaration, its ranges resolved.
        sample: run on generated data: True, or how many samples.
    """
    if pipeline.data is None:
        pipeline = pipeline.replace(data=UserBatches(pipeline.input_fn))
    assert pipeline.data is not None
    data = pipeline.data.with_labels(label_kind_of(pipeline.task))
    pipeline = pipeline.replace(data=data)
    if not sample:
        return pipeline, None, ""
    pipeline, left_out = _sampled(pipeline, sample)
    return pipeline, source_name(data), left_out


def _pick(device: str, team: Team | None, terminal: Terminal) -> Picked:
    if team is not None:
        with terminal.waiting(f"waiting for {team.cluster.size} workers"):
            return join(team.cluster, device, team.deadline)
    with terminal.waiting("trying the device"):
        return pick(device)


def _sampled(pipeline: Pipeline, sample: int | bool) -> tuple[Pipeline, str]:
    """Return the pipeline on generated data, and what its model does without."""
    assert pipeline.data is not None
    size = None if sample is True else int(sample)
    pipeline = pipeline.replace(data=sample_of(pipeline.data, size, pipeline.seed))
    if pipeline.model is None:
        return pipeline, ""
    model, left_out = pipeline.model.offline()
    pipeline = pipeline.replace(model=model)
    notes = {left_out: None}
    for path, features in _extractors(pipeline):
        instead, left_out = features.offline()
        pipeline = set_at(pipeline, path, instead)
        notes[left_out] = None
    return pipeline, " ".join(filter(None, notes))


def _extractors(pipeline: Pipeline) -> list[tuple[Path, FeatureExtractor]]:
    """The networks by which the losses compare images, with their paths in the declaration."""
    return [(path, part) for path, part in walk(pipeline) if isinstance(part, FeatureExtractor)]


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


def source_name(source: Source) -> str:
    """What people call a source: its data set's name where it has one."""
    return str(getattr(source, "name", type(source).__name__))
