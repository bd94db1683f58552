"""Faults against `tfpipe serve`: broken requests, versions that come and go, and its end.

    python -m benchmarks.serving_faults SAVED_MODEL [REQUESTS]     two minutes on two cores

SAVED_MODEL is an image model's version, which is copied. REQUESTS (10,000) from 128 connections,
5% of them as in benchmarks/attacker.py, each of them in turn: every good one must be answered as it
was when nothing else was going on, every bad one with a status of 400 to 499. Then, under load of
good ones, versions are added: good ones, one whose weights are cut, one that answers otherwise than
its golden samples say, an empty one; no request may fail meanwhile. At last the server gets
SIGTERM: what it was sent before must be answered. The figures are printed and written to
benchmarks/serving_faults.json.
"""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.attacker import Connection, Good, attack, differs, faults, heavy, learn, post
from tfpipe.serving.bench.timing import golden_samples

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 128
_PATIENCE = 60.0  # seconds within which a version is taken or refused


def main(saved: str, requests: str = "10000") -> None:
    """Attack, print, write."""
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "attacked"
        shutil.copytree(saved, model / "1")
        found = asyncio.run(siege(model, int(requests)))
    print(json.dumps(found, indent=2, sort_keys=True))
    (ROOT / "benchmarks" / "serving_faults.json").write_text(json.dumps(found, indent=2) + "\n")
    if any(part.get("wrong") for part in found.values()):
        sys.exit(1)


async def siege(model: Path, requests: int) -> dict[str, dict[str, Any]]:
    """All that is done to a server of a model, and what became of it."""
    port, found = 18_501, {}
    log = open(model.parent / "log", "w+")  # noqa: SIM115 (as long as the server)
    words = [sys.executable, "-m", "tfpipe", "serve", str(model), "--port", str(port)]
    server = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        await ready(port, server)
        goods = await learn(port, good_requests(model))
        warm = await attack(port, goods, {}, requests=1000, connections=CONNECTIONS, rude=())
        memory = Memory(server.pid)
        watching = asyncio.create_task(memory.watch())
        began = time.perf_counter()
        bad = faults(model.name, *examples(model))
        outcome = await attack(port, goods, bad, requests=requests, connections=CONNECTIONS)
        found["attack"] = {
            "requests": requests,
            "seconds": time.perf_counter() - began,
            "good_per_second_before": 1000 / sum(warm.seconds) * CONNECTIONS,
            "sent": dict(outcome.sent),
            "statuses": {kind: dict(counts) for kind, counts in outcome.statuses.items()},
            "slowest_good_seconds": max(outcome.seconds),
            "wrong": outcome.wrong[:20],
            "rss_mb": memory.figures(),
        }
        costly = await attack(
            port,
            goods,
            heavy(model.name),
            requests=400,
            connections=64,
            share=0.3,
            rude=(),
            costly=True,
        )
        found["heavy"] = {
            "sent": dict(costly.sent),
            "statuses": {kind: dict(counts) for kind, counts in costly.statuses.items()},
            "slowest_good_seconds": max(costly.seconds),
            "wrong": costly.wrong[:20],
            "rss_mb": memory.figures(),
        }
        found["versions"] = await versions(model, port, goods)
        found["versions"]["rss_mb"] = memory.figures()
        watching.cancel()
        found["end"] = await end(server, port, goods)
        log.seek(0)
        traceback = log.read().partition("Traceback")
        found["log"] = {"wrong": [traceback[2][:2000]] if traceback[1] else []}
    finally:
        server.kill()
        server.wait()
        log.close()
    return found


def examples(model: Path) -> tuple[list[bytes], list[Any]]:
    """The encoded golden samples of a model, and one as numbers."""
    samples = golden_samples(model / "1")
    (arrays,) = samples["serving_default"].values()
    return list(samples["serving_bytes"]["bytes"]), arrays[0].tolist()


def good_requests(model: Path) -> list[Good]:
    """Requests of both protocols and both formats, one of each golden sample."""
    samples = golden_samples(model / "1")
    ((name, arrays),) = samples["serving_default"].items()
    path, infer = f"/v1/models/{model.name}:predict", f"/v2/models/{model.name}/infer"
    files = [{"b64": base64.b64encode(f).decode()} for f in samples["serving_bytes"]["bytes"]]
    kind = {"uint8": "UINT8", "float32": "FP32"}[str(arrays.dtype)]
    rows: list[tuple[str, dict[str, Any]]] = []
    for file, array in zip(files, arrays, strict=False):
        rows += [
            (path, {"signature_name": "serving_bytes", "instances": [file]}),
            (path, {"signature_name": "serving_bytes", "inputs": [file, file]}),
            (path, {"instances": [array.tolist()]}),
        ]
        tensor = {"name": name, "shape": [1, *array.shape], "datatype": kind}
        rows.append((infer, {"inputs": [tensor | {"data": array.ravel().tolist()}]}))
    return [Good(path, json.dumps(body).encode()) for path, body in rows]


async def ready(port: int, server: "subprocess.Popen[Any]") -> None:
    """Wait until a server is ready."""
    while server.poll() is None:
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz")
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return
    raise SystemExit("The server ended before it was ready.")


class Memory:
    """The memory of a process and of those that it started, looked at five times a second."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._sizes = [self._size()]

    def _size(self) -> int:
        every = [self._process, *self._process.children(recursive=True)]
        return sum(p.memory_info().rss for p in every)

    async def watch(self) -> None:
        """Look until it is cancelled."""
        while True:
            await asyncio.sleep(0.2)
            self._sizes.append(self._size())

    def figures(self) -> dict[str, int]:
        """The first, the largest and the last size in MB."""
        first, most, last = self._sizes[0], max(self._sizes), self._sizes[-1]
        return {"first": first >> 20, "most": most >> 20, "last": last >> 20}


async def versions(
    model: Path, port: int, goods: list[Good], patience: float = 8.0
) -> dict[str, Any]:
    """Add versions under load: a good one, three that must be refused, and a good one again.

    Args:
        model: its folder.
        port: where it is served.
        goods: what is asked meanwhile.
        patience: the seconds within which a version that must not come would have come.
    """
    on = True

    async def keep_asking() -> list[str]:
        wrong = []
        while on:
            outcome = await attack(port, goods, {}, requests=100, connections=16, rude=())
            wrong += outcome.wrong
            served.append(100)
        return wrong

    served: list[int] = []
    asking = asyncio.create_task(keep_asking())
    wrong = []
    steps: tuple[tuple[int, Callable[[Path], None] | None, int], ...] = (
        (2, None, 2),
        (3, cut, 2),
        (4, drift, 2),
        (5, empty, 2),
        (6, None, 6),
    )
    for number, spoil, expected in steps:
        await asyncio.to_thread(add, model, number, spoil)
        wait = patience if spoil else 0.0
        newest, states = await settled(port, model.name, number, expected, wait)
        if newest != expected:
            wrong.append(f"after version {number}, version {newest} answers: {states}")
    on = False
    wrong += await asking
    return {"requests": sum(served), "wrong": wrong[:20], "states": states}


def add(model: Path, number: int, spoil: Callable[[Path], None] | None) -> None:
    """Put a copy of version 1 there, whole or spoilt, under another number."""
    temporary = model / f".{number}"
    shutil.copytree(model / "1", temporary)
    if spoil:
        spoil(temporary)
    temporary.rename(model / str(number))


def cut(folder: Path) -> None:
    """Cut the weights in half."""
    weights = next(folder.glob("variables/*data*"))
    os.truncate(weights, weights.stat().st_size // 2)


def drift(folder: Path) -> None:
    """Have golden samples say what the model does not answer."""
    from numpy import load, savez

    golden = folder / "assets" / "golden.npz"
    with load(golden) as arrays:
        changed = {n: 1 - a if n.startswith("answers") else a for n, a in arrays.items()}
    savez(golden, **changed)


def empty(folder: Path) -> None:
    """Leave the folder alone."""
    shutil.rmtree(folder)
    folder.mkdir()


async def settled(port: int, name: str, number: int, expected: int, wait: float) -> tuple[int, Any]:
    """The newest version that answers, and the states of all.

    Args:
        port: where the model is served.
        name: the model's.
        number: the version that was added; it is waited for until it answers or is refused.
        expected: the version that should answer then.
        wait: the seconds to wait at least.
    """
    began = time.monotonic()
    while True:
        await asyncio.sleep(0.2)
        states = await asyncio.to_thread(status, port, name)
        there = [int(s["version"]) for s in states if s["state"] == "AVAILABLE"]
        newest = max(there, default=0)
        seen = any(
            int(s["version"]) == number and s["state"] in ("AVAILABLE", "END") for s in states
        )
        waited = time.monotonic() - began
        if (seen and newest == expected and waited >= wait) or waited > _PATIENCE:
            return newest, states


def status(port: int, name: str) -> list[dict[str, Any]]:
    """The states of a model's versions."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/{name}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["model_version_status"]
    return found


async def end(
    server: "subprocess.Popen[Any]", port: int, goods: list[Good], seconds: float = 2.0
) -> dict[str, Any]:
    """Send SIGTERM under load; what was sent before it must be answered, and nothing in half."""
    told = 0.0
    counts = {"answered": 0, "answered after the signal": 0, "not accepted after it": 0}
    wrong = []

    async def ask(number: int) -> None:
        connection, loop = Connection(port), asyncio.get_running_loop()
        while True:
            good = goods[number % len(goods)]
            number += 1
            sent = loop.time()
            try:
                status, body = await connection.ask(post(good.path, good.body))
            except ConnectionError:
                status, body = 0, b""
            if status == 200 and not differs(good.expected, json.loads(body)):
                counts["answered after the signal" if told else "answered"] += 1
            elif told and sent > told - 0.001 and status in (0, 503):
                counts["not accepted after it"] += 1
                return
            else:
                early = f"{1000 * (told - sent):.1f} ms before the signal" if told else "before it"
                wrong.append(f"sent {early}, answered with {status}: {body[:200]!r}")
                return

    asking = [asyncio.create_task(ask(number)) for number in range(CONNECTIONS)]
    await asyncio.sleep(seconds)
    told = asyncio.get_running_loop().time()
    server.send_signal(signal.SIGTERM)
    await asyncio.gather(*asking)
    code = await asyncio.to_thread(server.wait, 30)
    took = asyncio.get_running_loop().time() - told
    if code:
        wrong.append(f"the server ended with {code}")
    return {**counts, "seconds": took, "wrong": wrong[:20]}


if __name__ == "__main__":
    main(*sys.argv[1:])
