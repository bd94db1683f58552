"""Load on an HTTP server: connections that each send the next request when they have an answer.

    load = Load("127.0.0.1", 8501, "/v1/models/cifar10_cnn:predict", bodies, connections=32)
    measure(load).per_second

The load comes from a process of its own, which needs the standard library alone and parses no more
of an answer than its status and its length: it must not use up the processor that it measures.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

_PATIENCE = 30.0  # seconds that the last answers may take


@dataclass(frozen=True)
class Load:
    """What is sent, by how many at once and for how long.

    Args:
        host: the server's name or address.
        port: its port.
        path: what is asked for.
        bodies: the bodies of the requests, which take turns.
        connections: how many connections ask at once.
        seconds: how long is measured.
        warm_up: the seconds of the same load before that, which do not count.
        headers: more headers by name, such as Authorization.
        tls: whether to speak HTTPS.
    """

    host: str
    port: int
    path: str
    bodies: Sequence[bytes]
    connections: int = 1
    seconds: float = 2.0
    warm_up: float = 0.5
    headers: dict[str, str] = field(default_factory=dict)
    tls: bool = False


@dataclass(frozen=True)
class Latencies:
    """What was measured of a load.

    Args:
        requests: how many were answered while it was measured.
        per_second: how many in a second.
        p50: the median of the milliseconds from a request to the last byte of its answer.
        p90: what 90% of the answers needed at most.
        p99: what 99% of them needed at most.
        most: what the slowest of them needed.
        statuses: how many answers had each status; 0 for connections that ended without one.
        refused: the beginning of the first answer whose status was not 200, "" without one.
        client: the share of a processor's time that sending and reading took.
    """

    requests: int
    per_second: float
    p50: float
    p90: float
    p99: float
    most: float
    statuses: dict[str, int]
    refused: str
    client: float


def measure(load: Load) -> Latencies:
    """Put a load on a server, from a process of its own.

    Args:
        load: what is sent.

    Raises:
        ConnectionError: when nobody answers there.
    """
    told = vars(load) | {"bodies": [base64.b64encode(b).decode() for b in load.bodies]}
    command = [sys.executable, "-P", __file__]
    done = subprocess.run(
        command, input=json.dumps(told), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConnectionError(done.stderr.strip().rpartition("\n")[2])
    return Latencies(**json.loads(done.stdout))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return what that share of the values does not exceed; the values are in order."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class _Connection(asyncio.Protocol):
    """A connection that asks, waits for the whole answer, and asks again."""

    def __init__(self, generator: "_Generator") -> None:
        self._generator = generator
        self._transport: asyncio.Transport
        self._answer, self._length, self._sent = bytearray(), 0, 0.0
        self._closes = self._done = False  # whether the server closes next; whether all is answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        self._answer, self._length = bytearray(), 0
        self._sent = time.perf_counter()
        self._transport.write(next(self._generator.requests))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._length:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._answer[:end]).lower()
            _, named, length = head.partition(b"\r\ncontent-length:")
            if not named:
                self._generator.fail("an answer without Content-Length cannot be measured")
                return
            self._length = end + 4 + int(length.split(b"\r\n", 1)[0])
            self._closes = b"\r\nconnection: close" in head or head.startswith(b"http/1.0")
        if len(self._answer) < self._length:
            return
        self._generator.answered(self._sent, self._answer)
        self._done = self._closes or self._generator.over
        if self._done:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._generator.lost(answered=self._done)


class _Generator:
    """All connections of a load, and what they have measured."""

    def __init__(self, load: Load) -> None:
        self._load = load
        named = {"Host": f"{load.host}:{load.port}", "Content-Type": "application/json"}
        head = "".join(f"{n}: {v}\r\n" for n, v in (named | load.headers).items())
        start = f"POST {load.path} HTTP/1.1\r\n{head}Content-Length: "
        whole = [start.encode() + b"%d\r\n\r\n" % len(body) + body for body in load.bodies]
        self.requests: Iterator[bytes] = itertools.cycle(whole)
        self._seconds: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._refused = ""
        self._open, self._begin, self._end = 0, 0.0, 0.0
        self._all_done: asyncio.Future[None]

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() >= self._end

    def answered(self, sent: float, answer: bytearray) -> None:
        """Take note of an answer."""
        now = time.perf_counter()
        status = bytes(answer[9:12])
        if status != b"200" and not self._refused:
            self._refused = bytes(answer).partition(b"\r\n\r\n")[2][:300].decode(errors="replace")
        if self._begin <= now < self._end:
            self._seconds.append(now - sent)
            self._statuses[status.decode()] += 1

    def lost(self, *, answered: bool) -> None:
        """Take note of the end of a connection, and open another while there is time."""
        if not answered:
            self._statuses["0"] += 1
        if not self.over:
            self._opening = asyncio.get_running_loop().create_task(self._connect())
            return
        self._open -= 1
        if not self._open and not self._all_done.done():
            self._all_done.set_result(None)

    def fail(self, why: str) -> None:
        """End the load: its figures would mean nothing."""
        if not self._all_done.done():
            self._all_done.set_exception(ConnectionError(why))

    async def _connect(self) -> None:
        loop, load = asyncio.get_running_loop(), self._load
        try:
            await loop.create_connection(
                lambda: _Connection(self), load.host, load.port, ssl=load.tls or None
            )
        except OSError:
            await asyncio.sleep(0.05)
            self.lost(answered=False)

    async def run(self) -> dict[str, Any]:
        """Send the load; the fields of `Latencies`."""
        loop, load = asyncio.get_running_loop(), self._load
        self._all_done = loop.create_future()
        _, writer = await asyncio.open_connection(
            load.host, load.port
        )  # or say that nobody is there
        writer.close()
        self._begin = time.perf_counter() + load.warm_up
        self._end = self._begin + load.seconds
        self._open = load.connections
        for _ in range(load.connections):
            await self._connect()
        await asyncio.sleep(self._begin - time.perf_counter())
        spent = time.process_time()
        await asyncio.sleep(self._end - time.perf_counter())
        spent = time.process_time() - spent
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_done, _PATIENCE)
        ordered = [1000 * seconds for seconds in sorted(self._seconds)] or [float("nan")]
        return {
            "requests": len(self._seconds),
            "per_second": len(self._seconds) / load.seconds,
            "p50": percentile(ordered, 0.5),
            "p90": percentile(ordered, 0.9),
            "p99": percentile(ordered, 0.99),
            "most": ordered[-1],
            "statuses": dict(self._statuses),
            "refused": self._refused,
            "client": spent / load.seconds,
        }


def _main() -> None:
    told = json.load(sys.stdin)
    load = Load(**told | {"bodies": [base64.b64decode(body) for body in told["bodies"]]})
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        new_loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        print(json.dumps(runner.run(_Generator(load).run())))  # noqa: T201


if __name__ == "__main__":
    _main()
