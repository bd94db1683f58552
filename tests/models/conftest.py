"""What the tests of models share: element specs, and training splits to learn from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec, Feature, Kind, Label

LABELS = {
    "class": Label("label", "class", (), tuple("abcde")),
    "binary": Label("label", "class", (), ("no", "yes")),
    "multilabel": Label("label", "multilabel", (3,), tuple("abc")),
    "regression": Label("label", "real"),
    "regression of two": Label("label", "real", (2,)),
}
MakeSpec = Callable[..., ElementSpec]


@pytest.fixture(scope="session")
def spec_of() -> MakeSpec:
    """Makes a spec of one feature; a label by its name in LABELS, or a number of classes."""

    def make(
        shape: tuple[int, ...] = (16, 16, 3), dtype: str = "uint8", label: str | int = 10
    ) -> ElementSpec:
        kind: Kind = {3: "image", 1: "vector"}.get(len(shape), "array")  # type: ignore[assignment]
        return ElementSpec((Feature("input", shape, dtype, kind),), label_of(label))

    return make


@pytest.fixture(scope="session")
def table_of() -> MakeSpec:
    """Makes a spec of columns: table_of(age="number", town="category", label="binary")."""

    def make(label: str | int = "regression", **columns: Kind) -> ElementSpec:
        features = (
            Feature(name, (), "float32" if kind == "number" else "string", kind)
            for name, kind in columns.items()
        )
        return ElementSpec(tuple(features), label_of(label))

    return make


@pytest.fixture(scope="session")
def training() -> Callable[..., Training]:
    """Makes what gives batches of a training split's features."""

    def make(features: Any, batch_size: int = 3) -> Training:
        return lambda: tf.data.Dataset.from_tensor_slices(features).batch(batch_size)

    return make


@pytest.fixture
def reload(tmp_path: Path) -> Callable[[keras.Model], keras.Model]:
    """Saves a model as .keras and loads it."""

    def again(model: keras.Model) -> keras.Model:
        model.save(tmp_path / "model.keras")
        return keras.models.load_model(tmp_path / "model.keras")

    return again


def label_of(label: str | int) -> Label:
    return LABELS[label] if isinstance(label, str) else Label("label", "class", (), names(label))


def names(count: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(count))
