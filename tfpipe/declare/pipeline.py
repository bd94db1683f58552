"""The Pipeline: a training job as one class.

    class Cifar10CNN(Pipeline):
        data = TFDS("cifar10", validation=0.05)
        model = CNN_2_4_6(convs=6)
        epochs = 20

A class attribute sets a field; one that is no field is an error. A new field is declared with an
annotation. Subclasses and mix-ins change what they name and keep the rest. What no field declares
is written in Python: `input_fn`, `build_model` and `build_callbacks` may be overridden.
"""

import sys
from contextvars import ContextVar
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal

from tfpipe.declare.deferred import Deferred, Name, build, keras
from tfpipe.declare.field_types import (
    Count,
    DurationField,
    NonNegative,
    OpenFraction,
    Positive,
    PositiveFloat,
    show,
)
from tfpipe.declare.fine_tune import FineTune
from tfpipe.declare.kinds import TASK_NAMES, Augmentation, ModelBuilder, Source
from tfpipe.declare.part import REQUIRED, Part, PartMeta, no_field
from tfpipe.declare.spec import ElementSpec
from tfpipe.declare.tree import resolve
from tfpipe.errors import ConfigError
from tfpipe.text import quoted

if TYPE_CHECKING:
    import tensorflow as tf

Loss = Deferred | Name | str
Metric = Deferred | Name | str
Precision = Literal["auto", "float32", "bfloat16", "float16"]

current_epoch: ContextVar[int] = ContextVar("current_epoch", default=0)


class PipelineMeta(PartMeta):
    """Refuse class attributes that are no field, and take the fields of plain mix-ins."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> "PipelineMeta":
        # type("Name", (Base,), {...}) would have it from this file.
        namespace.setdefault("__module__", sys._getframe(1).f_globals.get("__name__", "__main__"))
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        assert isinstance(cls, PipelineMeta)
        for base in reversed(cls.__mro__):
            if not base.__module__.startswith("tfpipe.declare.") and base is not object:
                cls._take_attributes(base)
        return cls

    def _take_attributes(cls, owner: type) -> None:
        for name, value in owner.__dict__.items():
            if name.startswith("_"):
                continue
            if name in cls._defaults:
                if isinstance(value, type):
                    raise ConfigError(
                        f"{owner.__name__}.{name} is the class {value.__name__}: "
                        f"call it, {value.__name__}(...)."
                    )
                if _is_behaviour(value) and not isinstance(value, FunctionType):
                    raise ConfigError(f"{owner.__name__}.{name} is a field: give it a value.")
            elif not _is_behaviour(value):
                raise ConfigError(no_field(cls, name).replace(cls.__name__, owner.__name__, 1))
        for name in cls._defaults:
            if name in owner.__dict__:
                cls._defaults[name] = owner.__dict__[name]


def _is_behaviour(value: object) -> bool:
    """Return whether a class attribute is a method, a property or a nested class."""
    return isinstance(value, type) or hasattr(type(value), "__get__")


class Pipeline(Part, metaclass=PipelineMeta):
    """A training job: data, model, optimizer and how long to train.

    Args:
        data: the source, such as `TFDS("cifar10", validation=0.05)`. None when `input_fn` is
            overridden.
        model: the builder, such as `CNN_2_4_6(convs=6)`. None when `build_model` is overridden.
        task: what is predicted; "auto" reads it from the labels. Of several outputs a mapping of
            their names: {"kind": "classification", "size": "regression"}.
        augment: random changes of the training images, applied in this order.
        optimizer: a Keras optimizer; Adam with its defaults.
        loss: a Keras loss on logits; the task's own when None. Of several outputs a mapping.
        metrics: Keras metrics; the task's own when None. Of several outputs a mapping.
        loss_weights: how much the loss of each of several outputs counts, by name; 1 when not
            given.
        class_weights: how much a training sample of each class counts, such as {"cat": 2.0}, and 1
            for the others; or "balanced", which gives each class the same say. A source may weigh
            single samples besides.
        batch_size: samples in a step, over all replicas together.
        epochs: how many times to go through the training data; with `fine_tune`, its phases say.
        fine_tune: phases, in which more and more of a pretrained model is trained, each with an
            optimizer of its own.
        steps_per_epoch: steps in an epoch; None for one pass over the data.
        drop_remainder: whether to leave out the last, smaller batch of a training epoch.
        shuffle: whether each epoch has an order of its own.
        cache: keep the decoded data in memory: always, never, or when it fits ("auto").
        cache_features: compute what a frozen base answers to each sample once, and train the head
            on that: as training through the base every epoch, but for rounding, and much faster.
        seed: where every random choice comes from.
        precision: the type of the arithmetic; variables and the last layer stay float32. "auto" is
            bfloat16 where the hardware has it, else float32.
        device: "auto", "cpu", "gpu", "gpu:0,1", "tpu", "tpu:NAME", or "cpu:2" for two logical CPUs.
        steps_per_execution: training steps in one call, to save overhead; stops and saved states
            come between calls. "auto" measures the first steps, and where they are short and the
            data is in memory makes one compiled call of as many as take half a second, at most an
            epoch. The numbers are the same to the last bit.
        gradient_accumulation: steps whose gradients are averaged for one update of the weights.
        clip_norm: the largest norm of all gradients together; larger ones are scaled down.
        ema: the momentum of a moving average of the weights, such as 0.999. Validation, the best
            model and the trained model use the average.
        callbacks: Keras callbacks beside the standard ones.
        checkpoint_every: how often to save the state within an epoch: a duration such as "10m",
            or a number of steps. It is saved at the end of each epoch in any case.

    Raises:
        ConfigError: for an unknown field or a value that does not fit its type.
    """

    data: Source | None = None
    model: ModelBuilder | None = None
    task: str | dict[str, str] = "auto"
    augment: tuple[Augmentation, ...] = ()
    optimizer: Deferred | str = keras.optimizers.Adam()
    loss: Loss | dict[str, Loss] | None = None
    metrics: tuple[Metric, ...] | dict[str, tuple[Metric, ...]] | None = None
    loss_weights: dict[str, NonNegative] | None = None
    class_weights: Literal["balanced"] | dict[str, PositiveFloat] | None = None
    batch_size: Positive = 32
    epochs: Positive = 10
    fine_tune: FineTune | None = None
    steps_per_epoch: Positive | None = None
    drop_remainder: bool = False
    shuffle: bool = True
    cache: Literal["auto"] | bool = "auto"
    cache_features: bool = False
    seed: Count = 0
    precision: Precision = "float32"
    device: str = "auto"
    steps_per_execution: Literal["auto"] | Positive = "auto"
    gradient_accumulation: Positive = 1
    clip_norm: PositiveFloat | None = None
    ema: OpenFraction | None = None
    callbacks: tuple[Deferred, ...] = ()
    checkpoint_every: Positive | DurationField = "10m"  # type: ignore[assignment]

    def validate(self) -> None:
        """Refuse a pipeline with nothing to train, or nothing to train on."""
        cls = type(self)
        if cls is Pipeline:
            return
        if self.data is None and not overrides(cls, "input_fn"):
            raise ConfigError(
                f"{cls.__name__} has no data: declare data = TFDS(...) or another source from "
                "tfpipe.data, or override input_fn(self, split)."
            )
        if self.model is None and not overrides(cls, "build_model"):
            raise ConfigError(
                f"{cls.__name__} has no model: declare model = MLP(...) or another builder from "
                "tfpipe.models, or override build_model(self)."
            )
        if self.data is None and self.augment:
            raise ConfigError(
                f"{cls.__name__}.augment would do nothing: input_fn makes all of the data itself. "
                "Augment there, or declare data and build on super().input_fn(split)."
            )
        tasks = self.task.values() if isinstance(self.task, dict) else (self.task,)
        for task in tasks:
            if isinstance(task, str) and task not in ("auto", *TASK_NAMES) and TASK_NAMES:
                known = quoted(("auto", *TASK_NAMES))
                raise ConfigError(f"{cls.__name__}.task takes one of {known}, got {task!r} (str).")
        self._check_phases()

    def _check_phases(self) -> None:
        """Refuse what contradicts the phases."""
        if self.fine_tune is None:
            return
        if getattr(self.model, "trainable", False) is True:
            raise ConfigError(
                f"{type(self).__name__}.model has trainable=True, and fine_tune says which layers "
                "are trained. Leave trainable out."
            )
        usual = Pipeline._defaults["epochs"]
        declared = "epochs" in self._given or type(self)._defaults["epochs"] != usual
        if not declared or resolve(self.epochs) == self.fine_tune.epochs:
            return
        phases = self.fine_tune.phases
        listed = " + ".join(str(resolve(phase.epochs)) for phase in phases)
        raise ConfigError(
            f"{type(self).__name__}.epochs={self.epochs}, and fine_tune has phases of {listed} "
            f"epochs. They decide: leave epochs out, and set fine_tune.phases.{len(phases) - 1}."
            "epochs or the like."
        )

    @property
    def all_epochs(self) -> int:
        """How many epochs are trained: those declared, or those of all phases."""
        declared = self.epochs if self.fine_tune is None else self.fine_tune.epochs
        return int(resolve(declared))

    def __repr__(self) -> str:
        usual, own = Pipeline._defaults, type(self)._defaults
        shown = [
            f"{name}={show(value)}"
            for name, value in self.items()
            if name not in usual or own[name] != usual[name] or not self._is_default(name)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def input_fn(
        self,
        split: str,
        epoch: int | None = None,
        position: int = 0,
        shard: tuple[int, int] = (0, 1),
    ) -> "tf.data.Dataset":
        """Return batches of (features, label), which the split, the seed and the start decide.

        Args:
            split: "train", "validation" or "test". Only "train" is shuffled and augmented.
            epoch: which epoch's order to use; the one being trained when None.
            position: how many batches of the epoch to leave out.
            shard: which part of each batch to make, from 0, and of how many.

        An override may take only `split` and return any batched tf.data.Dataset; it is called once
        an epoch, and `super().input_fn(split)` inside it gives that epoch's data.
        """
        assert self.data is not None
        chosen = current_epoch.get() if epoch is None else epoch
        options = self.batch_options(split) | {"shard": shard}
        return self.data.input_fn(split, epoch=chosen, position=position, **options)

    def batch_options(self, split: str) -> dict[str, Any]:
        """Return how the declared fields make batches of a split, as a source takes it."""
        training = split == "train"
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle and training,
            "augment": self.augment if training else (),
            "drop_remainder": self.drop_remainder and training,
            "steps": self.steps_per_epoch if training else None,
            "cache": self.cache,
        }

    def build_model(self) -> Any:
        """Return the uncompiled keras.Model of logits; override it to write ordinary Keras."""
        assert self.model is not None
        return self.model.build(self.spec(), self.task, self.training_features)

    def training_features(self) -> "tf.data.Dataset":
        """Return batches of the training split's features, in stored order and not augmented.

        A preprocessing layer of an overridden `build_model` adapts to them:
        `normalization.adapt(self.training_features())`.
        """
        if has_own_input(self):
            batches = self.input_fn("train")
        else:
            assert self.data is not None
            batches = self.data.input_fn(
                "train", seed=self.seed, batch_size=self.batch_size, cache=self.cache
            )
        return batches.map(lambda x, *_: x)

    def spec(self) -> ElementSpec:
        """Return the element spec of the declared data."""
        assert self.data is not None
        return self.data.spec(self.seed)

    def build_callbacks(self) -> list[Any]:
        """Return the declared Keras callbacks; override it to add objects of your own."""
        return [build(c) for c in self.callbacks]


def overrides(cls: type, method: str) -> bool:
    """Return whether a pipeline class has its own version of one of Pipeline's methods."""
    return getattr(cls, method) is not getattr(Pipeline, method)


def has_own_input(pipeline: Pipeline) -> bool:
    """Return whether batches come from an overridden input_fn.

    One without declared data supplies all of the data itself, so that generated data, which takes
    the place of the declared, takes the place of the method.
    """
    cls = type(pipeline)
    replaced = pipeline.data is not None and pipeline.data.stands_in
    return overrides(cls, "input_fn") and not (replaced and cls.fields()["data"] is None)


def is_abstract(cls: type[Pipeline]) -> bool:
    """Return whether a pipeline lacks data or a model, so that it is only a base for others."""
    sources = (("data", "input_fn"), ("model", "build_model"))
    return any(
        cls._defaults[name] in (None, REQUIRED) and not overrides(cls, method)
        for name, method in sources
    )
