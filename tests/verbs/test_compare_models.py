"""Comparing networks: a grid over the model, with what it measures and draws."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pages import Read, charts_of, check_self_contained
from PIL import Image

from tfpipe.declare.loading import load
from tfpipe.errors import ConfigError, ModelError
from tfpipe.processes.pool import ProcessPool
from tfpipe.terminal import Terminal
from tfpipe.tuning.comparison import COLUMNS, networks
from tfpipe.verbs.compare_models import compare_models, resume_comparison
from tfpipe.verbs.networks import PUBLISHED, chosen, with_network
from tfpipe.verbs.search.search import PRELOAD

FILE = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays, augment
from tfpipe.models import MLP, Application


def images():
    rng = np.random.default_rng(0)
    y = np.arange(100) % 3
    x = rng.integers(0, 80, (100, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


class Tiny(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2, classes=("dark", "grey", "bright"))
    model = Application("MobileNet", weights=None, size=(32, 32), alpha=0.25)
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    batch_size = 8
    epochs = 2


class Augmented(Tiny):
    augment = (augment.flip(),)


class Dense(Tiny):
    model = MLP()


class Own(Tiny):
    model = Application("VGG16", weights=None, head="imagenet")


class Unvalidated(Tiny):
    data = Arrays(images, validation=None)
"""


@pytest.fixture(scope="module", autouse=True)
def shared() -> Iterator[None]:
    """A pool beside those of all comparisons of this file, so that their fork server stays."""
    with ProcessPool(PRELOAD):
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.py"
    file.write_text(FILE)
    return file


def tiny(file: Path, *overrides: str, cls: str = "Tiny") -> Any:
    return load(f"{file}::{cls}", overrides)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A comparison that was trained to its end, and what it printed."""
    folder = tmp_path_factory.mktemp("done")
    (folder / "tiny.py").write_text(FILE)
    said = StringIO()
    search = compare_models(
        tiny(folder / "tiny.py"),
        "MobileNet,VGG16,Xception",
        root=folder,
        data_fraction=0.75,
        terminal=Terminal(said, width=200),
    )
    return SimpleNamespace(search=search, said=said.getvalue(), folder=folder)


def test_each_network_is_a_trial_of_its_own(done: Any) -> None:
    trials = done.search.trials()
    assert [(t.values["model"], t.state) for t in trials] == [
        ("MobileNet", "finished"),
        ("VGG16", "finished"),
        ("Xception", "failed"),
    ]
    assert trials[2].reason.startswith("Xception needs at least 71x71 pixels; ")
    assert trials[2].reason in done.said
    for trial in trials[:2]:
        run = done.search.run(trial)
        status = run.status()
        assert status.state == "finished"
        assert set(status.metrics) == {"train", "validation"}, "the test split is not touched"
        config = run.read_json("config.json")
        assert config["spec"]["splits"] == {"train": 48, "validation": 16, "test": 20}
        assert config["fields"]["cache_features"]["value"] is True


def test_what_was_measured_of_a_network(done: Any) -> None:
    rows = {row.network: row for row in networks(done.search)}
    mobile, vgg = rows["MobileNet"], rows["VGG16"]
    assert (mobile.parameters, mobile.trainable_parameters) == (219_315, 771)
    assert (vgg.parameters, vgg.trainable_parameters) == (14_716_227, 1_539)
    for row in (mobile, vgg):
        assert row.step_seconds is not None
        assert row.features_seconds is not None
        assert 0 < row.step_seconds < row.seconds
        assert row.seconds > row.features_seconds + row.training_seconds
        assert row.peak_bytes > 100_000_000
    stored = json.loads((done.search.directory.path / "comparison.json").read_text())
    assert [row["network"] for row in stored] == [row.network for row in networks(done.search)]


def test_the_table_and_the_figures_are_there(done: Any) -> None:
    folder = done.search.directory.path
    with (folder / "table.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["model"] for row in table] == ["MobileNet", "VGG16", "Xception"]
    for name in ("accuracy_size", "error_time", "time_size"):
        with Image.open(folder / f"{name}.png") as image:
            image.verify()
            assert image.format == "PNG"
    page = (folder / "report.html").read_text()
    check_self_contained(page)
    assert [chart.attrib["aria-label"] for chart in charts_of(page)][:4] == [
        "Accuracy against size",
        "Error against time",
        "Time against size",
        "val_accuracy (higher is better) of each trial",
    ]
    words = " ".join(Read(page).words.split())
    best = networks(done.search)[0]
    assert "Networks " + " ".join((*COLUMNS, *best.cells())).replace("  ", " ") in words


def test_what_it_prints(done: Any) -> None:
    lines = done.said.splitlines()
    assert "VGG16 without alpha=0.25: it has one width" in done.said
    assert "the head alone is trained, on features that the frozen base computes once" in lines
    (head,) = [line for line in lines if line.startswith("network ")]
    assert head.split() == [
        *("network", "val", "acc", "parameters", "trained", "step", "ms", "time", "features"),
        *("training", "base/s", "later/s", "memory"),
    ]
    assert "The bases ran once, in " in done.said
    assert "Step: the median of all but the first ones; with features, a batch" in done.said


def test_the_best_model_is_whole_and_plain_keras_loads_it(done: Any) -> None:
    import keras

    row = networks(done.search)[0]
    trial = next(t for t in done.search.trials() if t.id == row.trial)
    file = done.search.run(trial).checkpoints / "best.keras"
    assert f"{row.network} with its head is {file}, for keras.models.load_model" in done.said
    model = keras.models.load_model(file)
    assert (model.input_shape, model.output_shape) == ((None, 8, 8, 3), (None, 3))
    assert model.count_params() == row.parameters


def test_what_failed_is_tried_again_when_asked(done: Any) -> None:
    before = {t.id: (t.attempts, t.ended) for t in done.search.trials()}
    found = resume_comparison("last", root=done.folder, retry_failed=True, quiet=True)
    trials = found.trials()
    assert [t.state for t in trials] == ["finished", "finished", "failed"]
    assert trials[2].attempts == 2
    assert {t.id: (t.attempts, t.ended) for t in trials[:2]} == {
        number: before[number] for number in ("00", "01")
    }


def test_through_the_base(file: Path) -> None:
    said = StringIO()
    found = compare_models(
        tiny(file, "epochs=1"),
        "MobileNet",
        root=file.parent,
        through_base=True,
        terminal=Terminal(said),
    )
    (row,) = networks(found)
    assert row.features_seconds is None
    assert row.trainable_parameters == 771
    assert "trained through the base every epoch: as asked" in said.getvalue()


def test_not_one_network_that_can_be_trained(file: Path) -> None:
    with pytest.raises(ModelError, match="Xception needs at least 71x71 pixels"):
        compare_models(tiny(file), "Xception", root=file.parent, quiet=True)


REFUSED = {
    ("Dense", "all"): "compare-models exchanges the network of model = Application(NAME, ...); "
    "Dense has MLP().",
    ("Own", "all"): "compare-models trains a head on Own's data, and head='imagenet' has none to "
    "train: leave it out.",
    (
        "Unvalidated",
        "all",
    ): "compare-models goes by validation accuracy, and Unvalidated.data holds "
    "nothing out: declare data.validation=0.1 or another split.",
    ("Tiny", "MobilNet"): "keras.applications has no network 'MobilNet'. Did you mean 'MobileNet'",
    ("Tiny", " , "): "--models ' , ' names no network. Give all, or names such as "
    "MobileNetV2,EfficientNetB0.",
}


@pytest.mark.parametrize(("cls", "models"), REFUSED)
def test_what_cannot_be_compared_is_refused(file: Path, cls: str, models: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compare_models(tiny(file, cls=cls), models, root=file.parent, quiet=True)
    assert str(refused.value).startswith(REFUSED[cls, models])
    assert not (file.parent / "searches").exists()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01, 7.0])
def test_a_share_out_of_range_is_refused(file: Path, share: float) -> None:
    with pytest.raises(ConfigError) as refused:
        compare_models(tiny(file), root=file.parent, data_fraction=share, quiet=True)
    assert str(refused.value) == (
        f"--data-fraction {share:g} is no share of the training data. Give a number above 0 and at "
        "most 1, such as 0.07."
    )


def test_a_share_of_generated_data_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        compare_models(tiny(file), root=file.parent, sample=120, data_fraction=0.5, quiet=True)
    assert str(refused.value) == (
        "--data-fraction takes a share of the declared data, and --sample generates other: give "
        "--sample a size instead."
    )


# Which networks


def test_all_are_the_published_28() -> None:
    assert chosen("all") == PUBLISHED
    assert len(set(PUBLISHED)) == 28
    assert (PUBLISHED[0], PUBLISHED[3], PUBLISHED[-1]) == (
        "DenseNet121",
        "EfficientNetB0",
        "Xception",
    )


def test_others_can_be_named() -> None:
    assert chosen("ConvNeXtTiny, MobileNet,ConvNeXtTiny") == ("ConvNeXtTiny", "MobileNet")


def test_nasnet_large_has_weights_for_one_size(file: Path) -> None:
    pipeline = tiny(file, "model.weights=imagenet", "model.alpha=none").pipeline
    large, notes = with_network(pipeline, "NASNetLarge")
    assert large.model.size == (331, 331)
    assert notes == ("at 331 pixels, the size that it has ImageNet weights for",)
    mobile, notes = with_network(pipeline, "NASNetMobile")
    assert (mobile.model.size, notes) == ((32, 32), ())
    random, _ = with_network(
        pipeline.replace(model=pipeline.model.replace(weights=None)), "NASNetLarge"
    )
    assert random.model.size == (32, 32)


def test_a_short_builder_is_exchanged_too(file: Path) -> None:
    from tfpipe.models import VGG16, Application

    pipeline = tiny(file).pipeline.replace(model=VGG16(weights=None, head=(8,)))
    assert with_network(pipeline, "MobileNet")[0].model == Application(
        "MobileNet", weights=None, head=(8,)
    )
