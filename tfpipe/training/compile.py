"""Building and compiling a pipeline's model, inside the strategy's scope."""

import logging
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tfpipe.data.input_fn import steps_per_epoch
from tfpipe.declare.deferred import build_named
from tfpipe.declare.fine_tune import Phase
from tfpipe.declare.pipeline import Pipeline, overrides
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError, TfpipeError, suggest
from tfpipe.models.base import base_of, unfreeze
from tfpipe.models.images_out.adversarial import Adversarial
from tfpipe.models.model_checks import check_logits, check_model, check_width
from tfpipe.tasks import Task, task_for
from tfpipe.training.layer_names import named_from_the_first
from tfpipe.training.rates import fall_with_depth
from tfpipe.training.replicas import synchronize

logger = logging.getLogger("tfpipe.training")

POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

# Keras's arguments by the fields of a pipeline that stand for them.
_OPTIONS = {
    "gradient_accumulation_steps": "gradient_accumulation",
    "global_clipnorm": "clip_norm",
    "use_ema": "ema",
}


@dataclass
class Compiled:
    """A model ready to train, and what its answers mean.

    Args:
        model: the compiled keras.Model.
        task: what its outputs mean: loss, metrics and answers.
        jit_compile: whether XLA compiles the steps.
        phase: which phase of the training it is compiled for, from 0.
        steps: training steps in an epoch, for schedules over a whole training.
        losses: of each phase; none where there are no phases.
    """

    model: Any
    task: Task
    jit_compile: Any = False
    phase: int = 0
    steps: int = 0
    losses: list[Any] = field(default_factory=list)


def compile_model(
    pipeline: Pipeline,
    spec: ElementSpec,
    strategy: Any,
    precision: str = "float32",
    jit_compile: Any = False,
) -> Compiled:
    """The pipeline's model, built from its seed and compiled.

    Args:
        pipeline: the declaration, its ranges resolved.
        spec: the element spec of its data.
        strategy: the tf.distribute strategy to build under.
        precision: the type of the arithmetic: float32, bfloat16 or float16. Keras scales the loss
            for float16.
        jit_compile: whether XLA compiles the steps: True, False, or "auto" for where every layer
            supports it.

    Raises:
        ConfigError: when the declared loss, metrics or optimizer cannot be made.
        ModelError: when the model cannot be built, or its output does not fit the labels.
    """
    task = task_for(spec, pipeline.task)
    keras.utils.set_random_seed(pipeline.seed % 2**32)
    keras.config.set_dtype_policy(POLICIES[precision])
    with strategy.scope():
        model = named_from_the_first(pipeline.build_model)
        if overrides(type(pipeline), "build_model"):
            by = f"{type(pipeline).__name__}.build_model()"
            check_model(model, by)
            check_width(model, task, by)
            check_logits(model, task, by)
        for phase in pipeline.fine_tune.phases if pipeline.fine_tune else ():
            _enter(model, phase)  # what is wrong is found now
        steps = steps_per_epoch(
            spec.splits.get("train", 0),
            pipeline.batch_size,
            pipeline.drop_remainder,
            pipeline.steps_per_epoch,
        )
        compiled = Compiled(model, task.for_model(model), jit_compile, steps=steps)
        for phase in pipeline.fine_tune.phases if pipeline.fine_tune else ():
            declared = pipeline.loss if phase.loss is None else phase.loss
            compiled.losses.append(compiled.task.loss_for(declared))
        _compile(compiled, pipeline)
        if strategy.num_replicas_in_sync > 1:
            synchronize(model)
    return compiled


def enter_phase(compiled: Compiled, pipeline: Pipeline, index: int, dataset: Any) -> None:
    """Compile the model for another phase of its training; its weights stay as they are.

    Args:
        compiled: the model.
        pipeline: the declaration, with phases.
        index: which one, from 0.
        dataset: the training data, by which the variables are made.
    """
    if compiled.phase == index:
        return
    compiled.phase = index
    with compiled.model.distribute_strategy.scope():
        _compile(compiled, pipeline)
    build_state(compiled.model, dataset)


def compile_head(compiled: Compiled, head: Any, pipeline: Pipeline) -> Compiled:
    """A part of a compiled model, compiled as the model is.

    Args:
        compiled: the model.
        head: a keras.Model of some of its layers.
        pipeline: the declaration, without phases.
    """
    part = Compiled(head, compiled.task, compiled.jit_compile, steps=compiled.steps)
    with compiled.model.distribute_strategy.scope():
        _compile(part, pipeline)
    return part


def _compile(compiled: Compiled, pipeline: Pipeline) -> None:
    """Freeze what the phase does not train, and only then compile, which looks at that."""
    model, fine_tune = compiled.model, pipeline.fine_tune
    if fine_tune is None:
        optimizer = _optimizer(pipeline, compiled.steps * pipeline.epochs)
        loss = compiled.task.loss_for(pipeline.loss)
    else:
        phase = fine_tune.phases[compiled.phase]
        _enter(model, phase)
        declared = pipeline.replace(optimizer=phase.optimizer or pipeline.optimizer)
        loss = compiled.losses[compiled.phase]
        optimizer = _optimizer(declared, compiled.steps * phase.epochs)
        if phase.depth_factor != 1.0:
            fall_with_depth(optimizer, _base(model), phase.depth_factor)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=compiled.task.metrics_for(pipeline.metrics),
        loss_weights=compiled.task.loss_weights_for(pipeline.loss_weights),
        steps_per_execution=1 if (steps := pipeline.steps_per_execution) == "auto" else steps,
        jit_compile=compiled.jit_compile,
    )


def _enter(model: Any, phase: Phase) -> None:
    """Let a phase train what it declares."""
    if isinstance(model, Adversarial):
        if phase.unfreeze is not None:
            raise ModelError("Phase.unfreeze is for a pretrained base, and a GAN has none.")
        model.alone = phase.pretrain
        return
    if phase.pretrain:
        raise ModelError("Phase.pretrain is for a GAN, whose generator it trains by itself.")
    unfreeze(_base(model), phase.unfreeze, phase.batch_norm)


def _base(model: Any) -> Any:
    base = base_of(model)
    if base is None:
        raise ModelError(
            "fine_tune trains more and more of a pretrained model, and there is none inside "
            f"{model.name!r}: use Application or Hub, or nest a keras.Model in build_model()."
        )
    return base


def build_state(model: Any, dataset: Any) -> None:
    """Make every variable that training needs, so that a saved state can be put back.

    Keras makes those of the optimizer and the metrics when it sees the first batch.

    Raises:
        ConfigError: for a loss or a metric that does not take the labels and the outputs.
        ModelError: for a model that does not take the features.
    """
    with model.distribute_strategy.scope():
        try:
            model._symbolic_build(data_batch=dataset.element_spec)
        except Exception as error:
            if isinstance(error, TfpipeError):
                raise
            _explain(model, dataset.element_spec, error)
            reason = " ".join(line.strip() for line in str(error).splitlines()[:3] if line.strip())
            raise ModelError(
                f"The model does not take the batches of the data: {type(error).__name__}: {reason}"
            ) from error


def _explain(model: keras.Model, element_spec: tuple[Any, ...], error: Exception) -> None:
    """Raise ConfigError for the loss or metric that has raised an error, where one has."""
    metrics = getattr(model._compile_metrics, "_user_metrics", None) or ()
    parts: list[tuple[str, Any, Any, Any, Any]] = [
        ("", element_spec[1], getattr(model, "output", None), model.loss, metrics)
    ]
    if isinstance(element_spec[1], dict):
        parts = [
            (f"[{name!r}]", labels, model.output[name], model.loss[name], metrics[name])
            for name, labels in element_spec[1].items()
        ]
    for output, labels, outputs, loss, measures in parts:
        if not (isinstance(labels, tf.TensorSpec) and hasattr(outputs, "shape")):
            return
        given = (labels, tf.TensorSpec(outputs.shape, outputs.dtype))
        declared = [("loss", loss), *(("metrics", metric) for metric in measures)]
        for argument, function in declared:
            try:
                tf.function(function, autograph=False).get_concrete_function(*given)
            except Exception as own:  # noqa: BLE001 (whatever Keras or a person raises)
                name = getattr(function, "__name__", type(function).__name__)
                reason = next(iter(str(own).splitlines()), "")
                raise ConfigError(
                    f"{argument}{output}: {name} does not take labels of shape "
                    f"{tuple(labels.shape)} and outputs of shape {outputs.shape}: "
                    f"{type(own).__name__}: {reason}"
                ) from error


def _optimizer(pipeline: Pipeline, total_steps: int) -> Any:
    """The declared optimizer with the pipeline's own fields for it.

    Args:
        pipeline: the declaration, its ranges resolved.
        total_steps: what it or its schedule gets where they leave `total_steps` open.
    """
    optimizer = build_named("optimizer", pipeline.optimizer, "optimizers")
    timed: list[Any] = [optimizer, getattr(optimizer, "_learning_rate", None)]
    for part in timed:
        if getattr(part, "total_steps", total_steps) is None:
            part.total_steps = total_steps
    options: dict[str, Any] = {}
    if pipeline.gradient_accumulation > 1:
        options["gradient_accumulation_steps"] = pipeline.gradient_accumulation
    if pipeline.clip_norm is not None:
        options["global_clipnorm"] = pipeline.clip_norm
    if pipeline.ema is not None:
        options |= {"use_ema": True, "ema_momentum": pipeline.ema}
    if not options:
        return optimizer
    try:
        return type(optimizer).from_config(optimizer.get_config() | options)
    except ValueError as error:
        given = ", ".join(_OPTIONS[name] for name in options if name in _OPTIONS)
        raise ConfigError(
            f"{type(optimizer).__name__} does not take {given} together with its own arguments: "
            f"{error}"
        ) from error


def check_monitors(callbacks: list[Any], measured: set[str]) -> None:
    """Refuse callbacks that watch what is not measured; raises ConfigError."""
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor not in measured:
            raise ConfigError(
                f"{type(callback).__name__} watches {monitor!r}, which is not measured. "
                f"{suggest(monitor, measured)}"
            )
