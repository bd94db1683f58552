"""What every model builder must do, each on data that it reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hub_modules
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe.models
from tfpipe.declare.codec import from_json, to_json
from tfpipe.declare.kinds import ModelBuilder, Training
from tfpipe.declare.spec import ElementSpec, Feature
from tfpipe.errors import ConfigError, TfpipeError
from tfpipe.models import MLP, Application, Linear
from tfpipe.models.parameter_count import parameters, preprocessing_state

MakeSpec = Callable[..., ElementSpec]
Reload = Callable[[keras.Model], keras.Model]

NAMES = [
    name
    for name in tfpipe.models.__all__
    if issubclass(getattr(tfpipe.models, name), ModelBuilder)
    # The short names of large networks do what Application does; see test_networks.
    and Application not in getattr(tfpipe.models, name).__bases__
    # Networks of tokens answer at each place of a window; see tests/models/sequence.
    and name not in ("CharRNN", "GPT", "Seq2Seq", "Transformer")
    # Networks that answer with an image; see tests/models/images_out.
    and not getattr(tfpipe.models, name).__module__.startswith("tfpipe.models.images_out")
    # Networks that find boxes; see tests/models/detection.
    and not getattr(tfpipe.models, name).__module__.startswith("tfpipe.models.detection")
    # Pictures that are painted; see tests/models/pictures.
    and not getattr(tfpipe.models, name).__module__.startswith("tfpipe.models.pictures")
]
TEXTS = np.array([b"a good film", b"a BAD film!", b"", b"good<br />good"], object)
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
COLUMNS = {
    "age": np.float32([20, 30, np.nan, 50]),
    "salary": np.float32([150_000, 150_001, 149_999, 0]),
    "town": np.array([b"Bern", b"Basel", b"Bern", b""], object),
}
NUMBER = Feature("age", (), "float32", "number")
FEATURES = {
    "text": (Feature("input", (), "string", "text"),),
    "image": (Feature("input", (16, 16, 3), "uint8", "image"),),
    "table": (
        NUMBER,
        Feature("salary", (), "float32", "number"),
        Feature("town", (), "string", "category"),
    ),
    "series": (Feature("input", (6,), "float32", "vector"),),
}
SERIES = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
DATA = {"text": TEXTS, "image": PIXELS, "table": COLUMNS, "series": SERIES}
READS = {
    "Hub": ("image", "text"),
    "Linear": ("image", "table", "series"),
    "MLP": ("image", "table", "series"),
    "RNNForecaster": ("series",),
    "TextClassifier": ("text",),
}


@dataclass(frozen=True)
class Case:
    """A small instance of a builder, and what it reads: an image, a text or a table."""

    builder: ModelBuilder
    reads: str

    @property
    def train(self) -> Training:
        return lambda: tf.data.Dataset.from_tensor_slices(DATA[self.reads]).batch(3)

    @property
    def samples(self) -> Any:
        return keras.tree.map_structure(tf.constant, DATA[self.reads])

    def spec(self, make: MakeSpec, label: str | int = 10) -> ElementSpec:
        return make(label=label).replace(features=FEATURES[self.reads])

    def build(self, make: MakeSpec, label: str | int = 10) -> keras.Model:
        return self.builder.build(self.spec(make, label), "auto", self.train)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelBuilder]:
    """A Hub on a small module for each kind of data that one reads."""
    folder = tmp_path_factory.mktemp("hub")
    modules = {
        "image": hub_modules.images(folder / "images", side=None),
        "text": hub_modules.texts(folder / "texts"),
    }
    return {reads: tfpipe.models.Hub(str(module)) for reads, module in modules.items()}


def case_of(name: str, reads: str, hub: dict[str, ModelBuilder]) -> Case:
    builder = hub[reads] if name == "Hub" else getattr(tfpipe.models, name).example()
    return Case(builder, reads)


ALL = [(name, reads) for name in NAMES for reads in READS.get(name, ("image",))]
IMAGES = [(name, reads) for name, reads in ALL if reads == "image"]


@pytest.fixture(params=ALL, ids=" of ".join)
def case(request: pytest.FixtureRequest, hub: dict[str, ModelBuilder]) -> Case:
    """Each builder with each kind of data that it reads."""
    return case_of(*request.param, hub)


@pytest.fixture(params=IMAGES, ids=" of ".join)
def images(request: pytest.FixtureRequest, hub: dict[str, ModelBuilder]) -> Case:
    """Each builder that reads images."""
    return case_of(*request.param, hub)


@pytest.fixture
def precision() -> Iterator[Callable[[str], None]]:
    """Sets Keras's precision for one test."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


def assert_close(actual: Any, expected: Any) -> None:
    """Logits that are the same but for rounding: deep random networks give very small ones."""
    largest = float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=min(1e-5, 1e-3 * largest))


# What comes out


@pytest.mark.parametrize(
    ("label", "width"),
    [("class", 5), ("binary", 1), ("multilabel", 3), ("regression", 1), ("regression of two", 2)],
)
def test_the_output_is_as_wide_as_the_labels_need(
    case: Case, spec_of: MakeSpec, label: str, width: int
) -> None:
    model = case.build(spec_of, label)
    assert isinstance(model, keras.Model)
    assert model.output_shape == (None, width)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_raw_samples_go_in_and_float32_logits_come_out(
    case: Case, spec_of: MakeSpec, precision: Callable[[str], None], policy: str
) -> None:
    precision(policy)
    model = case.build(spec_of, "class")
    last = model.weights[-1]  # a bias, or the kernel of a last layer without one
    last.assign(np.full(last.shape, -100.0))
    logits = np.asarray(model(case.samples))
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert (logits < 0).all()  # not probabilities
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


def test_the_same_sample_gives_the_same_answer_alone(case: Case, spec_of: MakeSpec) -> None:
    model = case.build(spec_of, "class")
    together = np.asarray(model(case.samples))
    for row in range(4):
        one = keras.tree.map_structure(lambda t, row=row: t[row : row + 1], case.samples)
        assert_close(model(one), together[row : row + 1])


# What goes in


def test_the_inputs_bear_the_features_names(case: Case, spec_of: MakeSpec) -> None:
    model = case.build(spec_of)
    expected = {f.name: (None, *f.shape) for f in FEATURES[case.reads]}
    assert {given.name: given.shape for given in model.inputs} == expected
    # One feature goes in alone, several as a mapping.
    assert isinstance(model.input, dict) == (len(expected) > 1)


def test_bytes_are_scaled_inside_and_numbers_are_not(images: Case, spec_of: MakeSpec) -> None:
    keras.utils.set_random_seed(0)
    for_bytes = images.builder.build(spec_of())
    keras.utils.set_random_seed(0)
    for_numbers = images.builder.build(spec_of(dtype="float32"))
    low, high = getattr(images.builder, "scale", (0.0, 1.0))
    low, high = getattr(images.builder, "values", (low, high))  # which scales numbers too
    scaled = low + PIXELS.astype(np.float32) / 255 * (high - low)
    assert_close(for_bytes(PIXELS), for_numbers(scaled))


@pytest.mark.parametrize("name", NAMES)
def test_data_that_a_builder_does_not_read_is_refused(name: str, spec_of: MakeSpec) -> None:
    if name == "Custom":
        pytest.skip("reads what its function reads")
    builder = getattr(tfpipe.models, name).example()
    for kind in set(FEATURES) - set(READS.get(name, ("image",))):
        spec = spec_of().replace(features=FEATURES[kind])
        with pytest.raises(TfpipeError, match=f"^{name} reads .* [Uu]se [A-Z]"):
            builder.build(spec)


def test_several_inputs_are_read_by_name_or_refused(case: Case, spec_of: MakeSpec) -> None:
    if case.reads == "table":
        pytest.skip("a table has several inputs")
    spec = case.spec(spec_of)
    other = FEATURES[case.reads][0].replace(name="other")
    spec = spec.replace(features=(*spec.features, other))
    if isinstance(case.builder, MLP | Linear):
        assert set(case.builder.build(spec).input) == {f.name for f in spec.features}
        return
    with pytest.raises(TfpipeError) as caught:
        case.builder.build(spec)
    assert str(caught.value) in (
        "One input was expected, the data has 2: input, other.",
        f"{type(case.builder).__name__} reads one image, and numbers beside it; the data has input "
        "(image), other (image). Use MLP, or Custom with a model of your own.",
    )


# What it holds


def test_the_same_seed_gives_the_same_weights(case: Case, spec_of: MakeSpec) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return list(case.build(spec_of).get_weights())

    first, same, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_what_was_learnt_is_no_parameter(case: Case, spec_of: MakeSpec) -> None:
    learnt = case.build(spec_of)
    assert parameters(learnt) == learnt.count_params()
    learns = case.reads == "table" or isinstance(case.builder, tfpipe.models.TextClassifier)
    assert (preprocessing_state(learnt) > 0) == learns
    assert all(weight.dtype == "float32" for weight in learnt.weights)


def test_it_is_built_without_a_training_split(case: Case, spec_of: MakeSpec) -> None:
    model = case.builder.build(case.spec(spec_of))
    assert np.isfinite(np.asarray(model(case.samples))).all()
    if case.reads != "table":  # whose categories decide how many columns there are
        assert parameters(model) == parameters(case.build(spec_of))


def test_a_step_of_training_changes_it(case: Case, spec_of: MakeSpec) -> None:
    model = case.build(spec_of, 2)
    before = [np.array(w) for w in model.get_weights()]
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    loss = model.train_on_batch(case.samples, np.array([[0.0], [1], [1], [0]]))
    assert np.isfinite(loss)
    after = model.get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(np.isfinite(w).all() for w in after)


# How it is kept


def test_it_saves_and_loads_as_plain_keras(case: Case, spec_of: MakeSpec, reload: Reload) -> None:
    model = case.build(spec_of)
    loaded = reload(model)
    assert type(loaded) is keras.Model or type(loaded).__module__.startswith("keras.")
    np.testing.assert_array_equal(model(case.samples), loaded(case.samples))
    assert parameters(loaded) == parameters(model)
    assert preprocessing_state(loaded) == preprocessing_state(model)


def test_json_gives_it_back(case: Case) -> None:
    assert from_json(to_json(case.builder)) == case.builder


def test_it_says_what_it_reads(case: Case) -> None:
    assert case.builder.contract
    assert (type(case.builder).__doc__ or "").strip()


# What is refused


def test_a_task_that_the_labels_cannot_serve_is_refused(case: Case, spec_of: MakeSpec) -> None:
    with pytest.raises(ConfigError, match="task='binary' does not fit the labels"):
        case.builder.build(case.spec(spec_of, "class"), "binary", case.train)


@pytest.mark.parametrize(("field", "wrong"), [("initializer", "he_unifrom"), ("activation", "rlu")])
def test_an_unknown_name_is_refused(case: Case, spec_of: MakeSpec, field: str, wrong: str) -> None:
    if field not in case.builder.fields():
        pytest.skip(f"takes no {field}")
    builder = case.builder.replace(**{field: wrong})
    if "body" in builder.fields():
        builder = builder.replace(body="conv")
    with pytest.raises(ConfigError) as caught:
        builder.build(case.spec(spec_of))
    name = type(case.builder).__name__
    assert str(caught.value).startswith(f"{name}.{field}: keras.{field}s has no {wrong!r}. Did you")
