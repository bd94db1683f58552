"""What many tests share: a small pipeline file, the command line, and processes of their own."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tfpipe.cli.main import main
from tfpipe.data import disk_cache
from tfpipe.exports import parity

SMALL = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays, augment
from tfpipe.models import CNN_2_4_6, MLP


def images():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.integers(0, 80, (120, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


class Small(Pipeline):
    data = Arrays(images, validation=0.2, test=0.2, classes=("dark", "grey", "bright"))
    augment = (augment.flip(),)
    model = CNN_2_4_6(convs=2, dropout=0.2, batch_norm=True, units=8)
    optimizer = keras.optimizers.SGD(learning_rate=0.01)
    batch_size = 16
    epochs = 2
"""


# Folders whose tests look at figures.
TESTS_OF_FIGURES = {
    "callbacks",
    "evaluation",
    "predict",
    "report",
    "results",
    "runs",
    "search",
    "tuning",
}
TENSORFLOW_LOGS = re.compile(r"^(?:[EWI]0000 .*|\t? ?\[\[\{.*)\n", re.MULTILINE)
IN_FRESH_PROCESS, START_EARLY = parity._in_fresh_process, parity.start_early
# Reloads each SavedModel whose folder it reads, as `parity.py FOLDER` does, in one process for all.
RELOADING = """
import json, runpy, sys, traceback
from pathlib import Path
sys.modules["keras"] = None
compare = runpy.run_path(sys.argv[1])["compare"]
for line in sys.stdin:
    try:
        print(json.dumps([json.dumps(compare(Path(line.rstrip()))), ""]), flush=True)
    except Exception:
        print(json.dumps(["", traceback.format_exc()]), flush=True)
"""


@pytest.fixture(scope="session", autouse=True)
def reloaded_together() -> Iterator[None]:
    """Exports are compared in one process for all: of its own each takes five seconds to start."""
    processes: list[subprocess.Popen[str]] = []

    def reload(folder: Path) -> tuple[str, str]:
        if not processes:
            environ = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            command = [sys.executable, "-P", "-c", RELOADING, parity.__file__]
            quiet = subprocess.DEVNULL
            processes.append(
                subprocess.Popen(
                    command, text=True, env=environ, stderr=quiet, start_new_session=True, **pipes
                )
            )
        (process,) = processes
        assert process.stdin
        assert process.stdout
        print(folder.absolute(), file=process.stdin, flush=True)
        output, errors = json.loads(process.stdout.readline())
        return output, errors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "_in_fresh_process", reload)
        patch.setattr(parity, "start_early", lambda: None)
        yield
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def reloaded_alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests marked `fresh_process` each export has a process of its own, as in a run."""
    if request.node.get_closest_marker("fresh_process"):
        monkeypatch.setattr(parity, "_in_fresh_process", IN_FRESH_PROCESS)
        monkeypatch.setattr(parity, "start_early", START_EARLY)


@pytest.fixture(scope="session", autouse=True)
def reports_without_pictures() -> Iterator[None]:
    """Where a report is not what is tested its figures are blank, which saves half a second."""
    drawn = Figure.savefig

    def blank(figure: Figure, target: Any, format: str = "", **options: Any) -> None:
        test, _, _ = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")
        tested = TESTS_OF_FIGURES & {*Path(test).parts}
        if isinstance(target, io.StringIO) and not tested:
            target.write('<svg width="1" height="1">\n</svg>')
        elif isinstance(target, io.BytesIO) and not tested:
            Image.new("RGB", (1, 1)).save(target, "png")
        else:
            drawn(figure, target, format=format or None, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", blank)
        yield


@pytest.fixture(autouse=True)
def own_cache() -> Iterator[None]:
    """A run sets where decoded data is cached; the next test does not find it there."""
    token = disk_cache.folder.set(Path("runs/.cache"))
    yield
    disk_cache.folder.reset(token)


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no folder of a pipeline file stay where the next test looks for modules."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that none of them is left for the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@dataclass(frozen=True)
class Answer:
    """What a call of the command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def small_job() -> str:
    """The text of a pipeline file that trains in a second."""
    return SMALL


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A pipeline file that trains in a second."""
    file = tmp_path / "small.py"
    file.write_text(SMALL)
    return file


@pytest.fixture
def tfpipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Calls `tfpipe` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*words: Any) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        out, err = capfd.readouterr()
        # A test may have loaded TensorFlow as it comes, which logs; the command keeps it quiet.
        return Answer(int(stop.value.code or 0), out, TENSORFLOW_LOGS.sub("", err))

    return call


class Python(subprocess.Popen[str]):
    """`python WORDS` in a process of its own, which has not heard of other workers."""

    def __init__(self, *words: Any, cwd: Path | None = None) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environ = {n: v for n, v in os.environ.items() if n not in ("TF_CONFIG", "TFPIPE_DEBUG")}
        command = [sys.executable, *map(str, words)]
        super().__init__(command, text=True, cwd=cwd, env=environ, **pipes)

    def end(self) -> Answer:
        """What it came to, when it has ended; it gets ten minutes, as a machine may be busy."""
        out, err = self.communicate(timeout=600)
        return Answer(self.returncode, out, err)


@pytest.fixture(scope="module")
def python() -> Iterator[Callable[..., Python]]:
    """Starts Python with some words; what still runs after the tests of a file is ended."""
    started: list[Python] = []

    def start(*words: Any, cwd: Path | None = None) -> Python:
        started.append(Python(*words, cwd=cwd))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
