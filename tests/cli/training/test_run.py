"""`tfpipe run` as a person meets it: output, files, exit codes."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SAMPLE_NOTE = "these numbers say nothing about the real data set"


def only(pattern: str, folder: Path) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_run_trains_evaluates_exports_and_says_so(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small)
    assert answer.code == 0
    assert answer.err == ""
    lines = [line for line in answer.out.splitlines() if line]
    assert lines[0] == "small · Small"
    assert lines[1].split()[:2] == ["directory", str(only("runs/small/*", Path()))]
    assert "data       Arrays · 76 train, 20 validation, 24 test · 3 classes" in answer.out
    assert "model      CNN_2_4_6 · 14,531 parameters (14,403 trainable)" in answer.out
    assert "training   2 epochs of 5 steps · batches of 16 · SGD" in answer.out
    assert "device     CPU (" in answer.out
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/2", "2/2"]  # one plain line an epoch
    assert "\x1b" not in answer.out
    assert "test (24 samples)  " in answer.out
    assert "exported to saved_models/small/1, equal to the trained model" in answer.out
    assert "/report/report.html: how good it is, why, and what to try" in answer.out
    assert "tfpipe runs show small/" in answer.out


def test_run_leaves_a_directory_that_explains_itself(tfpipe: Any, small: Path) -> None:
    tfpipe("run", small, "epochs=3", "model.dropout=0.1", "--no-export")
    run = only("runs/small/*", Path())
    assert (run / "pipeline.py").read_text() == small.read_text()
    config = json.loads((run / "config.json").read_text())
    assert config["fields"]["epochs"] == {"value": 3, "origin": "command line"}
    assert config["fields"]["model.dropout"]["origin"] == "command line"
    assert config["fields"]["batch_size"]["origin"].endswith("small.py:20")
    assert config["fields"]["seed"] == {"value": 0, "origin": "default"}
    environment = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["keras"]
    assert environment["device"] == "CPU"
    assert environment["reason"]
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["epoch"], status["step"]) == ("finished", 3, 0)
    assert status["parameters"] == 14531
    assert set(status["metrics"]) == {"train", "validation", "test"}
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(rows[0])
    assert {"seconds", "examples_per_second"} <= set(rows[0])
    assert {p.parent.name for p in run.glob("tensorboard/*/events*")} == {
        "train",
        "validation",
        "test",
    }
    assert len(list(run.glob("checkpoints/state-*"))) == 2
    assert not Path("saved_models").exists()


def test_json_is_alone_on_standard_output(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small, "epochs=1", "--json")
    found = json.loads(answer.out)
    assert len(found["history"]["loss"]) == 1
    assert Path(found["directory"]).is_dir()
    assert Path(found["exports"][0]).is_dir()
    assert "epoch 1/1" in answer.err


def test_runs_show_tells_how_it_ended(tfpipe: Any, small: Path) -> None:
    tfpipe("run", small, "epochs=1", "--no-export")
    shown = json.loads(tfpipe("runs", "show", "last", "--json").out)
    listed = json.loads(tfpipe("runs", "ls", "--json").out)
    assert shown | listed[0] == shown, "all of it, and more"
    assert shown["state"] == "finished"
    assert shown["exports"] == []
    assert "accuracy" in shown["metrics"]["test"]


def test_root_puts_everything_elsewhere(tfpipe: Any, small: Path, tmp_path: Path) -> None:
    tfpipe("run", small, "epochs=1", "--root", tmp_path / "else where")
    assert only("else where/runs/small/*/status.json", tmp_path)
    assert only("else where/saved_models/small/1/saved_model.pb", tmp_path)
    assert not (tmp_path / "runs").exists()


def test_sample_says_that_the_numbers_are_not_the_data_sets(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small, "--sample", "200", "epochs=1", "--no-export")
    assert answer.code == 0
    assert SAMPLE_NOTE in answer.out
    assert "generated in place of Arrays ·" in answer.out
    run = only("runs/small/*", Path())
    assert SAMPLE_NOTE in json.loads((run / "status.json").read_text())["message"]
    assert json.loads((run / "config.json").read_text())["sample"] is True


def test_sample_may_stand_before_an_override(tfpipe: Any, small: Path) -> None:
    answer = tfpipe("run", small, "--sample", "epochs=1", "--no-export")
    assert answer.code == 0
    assert "6,400 train, 1,600 validation, 2,000 test" in answer.out


def test_a_test_split_used_for_validation_is_confessed(tfpipe: Any, tmp_path: Path) -> None:
    file = tmp_path / "peeking.py"
    file.write_text(
        "import numpy as np\n"
        "from tfpipe import Pipeline\n"
        "from tfpipe.data import Arrays\n"
        "from tfpipe.models import MLP\n"
        "def pairs():\n"
        "    x = np.ones((20, 2), 'float32')\n"
        "    return (x, np.arange(20) % 2), (x, np.arange(20) % 2)\n"
        "class Peeking(Pipeline):\n"
        "    data = Arrays(pairs, validation='test')\n"
        "    model = MLP(units=(2,))\n"
        "    batch_size = 10\n"
        "    epochs = 1\n"
    )
    answer = tfpipe("run", file, "--no-export")
    assert "The test split ('test') was used for validation" in answer.out.partition("epoch 1")[0]


BAD = {
    ("epoch=3",): "epoch=3: Small has no field 'epoch'. Did you mean 'epochs'?",
    ("model.drop=0.1",): "model.drop=0.1: CNN_2_4_6 has no field 'drop'. Did you mean 'dropout'?",
    ("epochs=two",): "Small.epochs takes a whole number of at least 1, got 'two' (str).",
    ("model.dropout=1.5",): "CNN_2_4_6.dropout takes a number of at least 0 and below 1",
    ("optimizer.momentumm=1",): "keras.optimizers.SGD takes no argument 'momentumm'. Did you mean",
    ("optimizer=keras.optimizers.SGDD()",): "keras.optimizers has no 'SGDD'. Did you mean 'SGD'?",
    ("batch_size=500",): "batch_size=500 is larger than the training split of 76 samples.",
    ("model.convs=6",): "halves the image 3 times and needs at least 8x8 pixels",
    ("--device", "gpuu"): "There is no device 'gpuu'. Did you mean 'gpu'?",
    ("--root", "/proc/nowhere"): "/proc/nowhere cannot be written",
    ("data.classes=('dark',)",): "labels are outside the range 0 to 0 of 1 classes, the first is",
    ("data.validation=96",): "The train split is empty",
}


@pytest.mark.parametrize("words", BAD, ids=lambda words: words[-1])
def test_wrong_input_is_explained_and_leaves_nothing(
    tfpipe: Any, small: Path, words: tuple[str, ...]
) -> None:
    if "model.convs=6" in words:  # 8 pixels are enough for three pools; 6 are not
        small.write_text(small.read_text().replace("(120, 8, 8, 3)", "(120, 6, 6, 3)"))
    answer = tfpipe("run", small, *words)
    assert answer.code == 2
    assert BAD[words] in answer.err
    assert "Traceback" not in answer.err
    assert not list(Path().glob("runs/*/*"))
    assert not Path("saved_models").exists()


def test_debug_shows_the_traceback(small: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfpipe", "run", str(small), "--debug", "epoch=3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "Traceback" in done.stderr
    assert "ConfigError" in done.stderr


def test_a_full_disk_ends_the_run_as_failed_with_earlier_states_intact(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    real = np.savez
    calls = []

    def full(*words: Any, **named: Any) -> None:
        calls.append(words)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(*words, **named)

    monkeypatch.setattr(np, "savez", full)
    answer = tfpipe("run", small)
    assert answer.code == 2
    assert "is full: free some space, or write elsewhere with --root DIR" in answer.err
    run = only("runs/small/*", Path())
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "failed"
    assert "is full" in status["message"]
    assert only("checkpoints/state-*/arrays.npz", run).parent.name == "state-0001-000000"


def test_ctrl_c_stops_after_the_step_saves_and_exits_130(small: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfpipe", "run", str(small), "epochs=100000", "--no-export"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the state is saved" in errors
    assert "Traceback" not in errors
    run = only("runs/small/*", tmp_path)
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "interrupted"
    newest = sorted(p.name for p in run.glob("checkpoints/state-*"))[-1]
    assert newest == f"state-{status['epoch']:04d}-{status['step']:06d}"


def test_tensorflow_says_nothing(small: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfpipe", "check", str(small)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    assert done.stderr == ""
    assert not any(word in done.stdout for word in ("oneDNN", "cuda", "WARNING", "absl"))


def test_data_that_cannot_be_had_is_known_at_once(
    tfpipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfpipe.data import probe as reach

    monkeypatch.setattr(reach, "_ask", lambda *_: "Name or service not known")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "empty"))
    pipeline = Path(__file__).parents[3] / "pipelines" / "cifar10_cnn.py"
    answer = tfpipe("run", pipeline, f"data.data_dir={tmp_path / 'empty'}")
    assert answer.code == 2
    for words in ("cifar10 is not prepared", "TFDS_DATA_DIR", "data.data_dir=", "--sample"):
        assert words in answer.err
    assert not list(Path().glob("runs/*/*"))


def test_an_export_that_differs_fails_the_run_with_exit_3(
    tfpipe: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfpipe.exports import signatures

    decode = signatures.decode
    turned = lambda file, feature: decode(file, feature)[::-1]  # noqa: E731
    monkeypatch.setattr(signatures, "decode", turned)
    answer = tfpipe("run", small, "epochs=1")
    assert answer.code == 3
    assert "The exported model is not the trained one" in answer.err
    assert list(Path("saved_models/small").iterdir()) == []
    status = json.loads((only("runs/small/*", Path()) / "status.json").read_text())
    assert status["state"] == "failed"
    assert status["epoch"] == 1
