"""`tfpipe compare-models` as a person meets it: words, exit codes, and real processes."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

FILE = """
import numpy as np
from tfpipe import Pipeline, keras
from tfpipe.data import Arrays
from tfpipe.models import Application


def images():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.integers(0, 80, (90, 8, 8, 3)) + 60 * y[:, None, None, None]
    return x.astype("uint8"), y


class Tiny(Pipeline):
    data = Arrays(images, validation=0.2, test=None)
    model = Application("MobileNet", weights=None, size=(32, 32), alpha=0.25)
    optimizer = keras.optimizers.Adam(learning_rate=0.01)
    batch_size = 8
    epochs = 1
"""

# The command, with programs in the place of the networks' processes that wait for their end.
WAITING = """
import sys
from tfpipe.cli.main import main
from tfpipe.verbs import compare_models

CHILD = '''
import json, os, signal, sys, time
from pathlib import Path
from tfpipe.processes.supervised import attend
attend()
folder = Path(sys.argv[1])

def stop(*_):
    (folder / "outcome.json").write_text(json.dumps({"state": "interrupted", "reason": "Stopped."}))
    sys.exit(130)

signal.signal(signal.SIGTERM, stop)
(folder / "pid").write_text(str(os.getpid()))
while True:
    time.sleep(0.02)
'''

def command(comparison, network):
    return [sys.executable, "-c", CHILD, str(comparison.folder(network))]

compare_models._command = command
main(sys.argv[1:])
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.py"
    file.write_text(FILE)
    return file


def entries(folder: Path) -> list[dict[str, Any]]:
    (stored,) = folder.glob("comparisons/*/*/comparison.json")
    return json.loads(stored.read_text())["entries"]  # type: ignore[no-any-return]


def until(condition: Any) -> Any:
    """Wait for something that another process does."""
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen within two minutes"
        time.sleep(0.02)
    return found


def child_of(folder: Path) -> psutil.Process:
    """The process of the network that is being trained."""

    def pid() -> int | None:
        for path in folder.glob("comparisons/*/*/networks/*/pid"):
            if text := path.read_text():
                return int(text)
        return None

    return psutil.Process(until(pid))


def test_a_network_in_a_process_of_its_own(tfpipe: Any, file: Path) -> None:
    answer = tfpipe("compare-models", file, "--models", "MobileNet", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    (entry,) = found["entries"]
    assert entry["state"] == "finished"
    assert entry["numbers"]["parameters"] == 219_315
    own = psutil.Process(os.getpid()).memory_info().rss
    assert 200_000_000 < entry["numbers"]["peak_bytes"] != own
    log = Path(found["directory"]) / "networks" / "MobileNet" / "worker-1.log"
    assert log.is_file(), "what the process prints is kept"
    assert "1/1 MobileNet" in answer.err
    assert entries(Path()) == found["entries"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_person_stops_it_and_everything_is_saved(python: Any, file: Path, number: int) -> None:
    words = ("compare-models", file, "--models", "MobileNet,VGG16")
    process = python("-c", WAITING, *words, cwd=file.parent)
    child = child_of(file.parent)
    process.send_signal(number)
    answer = process.end()
    assert (answer.code, answer.err) == (
        130,
        "Interrupted: Stopped at MobileNet; everything so far is saved.\n",
    )
    assert not child.is_running()
    assert [e["state"] for e in entries(file.parent)] == ["interrupted", "waiting"]
    (path,) = file.parent.glob("comparisons/tiny/*")
    lines = answer.out.splitlines()
    assert lines[-2:] == [
        "Next:",
        f"  tfpipe compare-models --resume tiny/{path.name}  go on from here",
    ]


def test_a_killed_comparison_takes_the_network_along(python: Any, file: Path) -> None:
    words = ("compare-models", file, "--models", "MobileNet,VGG16")
    process = python("-c", WAITING, *words, cwd=file.parent)
    child = child_of(file.parent)
    process.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert [e["state"] for e in entries(file.parent)] == ["running", "waiting"]


REFUSED = {
    (): "Name the file of a pipeline, or go on with --resume.",
    ("tiny.py", "--retry-failed"): "--retry-failed goes with --resume.",
    ("tiny.py", "--resume", "last"): "--resume goes on with what was asked when the comparison "
    "began: leave out FILE.",
    ("--resume", "last", "--models", "VGG16"): "leave out --models.",
    ("--resume", "--through-base"): "leave out --through-base.",
    ("--resume", "last", "--sample"): "leave out --sample.",
    ("--resume",): "There are no comparisons in comparisons. Start one with tfpipe compare-models "
    "FILE.",
    ("tiny.py", "--models", "MobileNet2"): "keras.applications has no network 'MobileNet2'. Did "
    "you mean 'MobileNetV2'",
    ("tiny.py", "--data-fraction", "7"): "--data-fraction 7 is no share of the training data.",
    ("tiny.py", "epoch=3"): "Tiny has no field 'epoch'. Did you mean 'epochs'?",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_mistakes_are_said(tfpipe: Any, file: Path, words: tuple[str, ...]) -> None:
    answer = tfpipe("compare-models", *words)
    assert (answer.code, answer.out) == (2, "")
    assert REFUSED[words] in answer.err
    assert not Path("comparisons").exists()
