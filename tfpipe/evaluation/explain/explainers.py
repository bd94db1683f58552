"""Explainers: what the answers of a model go by, by what its samples are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec
from tfpipe.evaluation.explain.grad_cam import grad_cam, overlay, png
from tfpipe.evaluation.explain.importance import importance
from tfpipe.evaluation.explain.occlusion import occlusion
from tfpipe.evaluation.predictions import Answered
from tfpipe.evaluation.report.charts import bars_figure
from tfpipe.evaluation.report.judged import Explainer
from tfpipe.evaluation.report.sections import Card, Drawing, Section, Table
from tfpipe.evaluation.samples import Sample, shown
from tfpipe.tasks.task import Task
from tfpipe.text import number

if TYPE_CHECKING:
    import keras

_TEXTS = 4  # that are explained word by word
_MOST_COLUMNS = 60
_SHOWN = 20


@dataclass(frozen=True)
class Explained:
    """What is explained: the answers of a model to a split.

    Args:
        model: the keras.Model.
        task: what the output means.
        spec: what the samples are.
        answered: the answers, and what is true.
        output: which of several outputs; empty where there is one.
        seed: of what is drawn.
    """

    model: "keras.Model"
    task: Task
    spec: ElementSpec
    answered: Answered
    output: str = ""
    seed: int = 0

    def answers(self, features: object) -> np.ndarray:
        """Return [rows, ...] the answers to samples, as the model takes them."""
        return np.asarray(self._answers(features))

    @cached_property
    def _answers(self) -> "Callable[[object], tf.Tensor]":
        def answers(features: object) -> tf.Tensor:
            outputs = self.model(features, training=False)
            return self.task.answers(outputs[self.output] if self.output else outputs)

        # Recurrent layers take fifty times as long, operation by operation.
        compiled: Callable[[object], tf.Tensor] = tf.function(
            answers, reduce_retracing=True, autograph=False
        )
        return compiled


@dataclass(frozen=True)
class ByPlaces(Explained):
    """Of images: heat maps of the places that speak for the answer."""

    def cards(self, cards: Mapping[int, Card], samples: Mapping[int, Sample]) -> dict[int, Card]:
        if self.task.has_classes and self.task.units not in (1, len(self.task.label.classes)):
            return dict(cards)  # no output speaks for one class
        name, rows = self.spec.feature.name, list(cards)
        images = np.stack([samples[row][name] for row in rows])
        units = np.full(len(rows), 0)
        if self.task.has_classes:
            units = np.asarray(self.task.class_indices(self.answered.answers[rows]))
            units = units if self.task.units > 1 else 2 * units - 1
        places = grad_cam(self.model, images, units, self.output)
        if places is None:
            return dict(cards)
        found = {}
        for row, image, heat in zip(rows, images, places, strict=True):
            pixels = shown({name: image}, self.spec.features).image
            assert pixels is not None
            found[row] = replace(cards[row], overlay=png(overlay(pixels, heat)))
        return found

    def sections(self) -> list[Section]:
        return []


@dataclass(frozen=True)
class ByWords(Explained):
    """Of texts: how much surer the model is with each word than without it."""

    def cards(self, cards: Mapping[int, Card], samples: Mapping[int, Sample]) -> dict[int, Card]:
        found = dict(cards)
        for row in list(cards)[:_TEXTS]:
            value = samples[row][self.spec.feature.name].reshape(-1)[0]
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            unit = int(self.answered.answers[row].argmax())
            if self.task.has_classes:
                unit = int(np.asarray(self.task.class_indices(self.answered.answers[row][None]))[0])

            def sure(texts: Sequence[str], unit: int = unit) -> np.ndarray:
                answers = self.answers(tf.constant([t.encode() for t in texts]))
                known = self.task.class_probabilities(answers) if self.task.has_classes else answers
                return np.asarray(known[:, unit])

            marks = occlusion(sure, text)
            note = "Blue words speak for the answer, red ones against it."
            more = f"{cards[row].note}. {note}" if cards[row].note else note
            found[row] = replace(cards[row], marks=marks, note=more)
        return found

    def sections(self) -> list[Section]:
        return []


@dataclass(frozen=True)
class ByColumns(Explained):
    """Of tables and vectors: what is lost when a column is shuffled.

    Args:
        columns: [rows, ...] the features of the first rows by name.
    """

    columns: Mapping[str, np.ndarray] | None = None

    def cards(self, cards: Mapping[int, Card], samples: Mapping[int, Sample]) -> dict[int, Card]:
        return dict(cards)

    def sections(self) -> list[Section]:
        columns = self.columns or {}
        single = {
            f"{name}[{i}]" if values.ndim > 1 else name: values[:, i] if values.ndim > 1 else values
            for name, values in columns.items()
            for i in range(values.shape[1] if values.ndim > 1 else 1)
        }
        rows = len(next(iter(columns.values()), ()))
        if not 1 < len(single) <= _MOST_COLUMNS or rows < 2:
            return []
        right = self.task.right(self.answered.answers[:1], self.answered.labels[:1]) is not None

        def score(shuffled: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
            inputs: dict[str, Any] = {
                name: np.stack([shuffled[f"{name}[{i}]"] for i in range(values.shape[1])], axis=1)
                if values.ndim > 1
                else shuffled[name]
                for name, values in columns.items()
            }
            tensors = {name: tf.convert_to_tensor(values) for name, values in inputs.items()}
            answers = self.answers(tensors if len(tensors) > 1 else next(iter(tensors.values())))
            found = self.task.right(answers, labels)
            return -self.task.losses(answers, labels) if found is None else found

        labels = self.answered.labels[:rows]
        found = importance(score, single, labels, self.seed)[:_SHOWN]
        what = "accuracy lost" if right else "added to the mean absolute error"
        text = (
            f"Each column is shuffled five times over {min(rows, 1000):,} samples: what is lost is "
            "what the model draws from it. Of two columns that say the same neither seems to "
            "count.",
        )
        shown_as = (lambda v: f"{v:.1%}") if right else number
        table = Table(
            ("column", what, "deviation"), [(n, shown_as(m), shown_as(s)) for n, m, s in found]
        )
        names, means, errors = zip(*found, strict=True)
        title = "What it goes by" + (f": {self.output}" if self.output else "")
        file = f"{self.output}_importance" if self.output else "importance"
        drawing = Drawing(file, title, lambda: bars_figure(names, means, errors, what), small=False)
        data = {"permutation_importance": [list(row) for row in found]}
        return [Section("importance", title, text, (table,), (drawing,), data=data)]


def explainer_of(about: Explained, columns: Mapping[str, np.ndarray]) -> Explainer | None:
    """Return what explains answers to such samples; None for those that nothing here explains.

    Args:
        about: what is explained.
        columns: [rows, ...] the features of the first rows by name.
    """
    features = about.spec.features
    given = (about.model, about.task, about.spec, about.answered, about.output, about.seed)
    kinds = {feature.kind for feature in features}
    if kinds == {"image"} and len(features) == 1:
        return ByPlaces(*given) if hasattr(about.model, "layers") else None
    if kinds == {"text"} and len(features) == 1:
        return ByWords(*given)
    small = all(values.ndim <= 2 for values in columns.values())
    if kinds <= {"number", "date", "category", "vector", "array"} and columns and small:
        return ByColumns(*given, columns)
    return None
