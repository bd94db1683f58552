"""What a declared callback may look at."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECORDING = """
from keras.callbacks import Callback

seen = []

class Look(Callback):
    replaces_rows = {quiet}

    def set_run(self, run):
        seen.append(run)
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        x, _ = next(iter(self.run.batches("validation")))
        self.answers = self.run.answers(self.model(x, training=False)).numpy()
        print("epoch", epoch, self.answers.shape)
"""


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module with a callback `Look`; with `quiet` it tells of the epochs itself."""

    def write(quiet: bool = False) -> str:
        (tmp_path / "looking.py").write_text(RECORDING.format(quiet=quiet))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(__import__("sys").modules, "looking", raising=False)
        return "looking.Look"

    return write


def with_callback(small: Path, name: str) -> Path:
    text = small.read_text() + f'    callbacks = (__import__("tfpipe").deferred("{name}")(),)\n'
    small.write_text(text)
    return small


def test_a_callback_sees_its_run(tfpipe: Any, small: Path, recording: Any) -> None:
    answer = tfpipe("run", with_callback(small, recording()), "--no-export")
    assert answer.code == 0, answer.err
    import looking  # type: ignore[import-not-found]

    (run,) = looking.seen
    (folder,) = Path("runs/small").iterdir()
    assert run.directory.resolve() == folder.resolve()
    assert run.tensorboard == run.directory / "tensorboard"
    assert run.report == run.directory / "report"
    assert run.classes == ("dark", "grey", "bright")
    assert run.task == "classification"
    first = [np.concatenate([x for x, _ in run.batches("train")]) for _ in range(2)]
    np.testing.assert_array_equal(*first)  # in stored order, not augmented
    assert len(first[0]) == 76
    with pytest.raises(ValueError, match="not at 'test': the test split is touched once"):
        run.batches("test")
    assert "epoch 1/2 " in answer.out
    assert "epoch 0 (16, 3)" in answer.out


def test_there_may_be_no_validation_split(tfpipe: Any, small: Path, recording: Any) -> None:
    file = with_callback(small, recording())
    module = file.parent / "looking.py"
    module.write_text(module.read_text().replace('batches("validation")', 'batches("train")'))
    assert tfpipe("run", file, "data.validation=none", "epochs=1", "--no-export").code == 0
    import looking

    assert looking.seen[0].batches("validation") is None


def test_a_callback_that_tells_of_epochs_itself_silences_the_rows(
    tfpipe: Any, small: Path, recording: Any
) -> None:
    answer = tfpipe("run", with_callback(small, recording(quiet=True)), "--no-export")
    assert answer.code == 0, answer.err
    assert "epoch 1/2" not in answer.out
    assert "epoch 1 (16, 3)" in answer.out
    assert "test (24 samples)" in answer.out


def test_a_callback_that_refuses_what_it_sees_is_an_error_at_check_already(
    tfpipe: Any, small: Path, recording: Any
) -> None:
    file = with_callback(small, recording())
    module = file.parent / "looking.py"
    module.write_text(
        module.read_text().replace("seen.append(run)", "raise ValueError('needs two dimensions')")
    )
    for verb in ("check", "run"):
        answer = tfpipe(verb, file)
        assert answer.code == 2
        assert answer.err == "Error: callbacks: needs two dimensions\n"


def test_batches_are_each_sample_once_whatever_an_epoch_is(
    tfpipe: Any, small: Path, recording: Any
) -> None:
    file = with_callback(small, recording())
    answer = tfpipe("run", file, "steps_per_epoch=9", "drop_remainder=true", "--no-export")
    assert answer.code == 0, answer.err
    import looking

    (run,) = looking.seen
    assert sum(len(y) for _, y in run.batches("train")) == 76


ENDING = """
import json
import json
from pathlib import Path
from keras.callbacks import Callback

class Look(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if Path("stop").exists():
            raise ValueError("enough")

    def on_run_end(self, status):
        with open("ends.txt", "a") as file:
            file.write(json.dumps(status) + "\\n")
        raise RuntimeError("this is no reason to fail")
"""


def test_a_callback_is_told_how_the_run_ended(
    tfpipe: Any, small: Path, recording: Any, tmp_path: Path
) -> None:
    file = with_callback(small, recording())
    (tmp_path / "looking.py").write_text(ENDING)
    done = tfpipe("run", file, "epochs=1")
    assert done.code == 0
    assert "Look.on_run_end failed: RuntimeError: this is no reason to fail" in done.out
    (tmp_path / "stop").touch()
    assert tfpipe("run", file, "epochs=1").code == 1
    finished, failed = map(json.loads, (tmp_path / "ends.txt").read_text().splitlines())
    assert (finished["state"], len(finished["exports"])) == ("finished", 1)
    assert "accuracy" in finished["metrics"]["test"]
    assert (failed["state"], failed["message"]) == ("failed", "enough")
