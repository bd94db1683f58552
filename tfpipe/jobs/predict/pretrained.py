"""The model of a declaration whose network needs no training: with its own classes, as it is."""

from typing import Any

from tfpipe.declare.deferred import check_signatures
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.loading import Loaded
from tfpipe.declare.origins import COMMAND_LINE, PYTHON, origins
from tfpipe.declare.pipeline import Pipeline, overrides
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.declare.tree import resolve
from tfpipe.devices import pick, start_tensorflow
from tfpipe.errors import ModelError
from tfpipe.jobs.predict.answering import TrainedModel
from tfpipe.jobs.predict.images import check_images
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.terminal import Terminal
from tfpipe.text import short_path


def of_declaration(loaded: Loaded, terminal: Terminal) -> Predictor:
    """The model of a declaration whose network needs no training; built when it is first asked.

    Args:
        loaded: the declaration.
        terminal: told what is slow.
    """
    from tfpipe.tasks import task_for

    pipeline: Pipeline = resolve(loaded.pipeline)
    builder = _needs_no_training(loaded, pipeline)
    assert pipeline.data is not None
    features, label = pipeline.data.element()
    spec = ElementSpec(features, (label,))
    check_images(spec, loaded.name)
    builder.check(spec)
    trained = builder.is_trained(spec)
    if trained is False and getattr(builder, "weights", None) is not None:
        raise _untrained(loaded)
    task = task_for(spec, pipeline.task)

    def load() -> TrainedModel:
        with terminal.waiting("starting TensorFlow"):
            start_tensorflow()
        from tfpipe.models.model_checks import check_width

        check_signatures(pipeline)
        picked = pick(pipeline.device)
        with terminal.waiting("building the model"), picked.strategy.scope():
            model = builder.build(spec, pipeline.task)
        if trained is None and not builder.as_it_is:
            _check_trained(loaded, model)
        check_width(model, task, f"{loaded.name}'s network")
        builder.check_samples(model, spec, _any_images(spec.feature))
        return TrainedModel(model, task.for_model(model), spec)

    network = getattr(builder, "classifier", builder)
    random = getattr(network, "weights", "") is None
    note = "weights=None: the network is random, and these answers mean nothing."
    return Predictor(loaded.name, load, task, spec, (note,) if random else ())


def _needs_no_training(loaded: Loaded, pipeline: Pipeline) -> ModelBuilder:
    """The builder of a network that can answer as it is; raises ModelError for others.

    What the built model shows as well is asked before: weights may have to be fetched for it.
    """
    builder = pipeline.model
    pretrained = hasattr(builder, "weights") or hasattr(builder, "handle")
    own = overrides(type(pipeline), "build_model")  # of which nobody knows what it builds
    if builder is None or own or pipeline.data is None:
        raise _untrained(loaded)
    if builder.as_it_is:
        return builder
    if not pretrained:
        raise _untrained(loaded)
    if getattr(builder, "head", "imagenet") not in ("imagenet", None):
        raise _untrained(loaded)
    if getattr(builder, "weights", "") is None and not _asked(loaded, "model.weights"):
        raise ModelError(
            f"{_shown(loaded)} declares weights=None, so its answers would be random. Declare "
            + ("weights=PATH." if builder.finds_boxes else "weights='imagenet' or weights=PATH.")
        )
    return builder


def _check_trained(loaded: Loaded, model: Any) -> None:
    """Refuse a model with weights beside those of its pretrained base: nobody trained them."""
    from tfpipe.models.base import base_of

    base = base_of(model)
    pretrained = base.weights if base is not None else []
    if len(pretrained) != len(model.weights):
        raise _untrained(loaded)


def _any_images(feature: Feature) -> Any:
    """Images as files give them, by which a builder finds what is declared of them wrongly."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (4, *feature.shape), np.uint8)


def _untrained(loaded: Loaded) -> ModelError:
    builder, how = loaded.pipeline.model, "head='imagenet'"
    if builder is not None and builder.finds_boxes:
        how = "weights of its data's own classes"
    return ModelError(
        f"{_shown(loaded)} declares a model that must be trained first: now its answers would be "
        f"random. Train it with tfpipe run {_shown(loaded)}, then use tfpipe predict last PATH... "
        f"A network that answers without training is declared with {how}."
    )


def _asked(loaded: Loaded, name: str) -> bool:
    """Whether a person gave a value now, beside the file."""
    return origins(loaded).get(name) in (COMMAND_LINE, PYTHON)


def _shown(loaded: Loaded) -> str:
    return short_path(loaded.path) if loaded.path else loaded.name
