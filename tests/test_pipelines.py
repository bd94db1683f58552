"""Every shipped pipeline runs on generated data, and has the numbers it claims."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfpipe.data.input_fn import steps_per_epoch
from tfpipe.data.splits import sizes
from tfpipe.declare.loading import load

PIPELINES = Path(__file__).parents[1] / "pipelines"

# file::Class -> parameters, trainable parameters
PARAMETERS = {
    "cifar10_cnn.py": (552_362, 551_466),
    "cifar10_cnn.py::Cifar10CNN2": (1_060_138, 1_060_138),
    "cifar10_cnn.py::Cifar10CNN4": (591_274, 591_274),
    "cifar10_cnn.py::Cifar10CNN6": (550_570, 550_570),
    "cifar10_cnn.py::Cifar10CNN6Dropout": (550_570, 550_570),
    "cifar10_lenet.py": (62_006, 62_006),
    "mnist_mlp.py": (235_146, 235_146),
    "mnist_cnn.py": (1_199_882, 1_199_882),
    "mnist_webapp_cnn.py": (730_602, 730_602 - 256),
    "fashion_mnist_mlp.py": (101_770, 101_770),
    "digits_mlp.py": (60_202, 60_202),
    "digits_mlp.py::DigitsMLPThree": (58_442, 58_442),
    "digits_mlp.py::DigitsMLPDropout": (60_202, 60_202),
    "playground.py": (25, 25),
    "playground.py::PlaygroundXor": (25, 25),
    "playground.py::PlaygroundGaussian": (25, 25),
    "playground.py::PlaygroundSpiral": (25, 25),
    "playground.py::SpiralOfProducts": (57, 57),
    "playground.py::SpiralDeep": (393, 393),
    "linear_workflow.py": (4, 4),
    "boston_mlp.py": (301, 301),
    "autompg_mlp.py": (4_929, 4_929),
    "churn_mlp.py": (11_905, 11_905),
    "wine_mlp.py": (833, 833),
    "imdb_text.py": (160_033, 160_033),
    "stackoverflow_text.py": (160_084, 160_084),
    "sine_mlp.py": (61, 61),
}

# Those that only predict: file -> overrides by which they do so in a test, with a small network.
PREDICT: dict[str, tuple[str, ...]] = {
    "inception_predict.py": ("model=MobileNet(weights=None, head='imagenet', alpha=0.25)",),
}

# What the data sets hold where a test may not read them.
STORED = {
    "cifar10": {"train": 50_000, "test": 10_000},
    "mnist": {"train": 60_000, "test": 10_000},
    "fashion_mnist": {"train": 60_000, "test": 10_000},
    "imdb": {"train": 25_000, "test": 25_000},
    "churn": {"train": 10_000},
    "wine": {"train": 4_898},
}

# file -> where its sizes are from (None: its own data is at hand), splits, steps in an epoch
SIZES: dict[str, tuple[str | None, dict[str, int], int]] = {
    "cifar10_cnn.py": (
        "cifar10",
        {"train": 47_500, "validation": 2_500, "test": 10_000},
        1_484,
    ),
    "cifar10_lenet.py": ("cifar10", {"train": 50_000, "test": 10_000}, 12_500),
    "mnist_mlp.py": ("mnist", {"train": 60_000, "test": 10_000}, 1_875),
    "mnist_cnn.py": ("mnist", {"train": 54_000, "validation": 6_000, "test": 10_000}, 1_688),
    "digits_mlp.py": (None, {"train": 1_707, "test": 90}, 100),
    "playground.py": (None, {"train": 250, "test": 250}, 250),
    "linear_workflow.py": (None, {"train": 800, "validation": 200}, 25),
    "boston_mlp.py": (None, {"train": 323, "validation": 81, "test": 102}, 11),
    "churn_mlp.py": ("churn", {"train": 6_300, "validation": 700, "test": 3_000}, 197),
    "wine_mlp.py": ("wine", {"train": 3_428, "test": 1_470}, 100),
    "imdb_text.py": ("imdb", {"train": 20_000, "validation": 5_000, "test": 25_000}, 625),
    "sine_mlp.py": (None, {"train": 600, "validation": 100, "test": 296}, 38),
}


def test_every_pipeline_has_its_numbers_here() -> None:
    known = {n.partition("::")[0] for n in (*PARAMETERS, *PREDICT)}
    assert {p.name for p in PIPELINES.glob("*.py")} == known


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_pipeline_runs_on_generated_data_with_its_parameters(tfpipe: Any, name: str) -> None:
    few = ["steps_per_epoch=4"] if load(str(PIPELINES / name)).pipeline.steps_per_epoch else []
    answer = tfpipe("run", PIPELINES / name, "--sample", "320", "epochs=1", *few, "--no-export")
    assert answer.code == 0, answer.err
    (run,) = Path("runs").glob("*/*")
    parameters, trainable = PARAMETERS[name]
    assert json.loads((run / "status.json").read_text())["parameters"] == parameters
    shown = f" · {parameters:,} parameter" + ("" if parameters == 1 else "s")
    if trainable != parameters:
        shown += f" ({trainable:,} trainable)"
    assert shown + "\n" in answer.out


@pytest.mark.parametrize("name", PREDICT)
def test_every_pipeline_that_only_predicts_names_what_is_in_a_picture(
    tfpipe: Any, name: str, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    answer = tfpipe("predict", PIPELINES / name, "a.png", *PREDICT[name], "--json")
    assert answer.code == 0, answer.err
    (found,) = json.loads(answer.out)
    assert len(found["classes"]) == 5


@pytest.mark.parametrize("name", SIZES)
def test_splits_and_steps_are_the_published_ones(name: str) -> None:
    stored, expected, steps = SIZES[name]
    pipeline = load(str(PIPELINES / name)).pipeline
    data: Any = pipeline.data
    validation = data.validation if stored is None or data.validation != "auto" else 0.1
    if stored is None:
        found = pipeline.spec().splits
    else:
        found = sizes(STORED[stored], validation, data.test)
    assert found == expected
    assert steps == steps_per_epoch(
        found["train"], pipeline.batch_size, pipeline.drop_remainder, pipeline.steps_per_epoch
    )


def test_epochs_of_steps_add_up_to_the_published_steps() -> None:
    for name in ("digits_mlp.py", "wine_mlp.py"):
        pipeline = load(str(PIPELINES / name)).pipeline
        assert pipeline.steps_per_epoch is not None
        assert pipeline.epochs * pipeline.steps_per_epoch == 2_000


def test_inception_predicts_as_published() -> None:
    pipeline = load(str(PIPELINES / "inception_predict.py")).pipeline
    assert pipeline.data is not None
    (image,), label = pipeline.data.element()
    assert (image.shape, image.resize) == ((299, 299, 3), (299, 299))
    assert len(label.classes) == 1_000
    assert repr(pipeline.model) == "InceptionV3(head='imagenet')"
