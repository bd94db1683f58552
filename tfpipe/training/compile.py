"""Building and compiling a pipeline's model, inside the strategy's scope."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from tfpipe.declare.deferred import build
from tfpipe.declare.deferred.source import public_names
from tfpipe.declare.pipeline import Pipeline, overrides
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError, ModelError, suggest
from tfpipe.models.base import base_of, unfreeze
from tfpipe.models.own import check_logits
from tfpipe.tasks import Task, task_for
from tfpipe.tasks.logits import check_loss, check_metric, loss_by_name
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
    """

    model: Any
    task: Task
    jit_compile: Any = False
    phase: int = 0


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
        model = pipeline.build_model()
        if not isinstance(model, keras.Model):
            raise ModelError(
                f"{type(pipeline).__name__}.build_model() should return a keras.Model, got "
                f"{type(model).__name__}."
            )
        own = overrides(type(pipeline), "build_model")
        _check_output(model, task, spec, own)
        if own:
            check_logits(model, task, "build_model()")
        for phase in pipeline.fine_tune.phases if pipeline.fine_tune else ():
            unfreeze(_base(model), phase.unfreeze, phase.batch_norm)  # what is wrong is found now
        compiled = Compiled(model, task, jit_compile)
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
    part = Compiled(head, compiled.task, compiled.jit_compile)
    with compiled.model.distribute_strategy.scope():
        _compile(part, pipeline)
    return part


def _compile(compiled: Compiled, pipeline: Pipeline) -> None:
    """Freeze what the phase does not train, and only then compile, which looks at that."""
    model, fine_tune = compiled.model, pipeline.fine_tune
    if fine_tune is None:
        optimizer = _optimizer(pipeline)
    else:
        base, phase = _base(model), fine_tune.phases[compiled.phase]
        unfreeze(base, phase.unfreeze, phase.batch_norm)
        optimizer = _optimizer(pipeline.replace(optimizer=phase.optimizer or pipeline.optimizer))
        fall_with_depth(optimizer, base, phase.depth_factor)
    model.compile(
        optimizer=optimizer,
        loss=_loss(pipeline, compiled.task),
        metrics=_metrics(pipeline, compiled.task),
        steps_per_execution=pipeline.steps_per_execution,
        jit_compile=compiled.jit_compile,
    )


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
    """
    with model.distribute_strategy.scope():
        model._symbolic_build(data_batch=dataset.element_spec)


def _optimizer(pipeline: Pipeline) -> Any:
    """The declared optimizer with the pipeline's own fields for it."""
    optimizer = _named("optimizer", pipeline.optimizer, keras.optimizers.get)
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


def _loss(pipeline: Pipeline, task: Task) -> Any:
    loss = _named("loss", pipeline.loss or task.loss, loss_by_name)
    if task.reads_logits:
        check_loss(loss)
    return loss


def _metrics(pipeline: Pipeline, task: Task) -> list[Any]:
    """The declared metrics; "accuracy" means that of the task, which reads logits."""
    if pipeline.metrics is None:
        return list(build(task.metrics))
    found = []
    for declared in pipeline.metrics:
        declared = task.metric(declared)
        metric = _named("metrics", declared, keras.metrics.get)
        if task.reads_logits:
            check_metric(metric)
        # Keras names a metric by the name that it was given.
        found.append(declared if isinstance(declared, str) else metric)
    return found


def _named(field: str, value: Any, get: Callable[[str], Any]) -> Any:
    """A declared object, or the one that Keras knows under a name such as "adam"."""
    if not isinstance(value, str):
        return build(value)
    try:
        return get(value)
    except ValueError:
        home = {"optimizer": "optimizers", "loss": "losses"}.get(field, field)
        names = public_names(f"keras.{home}") or ()
        raise ConfigError(
            f"{field}={value!r}: Keras has none of that name. {suggest(value, names)}"
        ) from None


def _check_output(model: Any, task: Task, spec: ElementSpec, own_model: bool) -> None:
    """Refuse a last layer that has not one value for each thing to predict."""
    if not model.built:
        raise ModelError("build_model() returned a model without an input shape: add keras.Input.")
    shape = model.output_shape
    width = shape[-1] if isinstance(shape, tuple) and len(shape) > 1 else None
    if task.has_classes and width is not None and width != task.units:
        fix = "build_model()" if own_model else "the model builder"
        raise ModelError(
            f"The labels go from 0 to {len(spec.classes) - 1} ({len(spec.classes)} classes, task "
            f"{task.name}), which needs {task.units} output(s); {fix} gave {width}."
        )


def check_monitors(callbacks: list[Any], measured: set[str]) -> None:
    """Refuse callbacks that watch what is not measured; raises ConfigError."""
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor not in measured:
            raise ConfigError(
                f"{type(callback).__name__} watches {monitor!r}, which is not measured. "
                f"{suggest(monitor, measured)}"
            )
