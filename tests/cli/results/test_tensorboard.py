"""`tfpipe tensorboard` as a browser meets it: a run that trains, and the same when it has ended."""

import io
import json
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import pytest
from PIL import Image

import tfpipe as tfpipe_package
from tfpipe.declare.loading import load
from tfpipe.runs.directory import create_run

PATIENCE = 60  # seconds; a machine may be busy
STATES = [f"STATUS_{state}" for state in ("SUCCESS", "FAILURE", "RUNNING", "UNKNOWN")]


class Page:
    """A TensorBoard that is up."""

    def __init__(self, address: str) -> None:
        self._data = f"{address}data/"

    def ask(self, route: str, **posted: Any) -> Any:
        """The answer of a route."""
        body = json.dumps(posted).encode() if posted else None
        asked = urllib.request.Request(
            self._data + route, body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return json.load(answer)

    def wait_for(self, holds: Callable[["Page"], Any]) -> Any:
        """What a condition gives when it holds at last."""
        ends = time.monotonic() + PATIENCE
        while not (found := holds(self)):
            assert time.monotonic() < ends, self.ask("runs")
            time.sleep(0.2)
        return found

    def points(self, run: str, tag: str) -> dict[int, float]:
        """The points of a curve by their step."""
        if tag not in self.ask("plugin/scalars/tags").get(run, {}):
            return {}
        found = self.ask(f"plugin/scalars/scalars?run={run}&tag={tag}")
        assert len({step for _, step, _ in found}) == len(found)
        return {step: value for _, step, value in found}

    def picture(self, run: str, tag: str) -> Image.Image:
        """The only picture under a tag."""
        (entry,) = self.ask(f"plugin/images/images?run={run}&tag={tag}&sample=0")
        address = f"{self._data}plugin/images/individualImage?{entry['query']}"
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return Image.open(io.BytesIO(answer.read()))

    def session(self) -> dict[str, Any]:
        """The only row of the HParams page."""
        asked = {"allowedStatuses": STATES, "startIndex": 0, "sliceSize": 9, "colParams": []}
        (group,) = self.ask("plugin/hparams/session_groups", **asked)["sessionGroups"]
        (session,) = group["sessions"]
        measured = {(m["name"]["group"], m["name"]["tag"]) for m in session["metricValues"]}
        return {"of": group["name"], "values": group["hparams"], "measured": measured, **session}


class Looking(keras.callbacks.Callback):
    """Looks at the run in TensorBoard after its first epoch, while it trains."""

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__()
        self._look = look

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0:
            self._look()


def test_a_run_that_trains_and_has_ended(tmp_path: Path, small: Path, python: Any) -> None:
    rate = "optimizer.learning_rate=hp.Float(0.01, min=0.001, max=0.1, log=True)"
    small.write_text(
        small.read_text()
        .replace("import Pipeline, keras", "import Pipeline, hp, keras")
        .replace("learning_rate=0.01", rate.partition(".")[2])
    )
    pages: list[Page] = []
    processes = []

    def look() -> None:
        process = python("-m", "tfpipe", "tensorboard", "--json", "--port=0", cwd=tmp_path)
        processes.append(process)
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
            assert process.poll() is None
        served = json.loads(text)
        (name,) = served["runs"]
        page = Page(served["address"])
        pages.append(page)
        assert list(page.wait_for(lambda p: p.points(f"{name}/train", "epoch_loss"))) == [0]
        assert list(page.points(f"{name}/validation", "epoch_loss")) == [0]
        assert set(page.ask("plugin/images/tags")) == {f"{name}/train"}
        for tag in ("first_batch/as_stored", "first_batch/augmented"):
            assert page.picture(f"{name}/train", tag).size == (822, 240)  # two rows of eight
        assert page.session()["status"] == "STATUS_UNKNOWN"  # TensorBoard's word for no end yet

    result = tfpipe_package.run(
        load(str(small), ["steps_per_execution=1"]),
        root=tmp_path,
        export=False,
        quiet=True,
        extra=[Looking(look)],
    )
    (page,), name = pages, result.name
    assert page.wait_for(lambda p: p.points(f"{name}/test", "epoch_loss")) == pytest.approx(
        {1: result.metrics["test"]["loss"]}
    )
    page.wait_for(lambda p: p.session()["status"] == "STATUS_SUCCESS")
    for split, prefix in (("train", ""), ("validation", "val_")):
        for metric in ("loss", "accuracy"):
            curve = page.points(f"{name}/{split}", f"epoch_{metric}")
            assert list(curve.values()) == pytest.approx(result.history[prefix + metric])
    for tag in ("epoch_learning_rate", "epoch_examples_per_second", "epoch_input_wait"):
        assert list(page.points(f"{name}/train", tag)) == [0, 1]
    pictures = page.wait_for(
        lambda p: (tags := p.ask("plugin/images/tags")) and f"{name}/test" in tags and tags
    )
    assert set(pictures[f"{name}/test"]) == {"confusion_matrix"}
    assert {"confusion_matrix"} <= set(pictures[f"{name}/validation"])
    assert page.picture(f"{name}/test", "confusion_matrix").width > 200
    session = page.session()
    assert (session["of"], session["values"]) == (name, {"optimizer.learning_rate": 0.01})
    assert {(s, "epoch_loss") for s in ("train", "validation", "test")} <= session["measured"]
    graph = page.ask("plugin/graphs/info")[f"{name}/train"]["tags"]["keras"]
    assert graph["conceptual_graph"]
    processes[0].send_signal(signal.SIGINT)
    ended = processes[0].end()
    assert (ended.code, ended.err) == (0, "")


def test_what_cannot_be_opened(tfpipe: Any, tmp_path: Path) -> None:
    answer = tfpipe("tensorboard")
    assert (answer.code, answer.err) == (
        2,
        "Error: There are no runs in runs. Start one with tfpipe run FILE.\n",
    )
    run = create_run(tmp_path, "digits", datetime(2026, 11, 21, 10, 15, 2))
    run.write_json("config.json", {})
    answer = tfpipe("tensorboard", "digit/2026")
    assert answer.code == 2
    assert answer.err == (
        "Error: There is no run 'digit/2026'. Did you mean 'digits/20261121-101502'?\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = tfpipe("tensorboard", "--port", port)
    assert (answer.code, answer.err) == (
        2,
        f"Error: Port {port} cannot be used (Address already in use): give another with --port, or "
        "leave --port out for the next free one.\n",
    )
    answer = tfpipe("tensorboard", "--host", "192.0.2.1")  # which is for documentation
    assert (answer.code, answer.err) == (
        2,
        "Error: '192.0.2.1' is no address of this machine. Listen at 127.0.0.1, which only this "
        "machine reaches, or at 0.0.0.0, which others reach too.\n",
    )
