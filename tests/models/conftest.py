"""What the tests of models share: element specs, and training splits to learn from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from specs import MakeSpec, label_of, spec_of

from tfpipe.declare.kinds import Training
from tfpipe.declare.spec import ElementSpec, Feature, Kind

__all__ = ["spec_of"]


@pytest.fixture(scope="session")
def table_of() -> MakeSpec:
    """Makes a spec of columns: table_of(age="number", town="category", label="binary")."""

    def make(label: str | int = "regression", **columns: Kind) -> ElementSpec:
        features = (
            Feature(name, (), "float32" if kind == "number" else "string", kind)
            for name, kind in columns.items()
        )
        return ElementSpec(tuple(features), (label_of(label),))

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
