"""Going on with a run: which one, with which declaration, and what is refused."""

import io
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfpipe
from tfpipe.declare.loading import load
from tfpipe.errors import ConfigError, RunError
from tfpipe.jobs.restore import find
from tfpipe.runs.directory import list_runs
from tfpipe.terminal import Terminal
from tfpipe.verbs.runs.removal import find_disposable, remove

JOB = """
import numpy as np
from pathlib import Path
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.models import MLP

def points():
    stored = np.load(Path(__file__).with_name("points.npy"))
    return stored, (stored[:, 0] > 0).astype(int)

class Job(Pipeline):
    data = Arrays(points, validation=0.2, test=0.2)
    model = MLP(units=(4,), dropout=0.2)
    optimizer = keras.optimizers.SGD(learning_rate=0.1)
    batch_size = 8
    epochs = 3
    checkpoint_every = 2

    def build_callbacks(self):
        return super().build_callbacks()
"""


class Killed(BaseException):
    """Stands for SIGKILL."""


class KillAt(keras.callbacks.Callback):
    def __init__(self, epoch: int, step: int) -> None:
        super().__init__()
        self.at, self.now = (epoch, step), -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.now, batch + 1) == self.at:
            raise Killed


@dataclass
class Folder:
    """A pipeline file, a root with one run of it, and what was said."""

    file: Path
    root: Path
    said: str = ""

    @property
    def run(self) -> Path:
        (path,) = self.root.glob("runs/*/*")
        return path

    @property
    def name(self) -> str:
        return f"{self.run.parent.name}/{self.run.name}"

    def resume(self, reference: str | None = None, *overrides: str, **more: Any) -> Any:
        stream = io.StringIO()
        try:
            return tfpipe.resume(
                reference,
                overrides,
                root=self.root,
                export=False,
                terminal=Terminal(stream),
                **more,
            )
        finally:
            self.said = stream.getvalue()

    def refused(self, error: type[Exception], *words: Any, **more: Any) -> str:
        """What is said of a resume that is refused; it has changed nothing."""
        before = contents(self.root)
        with pytest.raises(error) as caught:
            self.resume(*words, **more)
        assert contents(self.root) == before
        return str(caught.value)

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def json(self, name: str) -> Any:
        return json.loads((self.run / name).read_text())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the locks, which say who held them last."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def states(run: Path) -> list[str]:
    return sorted(p.name for p in run.glob("checkpoints/state-*"))


def start(folder: Path, *overrides: str, kill: tuple[int, int] | None = (1, 3)) -> Path:
    """A pipeline file, and a run of it in `root` that was killed, or ended."""
    file = folder / "job.py"
    file.write_text(JOB)
    np.save(folder / "points.npy", np.random.default_rng(0).normal(size=(60, 4)).astype("float32"))
    extra = [KillAt(*kill)] if kill else []
    try:
        tfpipe.run(
            load(str(file), overrides), root=folder / "root", export=False, quiet=True, extra=extra
        )
    except Killed:
        assert kill
    return file


def copied(origin: Path, tmp_path: Path) -> Iterator[Folder]:
    """A run of one's own; the file, whose path belongs to it, is put back afterwards."""
    data = (origin.parent / "points.npy").read_bytes()
    shutil.copytree(origin.parent / "root", tmp_path / "root")
    yield Folder(origin, tmp_path / "root")
    origin.write_text(JOB)
    (origin.parent / "points.npy").write_bytes(data)


@pytest.fixture(scope="module")
def once_killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start(tmp_path_factory.mktemp("killed"))


@pytest.fixture(scope="module")
def once_finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start(tmp_path_factory.mktemp("finished"), kill=None)


@pytest.fixture
def stopped(once_killed: Path, tmp_path: Path) -> Iterator[Folder]:
    """A run that was killed after three of the five steps of its second epoch."""
    yield from copied(once_killed, tmp_path)


@pytest.fixture
def finished(once_finished: Path, tmp_path: Path) -> Iterator[Folder]:
    """A run that has finished its three epochs."""
    yield from copied(once_finished, tmp_path)


# Which run


def test_the_newest_unfinished_run_is_taken_and_named(stopped: Folder) -> None:
    assert states(stopped.run) == ["state-0001-000000", "state-0001-000002"]
    result = stopped.resume()
    assert stopped.said.splitlines()[0] == f"resuming {stopped.name}, the newest unfinished run"
    assert "resumed    after 1 epoch and 2 steps" in stopped.said
    assert result.name == stopped.name
    assert len(result.history["loss"]) == 3
    assert stopped.json("status.json")["state"] == "finished"
    (entry,) = stopped.json("config.json")["resumed"]
    assert (entry["epoch"], entry["step"], entry["changes"]) == (1, 2, {})
    assert len(stopped.json("environment.json")["earlier"]) == 1


@pytest.mark.parametrize("reference", ["name", "last", "beginning", "path"])
def test_a_run_may_be_named(stopped: Folder, reference: str) -> None:
    word = {
        "name": stopped.name,
        "last": "last",
        "beginning": "job/",
        "path": str(stopped.run),
    }[reference]
    stopped.run.joinpath("status.json").write_text('{"state": "running"}')
    stream = io.StringIO()
    assert find(stopped.root, word, Terminal(stream)).path == stopped.run
    assert stream.getvalue() == ""  # it was not picked, so there is nothing to say


def test_nothing_unfinished_says_how_to_extend(finished: Folder) -> None:
    assert finished.refused(RunError) == (
        f"There is no unfinished run in {finished.root / 'runs'}. "
        f"Extend a finished one with: tfpipe resume {finished.name} epochs=N"
    )


def test_no_run_at_all_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        tfpipe.resume(root=tmp_path, quiet=True)
    assert str(error.value) == (
        f"There is no unfinished run in {tmp_path / 'runs'}. Start one with: tfpipe run FILE"
    )


def test_an_unknown_name_is_suggested(stopped: Folder) -> None:
    said = stopped.refused(RunError, stopped.name[:-1] + "x")
    assert said.startswith(f"There is no run {stopped.name[:-1] + 'x'!r}. Did you mean")
    assert stopped.name in said


def test_a_run_that_is_being_trained_is_refused(stopped: Folder) -> None:
    (run,) = list_runs(stopped.root)
    with run.lock():
        said = stopped.refused(RunError, stopped.name)
    assert said.startswith(f"{stopped.name} is being trained by another process (process ")


def test_a_run_without_a_state_begins_anew(stopped: Folder) -> None:
    shutil.rmtree(stopped.run / "checkpoints")
    (stopped.run / "checkpoints").mkdir()
    result = stopped.resume()
    assert len(result.history["loss"]) == 3
    assert len((stopped.run / "metrics.csv").read_text().splitlines()) == 1 + 3


# A finished run


@pytest.mark.parametrize("words", [(), ("epochs=3",), ("epochs=2",)])
def test_a_finished_run_is_not_resumed(finished: Folder, words: tuple[str, ...]) -> None:
    assert finished.refused(RunError, finished.name, *words) == (
        f"{finished.name} is finished (epoch 3). Extend it with: "
        f"tfpipe resume {finished.name} epochs=6"
    )


def test_a_run_that_stopped_early_is_finished(finished: Folder) -> None:
    status = finished.json("status.json")
    (finished.run / "status.json").write_text(json.dumps({**status, "epoch": 2}))
    said = finished.refused(RunError, finished.name)
    assert "is finished (epoch 2, stopped early of 3)." in said


def test_a_finished_run_whose_states_were_freed_is_left_as_it_is(finished: Folder) -> None:
    assert remove(find_disposable(root=finished.root)) > 0
    for fork in (False, True):
        assert finished.refused(RunError, "last", "epochs=5", fork=fork) == (
            f"{finished.name} is finished and keeps no saved state to go on from (tfpipe runs "
            "clean frees them). Start a new run with tfpipe run."
        )


def test_more_epochs_extend_it(finished: Folder) -> None:
    before = (finished.run / "metrics.csv").read_text()
    result = finished.resume(finished.name, "epochs=5")
    assert len(result.history["loss"]) == 5
    assert (finished.run / "metrics.csv").read_text().startswith(before)
    assert finished.json("status.json")["epoch"] == 5
    assert states(finished.run) == ["state-0004-000004", "state-0005-000000"]
    (entry,) = finished.json("config.json")["resumed"]
    assert entry["changes"] == {"epochs": ["3", "5"]}
    assert finished.json("config.json")["fields"]["epochs"] == {
        "value": 5,
        "origin": "command line",
    }
    assert "epochs   3    5   safe" in finished.said
    assert "The test split was evaluated before, after epoch 3" in finished.said
    # It is finished again, and extended again from there.
    assert "is finished (epoch 5)" in finished.refused(RunError, finished.name)


# A changed declaration

CHANGED = {
    "optimizer.learning_rate=0.05": "optimizer.learning_rate (0.1 -> 0.05)",
    "batch_size=9": "batch_size (8 -> 9)",
    "optimizer=keras.optimizers.Adam()": "optimizer (SGD(learning_rate=0.1) -> Adam())",
    "model.dropout=0.3": "model.dropout (0.2 -> 0.3)",
    "callbacks=(keras.callbacks.TerminateOnNaN(),)": "callbacks (() -> (TerminateOnNaN(),))",
}


@pytest.mark.parametrize("override", CHANGED)
def test_what_changes_the_result_needs_a_fork(stopped: Folder, override: str) -> None:
    assert stopped.refused(ConfigError, stopped.name, override) == (
        f"{stopped.name} would end elsewhere with a changed {CHANGED[override]}. Undo the change, "
        "or start a new run from its state, which leaves it as it is, with --fork."
    )
    assert "changes the result" in stopped.said


@pytest.mark.parametrize("fork", [False, True])
@pytest.mark.parametrize(
    ("override", "change"),
    [
        ("data.validation=0.3", "data.validation cannot change within a run (0.2 -> 0.3): "),
        ("seed=1", "seed cannot change within a run (0 -> 1): "),
        ("task=regression", "task cannot change within a run (auto -> regression): "),
    ],
)
def test_what_cannot_change_is_refused_with_its_name(
    stopped: Folder, override: str, change: str, fork: bool
) -> None:
    said = stopped.refused(ConfigError, stopped.name, override, fork=fork)
    assert said.startswith(change + "it decides ")
    assert said.endswith("Start a new run with tfpipe run.")


def test_another_architecture_is_refused_with_its_name(stopped: Folder) -> None:
    assert "model.units" in stopped.refused(ConfigError, stopped.name, "model.units=(5,)")
    said = stopped.refused(ConfigError, stopped.name, "model.units=(5,)", fork=True)
    assert said.startswith(
        f"model.units cannot change within a run: the weights of {stopped.name} do not fit ("
    )
    assert "has shape (4, 5), " in said


def test_fewer_epochs_than_are_trained_are_refused(stopped: Folder) -> None:
    with pytest.raises(Killed):
        stopped.resume(extra=[KillAt(2, 1)])
    said = stopped.refused(ConfigError, stopped.name, "epochs=1")
    assert said == f"epochs=1: {stopped.name} has trained 2 already."


def test_a_fork_is_a_new_run_linked_to_its_origin(stopped: Folder) -> None:
    origin = stopped.run
    before = contents(origin)
    seen: dict[str, list[str]] = {}

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            for run in stopped.root.glob("runs/*/*"):
                seen.setdefault(run.name, states(run))

    result = stopped.resume(
        f"job/{origin.name}", "optimizer.learning_rate=0.05", fork=True, extra=[Look()]
    )
    assert contents(origin) == before
    assert result.directory != origin
    assert seen[result.directory.name] == ["state-0001-000000"]  # before its first step
    linked = json.loads((result.directory / "config.json").read_text())["forked_from"]
    assert linked == {
        "run": f"job/{origin.name}",
        "epoch": 1,
        "step": 0,
        "changes": {"optimizer.learning_rate": ["0.1", "0.05"]},
    }
    assert result.history["learning_rate"] == pytest.approx([0.1, 0.05, 0.05])
    rows = (result.directory / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 3
    assert rows[:2] == (origin / "metrics.csv").read_text().splitlines()[:2]
    (status,) = (json.loads(result.directory.joinpath("status.json").read_text()),)
    assert status["state"] == "finished"
    # A fork that is resumed keeps its origin in mind.
    tfpipe.resume(result.name, ["epochs=4"], root=stopped.root, export=False, quiet=True)
    again = json.loads((result.directory / "config.json").read_text())
    assert again["forked_from"] == linked
    assert len(again["resumed"]) == 1


def test_a_fork_may_have_another_optimizer(stopped: Folder, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, "tfpipe"):
        result = stopped.resume(
            stopped.name, "optimizer=keras.optimizers.Adam(0.01)", "batch_size=9", fork=True
        )
    assert "The optimizer is another one: it starts without the state of the old." in caplog.text
    assert type(result.model.optimizer).__name__ == "Adam"
    assert result.history["learning_rate"] == pytest.approx([0.1, 0.01, 0.01])


def test_a_fork_of_a_run_without_a_state_is_refused(stopped: Folder) -> None:
    shutil.rmtree(stopped.run / "checkpoints")
    (stopped.run / "checkpoints").mkdir()
    said = stopped.refused(RunError, stopped.name, "batch_size=9", fork=True)
    assert said == f"{stopped.name} has saved no state to start from: run it anew."


# An edited file


def test_a_safe_edit_is_shown_and_taken(stopped: Folder) -> None:
    stopped.edit("epochs = 3", "epochs = 4")
    stopped.edit("return super()", '"""Another word."""\n        return super()')
    result = stopped.resume()
    assert len(result.history["loss"]) == 4
    assert "epochs   3    4   safe" in stopped.said
    assert (stopped.run / "pipeline.py").read_text() == stopped.file.read_text()


def test_an_edit_that_changes_the_result_is_refused(stopped: Folder) -> None:
    stopped.edit("learning_rate=0.1", "learning_rate=0.2")
    said = stopped.refused(ConfigError)
    assert "would end elsewhere with a changed optimizer.learning_rate (0.1 -> 0.2)" in said


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("return super().build_callbacks()", "return []", "the code of Job.build_callbacks"),
        ("> 0)", "> 0.1)", "the code of points"),
    ],
)
def test_changed_code_is_refused_with_its_name(
    stopped: Folder, old: str, new: str, name: str
) -> None:
    stopped.edit(old, new)
    said = stopped.refused(ConfigError)
    assert f"would end elsewhere with a changed {name} (other code -> other code)" in said


def test_a_file_that_does_not_import_any_more_is_said(stopped: Folder) -> None:
    stopped.edit("class Job", "klass Job")
    assert "does not import: SyntaxError" in stopped.refused(tfpipe.errors.PipelineFileError)


def test_overrides_are_remembered(tmp_path: Path) -> None:
    start(tmp_path, "batch_size=12", "model.dropout=0.1", kill=(1, 2))
    folder = Folder(tmp_path / "job.py", tmp_path / "root")
    folder.resume(None, "epochs=2")
    config = folder.json("config.json")
    assert config["overrides"] == ["batch_size=12", "model.dropout=0.1", "epochs=2"]
    assert config["fields"]["batch_size"]["value"] == 12
    assert config["fields"]["model.dropout"]["value"] == 0.1


def test_arguments_that_were_given_in_python_survive_two_resumes(
    stopped: Folder, tmp_path: Path
) -> None:
    job = type(load(str(stopped.file)).pipeline)
    folder = Folder(stopped.file, tmp_path / "python")
    with pytest.raises(Killed):
        tfpipe.run(
            job(batch_size=12, epochs=4),
            root=folder.root,
            export=False,
            quiet=True,
            extra=[KillAt(1, 2)],
        )
    with pytest.raises(Killed):
        folder.resume(extra=[KillAt(2, 2)])
    result = folder.resume()
    assert len(result.history["loss"]) == 4
    fields = folder.json("config.json")["fields"]
    assert (fields["batch_size"]["value"], fields["epochs"]["value"]) == (12, 4)


def test_the_declaration_may_be_given(stopped: Folder) -> None:
    pipeline = load(str(stopped.file)).pipeline.replace(epochs=2)
    assert len(stopped.resume(pipeline=pipeline).history["loss"]) == 2


def test_a_pipeline_without_a_file_has_to_be_given(stopped: Folder) -> None:
    config = stopped.json("config.json")
    (stopped.run / "config.json").write_text(json.dumps({**config, "file": None}))
    assert stopped.refused(RunError) == (
        f"{stopped.name} was started from Python, and no file declares its pipeline: go on from "
        f"Python too, with tfpipe.resume({stopped.name!r}, pipeline=...)."
    )


# The data, the machine, the directory


def test_generated_data_is_remembered(stopped: Folder, tmp_path: Path) -> None:
    folder = Folder(stopped.file, tmp_path / "sample")
    with pytest.raises(Killed):
        tfpipe.run(
            load(str(stopped.file)),
            root=folder.root,
            sample=40,
            export=False,
            quiet=True,
            extra=[KillAt(1, 2)],
        )
    folder.resume()
    assert "generated in place of Arrays · " in folder.said
    config = folder.json("config.json")
    assert (config["sample"], config["sample_size"]) == (True, 40)
    assert "these numbers say nothing about" in folder.json("status.json")["message"]


def test_other_data_is_refused(stopped: Folder) -> None:
    np.save(
        stopped.file.with_name("points.npy"),
        np.random.default_rng(0).normal(size=(50, 4)).astype("float32"),
    )
    said = stopped.refused(ConfigError)
    assert said == (
        f"The data is no longer what {stopped.name} was trained on: its splits were "
        "{'train': 38, 'validation': 10, 'test': 12}, now "
        "{'train': 32, 'validation': 8, 'test': 10}. Bring it back, or start a new run with "
        "tfpipe run."
    )


@pytest.mark.parametrize(("name", "was"), [("device", "TPU v4"), ("precision", "bfloat16")])
def test_another_machine_changes_the_result(stopped: Folder, name: str, was: str) -> None:
    environment = stopped.json("environment.json")
    (stopped.run / "environment.json").write_text(json.dumps({**environment, name: was}))
    said = stopped.refused(ConfigError)
    assert f"would end elsewhere with a changed {name} ({was} -> {environment[name]})" in said


def spoil(state: Path) -> None:
    arrays = state / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1])


def test_what_is_missed_and_does_no_harm_is_said(stopped: Folder, caplog: Any) -> None:
    """A damaged newest state, other versions, and a file that is gone."""
    spoil(stopped.run / "checkpoints" / "state-0001-000002")
    environment = stopped.json("environment.json")
    environment["packages"]["keras"] = "3.0.0"
    (stopped.run / "environment.json").write_text(json.dumps(environment))
    stopped.file.unlink()  # the fixture writes it again
    with caplog.at_level(logging.WARNING, "tfpipe"):
        stopped.resume()
    for said in (
        "is damaged (arrays.npz is not what was saved). The one before it is used.",
        "The run was started with keras 3.0.0, this is ",
        "is gone: the copy in the run's directory is used.",
    ):
        assert caplog.text.count(said) == 1, said
    assert "resumed    after 1 epoch\n" in stopped.said


@pytest.mark.parametrize("fork", [False, True])
def test_when_all_states_are_damaged_nothing_is_changed(stopped: Folder, fork: bool) -> None:
    for state in states(stopped.run):
        spoil(stopped.run / "checkpoints" / state)
    said = stopped.refused(RunError, stopped.name, fork=fork)
    assert said.startswith(f"All saved states in {stopped.run / 'checkpoints'} are damaged: ")


def test_lost_rows_are_asked_for(stopped: Folder) -> None:
    (stopped.run / "metrics.csv").unlink()
    assert stopped.refused(RunError) == (
        f"{stopped.run / 'metrics.csv'} has 0 of the 1 epochs that were trained: bring it back, "
        "a row an epoch, before going on."
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", r"config\.json cannot be read: "),
        ("config.json", "{}", r"lacks class, .*another version of tfpipe. Start a new"),
        ("environment.json", "", r"environment\.json cannot be read: "),
        ("status.json", "{}", r"status\.json is no run's status: "),
    ],
)
def test_broken_records_are_said(stopped: Folder, name: str, text: str, message: str) -> None:
    (stopped.run / name).write_text(text)
    with pytest.raises(RunError, match=message):
        stopped.resume(str(stopped.run))


def test_states_keep_their_places_after_a_resume(stopped: Any) -> None:
    with pytest.raises(Killed):
        stopped.resume(extra=[KillAt(1, 3)])
    assert states(stopped.run) == ["state-0001-000002", "state-0001-000004"]


def test_other_values_of_the_same_shape_are_refused(stopped: Any) -> None:
    other = np.random.default_rng(5).normal(size=(60, 4)).astype("float32")
    np.save(stopped.file.with_name("points.npy"), other)
    assert "its first batch has other values" in stopped.refused(ConfigError)
