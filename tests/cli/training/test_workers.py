"""Several workers from the command line, in real processes: they train what one process trains."""

import contextlib
import csv
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import tfpipe
from tfpipe.declare.loading import load
from tfpipe.processes.worker import free_ports
from tfpipe.training import checkpoint

# Two phases, the second of which is begun, killed in and resumed by all workers together.
# No dropout: each replica draws the same mask. 13 test samples: the last batch has one. The network
# is smooth: with ReLU or a maximum, rounding decides here and there which of two activations is
# the larger, and a step then differs by more than rounding.
JOB = """
import numpy as np
from tfpipe import FineTune, Phase, Pipeline, keras
from tfpipe.data import Arrays, augment


def images():
    rng = np.random.default_rng(0)
    y = np.arange(130) % 3
    x = rng.integers(0, 200, (130, 8, 8, 3)) + 20 * y[:, None, None, None]
    return x.astype("uint8"), y


class Job(Pipeline):
    data = Arrays(images, validation=0.2, test=0.1, classes=("dark", "grey", "bright"))
    augment = (augment.flip(), augment.shift(0.1))
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    batch_size = 12
    drop_remainder = True
    fine_tune = FineTune(phases=(Phase(1), Phase(4, unfreeze="all", batch_norm="trained")))
    checkpoint_every = 3
    callbacks = (
        keras.callbacks.CSVLogger("log.csv"),
        keras.callbacks.ModelCheckpoint("epoch-{epoch}.keras"),
    )

    def build_model(self):
        import keras

        base = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(8, 3, activation="tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.Conv2D(8, 3, activation="tanh"),
                keras.layers.BatchNormalization(),
            ]
        )
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                base,
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(3),
            ]
        )
"""
# As many as in JOB: three are disturbed in one test, and one is left.
EPOCHS = 5
TIMES = ("seconds", "examples_per_second", "input_wait")
# What a test waits for another process at most; a machine may be busy.
PATIENCE = 300


@dataclass(frozen=True)
class Done:
    """A run that has ended, and the folders that it left.

    Args:
        code: its exit code.
        out: what it printed.
        err: what it printed as errors.
        root: the folder with runs/ and saved_models/.
        folder: the folder that it ran in.
    """

    code: int
    out: str
    err: str
    root: Path
    folder: Path

    @property
    def directory(self) -> Path:
        (found,) = self.root.glob("runs/job/*")
        return found


@dataclass(frozen=True)
class Call:
    """A running `tfpipe ... --root ROOT` in a folder of its own."""

    process: Any
    root: Path
    folder: Path

    def end(self) -> Done:
        answer = self.process.end()
        return Done(answer.code, answer.out, answer.err, self.root, self.folder)

    def worker(self, index: int) -> psutil.Process:
        """The process of a worker that the supervisor has started."""
        (found,) = [
            process
            for process in psutil.Process(self.process.pid).children()
            if f"--worker {index} " in " ".join(process.cmdline())
        ]
        return found

    def states(self) -> set[str]:
        return {path.name for path in self.root.glob("runs/job/*/checkpoints/state-*")}

    def wait_for_a_state_within(self, epoch: int) -> None:
        """Until one is saved after the third step of an epoch, counted from 0, or later."""
        end, wanted, seen = time.monotonic() + PATIENCE, f"state-{epoch:04d}-000003", self.states()
        while not any(name >= wanted for name in self.states() - seen):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, "no state was saved"
            time.sleep(0.005)


@pytest.fixture(scope="module")
def start(python: Callable[..., Any]) -> Callable[..., Call]:
    """Starts `tfpipe WORDS --root ROOT`, in a folder of its own in ROOT."""

    def call(root: Path, *words: Any, folder: str = "here") -> Call:
        (root / folder).mkdir(parents=True, exist_ok=True)
        process = python("-m", "tfpipe", *words, "--root", root, cwd=root / folder)
        return Call(process, root, root / folder)

    return call


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipeline") / "job.py"
    path.write_text(JOB)
    return path


@pytest.fixture(scope="module")
def alone(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run of one process, this one."""
    root = tmp_path_factory.mktemp("alone")
    with contextlib.chdir(root):
        return tfpipe.run(load(str(file)), root=root, export=False, quiet=True)


@pytest.fixture(scope="module")
def two(start: Callable[..., Call], file: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The undisturbed run of two workers."""
    done = start(tmp_path_factory.mktemp("two"), "run", file, "--workers", 2).end()
    assert done.code == 0, done.err
    return done


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open(newline="") as file:
        return [{n: v for n, v in row.items() if n not in TIMES} for row in csv.DictReader(file)]


def last_state(directory: Path) -> checkpoint.Checkpoint:
    saved = checkpoint.latest(directory / "checkpoints")
    assert saved is not None
    return saved


def curves(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Each curve's steps and values in the order in which they were written, but what is timed."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for file in sorted(folder.glob("*/*tfevents*"), key=lambda f: f.name):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                points = found.setdefault(f"{file.parent.name}/{value.tag}", [])
                points.append((event.step, value.tensor.SerializeToString()))
    timed = ("per_second", "input_wait")
    return {tag: points for tag, points in found.items() if not tag.endswith(timed)}


def outcome(done: Done) -> dict[str, Any]:
    """All that has to be equal to the last bit."""
    directory = done.directory
    saved = last_state(directory)
    pairs = zip(saved.variables, saved.arrays, strict=True)
    status = json.loads((directory / "status.json").read_text())
    best = keras.models.load_model(directory / "checkpoints" / "best.keras")
    return {
        "position": (saved.state.epoch, saved.state.step, saved.state.stopped),
        "arrays": [(v["path"], a.tobytes()) for v, a in pairs],
        "metrics.csv": rows(directory),
        "best.keras": [w.tobytes() for w in best.get_weights()],
        "tensorboard": curves(directory / "tensorboard"),
        "status": {k: status[k] for k in ("state", "epoch", "step", "metrics")},
    }


def assert_equal_outcome(one: Done, other: Done) -> None:
    first, second = outcome(one), outcome(other)
    for name, value in first.items():
        assert value == second[name], name


def assert_nobody_is_left(done: Done) -> None:
    """No process has the run's folder in its command line."""
    end = time.monotonic() + 20
    while left := [p.info for p in processes_of(done.root)]:
        assert time.monotonic() < end, left
        time.sleep(0.1)


def processes_of(root: Path) -> list[psutil.Process]:
    return [
        p
        for p in psutil.process_iter(["pid", "cmdline", "status"])
        if str(root) in " ".join(p.info["cmdline"] or ()) and p.info["status"] != "zombie"
    ]


# Equal to one process


def assert_as_alone(alone: Any, several: Done) -> None:
    """Several workers have trained what one process trains, up to rounding."""
    for group in ("model", "optimizer"):
        # The second model in a process has other names.
        ours, theirs = (last_state(d).group(group) for d in (several.directory, alone.directory))
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            # Averages of batch norm are computed once, so that rounding is not averaged out.
            atol = 5e-6 if group == "model" else 1e-6
            np.testing.assert_allclose(one, other, rtol=0, atol=atol, err_msg=f"{group} {index}")
    for row, expected in zip(rows(several.directory), rows(alone.directory), strict=True):
        found = {n: float(v) for n, v in row.items()}
        assert found == pytest.approx({n: float(v) for n, v in expected.items()}, abs=1e-5)
    # Also of a test split whose last batch leaves some of the workers without a sample.
    status = json.loads((several.directory / "status.json").read_text())
    assert status["state"] == "finished"
    assert status["metrics"]["test"] == pytest.approx(alone.metrics["test"], abs=1e-5)
    assert status["metrics"]["test"]["accuracy"] == alone.metrics["test"]["accuracy"]


@pytest.mark.slow
def test_two_workers_train_what_one_process_trains(alone: Any, two: Done) -> None:
    assert_as_alone(alone, two)


@pytest.mark.slow
def test_the_chief_exports_once_and_the_export_answers_as_the_model_of_one_process(
    alone: Any, two: Done
) -> None:
    assert "equal to the trained model" in two.out
    (version,) = two.root.glob("saved_models/job/*")
    pictures = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3)).astype("uint8")
    serving = tf.saved_model.load(str(version)).signatures["serving_default"]
    found = serving(image=tf.constant(pictures))["probabilities"].numpy()
    expected = keras.ops.softmax(alone.model(pictures.astype("float32"))).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_what_a_run_with_workers_says_and_leaves(two: Done) -> None:
    assert two.err == ""
    assert two.out.count(f"epoch {EPOCHS}/{EPOCHS} ") == 1
    assert "2 workers with a CPU each" in two.out
    logs = two.directory / "workers"
    assert (logs / "worker-0.log").read_text() == two.out
    assert "worker 1 of 2 trains with the chief" in (logs / "worker-1.log").read_text()
    assert_nobody_is_left(two)


# Deaths, and a person's Ctrl-C


@pytest.mark.slow
def test_killed_workers_a_killed_chief_and_ctrl_c_change_nothing_of_the_end(
    start: Callable[..., Call], two: Done, file: Path, tmp_path: Path
) -> None:
    running = start(tmp_path, "run", file, "--workers", 2, "--no-export")
    for epoch, index in enumerate((1, 0)):
        running.wait_for_a_state_within(epoch)
        running.worker(index).kill()
    running.wait_for_a_state_within(2)
    running.process.send_signal(signal.SIGINT)
    stopped = running.end()
    assert_recovered_twice_and_stopped(stopped)
    done = start(tmp_path, "resume", stopped.directory.name, "--workers", 2, "--no-export").end()
    assert done.code == 0, done.err
    config = json.loads((done.directory / "config.json").read_text())
    assert len(config["resumed"]) == 3
    assert_equal_outcome(two, done)
    for tag, points in curves(done.directory / "tensorboard").items():
        steps = [step for step, _ in points]
        assert steps == sorted(set(steps)), tag
    assert_nobody_is_left(done)


def assert_recovered_twice_and_stopped(stopped: Done) -> None:
    """Each death is said, and Ctrl-C saved the state and left nobody."""
    assert stopped.code == 130, stopped.err
    for index in range(2):
        assert stopped.err.count(f"Worker {index} died (by SIGKILL)") == 1
    assert stopped.err.count("Starting all workers again") == 2
    assert "the state is saved" in stopped.err
    assert "Traceback" not in stopped.err
    assert_nobody_is_left(stopped)
    status = json.loads((stopped.directory / "status.json").read_text())
    assert status["state"] == "interrupted"
    saved = last_state(stopped.directory).state
    place = f"in epoch {saved.epoch + 1} after step {saved.step}"
    if not saved.step:
        place = f"after epoch {saved.epoch}"
    assert status["message"] == f"Stopped {place}; the state is saved."
    log = (stopped.directory / "workers" / "worker-1.log").read_text()
    _, started, last = log.rpartition("worker 1 of 2 trains with the chief")
    assert started
    assert "the state is saved" in last
    assert "Traceback" not in last


# Without a supervisor


def cluster(workers: int) -> str:
    return ",".join(f"127.0.0.1:{port}" for port in free_ports(workers))


@pytest.mark.slow
def test_three_workers_started_by_hand_train_what_one_does_and_only_the_chief_writes(
    start: Callable[..., Call], alone: Any, file: Path, tmp_path: Path
) -> None:
    words = ("run", file, "--no-export", "--cluster", cluster(3), "--worker")
    calls = [start(tmp_path, *words, index, folder=f"at-{index}") for index in range(3)]
    chief, *others = (call.end() for call in calls)
    assert [done.code for done in (chief, *others)] == [0, 0, 0], chief.err
    assert_as_alone(alone, chief)
    written = {path.name for path in chief.folder.iterdir()}
    assert written == {"log.csv", *(f"epoch-{n}.keras" for n in range(1, EPOCHS + 1))}
    assert len((chief.folder / "log.csv").read_text().splitlines()) == 1 + EPOCHS
    assert [list(other.folder.iterdir()) for other in others] == [[], []]
    assert not (chief.directory / "workers").exists()


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_never_comes_up_ends_the_job_within_the_deadline(
    tfpipe: Any, file: Path, tmp_path: Path, index: int
) -> None:
    addresses = cluster(2)
    began = time.monotonic()
    words = ("--cluster", addresses, "--worker", index, "--start-deadline", 1)
    answer = tfpipe("run", file, *words)
    assert time.monotonic() - began < 1 + 40  # and the start of TensorFlow
    assert answer.code == 2
    missing = addresses.split(",")[1 - index]
    message = {
        0: f"Worker 1 ({missing}) did not come up within 1 s.",
        1: f"Worker 1 did not get through to the chief, worker 0 at {missing}, within 1 s",
    }
    assert message[index] in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "runs" / "job").exists()


# Wrong input


@pytest.mark.slow
def test_a_wrong_declaration_is_said_once_and_not_tried_again(
    start: Callable[..., Call], tmp_path: Path
) -> None:
    file = tmp_path / "job.py"  # what is wrong with it is seen after the first step
    file.write_text(JOB.replace('CSVLogger("log.csv")', 'EarlyStopping(monitor="val_acuracy")'))
    done = start(tmp_path, "run", file, "--workers", 2).end()
    assert done.code == 2, done.err
    assert done.err.count("Error: ") == 1
    assert "EarlyStopping watches 'val_acuracy', which is not measured." in done.err
    assert "again" not in done.err
    assert "Traceback" not in done.err
    assert_nobody_is_left(done)


@pytest.mark.parametrize(
    ("declared", "override"),
    [
        ("batch_size = 12", "batch_size=15"),
        ("batch_size = hp.Int(15, min=8, max=16)", "seed=2"),  # a range is at its value
    ],
)
def test_a_batch_that_does_not_divide(
    tfpipe: Any, tmp_path: Path, declared: str, override: str
) -> None:
    file = tmp_path / "job.py"
    file.write_text(
        JOB.replace("Pipeline, keras", "Pipeline, hp, keras").replace("batch_size = 12", declared)
    )
    answer = tfpipe("run", file, override, "--workers", 2)
    assert answer.code == 2
    message = "batch_size=15 does not divide among 2 workers: it is the size over all of them. "
    assert message + "Use 14 or 16." in answer.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("words", [("--cluster", "a:1,b:1"), ("--worker", "0")])
@pytest.mark.parametrize("verb", ["run", "resume"])
def test_workers_and_a_cluster_do_not_go_together(
    tfpipe: Any, file: Path, verb: str, words: tuple[str, ...]
) -> None:
    answer = tfpipe(verb, file if verb == "run" else "last", "--workers", 2, *words)
    assert answer.code == 2
    assert "--workers starts " in answer.err
    assert "--cluster" in answer.err
    assert "Traceback" not in answer.err
