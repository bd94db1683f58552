"""Steps in one call or in many: the same numbers to the last bit, stopped and resumed too."""

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe
from tfpipe import Pipeline
from tfpipe.data import Arrays, augment
from tfpipe.models import MLP, TextClassifier
from tfpipe.training import checkpoint


def points() -> Any:
    x = np.random.default_rng(0).normal(size=(130, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def columns() -> Any:
    rng = np.random.default_rng(1)
    table = {"size": rng.normal(size=130).astype("float32"), "kind": rng.choice(["a", "b"], 130)}
    return table, (table["size"] * 2 + (table["kind"] == "a")).astype("float32")


def images() -> Any:
    x = np.random.default_rng(2).integers(0, 256, (130, 8, 8, 3)).astype("uint8")
    return x, (x.mean((1, 2, 3)) > 127).astype(int)


def texts() -> Any:
    words = np.random.default_rng(3).choice(["good", "bad", "film", "plot", "the"], (130, 6))
    return np.array([" ".join(row) for row in words]), (words == "good").any(1).astype(int)


class Points(Pipeline):
    data = Arrays(points, validation=0.2, test=0.1)
    model = MLP(units=(6,), dropout=0.2)
    optimizer = tfpipe.keras.optimizers.Adam(
        tfpipe.keras.optimizers.schedules.CosineDecay(0.05, decay_steps=40)
    )
    batch_size = 12
    epochs = 5


class Averaged(Points):
    optimizer = tfpipe.keras.optimizers.SGD(0.1, momentum=0.9)
    ema = 0.9
    clip_norm = 0.5
    gradient_accumulation = 2
    class_weights = {"0": 2.0}  # noqa: RUF012


class Table(Points):
    data = Arrays(columns, validation=0.2)
    callbacks = (
        tfpipe.keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        tfpipe.keras.callbacks.ReduceLROnPlateau(patience=1),
    )
    optimizer = tfpipe.keras.optimizers.RMSprop(0.01)


class Images(Points):
    data = Arrays(images, validation=0.2)
    model = None
    augment = (augment.flip(), augment.shift(0.2))
    steps_per_epoch = 7

    def build_model(self) -> Any:
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(8, 3),
                keras.layers.BatchNormalization(momentum=0.5),
                keras.layers.ReLU(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(1),
            ]
        )


class Texts(Points):
    data = Arrays(texts, validation=0.2)
    model = TextClassifier()


def trained(pipeline: Pipeline, root: Path, **words: Any) -> Any:
    return tfpipe.run(pipeline, root=root, export=False, quiet=True, **words)


def left(run: Any) -> tuple[list[np.ndarray], list[dict[str, str]]]:
    """The variables of a run's last state, and its rows without their times."""
    saved = checkpoint.latest(run.directory / "checkpoints")
    assert saved is not None
    with (run.directory / "metrics.csv").open(newline="") as file:
        rows = [
            {
                n: v
                for n, v in row.items()
                if n not in ("seconds", "examples_per_second", "input_wait")
            }
            for row in csv.DictReader(file)
        ]
    return list(saved.arrays), rows


@pytest.mark.parametrize("pipeline", [Points, Averaged, Table, Images, Texts])
def test_the_same_bits_one_by_one_and_together(pipeline: type[Pipeline], tmp_path: Path) -> None:
    runs = [
        trained(pipeline(steps_per_execution=steps), tmp_path / str(steps))
        for steps in (1, "auto", 3)
    ]
    (arrays, rows), *others = map(left, runs)
    assert len(rows) > 1
    for other_arrays, other_rows in others:
        assert other_rows == rows
        for one, other in zip(arrays, other_arrays, strict=True):
            np.testing.assert_array_equal(one, other)
    best = [keras.models.load_model(r.directory / "checkpoints" / "best.keras") for r in runs]
    for model in best[1:]:
        for one, other in zip(best[0].get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
