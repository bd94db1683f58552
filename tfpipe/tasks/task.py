"""What a kind of problem is to the rest of tfpipe: its head, loss, metrics, answers and report.

A task of one's own is a subclass, in the pipeline's file or in a module that it imports; defining
it makes it known, and `task = "ordinal"` declares it:

    class Ordinal(Task):
        name = "ordinal"
        ...
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.deferred import Deferred, build_named
from tfpipe.declare.kinds import TASK_NAMES
from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.errors import ConfigError, suggest
from tfpipe.tasks.logits import check_loss, check_metric, on_logits

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

Named = tuple[tuple[str, float], ...]


class Task(ABC):
    """A kind of problem, for one label.

    Args:
        label: what is predicted.

    Class attributes:
        name: what `task=` calls it.
        has_classes: whether each answer is one of the label's classes.
        reads_logits: whether the model's outputs are logits, so that a loss or metric which takes
            them for probabilities is refused.
        output: what an export calls the answers.
    """

    name: ClassVar[str]
    has_classes: ClassVar[bool] = False
    reads_logits: ClassVar[bool] = True
    output: ClassVar[str] = "probabilities"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in cls.__dict__:
            TASKS[cls.name] = cls
            if cls.name not in TASK_NAMES:
                TASK_NAMES.append(cls.name)

    def __init__(self, label: Label) -> None:
        self.label = label

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.label == getattr(other, "label", None)

    def __hash__(self) -> int:
        return hash((type(self), self.label))

    # Labels

    @classmethod
    @abstractmethod
    def fits(cls, label: Label) -> bool:
        """Whether the task can be trained on such labels."""

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        """Whether it is the task of such labels where none is declared."""
        return False

    @classmethod
    def describe(cls, label: Label) -> str:
        """Such labels in words; of the task that is inferred from them."""
        return f"of kind {label.kind!r}"

    @classmethod
    def generate(cls, scores: "np.ndarray", rng: "np.random.Generator") -> "np.ndarray":
        """Labels that can be learnt, for generated data; of the task that is inferred from them.

        Args:
            scores: [rows, numbers] smooth functions of the inputs, about 0 and of about 1.
            rng: draws noise.
        """
        raise NotImplementedError(f"{cls.__name__} generates no labels.")

    # Training

    @property
    @abstractmethod
    def units(self) -> int:
        """The width of the last layer."""

    @property
    @abstractmethod
    def loss(self) -> "Deferred | keras.losses.Loss":
        """The default Keras loss, on the model's outputs; deferred, or the object itself."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[Deferred, ...]:
        """The default Keras metrics, on the model's outputs."""

    def loss_for(self, declared: object) -> "keras.losses.Loss":
        """Return the Keras loss that a pipeline declares; the default one for None.

        Args:
            declared: a name, a Keras loss, deferred or not, or a function.

        Raises:
            ConfigError: for an unknown name, or a loss that would take logits for probabilities.
        """
        declared = on_logits(declared or self.loss)
        loss: keras.losses.Loss = build_named("loss", declared, "losses")
        if self.reads_logits:
            check_loss(loss)
        return loss

    def metric_for(self, declared: object) -> "keras.metrics.Metric | str":
        """Return the Keras metric that a pipeline declares; "accuracy" is that of the task.

        A name that Keras knows stays one, since Keras names the metric by it.

        Args:
            declared: a name, a Keras metric, deferred or not, or a function.

        Raises:
            ConfigError: for an unknown name, or a metric that would take logits for probabilities.
        """
        if self.reads_logits and declared in ("accuracy", "acc"):
            declared = self.metrics[0]
        metric: keras.metrics.Metric = build_named("metrics", declared, "metrics")
        if self.reads_logits:
            check_metric(metric)
        return declared if isinstance(declared, str) else metric

    # Answers

    @abstractmethod
    def answers(self, outputs: Any) -> "tf.Tensor":
        """Probabilities, or values, of the model's outputs, as float32."""

    def class_indices(self, answers: Any) -> "tf.Tensor":
        """The class of each answer, where the answers are classes."""
        raise NotImplementedError(f"{type(self).__name__} has no classes.")

    def outputs(self, answers: Any) -> "dict[str, tf.Tensor]":
        """What a signature of an export gives, by name."""
        return {self.output: answers}

    def named(self, answer: Sequence[float], top: int = 5) -> Named:
        """An answer with names: classes with probabilities, the most probable first, or values.

        Args:
            answer: of one sample, as `answers` gives it.
            top: how many classes at the most.
        """
        named = zip(self.label.classes, map(float, answer), strict=True)
        return tuple(sorted(named, key=lambda pair: -pair[1])[:top])


TASKS: dict[str, type[Task]] = {}


def inferred(label: Label) -> type[Task] | None:
    """The task of some labels where none is declared; the newest of several."""
    return next((task for task in reversed(TASKS.values()) if task.is_inferred(label)), None)


def task_for(spec: ElementSpec, name: str = "auto") -> Task:
    """The task of a data set.

    Args:
        spec: the element spec of the data.
        name: "auto" infers it from the labels: real numbers are a regression, yes/no answers are
            multilabel, two classes are binary, more are a classification.

    Raises:
        ConfigError: for an unknown task, or one that the labels cannot serve.
    """
    label = spec.label
    of_labels = inferred(label)
    if name == "auto":
        if of_labels is None:
            raise ConfigError(
                f"The labels are of kind {label.kind!r}, from which no task follows: declare one "
                f"with task=. {suggest('auto', TASKS)}"
            )
        return of_labels(label)
    if name not in TASKS:
        raise ConfigError(f"There is no task {name!r}. {suggest(name, TASKS)}")
    if not TASKS[name].fits(label):
        able = ", ".join(known for known, task in TASKS.items() if task.fits(label))
        raise ConfigError(
            f"task={name!r} does not fit the labels, which are "
            f"{(of_labels or Task).describe(label)}. Possible: {able}."
        )
    return TASKS[name](label)
