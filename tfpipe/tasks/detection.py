"""Detection: the objects in an image, each with its box and its class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tfpipe.declare.spec import Label
from tfpipe.errors import ConfigError, ModelError
from tfpipe.tasks.task import Named, Task

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf
    from keras.losses import Loss
    from keras.metrics import Metric

    from tfpipe.boxes.heads import Head

# The score from which on a box is shown, where nobody says another.
SHOWN = 0.5


class Box(NamedTuple):
    """An object that was found.

    Args:
        name: of its class.
        score: from 0 to 1.
        x1: its left edge, in pixels of the image, or from 0 to 1 of it.
        y1: its upper edge.
        x2: its right edge.
        y2: its lower edge.
    """

    name: str
    score: float
    x1: float
    y1: float
    x2: float
    y2: float


class Detection(Task):
    """Boxes around objects; what a model's numbers mean is known by its last layer.

    Labels are [boxes, 6] an image: the corners (x1, y1, x2, y2) from 0 to 1 of the image, the
    class, -1 for padding, and 1 for what is ignored. Answers are [boxes, 6]: corners, score, class.
    """

    name = "detection"
    has_accuracy = False
    reads_logits = False
    best_by = "map50"
    measured_after = ("map", "map50")
    output = "boxes"
    judged_as = "boxes"

    def __init__(self, label: Label, head: "Head | None" = None) -> None:
        super().__init__(label)
        self.head = head

    @classmethod
    def fits(cls, label: Label) -> bool:
        return label.kind == "boxes"

    @classmethod
    def is_inferred(cls, label: Label) -> bool:
        return label.kind == "boxes"

    @classmethod
    def describe(cls, label: Label) -> str:
        return f"boxes of {len(label.classes)} classes"

    @property
    def units(self) -> int:
        """Unknown: each detector has as many outputs as it needs."""
        return 0

    def for_model(self, model: "keras.Model") -> Task:
        from tfpipe.boxes.heads import head_of

        head = head_of(model)
        if head is None:
            raise ModelError(
                f"The labels are boxes, and {getattr(model, 'name', 'the model')!r} does not end "
                "in a layer that says what its numbers mean. Use SSD, YOLOv3, HubDetector or "
                "ClassifierAsDetector, or end it in a layer of tfpipe.boxes.heads."
            )
        return Detection(self.label, head)

    @property
    def _learning(self) -> "Head":
        """The model's last layer, whose loss is 0 where the model finds boxes as it is."""
        if self.head is None:
            raise ConfigError(
                "The loss of a detector is its last layer's, and there is no model yet. Declare "
                "loss= of your own."
            )
        return self.head

    @property
    def loss(self) -> "Loss":
        from tfpipe.tasks.metrics.detection import DetectionLoss

        return DetectionLoss(self._learning)

    @property
    def metrics(self) -> "tuple[Metric, ...]":
        from tfpipe.tasks.metrics.detection import BoxError, ClassError

        return ClassError(self._learning), BoxError(self._learning)

    def answers(self, outputs: Any) -> "tf.Tensor":
        """Boxes, [batch, most, 6]: corners from 0 to 1, score, class; -1 where there is none."""
        return outputs if self.head is None else self.head.answers(outputs)

    def outputs(self, answers: Any) -> "dict[str, tf.Tensor]":
        import tensorflow as tf

        classes = tf.cast(answers[..., 5], tf.int32)
        names = tf.gather(tf.constant(["", *self.label.classes]), classes + 1)
        return {
            "boxes": answers[..., :4],
            "scores": answers[..., 4],
            "classes": classes,
            "names": names,
            "count": tf.reduce_sum(tf.cast(classes >= 0, tf.int32), axis=-1),
        }

    def answers_of(self, outputs: "dict[str, tf.Tensor]") -> Any:  # type: ignore[override]
        import tensorflow as tf

        classes = tf.cast(outputs["classes"], tf.float32)
        last = [outputs["scores"][..., tf.newaxis], classes[..., tf.newaxis]]
        return tf.concat([outputs["boxes"], *last], axis=-1)

    def boxes(
        self, answer: "np.ndarray", size: tuple[int, int] = (1, 1), least: float = SHOWN
    ) -> list[Box]:
        """Return the boxes of an answer, the best first.

        Args:
            answer: [boxes, 6] as `answers` gives it.
            size: height and width of the image, by which corners are multiplied.
            least: the score that a box has to have.
        """
        height, width = size
        found = []
        for x1, y1, x2, y2, score, kind in answer.tolist():
            if kind >= 0 and score >= least:
                name = self.label.classes[int(kind)]
                corners = (x1 * width, y1 * height, x2 * width, y2 * height)
                found.append(Box(name, score, *corners))
        return found

    def losses(self, answers: "np.ndarray", labels: "np.ndarray") -> "np.ndarray":
        """The share of boxes and objects of each image that are not right together."""
        import numpy as np

        from tfpipe.boxes.mistakes import mistakes

        pairs = zip(labels, answers, strict=True)
        return 1 - np.array([mistakes(*pair, SHOWN).share for pair in pairs])

    def named(self, answer: Sequence[Any], top: int = 5) -> Named:
        """The classes and scores of the best boxes."""
        import numpy as np

        return tuple((b.name, b.score) for b in self.boxes(np.asarray(answer))[:top])

    def bars(self, answer: Sequence[float]) -> Named:
        return ()

    def caption(self, answer: Sequence[float], label: "np.ndarray | int | float") -> str:
        """How many objects of each class were found, and are true."""
        import numpy as np

        found = [box.name for box in self.boxes(np.asarray(answer))]
        kinds = np.asarray(label).reshape(-1, self.label.shape[-1])[:, 4].astype(int)
        true = [self.label.classes[kind] for kind in kinds if kind >= 0]
        return f"{_counted(found)} ({_counted(true)})"


def _counted(names: Sequence[str]) -> str:
    """Names with how often each occurs: "2 cat, 1 dog"."""
    return ", ".join(f"{names.count(n)} {n}" for n in dict.fromkeys(names)) or "nothing"
