"""The answers of a model to a whole split beside what is true, as a run keeps them."""

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfpipe.errors import RunError
from tfpipe.models.sequence.carried import carried_over
from tfpipe.storage import write_whole
from tfpipe.tasks.several import Several
from tfpipe.tasks.task import Task

if TYPE_CHECKING:
    import keras

# The splits whose answers a run keeps.
KEPT = ("validation", "test")


@dataclass(frozen=True)
class Answered:
    """What was answered to the samples of a split, and what is true.

    Args:
        labels: [rows, ...] as the task reads them: class indices, 0 and 1, or real numbers.
        answers: [rows, units] probabilities or values, float32, as `Task.kept` gives them.
        weights: [rows] how much each sample counts; None where all count the same.
    """

    labels: np.ndarray
    answers: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Predictions:
    """The answers of a model to a split.

    Args:
        ids: [rows] a hash of each sample, uint64, by which two models' answers are paired.
        outputs: what was answered, by output; the name of the only one is empty.
    """

    ids: np.ndarray
    outputs: dict[str, Answered] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write them compressed, whole or not at all."""
        arrays = {"ids": self.ids}
        for name, found in self.outputs.items():
            arrays |= {f"label:{name}": found.labels, f"answer:{name}": found.answers}
            if found.weights is not None:
                arrays[f"weight:{name}"] = found.weights
        written = io.BytesIO()
        np.savez_compressed(written, allow_pickle=False, **arrays)
        write_whole(path, written.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read what `save` wrote; raises RunError for a file that is missing or broken."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored.items())
            names = [key.partition(":")[2] for key in arrays if key.startswith("label:")]
            outputs = {
                n: Answered(arrays[f"label:{n}"], arrays[f"answer:{n}"], arrays.get(f"weight:{n}"))
                for n in names
            }
            return cls(arrays["ids"], outputs)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise RunError(f"{path} holds no predictions that can be read: {error}") from None


def predictions(
    model: "keras.Model",
    task: Task,
    batches: Iterable[Any],
    watch: Callable[[object], None] | None = None,
) -> Predictions:
    """Answer a whole split as inference does: nothing random, nothing updated.

    Args:
        model: the keras.Model.
        task: what its outputs mean.
        batches: (features, label) or (features, label, weight) batches, in an order of their own.
        watch: told the features of each batch.
    """

    @tf.function(reduce_retracing=True)
    def answered(x: Any, y: Any) -> Any:
        return task.kept(task.answers(model(x, training=False)), y)

    of_task = task.parts if isinstance(task, Several) else {"": task}
    names = [*of_task]
    ids: list[np.ndarray] = []
    rows: dict[str, list[tuple[np.ndarray, ...]]] = {name: [] for name in names}
    with carried_over(model):
        for x, y, *weight in batches:
            answers = tf.nest.map_structure(np.asarray, answered(x, y))
            labels, weights = (tf.nest.map_structure(np.asarray, part) for part in (y, weight))
            features = tf.nest.map_structure(np.asarray, x)
            ids.append(sample_ids(features))
            if watch is not None:
                watch(features)
            for name in names:
                of_output = [part[name] if name else part for part in (labels, answers)]
                of_output[0] = of_task[name].kept_labels(of_output[0])
                rows[name].append(
                    (*of_output, *(w[name] if isinstance(w, dict) else w for w in weights))
                )
    joined = {name: map(np.concatenate, zip(*rows[name], strict=True)) for name in names}
    return Predictions(np.concatenate(ids), {n: Answered(*parts) for n, parts in joined.items()})


def sample_ids(features: Any) -> np.ndarray:
    """Return a hash of each sample, uint64: the same for equal ones, on every machine.

    Args:
        features: an array of a batch, or a mapping of names to arrays.
    """
    named = features if isinstance(features, dict) else {"": features}
    columns = [np.asarray(named[name]) for name in sorted(named)]
    hashes = [hashlib.blake2b(digest_size=8) for _ in range(len(columns[0]))]
    for column in columns:
        if column.dtype == object:  # texts, as bytes
            for known, text in zip(hashes, column.reshape(len(column), -1), strict=True):
                known.update(b"".join(len(t).to_bytes(8, "little") + t for t in text))
        else:
            rows = np.ascontiguousarray(column).reshape(len(column), -1)
            for known, row in zip(hashes, rows, strict=True):
                known.update(row.data)
    return np.frombuffer(b"".join(known.digest() for known in hashes), np.dtype("<u8"))
