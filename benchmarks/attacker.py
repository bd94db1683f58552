"""Requests as an enemy, a bad network and a hurried colleague send them, among good ones.

`attack` sends all of them at once and says what became of each: a good request must be answered as
it was when nothing else was going on, a bad one must be refused with a reason, and neither may cost
the other anything.
"""

import asyncio
import base64
import collections
import contextlib
import json
import random
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

SLOW = 5.0  # seconds that a slow client lasts
PATIENCE = 60.0  # seconds that an answer may take


@dataclass(frozen=True)
class Good:
    """A request that must be answered.

    Args:
        path: where it goes.
        body: its JSON.
        expected: what was answered when nothing else was going on; found out by `learn`.
    """

    path: str
    body: bytes
    expected: Any = None


@dataclass
class Outcome:
    """What became of an attack.

    Args:
        sent: how many requests of each kind.
        statuses: how often each kind was answered with each status; 0 is a closed connection.
        wrong: what was not as it must be, a sentence each.
        seconds: how long the good ones took.
    """

    sent: collections.Counter[str] = field(default_factory=collections.Counter)
    statuses: dict[str, collections.Counter[int]] = field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Connection:
    """A connection to the server, opened when it is needed and again when it was closed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The streams."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        return self._streams

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send bytes; the status and the body of the answer, 0 when the connection was closed."""
        if self._streams and self._streams[0].at_eof():  # idle for too long
            self.close()
        reader, writer = await self.open()
        try:
            writer.write(request)
            await writer.drain()
        except ConnectionError:  # an answer may have come before all was sent
            pass
        return await self.answer(reader)

    async def answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Read an answer."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            lines = head.decode().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            return 0, b""
        if headers.get("connection") == "close":
            self.close()
        return int(head[9:12]), body

    def close(self, *, reset: bool = False) -> None:
        """Close it; with `reset` the other side gets an error, as when a cable is pulled."""
        if self._streams is not None:
            writer = self._streams[1]
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                writer.transport.abort()
            writer.close()
            self._streams = None


def post(path: str, body: bytes, headers: str = "", length: int | None = None) -> bytes:
    """The bytes of a POST, whose Content-Length may lie."""
    size = len(body) if length is None else length
    kind = "Content-Type: application/json\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{kind}{headers}Content-Length: {size}\r\n\r\n"
    return head.encode() + body


def png(width: int, height: int, rows: int) -> bytes:
    """A black PNG of one byte a pixel, whose data holds that many rows."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(width + 1)) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int) -> bytes:
    """A JPEG without content that claims to be that large."""
    size = struct.pack(">HH", height, width)
    components = b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    return b"\xff\xd8\xff\xc0\x00\x11\x08" + size + components + b"\xff\xd9"


def gif(width: int, height: int) -> bytes:
    """The beginning of a GIF that claims to be that large."""
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + b"\x80\x00\x00" + bytes(6) + b"\x2c" + bytes(4) + size + b"\x00\x02"


def bmp(width: int, height: int) -> bytes:
    """The beginning of a BMP that claims to be that large."""
    return b"BM" + struct.pack(
        "<IHHIIiiHHIIiiII", 200, 0, 0, 54, 40, width, height, 1, 24, *[0] * 6
    )


def frames(width: int, height: int, count: int) -> bytes:
    """A GIF of that many white frames."""
    from io import BytesIO

    from PIL import Image

    still = BytesIO()
    Image.new("L", (width, height), 255).save(still, "GIF")
    whole = still.getvalue()
    frame = whole.index(b"\x2c" + bytes(4) + struct.pack("<HH", width, height))
    return whole[:frame] + whole[frame:-1] * count + b";"


def progressive(width: int, height: int) -> bytes:
    """A JPEG of noise in coarse blocks, in many scans."""
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    image = Image.effect_noise((width // 64, height // 64), 90).resize((width, height), 0)
    image.convert("RGB").save(file, "JPEG", progressive=True, quality=50)
    return file.getvalue()


def heavy(name: str) -> dict[str, bytes]:
    """Requests that are within the limits and cost as much as those allow, by kind.

    Args:
        name: the model's name.
    """
    files = {
        "PNG of 7,000 x 7,000": png(7_000, 7_000, 7_000),
        "JPEG of 7,000 x 7,000": progressive(7_000, 7_000),
        "GIF of 3,000 frames": frames(1_000, 1_000, 3_000),
    }
    path = f"/v1/models/{name}:predict"
    bodies = {
        kind: predict("serving_bytes", [{"b64": base64.b64encode(data).decode()}])
        for kind, data in files.items()
    }
    bodies["30 MB of numbers"] = b'{"instances": [' + b"1.5," * 7_500_000 + b"1.5]}"
    return {kind: post(path, body) for kind, body in bodies.items()}


def bodies_of_images(files: Sequence[bytes]) -> dict[str, bytes]:
    """Broken images by what is wrong with them.

    Args:
        files: whole ones, of which some are cut.
    """
    jpegs = [f for f in files if f[:2] == b"\xff\xd8"]
    return {
        "truncated JPEG": jpegs[0][: len(jpegs[0]) // 2],
        "truncated PNG": png(32, 32, 5),
        "decompression bomb": png(12_000, 12_000, 12_000),
        "bomb in the header": png(60_000, 60_000, 1),
        "JPEG of 65,000 x 65,000": jpeg(65_000, 65_000),
        "GIF of 65,000 x 65,000": gif(65_000, 65_000),
        "BMP of 100,000 x 100,000": bmp(100_000, 100_000),
        "empty image": b"",
        "no image": b"this is no image",
    }


def predict(signature: str, instances: object) -> bytes:
    """The body of a :predict in the row format."""
    return json.dumps({"signature_name": signature, "instances": instances}).encode()


def faults(name: str, files: Sequence[bytes], array: list[Any]) -> dict[str, bytes]:
    """Requests of an image model that must be refused with a status of 400 and more, by kind.

    Args:
        name: the model's name.
        files: encoded images that it reads.
        array: an image as numbers.
    """
    path = f"/v1/models/{name}:predict"
    whole = predict("serving_default", [array])
    bad_images = {
        kind: predict("serving_bytes", [{"b64": base64.b64encode(data).decode()}])
        for kind, data in bodies_of_images(files).items()
    }
    bodies = {
        **bad_images,
        "broken body": whole[: len(whole) // 2],
        "empty body": b"",
        "no JSON object": b"[1, 2]",
        "not UTF-8": b'{"instances": ["\xff\xfe"]}',
        "deep nesting": b'{"instances": ' + b"[" * 100_000,
        "deep nesting, whole": b'{"instances": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        "no instances": predict("serving_default", []),
        "text for numbers": predict("serving_default", ["abc"]),
        "numbers for files": predict("serving_bytes", [1.5]),
        "broken base64": predict("serving_bytes", [{"b64": "***"}]),
        "wrong shape": predict("serving_default", [array[:-1]]),
        "ragged": predict("serving_default", [[array[0], array[0][:1]]]),
        "NaN": whole.replace(b"]", b", NaN]", 1),
        "NaN alone": predict("serving_default", [float("nan")]),
        "out of range": predict("serving_default", [_filled(array, 1e30)]),
        "fractions": predict("serving_default", [_filled(array, 0.5)]),
        "huge number": predict("serving_default", [_filled(array, 10**400)]),
        "unknown signature": predict("nothing", [array]),
    }
    infer = f"/v2/models/{name}/infer"
    v2 = {
        "v2 without inputs": b"{}",
        "v2 wrong datatype": _tensor("FP99", [1], [1]),
        "v2 wrong size": _tensor("UINT8", [1, 9, 9, 9], [1, 2, 3]),
        "v2 huge shape": _tensor("UINT8", [10**9, 10**9], []),
        "v2 negative shape": _tensor("UINT8", [-1, 2], [1, 2]),
    }
    return {
        **{kind: post(path, body) for kind, body in bodies.items()},
        **{kind: post(infer, body) for kind, body in v2.items()},
        "no such model": post("/v1/models/nothing:predict", whole),
        "no such version": post(f"/v1/models/{name}/versions/999:predict", whole),
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
        "gzip bomb": post(path, zlib.compress(bytes(10**7)), "Content-Encoding: gzip\r\n"),
    }


def _filled(array: Any, value: float) -> Any:
    return [_filled(item, value) for item in array] if isinstance(array, list) else value


def _tensor(datatype: str, shape: list[int], data: list[int]) -> bytes:
    tensor = {"name": "image", "shape": shape, "datatype": datatype, "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


Rude = Callable[[Connection, bytes, float], Awaitable[int | None]]


async def slow_header(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Send a byte of the header now and then."""
    reader, writer = await connection.open()
    end = asyncio.get_running_loop().time() + seconds
    for place in range(len(request)):
        writer.write(request[place : place + 1])
        await asyncio.sleep(0.3)
        if reader.at_eof() or asyncio.get_running_loop().time() > end:
            break
    connection.close()
    return None


async def slow_body(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Send the header, and a byte of the body now and then."""
    reader, writer = await connection.open()
    start = request.index(b"\r\n\r\n") + 14
    end = asyncio.get_running_loop().time() + seconds
    writer.write(request[:start])
    for place in range(start, len(request)):
        writer.write(request[place : place + 1])
        await asyncio.sleep(0.3)
        if reader.at_eof() or asyncio.get_running_loop().time() > end:
            break
    connection.close()
    return None


async def slow_but_whole(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Send all of a good request, in a second: it has a right to its answer."""
    _, writer = await connection.open()
    for place in range(0, len(request), len(request) // 10):
        writer.write(request[place : place + len(request) // 10])
        await asyncio.sleep(0.1)
    reader, _ = await connection.open()
    return (await connection.answer(reader))[0]


async def dropped(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Send all and go away before the answer."""
    _, writer = await connection.open()
    writer.write(request)
    await asyncio.sleep(random.random() / 100)
    connection.close(reset=True)
    return None


async def dropped_half(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Go away in the middle of the body."""
    await dropped(connection, request[: len(request) * 2 // 3], seconds)
    return None


async def oversized(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Announce a body of 10 GB, and begin to send it."""
    head = request[: request.index(b"Content-Length")]
    start = head + b"Content-Length: 10000000000\r\n\r\n" + bytes(1_000_000)
    status, _ = await connection.ask(start)
    connection.close()
    return status


async def endless(connection: Connection, request: bytes, seconds: float) -> int | None:
    """Send chunks without end and without saying how many."""
    reader, writer = await connection.open()
    head = request[: request.index(b"Content-Length")]
    writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    with contextlib.suppress(ConnectionError):
        for _ in range(400):
            writer.write(chunk)
            await writer.drain()
            if reader.at_eof() or reader._buffer:  # type: ignore[attr-defined]
                break
    status, _ = await connection.answer(reader)
    connection.close()
    return status


RUDE: dict[str, Rude] = {
    "slow header": slow_header,
    "slow body": slow_body,
    "slow but whole": slow_but_whole,
    "dropped": dropped,
    "dropped in the body": dropped_half,
    "oversized body": oversized,
    "endless body": endless,
}


async def learn(port: int, goods: Sequence[Good]) -> list[Good]:
    """The same requests with what is answered while nothing else is going on."""
    connection, learnt = Connection(port), []
    for good in goods:
        status, body = await connection.ask(post(good.path, good.body))
        if status != 200:
            raise AssertionError(f"{good.path} was answered with {status}: {body[:500]!r}")
        learnt.append(Good(good.path, good.body, json.loads(body)))
    connection.close()
    return learnt


def differs(expected: Any, answered: Any) -> bool:
    """Whether an answer is another: numbers may differ by rounding."""
    if isinstance(expected, dict) and isinstance(answered, dict):
        both = expected.keys() == answered.keys()
        return not both or any(
            differs(expected[n], answered[n]) for n in expected if n not in ("id", "model_version")
        )
    if isinstance(expected, list) and isinstance(answered, list):
        several = zip(expected, answered, strict=False)
        return len(expected) != len(answered) or any(differs(e, a) for e, a in several)
    if isinstance(expected, float) and isinstance(answered, float):
        return abs(expected - answered) > 1e-4
    return bool(expected != answered)


async def attack(
    port: int,
    goods: Sequence[Good],
    bad: dict[str, bytes],
    *,
    requests: int,
    connections: int,
    share: float = 0.05,
    rude: Sequence[str] = tuple(RUDE),
    slow: float = SLOW,
    costly: bool = False,
    seed: int = 0,
) -> Outcome:
    """Send good and bad requests at once.

    Args:
        port: where the server is.
        goods: requests with their answers, which take turns.
        bad: requests that must be refused, by kind, which take turns.
        requests: how many in all.
        connections: how many at once.
        share: the part of them that is bad or rude.
        rude: the names of the ways of `RUDE` that take turns as well.
        slow: how many seconds a slow client lasts.
        costly: whether the bad ones may be answered, and sent away with 503 or 504 as well.
        seed: of the order.
    """
    order = random.Random(seed)
    kinds = [*bad, *rude]
    wicked = round(share * requests) if kinds else 0
    plan: list[str | Good] = [kinds[i % len(kinds)] for i in range(wicked)]
    plan += [goods[i % len(goods)] for i in range(requests - wicked)]
    order.shuffle(plan)
    outcome = Outcome()

    async def work() -> None:
        connection, loop = Connection(port), asyncio.get_running_loop()
        while plan:
            item = plan.pop()
            if isinstance(item, Good):
                outcome.sent["good"] += 1
                began = loop.time()
                status, body = await connection.ask(post(item.path, item.body))
                outcome.seconds.append(loop.time() - began)
                outcome.statuses["good"][status] += 1
                if status != 200:
                    outcome.wrong.append(f"good was answered with {status}: {body[:200]!r}")
                elif differs(item.expected, json.loads(body)):
                    outcome.wrong.append(f"{item.path} was answered otherwise: {body[:200]!r}")
                continue
            outcome.sent[item] += 1
            rudely = Connection(port)
            if item in bad:
                status, body = await rudely.ask(bad[item])
                refused = 400 <= status < 500 and (item == "no HTTP" or b"error" in body)
                if not (refused or (costly and status in (200, 503, 504))):
                    outcome.wrong.append(f"{item} was answered with {status}: {body[:200]!r}")
            else:
                good = order.choice(goods)
                found = await RUDE[item](rudely, post(good.path, good.body), slow)
                status = -1 if found is None else found
                fine = {"slow but whole": (200,), "oversized body": (413, 0)}
                if status not in fine.get(item, (-1, 413, 0)):
                    outcome.wrong.append(f"{item} was answered with {status}")
            outcome.statuses[item][status] += 1
            rudely.close()
        connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return outcome
