"""`tfpipe resume` and `tfpipe run FILE --resume` as a person meets them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import pytest

from tfpipe import run as run_pipeline
from tfpipe.declare.loading import load

# Waits for its death in the second epoch when it is told to.
JOB = """
import os, time
import keras as plain
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.models import MLP

def points():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)

class Hang(plain.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and "HANG" in os.environ:
            time.sleep(600)

class Job(Pipeline):
    data = Arrays(points, validation=0.2, test=0.2)
    model = MLP(units=(4,), dropout=0.2)
    optimizer = keras.optimizers.SGD(learning_rate=0.1)
    batch_size = 8
    epochs = 3

    def build_callbacks(self):
        return [Hang()]
"""


class Killed(BaseException):
    """Stands for SIGKILL."""


class Killer(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        raise Killed


@pytest.fixture
def job(tmp_path: Path) -> Path:
    file = tmp_path / "job.py"
    file.write_text(JOB)
    return file


def only(pattern: str, folder: Path = Path()) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file of a pipeline, and a run of it that was killed after one epoch."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "job.py").write_text(JOB)
    with pytest.raises(Killed):
        run_pipeline(
            load(str(folder / "job.py")), root=folder, export=False, quiet=True, extra=[Killer()]
        )
    return folder


@pytest.fixture
def stopped(tfpipe: Any, killed: Path) -> str:
    """The name of a run that was killed after its first epoch, in the current folder."""
    shutil.copytree(killed / "runs", "runs")
    return f"job/{only('runs/job/*').name}"


def status(name: str) -> dict[str, Any]:
    return json.loads(Path("runs", name, "status.json").read_text())  # type: ignore[no-any-return]


def test_the_newest_unfinished_run_goes_on_to_its_end(tfpipe: Any, stopped: str) -> None:
    answer = tfpipe("resume")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == f"resuming {stopped}, the newest unfinished run"
    assert "  resumed    after 1 epoch" in lines
    epochs = [line.split()[1] for line in lines if line.startswith("epoch ")]
    assert epochs == ["2/3", "3/3"]
    assert "exported to saved_models/job/1, equal to the trained model" in answer.out
    assert status(stopped)["state"] == "finished"


def test_json_is_alone_on_standard_output(tfpipe: Any, stopped: str) -> None:
    answer = tfpipe("resume", stopped, "--no-export", "--json")
    assert answer.code == 0
    found = json.loads(answer.out)
    assert found["name"] == stopped
    assert len(found["history"]["loss"]) == 3
    assert found["exports"] == []
    assert "epoch 2/3" in answer.err


REFUSED = {
    ("job/2020",): "There is no run 'job/2020'. There is: ",
    ("epoch=4",): "Job has no field 'epoch'. Did you mean 'epochs'?",
    ("optimizer.learning_rate=0.2",): "changed optimizer.learning_rate (0.1 -> 0.2). Undo the",
    ("seed=1",): "seed cannot change within a run (0 -> 1): it decides which samples are held out",
    ("--fork", "model.units=(5,)"): "model.units cannot change within a run: the weights of",
    ("--root", "elsewhere"): "There is no unfinished run in elsewhere/runs. Start one with: ",
}


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: words[-1])
def test_wrong_input_is_explained_and_changes_nothing(
    tfpipe: Any, stopped: str, words: tuple[str, ...]
) -> None:
    before = contents()
    answer = tfpipe("resume", *words)
    assert answer.code == 2
    assert REFUSED[words] in answer.err
    assert "Traceback" not in answer.err + answer.out
    assert contents() == before


def contents() -> dict[str, bytes]:
    files = (p for p in Path("runs").rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p): p.read_bytes() for p in files}


def test_the_meaning_of_changes_is_shown(tfpipe: Any, stopped: str) -> None:
    answer = tfpipe("resume", stopped, "epochs=4", "batch_size=9", "seed=1")
    assert answer.out.splitlines()[:4] == [
        "changed     was  is  meaning",
        "batch_size  8    9   changes the result",
        "epochs      3    4   safe",
        "seed        0    1   impossible",
    ]


def test_a_finished_run_is_extended_by_the_command_it_names(tfpipe: Any, job: Path) -> None:
    tfpipe("run", job, "epochs=1", "--no-export")
    name = f"job/{only('runs/job/*').name}"
    answer = tfpipe("resume", "last")
    assert answer.code == 2
    assert answer.err == (
        f"Error: {name} is finished (epoch 1). Extend it with: tfpipe resume {name} epochs=2\n"
    )
    answer = tfpipe("resume", name, "epochs=2", "--no-export")
    assert answer.code == 0
    assert "The test split was evaluated before, after epoch 1" in answer.out
    assert status(name)["epoch"] == 2
    answer = tfpipe("resume")
    assert answer.code == 2
    assert f"Extend a finished one with: tfpipe resume {name} epochs=N" in answer.err


def test_a_fork_leaves_its_origin_as_it_is(tfpipe: Any, stopped: str) -> None:
    before = contents()
    answer = tfpipe("resume", "optimizer.learning_rate=0.2", "--fork", "--no-export")
    assert answer.code == 0
    after = contents()
    assert {name: after[name] for name in before} == before
    (new,) = {Path(name).parts[2] for name in after} - {Path(stopped).name}
    config = json.loads(Path("runs/job", new, "config.json").read_text())
    assert config["forked_from"]["run"] == stopped
    assert status(f"job/{new}")["state"] == "finished"


# run FILE --resume


def test_run_resume_goes_on_with_the_files_own_run(tfpipe: Any, stopped: str, killed: Path) -> None:
    answer = tfpipe("run", killed / "job.py", "--resume", "--no-export")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == f"resuming {stopped}, the newest unfinished run"
    assert status(stopped)["state"] == "finished"


def test_run_resume_starts_one_where_there_is_none(
    tfpipe: Any, stopped: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.py"  # whose runs are others
    other.write_text(JOB)
    answer = tfpipe("run", other, "--resume", "epochs=1", "--no-export")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == "no run of other is unfinished: starting one"
    assert status(stopped)["state"] == "failed"
    assert status(f"other/{only('runs/other/*').name}")["state"] == "finished"


def test_run_resume_refuses_what_resume_refuses(tfpipe: Any, stopped: str, killed: Path) -> None:
    before = contents()
    answer = tfpipe("run", killed / "job.py", "--resume", "optimizer.learning_rate=0.2")
    assert answer.code == 2
    assert "would end elsewhere with a changed optimizer.learning_rate (0.1 -> 0.2)" in answer.err
    assert contents() == before


# Two processes


@pytest.mark.slow
def test_two_processes_cannot_train_one_run_and_a_killed_one_lets_go(
    tfpipe: Any, job: Path
) -> None:
    command = [sys.executable, "-m", "tfpipe", "run", str(job), "--no-export"]
    process = subprocess.Popen(
        command, env={**os.environ, "HANG": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        try:
            while not list(Path().glob("runs/job/*/checkpoints/state-*")):
                assert process.poll() is None, process.stderr.read()  # type: ignore[union-attr]
                time.sleep(0.05)
            name = f"job/{only('runs/job/*').name}"
            before = contents()
            answer = tfpipe("resume", name)
            assert answer.code == 2
            assert f"{name} is being trained by another process (process {process.pid} on " in (
                answer.err
            )
            assert "wait for it, or stop it first." in answer.err
            answer = tfpipe("resume")
            assert answer.code == 2
            assert "There is no unfinished run in runs. " in answer.err
            assert contents() == before
        finally:
            process.send_signal(signal.SIGKILL)
    assert status(name)["state"] == "running"  # nobody could say otherwise
    answer = tfpipe("resume", "--no-export")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == f"resuming {name}, the newest unfinished run"
    assert status(name)["state"] == "finished"
