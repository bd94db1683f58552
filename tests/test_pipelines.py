"""Every shipped pipeline runs on generated data, and has the numbers it claims."""

import json
from pathlib import Path
from typing import Any

import pytest

PIPELINES = Path(__file__).parents[1] / "pipelines"

# file::Class -> parameters, trainable parameters
PARAMETERS = {
    "cifar10_cnn.py": (552_362, 551_466),
    "cifar10_cnn.py::Cifar10CNN2": (1_060_138, 1_060_138),
    "cifar10_cnn.py::Cifar10CNN4": (591_274, 591_274),
    "cifar10_cnn.py::Cifar10CNN6": (550_570, 550_570),
    "cifar10_cnn.py::Cifar10CNN6Dropout": (550_570, 550_570),
}


def test_every_pipeline_has_its_numbers_here() -> None:
    assert {p.name for p in PIPELINES.glob("*.py")} == {n.partition("::")[0] for n in PARAMETERS}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts_are_exact(tfpipe: Any, name: str) -> None:
    answer = tfpipe("check", PIPELINES / name, "--sample", "320", "--json")
    found = json.loads(answer.out)
    assert (found["parameters"], found["trainable_parameters"]) == PARAMETERS[name]
    assert len(found["classes"]) == 10


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_pipeline_runs_on_generated_data(tfpipe: Any, name: str) -> None:
    answer = tfpipe("run", PIPELINES / name, "--sample", "320", "epochs=1", "--no-export")
    assert answer.code == 0, answer.err


def test_cifar10_has_the_published_splits_and_steps() -> None:
    from tfpipe.data.input_fn import steps_per_epoch
    from tfpipe.data.splits import sizes
    from tfpipe.declare.loading import load

    pipeline = load(str(PIPELINES / "cifar10_cnn.py")).pipeline
    assert pipeline.data is not None
    found = sizes({"train": 50_000, "test": 10_000}, pipeline.data.validation, "test")  # type: ignore[attr-defined]
    assert found == {"train": 47_500, "validation": 2_500, "test": 10_000}
    steps = steps_per_epoch(
        found["train"], pipeline.batch_size, pipeline.drop_remainder, pipeline.steps_per_epoch
    )
    assert steps == 1_484
