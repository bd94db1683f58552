"""Several inputs and outputs: trained, resumed, evaluated, told and exported, each by its name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

import tfpipe
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.errors import ConfigError, DataError, Interrupted, ModelError
from tfpipe.models import MLP, Block, ConvNet, Custom, MobileNet
from tfpipe.training.checkpoint import latest

JOB = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.models import CNN_2_4_6


def images():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (rng.integers(0, 80, (300, 8, 8, 3)) + 60 * y[:, None, None, None]).astype("uint8")
    kinds = np.array(["dark", "grey", "bright"])[y]
    return x, {"kind": kinds, "size": x.mean((1, 2, 3)) / 100, "lit": y > 0}


class Two(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2)
    task = {"kind": "classification", "size": "regression"}
    model = CNN_2_4_6(convs=2, units=8, dropout=0.1, batch_norm=True)
    optimizer = keras.optimizers.Adam(0.01)
    loss = {"kind": keras.losses.CategoricalCrossentropy(label_smoothing=0.1), "size": "mae"}
    metrics = {"kind": ("accuracy", keras.metrics.F1Score(average="macro")), "size": ("mae",)}
    loss_weights = {"size": 0.5}
    batch_size = 16
    epochs = 5
"""


def test_from_the_file_to_the_export(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.py").write_text(JOB)
    told = json.loads(tfpipe("check", "two.py", "--json").out)
    assert told["task"] == "kind: classification, size: regression, lit: binary"
    assert told["labels"] == (
        "kind: texts of 3 classes; size: real numbers; lit: booleans of 2 classes"
    )
    answer = tfpipe("run", "two.py")
    assert answer.code == 0, answer.err
    assert "\nkind    samples  right" in answer.out
    assert "\nlit    samples  right" in answer.out
    (run,) = Path("runs/two").iterdir()
    report = json.loads((run / "report/report.json").read_text())["test"]
    assert report["kind"]["classes"]["classes"] == ["bright", "dark", "grey"]
    assert report["lit"]["classes"]["classes"] == ["False", "True"]
    assert report["size"]["numbers"]["mae"] == pytest.approx(report["metrics"]["size_mae"])
    page = (run / "report/report.html").read_text()
    assert "Classes of kind" in page
    assert (run / "report/figures/lit_confusion.png").is_file()

    # The metrics are scikit-learn's, of the export's answers to the test images.
    scope: dict[str, Any] = {}
    exec(JOB, scope)
    x, y = scope["images"]()
    export = tf.saved_model.load("saved_models/two/1").signatures["serving_default"]
    outputs = {n: v.numpy() for n, v in export(image=tf.constant(x)).items()}
    assert set(outputs) == {
        *("kind", "kind_class_index", "kind_class_name", "size"),
        *("lit", "lit_class_index", "lit_class_name"),
    }
    assert (outputs["kind"].shape, outputs["size"].shape) == ((300, 3), (300, 1))
    held_out = tfpipe_test_rows(scope["Two"](), x)
    measured = report["metrics"]
    names = outputs["kind_class_name"].astype(str)[held_out]
    assert measured["kind_accuracy"] == pytest.approx(accuracy_score(y["kind"][held_out], names))
    f1 = f1_score(y["kind"][held_out], names, average="macro")
    assert measured["kind_f1_score"] == pytest.approx(f1, rel=1e-5)
    mae = mean_absolute_error(y["size"][held_out], outputs["size"][held_out, 0])
    assert measured["size_mae"] == pytest.approx(mae, rel=1e-4)
    assert measured["kind_accuracy"] > 0.8

    Image.fromarray(x[1]).save("grey.png")
    (said,) = json.loads(tfpipe("predict", "last", "grey.png", "--json").out)
    assert said["values"]["size"] == pytest.approx(float(outputs["size"][1, 0]), rel=1e-4)
    grey = float(outputs["kind"][1, 2])
    assert said["values"]["kind: grey"] == pytest.approx(grey, rel=1e-4)
    (served,) = json.loads(tfpipe("predict", "saved_models/two", "grey.png", "--json").out)
    assert served["values"] == pytest.approx(said["values"], rel=1e-4)


def tfpipe_test_rows(pipeline: Pipeline, x: np.ndarray) -> list[int]:
    """The rows of the test split."""
    places = {image.tobytes(): row for row, image in enumerate(x)}
    batches = pipeline.input_fn("test").as_numpy_iterator()
    return [places[image.tobytes()] for images, _ in batches for image in images]


def vectors() -> Any:
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    return x, {"side": (x[:, 0] > 0).astype(int), "sum": x.sum(axis=1)}


class Vectors(Pipeline):
    data = Arrays(vectors, validation=0.2, test=0.2)
    model = MLP(units=(8,), dropout=0.2)
    batch_size = 16
    epochs = 4
    checkpoint_every = 4


def test_a_run_that_was_killed_ends_the_same(tmp_path: Path) -> None:
    from keras.callbacks import Callback

    class Kill(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if int(self.model.optimizer.iterations) == 9:
                raise KeyboardInterrupt

    straight = tfpipe.run(Vectors(), root=tmp_path / "a", export=False, quiet=True)
    with pytest.raises(Interrupted):
        tfpipe.run(Vectors(), root=tmp_path / "b", export=False, quiet=True, extra=(Kill(),))
    (name,) = (p.name for p in (tmp_path / "b/runs").glob("*/*"))
    resumed = tfpipe.resume(name, pipeline=Vectors(), root=tmp_path / "b", export=False)
    assert resumed.metrics == straight.metrics
    for one, other in zip(straight.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert latest(resumed.directory / "checkpoints") is not None


def networks(spec: Any, task: Any, outputs: Any) -> Any:
    import keras

    assert task == {"side": "binary", "sum": "regression"}
    assert outputs == {"side": 1, "sum": 1}
    inputs = keras.Input(spec.feature.shape)
    hidden = keras.layers.Dense(8, "relu")(inputs)
    side = keras.layers.Dense(1, "sigmoid")(hidden)  # probabilities of a person's own
    return keras.Model(inputs, {"side": side, "sum": keras.layers.Dense(1)(hidden)})


def unnamed(spec: Any, outputs: Any) -> Any:
    import keras

    inputs = keras.Input(spec.feature.shape)
    return keras.Model(inputs, [keras.layers.Dense(n)(inputs) for n in outputs.values()])


def test_a_model_of_ones_own_gives_a_mapping(tmp_path: Path) -> None:
    result = tfpipe.run(Vectors(model=Custom(networks)), root=tmp_path, quiet=True)
    assert {"side_accuracy", "sum_mae"} <= set(result.metrics["test"])
    with pytest.raises(ModelError) as refused:
        tfpipe.check(Vectors(model=Custom(unnamed)))
    assert str(refused.value) == (
        "Custom: unnamed() should give a mapping of the outputs 'side', 'sum', as the labels "
        "are; its outputs are without names. Return keras.Model(inputs, {name: output, ...})."
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"task": "binary"},
            "Arrays: y has several labels, side, sum, and the task or label_kind is one for all: "
            "give a mapping, {'side': ...}.",
        ),
        (
            {"task": {"sid": "binary"}},
            "Arrays: label_kind, or the task, names 'sid'. Did you mean 'side'?",
        ),
        (
            {"loss_weights": {"side": 0.0, "sum": 0.0}},
            "loss_weights are 0 for every output: nothing would be trained.",
        ),
        (
            {"loss": {"sum": keras.losses.SparseCategoricalCrossentropy()}},
            "loss: keras.losses.SparseCategoricalCrossentropy compares classes, and the task is "
            "regression, whose labels are numbers. Use MeanSquaredError or the like, or another "
            "task.",
        ),
        (
            {"loss": "mse"},
            "loss: the data has several outputs (side, sum), so loss is a mapping of their names, "
            "such as {'side': ...}; got 'mse'.",
        ),
        ({"metrics": {"som": ("mae",)}}, "metrics: there is no output 'som'. Did you mean 'sum'?"),
        (
            {"loss_weights": {"som": 2.0}},
            "loss_weights: there is no output 'som'. Did you mean 'sum'?",
        ),
        (
            {"class_weights": "balanced"},
            "class_weights: there are several outputs. Weigh them with loss_weights, and single "
            "samples by the source.",
        ),
    ],
)
def test_mistakes(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as refused:
        tfpipe.check(Vectors(**fields))
    assert str(refused.value) == message


def picky(y_true: Any, y_pred: Any) -> Any:
    raise ValueError("not these")


def test_a_loss_of_ones_own_is_named_with_its_output() -> None:
    class Own(Vectors):
        loss = None

    with pytest.raises(ConfigError) as refused:
        tfpipe.check(Own(loss={"sum": tfpipe.deferred(__name__).picky}))
    assert str(refused.value) == (
        "loss['sum']: picky does not take labels of shape (None,) and outputs of shape (None, 1): "
        "ValueError: not these"
    )


def one_label() -> Any:
    x, y = vectors()
    return x, y["side"]


def test_a_mapping_for_one_label_is_refused() -> None:
    with pytest.raises(DataError) as refused:
        tfpipe.check(Vectors(data=Arrays(one_label), task={"side": "binary"}))
    assert str(refused.value) == (
        "Arrays: task or label_kind is a mapping of side, and y is one label. Labels of several "
        "outputs are a mapping of the same names."
    )
    with pytest.raises(ConfigError, match="loss_weights are for several outputs"):
        tfpipe.check(Vectors(data=Arrays(one_label), loss_weights={"side": 2.0}))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ({}, "Arrays: y of split 'train' is an empty mapping."),
        (
            {"my kind": np.arange(120) % 2, "b": np.arange(120)},
            "Arrays: 'my kind' names an input or an output of the model, which Keras calls by "
            "letters, digits, '_', '.' and '-' alone: rename it, such as 'my_kind'.",
        ),
        (
            {"a": np.arange(120) % 2, "b": np.arange(9)},
            "Arrays: split 'train' has 120 samples of 'features' but 9 labels of 'b'.",
        ),
    ],
)
def test_labels_that_do_not_fit(y: Any, message: str) -> None:
    with pytest.raises(DataError) as refused:
        Arrays(lambda: (vectors()[0], y)).spec()
    assert str(refused.value) == message


def test_an_own_input_function_may_give_a_mapping(tmp_path: Path) -> None:
    class Own(Vectors):
        data = None

        def input_fn(self, split: str) -> Any:  # type: ignore[override]
            return (
                None
                if split != "train"
                else tf.data.Dataset.from_tensor_slices(vectors()).batch(20)
            )

    result = tfpipe.run(Own(), root=tmp_path, export=False, quiet=True)
    assert {"side_accuracy", "sum_mae"} <= set(result.metrics["train"])


# Several inputs


def mixed() -> Any:
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    photo = (rng.integers(0, 80, (240, 8, 8, 3)) + 90 * (y[:, None, None, None] > 0)).astype(
        "uint8"
    )
    return {
        "photo": photo,
        "weight": (rng.normal(size=240) + 4.0 * (y == 2)).astype(
            "float32"
        ),  # which the photo does not tell
        "town": np.array(["Oslo", "Rome"])[rng.integers(0, 2, 240)],
        "track": rng.normal(size=(240, 5)).astype("float32"),
    }, y


@pytest.mark.parametrize(
    "model",
    [
        MLP(units=(16,), normalize=True),
        ConvNet(blocks=(Block(convs=(8,)),), units=(16,)),
    ],
    ids=["MLP", "ConvNet"],
)
def test_inputs_by_name_are_read_side_by_side(model: Any, tmp_path: Path) -> None:
    class Mixed(Pipeline):
        data = Arrays(mixed, validation=0.2, test=0.2)
        optimizer = keras.optimizers.Adam(0.01)
        epochs = 8

    result = tfpipe.run(Mixed(model=model), root=tmp_path, quiet=True)
    assert result.metrics["test"]["accuracy"] > 0.8
    assert set(result.model.input) == {"photo", "weight", "town", "track"}
    signature = tf.saved_model.load(str(result.exported[0])).signatures["serving_default"]
    x, _ = mixed()
    answered = signature(**{name: tf.constant(values[:4]) for name, values in x.items()})
    assert answered["probabilities"].shape == (4, 3)


def test_two_images_are_for_other_networks() -> None:
    def pictures() -> Any:
        (x, y) = mixed()
        return {"photo": x["photo"], "mask": x["photo"][..., :1]}, y

    class Two(Pipeline):
        data = Arrays(pictures)
        model = ConvNet(blocks=(Block(convs=(8,)),))

    with pytest.raises(ModelError) as refused:
        tfpipe.check(Two())
    assert str(refused.value) == (
        "ConvNet reads one image, and numbers beside it; the data has photo (image), mask "
        "(image). Use MLP, or Custom with a model of your own."
    )


def test_features_are_cached_for_one_output(tmp_path: Path) -> None:
    def pictures() -> Any:
        x = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype("uint8")
        return x, {"a": np.arange(40) % 2, "b": x.mean((1, 2, 3))}

    class Cached(Pipeline):
        data = Arrays(pictures, validation=0.2)
        model = MobileNet(weights=None, alpha=0.25, size=(32, 32))
        batch_size = 8
        epochs = 1
        cache_features = True

    with pytest.raises(ConfigError) as refused:
        tfpipe.run(Cached(), root=tmp_path, quiet=True)
    assert str(refused.value) == (
        "cache_features=true keeps the features of one output, and the data has several. Leave it "
        "out."
    )
    through = tfpipe.run(Cached(cache_features=False), root=tmp_path, export=False, quiet=True)
    assert {"a_accuracy", "b_mae"} <= set(through.metrics["validation"])
