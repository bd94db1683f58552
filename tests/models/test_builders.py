"""What every model builder must do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe.models
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.declare.tree import from_json, to_json
from tfpipe.errors import ConfigError

MakeSpec = Callable[..., ElementSpec]


@pytest.fixture(params=tfpipe.models.__all__)
def builder(request: pytest.FixtureRequest) -> ModelBuilder:
    """A small instance of each builder."""
    made: ModelBuilder = getattr(tfpipe.models, request.param).example()
    return made


@pytest.fixture
def precision() -> Iterator[Callable[[str], None]]:
    """Sets Keras's precision for one test."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


def pixels(size: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size, 16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    ("label", "width"),
    [("class", 5), ("binary", 1), ("multilabel", 3), ("regression", 1), ("regression of two", 2)],
)
def test_the_output_is_as_wide_as_the_labels_need(
    builder: ModelBuilder, spec_of: MakeSpec, label: str, width: int
) -> None:
    model = builder.build(spec_of(label=label))
    assert isinstance(model, keras.Model)
    assert model.output_shape == (None, width)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_raw_bytes_go_in_and_float32_logits_come_out(
    builder: ModelBuilder, spec_of: MakeSpec, precision: Callable[[str], None], policy: str
) -> None:
    precision(policy)
    model = builder.build(spec_of(label="class"))
    logits = np.asarray(model(pixels()))
    assert logits.dtype == np.float32
    assert (logits < 0).any()  # not probabilities
    assert np.isfinite(logits).all()
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


def test_the_input_bears_the_features_name(builder: ModelBuilder, spec_of: MakeSpec) -> None:
    (given,) = builder.build(spec_of()).inputs
    assert (given.name, given.shape) == ("input", (None, 16, 16, 3))


def test_bytes_are_scaled_inside_and_numbers_are_not(
    builder: ModelBuilder, spec_of: MakeSpec
) -> None:
    keras.utils.set_random_seed(0)
    for_bytes = builder.build(spec_of())
    keras.utils.set_random_seed(0)
    for_numbers = builder.build(spec_of(dtype="float32"))
    np.testing.assert_allclose(
        for_bytes(pixels()), for_numbers(pixels().astype(np.float32) / 255), atol=1e-5
    )


def test_the_same_seed_gives_the_same_weights(builder: ModelBuilder, spec_of: MakeSpec) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return list(builder.build(spec_of()).get_weights())

    first, same, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_it_saves_and_loads_as_plain_keras(
    builder: ModelBuilder, spec_of: MakeSpec, tmp_path: Path
) -> None:
    model = builder.build(spec_of())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is keras.Model or type(loaded).__module__.startswith("keras.")
    np.testing.assert_array_equal(model(pixels()), loaded(pixels()))


def test_json_gives_it_back(builder: ModelBuilder) -> None:
    assert from_json(to_json(builder)) == builder


def test_it_says_what_it_reads(builder: ModelBuilder) -> None:
    assert builder.contract
    assert (type(builder).__doc__ or "").strip()


def test_several_inputs_are_refused(builder: ModelBuilder, spec_of: MakeSpec) -> None:
    one = spec_of()
    two = one.replace(features=(*one.features, Feature("age", (1,), "float32", "vector")))
    with pytest.raises(ConfigError) as caught:
        builder.build(two)
    assert str(caught.value) == "One input was expected, the data has 2: input, age."


def test_a_task_that_the_labels_cannot_serve_is_refused(
    builder: ModelBuilder, spec_of: MakeSpec
) -> None:
    with pytest.raises(ConfigError, match="task='binary' does not fit the labels"):
        builder.build(spec_of(label="class"), "binary")


def test_an_unknown_initializer_is_refused(builder: ModelBuilder, spec_of: MakeSpec) -> None:
    if "initializer" not in builder.fields():
        pytest.skip("takes no initializer")
    wrong: Any = builder.replace(initializer="he_unifrom")
    with pytest.raises(ConfigError) as caught:
        wrong.build(spec_of())
    assert str(caught.value).startswith(
        f"{type(builder).__name__}.initializer: keras.initializers has no 'he_unifrom'. "
        "Did you mean 'he_uniform'"
    )
