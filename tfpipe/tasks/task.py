"""What a kind of problem is to the rest of tfpipe: its head, loss, metrics, answers and report.

A task of one's own is a subclass, in the pipeline's file or in a module that it imports; defining
it makes it known, and `task = "ordinal"` declares it:

    class Ordinal(Task):
        name = "ordinal"
        ...
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tfpipe.declare.deferred import Deferred
from tfpipe.declare.kinds import TASK_NAMES
from tfpipe.declare.spec import ElementSpec, Label
from tfpipe.errors import ConfigError, suggest
from tfpipe.tasks.keras_objects import Expects, loss_of, metric_of
from tfpipe.text import quoted

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfpipe.tasks.keras_objects import Translator

Named = tuple[tuple[str, float], ...]


class Task(ABC):
    """A kind of problem, for one label.

    Args:
        label: what is predicted.

    Class attributes:
        name: what `task=` calls it.
        label_kind: how a source reads its labels for the task where it is declared and the source
            leaves that open: "class", "number", or "auto", by the labels.
        has_classes: whether each answer is one of the label's classes.
        has_accuracy: whether "accuracy" names the first of its metrics.
        reads_logits: whether the model's outputs are logits.
        activations: which of "softmax" and "sigmoid" make probabilities of these logits. The last
            layer of a person's own model may have the first of them.
        keeps_model: whether the trained model is what a run is for, to be kept, asked and exported.
        best_by: by which metric of the validation split the best epoch is known.
        measured_after: what is measured of the validation split alone, after each epoch.
        output: what an export calls the answers.
        judged_as: what its answers are compared with, by which evaluation chooses its figures:
            "class" for one of the label's classes, "yes_no" for several yes/no answers, "number"
            for real numbers, or a kind that a module of `tfpipe.evaluation.figures` adds.
    """

    name: ClassVar[str]
    label_kind: ClassVar[str] = "auto"
    has_classes: ClassVar[bool] = False
    has_accuracy: ClassVar[bool] = True
    reads_logits: ClassVar[bool] = True
    activations: ClassVar[tuple[str, ...]] = ()
    keeps_model: ClassVar[bool] = True
    best_by: ClassVar[str] = "loss"
    measured_after: ClassVar[tuple[str, ...]] = ()
    output: ClassVar[str] = "probabilities"
    judged_as: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in cls.__dict__:
            TASKS[cls.name] = cls
            if cls.name not in TASK_NAMES:
                TASK_NAMES.append(cls.name)

    def __init__(self, label: Label) -> None:
        self.label = label
        self.probabilities = False  # whether the model gives them, and no logits

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.label == getattr(other, "label", None)

    def __hash__(self) -> int:
        return hash((type(self), self.label))

    @property
    def title(self) -> str:
        """What it is called for people."""
        return self.name

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
    def metrics(self) -> "tuple[Deferred | keras.metrics.Metric, ...]":
        """The default Keras metrics, on the model's outputs; deferred, or the objects."""

    def loss_for(self, declared: object = None) -> Any:
        """Return the loss that a pipeline declares, which gets what it expects.

        Args:
            declared: a name, a Keras loss, deferred or not, or a function; the default for None.

        Raises:
            ConfigError: for an unknown name, or a loss that does not fit.
        """
        names = (None, "crossentropy", "ce") if self.reads_logits else (None,)
        return loss_of(self, self.loss if declared in names else declared)

    def metrics_for(self, declared: Iterable[object] | None = None) -> list[Any]:
        """Return the metrics that a pipeline declares, each of which gets what it expects.

        Args:
            declared: names, Keras metrics, deferred or not, or functions; "accuracy" is that of
                the task. The default ones for None.

        Raises:
            ConfigError: for an unknown name, or a metric that does not fit.
        """
        if declared is None:
            declared = self.metrics
        own = ("accuracy", "acc") if self.has_accuracy else ()
        metrics: list[Any] = []
        for metric in declared:
            names = [getattr(m, "name", "") for m in metrics]
            metrics.append(metric_of(self, self.metrics[0] if metric in own else metric, names))
            if (name := getattr(metrics[-1], "name", "")) and name in names:
                raise ConfigError(
                    f"metrics: two are called {name!r}. Leave one out, or give it another name=."
                )
        return metrics

    def loss_weights_for(self, declared: Mapping[str, float] | None) -> dict[str, float] | None:
        """Return how much the loss of each of several outputs counts; None where there is one.

        Raises:
            ConfigError: for weights of outputs that are not there.
        """
        if declared is not None:
            raise ConfigError("loss_weights are for several outputs, and there is one.")
        return None

    def translator(self, expects: Expects) -> "Translator":
        """Return what makes the labels and outputs of a batch those that Keras's classes expect.

        Args:
            expects: what a loss or metric of Keras's compares.
        """
        return lambda labels, outputs: (labels, outputs)

    def for_model(self, model: "keras.Model") -> "Task":
        """Return the task of a model, whose last layer may give probabilities already."""
        if not self.activations or last_activation(model) != self.activations[0]:
            return self
        task = type(self)(self.label)
        task.probabilities = True
        return task

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

    def answers_of(self, outputs: "Mapping[str, tf.Tensor]") -> Any:
        """The answers that a signature of an export gave: what `outputs` was called with.

        Args:
            outputs: what the signature gives, by name.
        """
        return outputs[self.output]

    def named(self, answer: Sequence[float], top: int = 5) -> Named:
        """An answer with names: classes with probabilities, the most probable first, or values.

        Args:
            answer: of one sample, as `answers` gives it.
            top: how many classes at the most.
        """
        named = zip(self.label.classes, map(float, answer), strict=True)
        return tuple(sorted(named, key=lambda pair: -pair[1])[:top])

    def named_outputs(self, answer: Sequence[float], top: int = 5) -> dict[str, Named]:
        """An answer with names, as `named` gives it, by output; the only one's name is empty."""
        return {"": self.named(answer, top)}

    # Judging

    def kept(self, answers: Any, labels: Any) -> Any:
        """What a run keeps of the answers to a batch, by which they are judged.

        Args:
            answers: [rows, ...] as `answers` gives them.
            labels: [rows, ...] what is true.
        """
        return answers

    def kept_labels(self, labels: "np.ndarray") -> "np.ndarray":
        """What a run keeps of the labels of a batch.

        Args:
            labels: [rows, ...] what is true.
        """
        return labels

    def class_probabilities(self, answers: "np.ndarray") -> "np.ndarray":
        """[rows, classes] of answers, where each is one of the label's classes."""
        return answers

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        """How wrong each answer is, [rows], 0 for one that is right beyond doubt.

        Args:
            answers: [rows, ...] as `answers` gives them.
            labels: [rows, ...] what is true.
        """
        if not self.has_classes:
            raise NotImplementedError(f"{type(self).__name__} does not say how wrong it is.")
        import numpy as np

        of_true = self.class_probabilities(answers)[np.arange(len(labels)), labels.reshape(-1)]
        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(of_true))

    def right(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray | None":
        """Whether each answer is right, [rows]; None where an answer is only more or less so."""
        if not self.has_classes:
            return None
        import numpy as np

        return np.asarray(self.class_indices(answers)) == labels.reshape(-1)

    def bars(self, answer: Sequence[float]) -> Named:
        """The shares, 0 to 1, that a chart beside a sample shows; empty for none."""
        return self.named(answer) if self.output == "probabilities" else ()

    def caption(self, answer: Sequence[float], label: "np.ndarray | int | float") -> str:
        """An answer and, in brackets, what is true, for below a picture: "cat 87% (dog)"."""
        if not self.has_classes:
            raise NotImplementedError(f"{type(self).__name__} does not say how answers are shown.")
        (name, probability), *_ = self.named(answer, 1)
        return f"{name} {probability:.0%} ({self.label.classes[int(label)]})"


TASKS: dict[str, type[Task]] = {}


def last_activation(model: "keras.Model") -> str:
    """Return "softmax" or "sigmoid" where the last layer makes probabilities so; empty if not."""
    last = (getattr(model, "layers", None) or [model])[-1]
    name = getattr(getattr(last, "activation", last), "__name__", type(last).__name__).lower()
    return name if name in ("softmax", "sigmoid") else ""


def inferred(label: Label) -> type[Task] | None:
    """The task of some labels where none is declared; the newest of several."""
    return next((task for task in reversed(TASKS.values()) if task.is_inferred(label)), None)


def label_kind_of(name: str | Mapping[str, str]) -> str | dict[str, str]:
    """How a source reads its labels for a declared task; "auto" also for names that are unknown.

    Args:
        name: the task; or one for each of several labels by name.
    """
    if isinstance(name, Mapping):
        kinds = {label: label_kind_of(task) for label, task in name.items()}
        return {label: kind for label, kind in kinds.items() if isinstance(kind, str)}
    return TASKS[name].label_kind if name in TASKS else "auto"


def task_for(spec: ElementSpec, name: str | Mapping[str, str] = "auto") -> Task:
    """The task of a data set.

    Args:
        spec: the element spec of the data.
        name: "auto" infers it from the labels: real numbers are a regression, yes/no answers are
            multilabel, two classes are binary, more are a classification. A mapping gives a task
            to each of several labels.

    Raises:
        ConfigError: for an unknown task, or one that the labels cannot serve.
    """
    return task_of(spec.label, name)


def task_of(label: Label, name: str | Mapping[str, str] = "auto") -> Task:
    """The task of some labels; see `task_for`."""
    of_labels = inferred(label)
    if isinstance(name, Mapping):
        if label.kind != "several":
            raise ConfigError(
                f"task is a mapping of {quoted(name)}, and the data has one label, "
                f"{label.name!r}. Labels of several outputs are a mapping of the same names."
            )
        return TASKS["several"](label, name)  # type: ignore[call-arg]
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
