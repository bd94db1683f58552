"""Models that answer a batch at a time, compiled once for batches of any size."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe.declare.spec import ElementSpec
from tfpipe.tasks.several import rows_of
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Tensors = dict[str, tf.Tensor]


class TrainedModel:
    """A Keras model.

    Args:
        model: the model.
        task: what its outputs mean.
        spec: what it reads.
    """

    def __init__(self, model: "keras.Model", task: Task, spec: ElementSpec) -> None:
        import tensorflow as tf

        from tfpipe.models.images_out.tiles import tiles_of

        self.model, self.task, self._spec = model, task, spec
        inputs = {f.name: tf.TensorSpec([None, *f.tensor_shape], f.dtype) for f in spec.features}
        in_parts = tiles_of(model, task, spec) if spec.gives_images else None

        def answers(samples: "Tensors") -> "tf.Tensor":
            read = samples if len(samples) > 1 else next(iter(samples.values()))
            if in_parts is not None:
                return in_parts(read)
            return task.answers(model(read, training=False))

        self._answers = tf.function(answers, [inputs])

    def __call__(self, samples: Mapping[str, np.ndarray]) -> list[Any]:
        """Return the answers row by row, as a task names them.

        Args:
            samples: an array for each input, of any number of rows.
        """
        return _rows(self._answers({n: _tensor(array) for n, array in samples.items()}))

    def translations(self, samples: Mapping[str, np.ndarray], beam: int) -> list[Any]:
        """Return the best translations of each sentence with their scores.

        Args:
            samples: the sentences, by the input's name.
            beam: how many translations to keep at each place.
        """
        (sentences,) = samples.values()
        return _translations(self._translate(_tensor(sentences), beam))

    @cached_property
    def _translate(self) -> Any:
        import tensorflow as tf

        from tfpipe.evaluation.translation.translations import Translations

        translations = Translations(self.model, self.task, self._spec)
        signature = [tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)]
        return tf.function(translations.of_texts, signature, autograph=False)

    def files(self, encoded: Sequence[bytes]) -> list[Any]:
        """Return the answers to image files."""
        raise NotImplementedError("A Keras model takes arrays.")


class ServedModel:
    """A SavedModel that tfpipe has exported; it needs no Keras.

    Args:
        folder: where it is.
        task: what its answers mean.
    """

    def __init__(self, folder: Path, task: Task) -> None:
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(folder))  # its variables live as long as it does
        self._task = task

    def __call__(self, samples: Mapping[str, np.ndarray]) -> list[Any]:
        """Return the answers of `serving_default` row by row.

        Args:
            samples: an array for each input, of any number of rows.
        """
        tensors = {name: _tensor(array) for name, array in samples.items()}
        return _rows(self._task.answers_of(self.ask("serving_default", tensors)))

    def translations(self, samples: Mapping[str, np.ndarray], beam: int) -> list[Any]:
        """Return what `TrainedModel.translations` does."""
        import tensorflow as tf

        tensors = {name: _tensor(array) for name, array in samples.items()}
        return _translations(self.ask("translate", {**tensors, "beam": tf.constant(beam)}))

    def ask(self, signature: str, tensors: "Tensors") -> "Tensors":
        """Return what a signature gives, by name."""
        outputs: Tensors = self._loaded.signatures[signature](**tensors)
        return outputs

    def files(self, encoded: Sequence[bytes]) -> list[Any]:
        """Return the answers of `serving_bytes` row by row; raise where a file is no image.

        Args:
            encoded: the contents of image files.
        """
        import tensorflow as tf

        given = {"bytes": tf.constant([*encoded])}
        return _rows(self._task.answers_of(self.ask("serving_bytes", given)))


def _translations(found: "Tensors") -> list[Any]:
    """Pairs of a text and its score for each sentence, without those that are none."""
    rows = zip(found["translation"].numpy().tolist(), found["score"].numpy().tolist(), strict=True)
    return [
        [(text.decode(), score) for text, score in zip(*row, strict=True) if score > -np.inf]
        for row in rows
    ]


def _tensor(array: np.ndarray) -> "tf.Tensor":
    import tensorflow as tf

    # Keras takes Python's texts in arrays, but not those of bytes.
    return tf.convert_to_tensor(array)


def _rows(answers: "tf.Tensor | Tensors") -> list[Any]:
    import tensorflow as tf

    def plain(answer: "tf.Tensor") -> Any:
        # Of Python's numbers a task makes names in a third of the time.
        return answer.numpy().tolist() if answer.shape.rank == 2 else answer.numpy()

    return [*rows_of(tf.nest.map_structure(plain, answers))]
