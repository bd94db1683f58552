"""Comparing networks: what is recorded, what fails alone, and what goes on after a stop."""

import csv
import json
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tfpipe.declare.loading import load
from tfpipe.errors import ConfigError, DataError, Interrupted, RunError, TrainingError
from tfpipe.terminal import Terminal
from tfpipe.verbs import compare_models as module
from tfpipe.verbs import one_network
from tfpipe.verbs.compare_models import compare_models, go_on
from tfpipe.verbs.comparison import Comparison
from tfpipe.verbs.networks import PUBLISHED, chosen, with_network

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
TOO_SMALL = "Xception needs at least 71x71 pixels; "


class Child:
    """In the place of a network's process: what it does is done in this one.

    Args:
        code: how it ended, at once.
        words: the last of its log.
    """

    def __init__(self, code: int, words: str = "") -> None:
        self.code, self.words = code, words
        self.process = SimpleNamespace(pid=2**22 + 1, terminate=lambda: None)
        self.log = Path("worker-1.log")

    @property
    def how(self) -> str:
        return f"exit code {self.code}"

    def last_words(self) -> str:
        return self.words

    def kill(self) -> None: ...

    def close(self) -> None: ...


def job_of(comparison: Comparison, network: str) -> dict[str, str]:
    return json.loads(module._command(comparison, network)[-1])  # type: ignore[no-any-return]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Networks are trained in this process; the names of those that were."""
    started: list[str] = []

    def start(comparison: Comparison, network: str) -> Child:
        started.append(network)
        return Child(one_network._main(job_of(comparison, network)))

    monkeypatch.setattr(module, "_start", start)
    return started


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Networks come to what the test says, without training: an outcome, or how a process died."""
    script: dict[str, Any] = {"started": []}
    monkeypatch.setattr(module, "write_report", lambda *_: None)

    def start(comparison: Comparison, network: str) -> Child:
        script["started"].append(network)
        what = script.get(network, FINISHED)
        if isinstance(what, Child):
            return what
        (comparison.folder(network) / one_network.OUTCOME).write_text(json.dumps(what))
        return Child(0)

    monkeypatch.setattr(module, "_start", start)
    return script


NUMBERS = {
    "accuracy": 0.5,
    "epoch": 1,
    "parameters": 1000,
    "trainable_parameters": 10,
    "step_seconds": 0.02,
    "seconds": 9.0,
    "features_seconds": 4.0,
    "training_seconds": 1.0,
    "images_per_second_base": 100.0,
    "images_per_second_later": 1500.0,
    "peak_bytes": 600_000_000,
}
FINISHED = {"state": "finished", "model": "runs/m/1/checkpoints/whole.keras", "numbers": NUMBERS}
STOPPED = {"state": "interrupted", "reason": "Stopped in epoch 1; the state is saved."}


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
    from io import StringIO

    folder = tmp_path_factory.mktemp("done")
    (folder / "tiny.py").write_text(FILE)
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_start", lambda c, n: Child(one_network._main(job_of(c, n))))
        found = compare_models(
            tiny(folder / "tiny.py"),
            "MobileNet,VGG16,Xception",
            root=folder,
            data_fraction=0.75,
            terminal=Terminal(said),
        )
    return SimpleNamespace(comparison=found, said=said.getvalue(), folder=folder)


# What is recorded


def test_each_network_is_a_run_of_its_own(done: Any) -> None:
    entries = done.comparison.entries
    assert [(e.network, e.state) for e in entries] == [
        ("MobileNet", "finished"),
        ("VGG16", "finished"),
        ("Xception", "failed"),
    ]
    for entry in entries[:2]:
        assert entry.run.startswith(f"runs/tiny.Tiny.{entry.network}/")
        status = json.loads((done.folder / entry.run / "status.json").read_text())
        assert status["state"] == "finished"
        assert set(status["metrics"]) == {"train", "validation"}, "the test split is not touched"
        accuracies = [float(row["val_accuracy"]) for row in rows(done.folder / entry.run)]
        assert entry.numbers.accuracy == pytest.approx(accuracies[entry.numbers.epoch - 1])


def test_a_share_of_the_training_data_is_used(done: Any) -> None:
    for entry in done.comparison.entries[:2]:
        config = json.loads((done.folder / entry.run / "config.json").read_text())
        assert config["spec"]["splits"] == {"train": 48, "validation": 16}
    assert done.said.splitlines()[2] == "  data       Arrays · 0.75 of the training samples"


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_was_measured_of_a_network(done: Any) -> None:
    mobile, vgg, _ = (entry.numbers for entry in done.comparison.entries)
    assert (mobile.parameters, mobile.trainable_parameters) == (219_315, 771)
    assert (vgg.parameters, vgg.trainable_parameters) == (14_716_227, 1_539)
    for numbers in (mobile, vgg):
        assert 0 < numbers.step_seconds < numbers.seconds
        assert numbers.features_seconds > 0
        assert numbers.seconds > numbers.features_seconds + numbers.training_seconds
        assert numbers.images_per_second_base > 0
        assert numbers.peak_bytes > 100_000_000


def test_the_best_epoch_is_the_one_that_was_kept(done: Any) -> None:
    for entry in done.comparison.entries[:2]:
        losses = [float(row["val_loss"]) for row in rows(done.folder / entry.run)]
        assert entry.numbers.epoch == 1 + losses.index(min(losses))


def test_a_field_that_a_network_has_not_is_left_out_and_said(done: Any) -> None:
    mobile, vgg, _ = done.comparison.entries
    assert (mobile.notes, vgg.notes) == ((), ("without alpha=0.25: it has one width",))
    assert "without alpha=0.25: it has one width" in done.said


def test_a_network_that_cannot_be_trained_is_a_line_with_its_reason(done: Any) -> None:
    reason = done.comparison.entries[2].reason
    assert reason.startswith(TOO_SMALL)
    assert f"3/3 Xception           failed  {reason}\n" in done.said
    assert f"Xception failed: {reason}\n" in done.said


def test_comparison_json_says_what_was_asked_and_what_became_of_it(done: Any) -> None:
    found = json.loads((done.comparison.directory.path / "comparison.json").read_text())
    assert found["target"] == f"{done.folder / 'tiny.py'}::Tiny"
    assert (found["data_fraction"], found["through_base"], found["sample"]) == (0.75, False, None)
    assert found["training"] == "the head alone, on features that the frozen base computes once"
    assert found["pipeline"]["model"]["name"] == "MobileNet"
    assert [e["state"] for e in found["entries"]] == ["finished", "finished", "failed"]
    assert found["entries"][0]["numbers"]["parameters"] == 219_315
    assert found["entries"][2]["numbers"] is None


def test_the_table_has_the_best_first_and_the_failed_last(done: Any) -> None:
    with (done.comparison.directory.path / "table.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    finished = [float(row["accuracy"]) for row in table[:2]]
    assert finished == sorted(finished, reverse=True)
    assert (table[2]["network"], table[2]["accuracy"]) == ("Xception", "")
    assert table[2]["reason"].startswith(TOO_SMALL)
    assert list(table[0]) == [
        *("network", "state", "accuracy", "epoch", "parameters", "trainable_parameters"),
        *("step_seconds", "seconds", "features_seconds", "training_seconds"),
        *("images_per_second_base", "images_per_second_later", "peak_bytes"),
        *("run", "reason", "notes"),
    ]


def test_the_report_is_there(done: Any) -> None:
    page = (done.comparison.directory.path / "report.html").read_text()
    assert (page.count("<svg"), page.count(TOO_SMALL)) == (3, 1)
    assert "<th>MobileNet</th>" in page
    for name in ("accuracy_size", "error_time", "time_size"):
        with Image.open(done.comparison.directory.path / f"{name}.png") as image:
            image.verify()
            assert image.format == "PNG"


def test_the_best_model_is_whole_and_plain_keras_loads_it(done: Any) -> None:
    import keras

    entry, numbers = done.comparison.ranking()[0]
    assert entry.model == f"{entry.run}/checkpoints/whole.keras"
    model = keras.models.load_model(done.folder / entry.model)
    assert (model.input_shape, model.output_shape) == ((None, 8, 8, 3), (None, 3))
    assert model.count_params() == numbers.parameters


def test_the_directory_comes_first_and_the_next_commands_last(done: Any) -> None:
    lines = done.said.splitlines()
    name = done.comparison.name
    assert lines[0] == "tiny.Tiny · compare-models"
    assert lines[1] == f"  directory  {done.comparison.directory.path}"
    assert lines[3] == "  networks   3: MobileNet, VGG16, Xception"
    next_ones = [line.strip() for line in lines[lines.index("Next:") + 1 :]]
    best = done.comparison.ranking()[0][0]
    assert next_ones[0].startswith(f"tfpipe runs show {best.run.removeprefix('runs/')} --root ")
    assert next_ones[1].startswith(
        f"tfpipe run {done.folder}/tiny.py::Tiny model.name={best.network} epochs=20 --root "
    )
    assert next_ones[2].startswith(f"tfpipe compare-models --resume {name} --retry-failed --root ")
    assert f"{best.network} with its head is {done.folder / best.model}, for " in done.said
    assert "Step: the median of all but the first ones; with features, a batch through the" in (
        done.said
    )


def test_how_far_a_network_is_is_told_twice_a_second_at_most(tmp_path: Path) -> None:
    now = [100.0]
    progress = one_network.Progress(tmp_path / one_network.PROGRESS, lambda: now[0])
    assert module._progress(tmp_path) == ""
    with progress.waiting("building the model"):
        assert module._progress(tmp_path) == "building the model · "
    progress.features(32, 5000)
    assert module._progress(tmp_path) == "computing features, 32 of 5,000 · "
    progress.features(64, 5000)
    assert module._progress(tmp_path) == "computing features, 32 of 5,000 · "
    now[0] += 0.5
    progress.step(1, 3, 7, 110, 1000.0, 2.3)
    assert module._progress(tmp_path) == "epoch 1 of 3, 7 of 110 · "


def test_a_terminal_has_a_line_that_changes(file: Path, scripted: Any) -> None:
    from io import StringIO

    said = StringIO()
    terminal = Terminal(said, live=True, width=120)
    compare_models(tiny(file), "MobileNet", root=file.parent, terminal=terminal)
    assert "1/1 MobileNet" in said.getvalue()
    assert "0.5000" in said.getvalue()


# Going on


def test_what_is_done_is_not_done_again(done: Any, here: list[str]) -> None:
    before = {e.network: e for e in done.comparison.entries}
    found = go_on("last", root=done.folder, quiet=True)
    assert here == []
    assert {e.network: e for e in found.entries} == before


def test_what_failed_is_tried_again_when_asked(done: Any, here: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(done.folder / "comparisons", folder / "comparisons")
    found = go_on("last", root=folder, retry_failed=True, quiet=True)
    assert here == ["Xception"]
    assert found.entries[2].reason.startswith(TOO_SMALL)


def test_a_network_that_was_interrupted_goes_on_in_its_run(
    file: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise Interrupted("Stopped after epoch 1; the state is saved.")

    root = file.parent
    with monkeypatch.context() as patch:
        patch.setattr(one_network, "_step_times", lambda notebook: Stop())
        with pytest.raises(Interrupted) as stopped:
            compare_models(tiny(file), "MobileNet", root=root, through_base=True, quiet=True)
    assert str(stopped.value) == "Stopped at MobileNet; everything so far is saved."
    (stored,) = root.glob("comparisons/*/*/comparison.json")
    (first,) = json.loads(stored.read_text())["entries"]
    assert first["state"] == "interrupted"
    assert len(rows(root / first["run"])) == 1
    (entry,) = go_on(root=root, quiet=True).entries
    assert (entry.state, entry.run) == ("finished", first["run"])
    assert entry.numbers is not None
    assert entry.numbers.features_seconds is None, "it went through the base"
    assert entry.numbers.parameters == 219_315
    assert entry.model == f"{entry.run}/checkpoints/best.keras"
    resumed = json.loads((root / entry.run / "config.json").read_text())["resumed"]
    assert [r["epoch"] for r in resumed] == [1]
    assert len(rows(root / entry.run)) == 2


def test_finished_networks_stay_and_the_others_go_on(file: Path, scripted: Any) -> None:
    scripted["VGG16"] = STOPPED
    with pytest.raises(Interrupted):
        compare_models(tiny(file), "MobileNet,VGG16,VGG19", root=file.parent, quiet=True)
    assert scripted["started"] == ["MobileNet", "VGG16"]
    scripted["VGG16"] = FINISHED
    found = go_on(root=file.parent, quiet=True)
    assert scripted["started"] == ["MobileNet", "VGG16", "VGG16", "VGG19"]
    assert [e.state for e in found.entries] == ["finished"] * 3
    assert len(list((file.parent / "runs" / "tiny.Tiny.VGG16").iterdir())) == 1


def test_a_network_whose_comparison_was_killed_goes_on(file: Path, scripted: Any) -> None:
    found = compare_models(tiny(file), "MobileNet", root=file.parent, quiet=True)
    stored = found.directory.path / "comparison.json"
    content = json.loads(stored.read_text())
    content["entries"][0] |= {"state": "running", "numbers": None}
    stored.write_text(json.dumps(content))
    (entry,) = go_on(root=file.parent, quiet=True).entries
    assert (entry.state, entry.run) == ("finished", content["entries"][0]["run"])


def test_another_declaration_is_refused(file: Path, scripted: Any) -> None:
    found = compare_models(f"{file}::Tiny", "MobileNet", root=file.parent, quiet=True)
    file.write_text(FILE.replace("epochs = 2", "epochs = 3"))
    with pytest.raises(ConfigError) as refused:
        go_on(root=file.parent, quiet=True)
    assert str(refused.value) == (
        f"{file}::Tiny declares another epochs than when {found.name} began, and networks that are "
        "trained differently cannot be compared. Undo the change, or start a new comparison."
    )


def test_a_file_that_is_gone_is_no_hindrance(file: Path, scripted: Any) -> None:
    scripted["MobileNet"] = STOPPED
    with pytest.raises(Interrupted):
        compare_models(tiny(file), "MobileNet", root=file.parent, quiet=True)
    scripted["MobileNet"] = FINISHED
    file.unlink()
    assert go_on(root=file.parent, quiet=True).entries[0].state == "finished"


def test_two_processes_at_one_comparison_are_refused(file: Path, scripted: Any) -> None:
    found = compare_models(tiny(file), "MobileNet", root=file.parent, quiet=True)
    with found.directory.lock(), pytest.raises(RunError) as refused:
        go_on(root=file.parent, quiet=True)
    assert str(refused.value).startswith(
        f"{found.name} is being carried on by another process (process "
    )
    assert str(refused.value).endswith("): wait for it, or stop it first.")


def test_no_such_comparison(file: Path, scripted: Any) -> None:
    root = file.parent
    with pytest.raises(RunError) as none:
        go_on(root=root, quiet=True)
    assert str(none.value) == (
        f"There are no comparisons in {root / 'comparisons'}. Start one with tfpipe compare-models "
        "FILE."
    )
    name = compare_models(tiny(file), "MobileNet", root=root, quiet=True).name
    with pytest.raises(RunError) as wrong:
        go_on("tyni", root=root, quiet=True)
    assert str(wrong.value) == f"There is no comparison 'tyni'. There is: {name}."
    for reference in ("last", name, name[:-3], str(root / "comparisons" / name)):
        assert go_on(reference, root=root, quiet=True).name == name


# Failing


def test_a_process_that_was_killed_is_a_failure(file: Path, scripted: Any) -> None:
    scripted["VGG16"] = Child(-signal.SIGKILL)
    scripted["VGG19"] = Child(1, "Traceback\nFatal: no luck\n")
    found = compare_models(tiny(file), "MobileNet,VGG16,VGG19", root=file.parent, quiet=True)
    assert [e.state for e in found.entries] == ["finished", "failed", "failed"]
    assert found.entries[1].reason == (
        "Its process was ended by SIGKILL: most likely the memory ran out. Use a smaller "
        "batch_size or model.size."
    )
    assert found.entries[2].reason == (
        "Its process ended (exit code 1); its log: worker-1.log. Its last words: Fatal: no luck"
    )


def test_what_is_wrong_for_all_networks_ends_the_comparison(file: Path, scripted: Any) -> None:
    scripted["MobileNet"] = {"state": "failed", "kind": "DataError", "reason": "No such data."}
    with pytest.raises(DataError, match=r"^No such data\.$"):
        compare_models(tiny(file), "MobileNet,VGG16", root=file.parent, quiet=True)
    assert scripted["started"] == ["MobileNet"]
    scripted["MobileNet"] = FINISHED
    assert [e.state for e in go_on(root=file.parent, quiet=True).entries] == ["finished"] * 2


def test_not_one_network_that_could_be_trained(file: Path, scripted: Any) -> None:
    scripted["MobileNet"] = {"state": "failed", "kind": "ModelError", "reason": "Too small."}
    with pytest.raises(TrainingError) as failed:
        compare_models(tiny(file), "MobileNet", root=file.parent, quiet=True)
    assert str(failed.value) == (
        "Not one of the 1 networks could be trained. MobileNet: Too small."
    )


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
    assert not (file.parent / "comparisons").exists()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01, 7.0])
def test_a_share_out_of_range_is_refused(file: Path, share: float) -> None:
    with pytest.raises(ConfigError) as refused:
        compare_models(tiny(file), root=file.parent, data_fraction=share, quiet=True)
    assert str(refused.value) == (
        f"--data-fraction {share:g} is no share of the training data. Give a number above 0 and at "
        "most 1, such as 0.07."
    )


def test_a_pipeline_of_python_alone_is_refused(file: Path) -> None:
    from tfpipe.declare.loading import from_instance

    pipeline = tiny(file).pipeline.replace(epochs=7)
    with pytest.raises(ConfigError, match=r"^compare-models starts the pipeline in other proc"):
        compare_models(from_instance(pipeline), root=file.parent, quiet=True)


# How it is trained


def test_why_it_is_trained_through_the_base_is_said(file: Path, scripted: Any) -> None:
    root = file.parent
    found = compare_models(tiny(file, cls="Augmented"), "MobileNet", root=root, quiet=True)
    assert found.training == (
        "through the base every epoch: augment changes the images of every epoch"
    )
    found = compare_models(tiny(file), "MobileNet", root=root, through_base=True, quiet=True)
    assert found.training == "through the base every epoch, as asked"


def test_on_generated_data(file: Path, here: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from tfpipe.models import Application

    def offline(self: Any) -> Any:
        return self.replace(weights=None), "Random weights stood in."

    monkeypatch.setattr(Application, "offline", offline)
    monkeypatch.setattr(module, "write_report", lambda *_: None)
    loaded = tiny(file, "epochs=1", "model.weights=imagenet")
    (entry,) = compare_models(loaded, "MobileNet", root=file.parent, sample=120, quiet=True).entries
    assert (entry.state, entry.notes) == ("finished", ("Random weights stood in.",))
    config = json.loads((file.parent / entry.run / "config.json").read_text())
    assert config["spec"]["splits"] == {"train": 76, "validation": 20}
    with pytest.raises(ConfigError) as refused:
        compare_models(loaded, root=file.parent, sample=120, data_fraction=0.5, quiet=True)
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
