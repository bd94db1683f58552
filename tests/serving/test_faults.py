"""A server under attack: good requests are answered, and nothing else does any harm.

benchmarks/serving_faults.py does the same with 10,000 requests.
"""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.attacker import Good, attack, faults, learn
from benchmarks.serving_faults import end, examples, good_requests, ready, versions
from tfpipe.cli.main import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, small_job: str) -> Path:
    """A small model of images, exported."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "small.py").write_text(small_job)
    words = ["run", str(folder / "small.py"), "epochs=1", "--root", str(folder), "--json"]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert not stop.value.code
    return folder / "saved_models" / "small"


@pytest.fixture
def attacked(model: Path, python: Callable[..., Any]) -> tuple[Any, int, list[Good]]:
    """A server's process, its port, and good requests with their answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--port", port, "--poll", 0.1, "--no-log", "--max-body", 4)
    server = python("-m", "tfpipe", "serve", model, *words)

    async def start() -> list[Good]:
        await ready(port, server)
        return await learn(port, good_requests(model))

    return server, port, asyncio.run(start())


def test_a_siege(model: Path, attacked: tuple[Any, int, list[Good]]) -> None:
    server, port, goods = attacked
    bad = faults(model.name, *examples(model))

    async def siege() -> None:
        outcome = await attack(port, goods, bad, requests=300, connections=32, share=0.3, slow=1.0)
        assert outcome.wrong == []
        assert outcome.statuses["good"] == {200: 210}
        assert set(outcome.statuses) == {"good", *outcome.sent}
        assert outcome.sent["decompression bomb"] > 0

        found = await versions(model, port, goods, patience=1.5)
        assert found["wrong"] == []
        assert found["requests"] > 100
        states = {int(state["version"]): state["state"] for state in found["states"]}
        assert states.pop(2) in ("UNLOADING", "END")  # whoever had asked it may still wait
        assert states == {6: "AVAILABLE", 5: "END", 4: "END", 3: "END", 1: "END"}

        ended = await end(server, port, goods, seconds=0.5)
        assert ended["wrong"] == []
        assert ended["answered"] > 0

    asyncio.run(siege())
    assert "Traceback" not in server.end().err


def test_bench_starts_a_server(tfpipe: Any, model: Path) -> None:
    done = tfpipe("bench", model, "--seconds", "0.2", "--connections", "1,8")
    assert done.code == 0, done.err
    for title in ("serving_default in process", "serving_bytes over HTTP, an example in a request"):
        assert title in done.out
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[5] for line in lines if line[:1] in (["1"], ["8"]) and len(line) == 6] == ["0"] * 4
    assert "The client used up to " in done.out
