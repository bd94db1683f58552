"""The kinds of part that a pipeline consists of, and the interface of each.

`data/` and `models/` hold the parts themselves; the rest of the package asks for no more than this.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tfpipe.declare.part import Part
from tfpipe.declare.spec import ElementSpec, Feature, Label

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# What `task=` may name; each task of `tfpipe.tasks`, and of a pipeline's own file, adds itself.
TASK_NAMES: list[str] = []

# A task's name; or one for each of several outputs by name.
TaskName = str | dict[str, str]
# Returns the features of the training split in batches, in stored order.
Training = Callable[[], "tf.data.Dataset"]


class Augmentation(Part):
    """A random change of a training image, drawn for each sample from the declared seed."""

    namespace: ClassVar[str] = "data.augment"
    described: ClassVar[str] = "an augmentation such as augment.flip()"
    draws_needed: ClassVar[int] = 0

    @property
    def alternates(self) -> bool:
        """Whether its numbers u are drawn once for each row, and are 1 - u in every second pass."""
        return False


class Source(Part):
    """Where data comes from: it has an element spec and, for each split, batches."""

    namespace: ClassVar[str] = "data"
    described: ClassVar[str] = 'a data source such as TFDS("cifar10")'
    internal: ClassVar[bool] = False  # True where only tfpipe creates it
    stands_in: ClassVar[bool] = False  # True where it takes the place of another source
    trains: ClassVar[bool] = True  # False where it holds no samples, and its model only predicts

    def spec(self, seed: int = 0) -> ElementSpec:
        """Return names, shapes, types, classes and the sizes of the splits.

        Args:
            seed: decides which training samples are held out for validation.

        Raises:
            DataError: when the data cannot be found or described.
        """
        raise NotImplementedError

    def input_fn(self, split: str, **options: Any) -> "tf.data.Dataset":
        """Return batches of (features, label) of a split; see `tfpipe.data.input_fn.Options`."""
        raise NotImplementedError

    def rows_in_memory(self, split: str, **options: Any) -> Any:
        """Return the rows of a split where they are in memory, else None.

        See `tfpipe.data.input_fn.RowsInMemory`; the batches are those of `input_fn`.
        """
        return None

    def element(self) -> tuple[tuple[Feature, ...], Label]:
        """Return what one sample consists of, without reading the data where that is possible."""
        spec = self.spec()
        return spec.features, spec.label

    def label_reading(self) -> str:
        """Return how the labels were read, for people."""
        _, label = self.element()
        if label.kind == "real":
            return "real numbers, as the data set has them"
        return f"{len(label.classes)} classes that the data set names"

    def with_labels(self, kind: str | dict[str, str]) -> Self:
        """Return the source whose labels are read as a kind, where it leaves that open.

        Args:
            kind: "class" or "number"; "auto" leaves it to the labels. For each of several labels
                by name, where there are several.
        """
        classes: object = getattr(self, "classes", ())
        decided = classes if kind == "number" else kind == "auto"
        if decided or getattr(self, "label_kind", "") != "auto":
            return self
        return self.replace(label_kind=kind)

    def notes(self) -> list[str]:
        """Return what a person must not overlook about the data, such as rows left out."""
        return []

    def class_counts(self, seed: int = 0) -> dict[str, dict[str, int]]:
        """Return the samples of each class, by split; empty where the labels are no classes."""
        return {}

    def places(self, split: str, seed: int = 0) -> list[str]:
        """Return where each sample of a split comes from: a file, or a file and a line.

        Args:
            split: "train", "validation" or "test".
            seed: decides which training samples are held out for validation.

        Returns:
            One for each sample in stored order; none where that is not known.
        """
        return []

    def verify(self, cache: bool | str = "auto") -> None:
        """Read every sample; raise DataError where one is broken.

        Args:
            cache: as for `input_fn`.
        """


class ModelBuilder(Part):
    """Build a Keras model from an element spec."""

    namespace: ClassVar[str] = "models"
    described: ClassVar[str] = "a model builder such as CNN_2_4_6(convs=6)"
    contract: ClassVar[str] = ""
    makes_images: ClassVar[bool] = False  # whether it answers with an image
    finds_boxes: ClassVar[bool] = False  # whether it finds objects in an image
    as_it_is: ClassVar[bool] = False  # whether nothing of it is trained

    def build(
        self, spec: ElementSpec, task: TaskName = "auto", train: Training | None = None
    ) -> "keras.Model":
        """Return the model, whose outputs are logits (or, for real numbers, values).

        Args:
            spec: the element spec of the data.
            task: what is predicted; "auto" reads it from the labels. A mapping for several outputs.
            train: returns the features of the training split in batches, to which preprocessing
                layers adapt their means and vocabularies; None to leave them as they are.

        Raises:
            ModelError: when these sizes cannot work.
        """
        raise NotImplementedError

    def check(self, spec: ElementSpec) -> None:
        """Refuse sizes that cannot work, without TensorFlow; raise ModelError."""

    def fetch(self) -> None:
        """Download what the model needs, without TensorFlow, before anything else that is slow.

        Raises:
            ModelError: where it cannot be had.
        """

    def check_samples(self, model: "keras.Model", spec: ElementSpec, features: Any) -> None:
        """Refuse data that is not what the model's first layers expect; raise ModelError.

        Args:
            model: the built model.
            spec: the element spec of the data.
            features: a few real training samples, as the source gives them, not augmented.
        """

    def is_trained(self, spec: ElementSpec) -> bool | None:
        """Return whether all weights of the model are of a file, so that it can answer as it is.

        Args:
            spec: the element spec of the data.

        Returns:
            None where the built model shows it: all its weights are those of its pretrained base.
        """
        return None

    def offline(self) -> tuple[Self, str]:
        """Return the builder without what would have to be downloaded, for generated data.

        Returns:
            The builder, and what a person must not overlook about it; empty where nothing changed.
        """
        return self, ""

    @classmethod
    def example(cls) -> Self:
        """Return a small instance, for listings and contract tests."""
        return cls()
