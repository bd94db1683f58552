"""The process that listens: its socket, its event loop, and how it ends."""

import asyncio
import contextlib
import errno
import json
import logging
import math
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tfpipe.errors import ConfigError
from tfpipe.serving.app import application
from tfpipe.serving.metrics import Metrics
from tfpipe.serving.options import ServingOptions
from tfpipe.serving.repository import Model, Repository

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# How often Python lets another thread run. The event loop and the thread that asks the model take
# turns at every request; at the default of 5 ms each of them waits for the other.
_SWITCH = 0.0005
_BACKLOG = 2048
_FILES = 1024  # that are open besides the connections
_HEADER = 10.0  # seconds that the header of a request may take
_HEADER_BYTES = 1 << 16
_TAKING = 60.0  # seconds in which a client has to read some of its answer
# Longer than proxies keep their connections, so that none of them asks as it is closed.
_KEEP_ALIVE = 75
# Seconds for which connections are accepted, and requests are read, after the signal to end.
_ACCEPTING, _READING = 0.05, 1.0


class Connection(HttpToolsProtocol):
    """A connection that ends when a header is too slow or too large, or an answer is not read."""

    _timer: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _header = 0  # bytes of a header that has not ended

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read what has come; end the connection when it is more than a header has."""
        super().data_received(data)
        if self._timer is not None:
            self._header += len(data)
            if self._header > _HEADER_BYTES:
                self._refuse("431 Request Header Fields Too Large", "The header is too large.")

    def send_400_response(self, msg: str) -> None:
        """Say that what has come is no request."""
        self._refuse("400 Bad Request", msg)

    def _refuse(self, status: str, reason: str) -> None:
        body = json.dumps({"error": reason})
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        if self._reading is not None:
            self._reading.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read what it has been answered so far."""
        super().pause_writing()
        self._look(math.inf)

    def _look(self, before: float) -> None:
        """End the connection when nothing of an answer has been read since the last look."""
        unread = self.transport.get_write_buffer_size()
        if unread < before:
            self._reading = self.loop.call_later(_TAKING, self._look, unread)
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Wait no more."""
        if self._reading is not None:
            self._reading.cancel()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Wait for the rest of the header, of which something has come."""
        super().on_message_begin()
        self._header = 0
        self._stop()
        self._wait()

    def on_headers_complete(self) -> None:
        """Wait no more: bodies have their own deadline."""
        self._stop()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(_HEADER, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Server(uvicorn.Server):
    """Serves an application until it is asked to end, and then answers what it has accepted.

    Args:
        app: the application.
        repository: its models.
        options: how they are served.
    """

    def __init__(self, app: "ASGIApp", repository: Repository, options: ServingOptions) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                log_config=None,
                timeout_keep_alive=_KEEP_ALIVE,
                access_log=False,
                server_header=False,
                lifespan="off",
                limit_concurrency=options.connections,
                timeout_graceful_shutdown=max(1, round(options.grace)),
                backlog=_BACKLOG,
            )
        )
        self._repository = repository

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop listening; the second time, also stop answering."""
        self._repository.stopping = True
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Read what has been sent already, answer it as the last of its connection, then close.

        Closing at once would lose the requests that are on their way from the kernel to here.
        """
        await asyncio.sleep(_ACCEPTING)
        for server in self.servers:
            server.close()
        end = time.monotonic() + _READING
        while self.server_state.connections and time.monotonic() < end and not self.force_exit:
            await asyncio.sleep(_ACCEPTING)
        await super().shutdown(sockets)


def repository_of(
    folders: dict[str, Path],
    options: ServingOptions,
    metrics: Metrics,
    notify: Callable[[str], None],
) -> Repository:
    """Return some models, not yet loaded.

    Args:
        folders: of their versions, by name.
        options: how they are served.
        metrics: counts their batches.
        notify: told in a sentence what changed.
    """
    models = {
        name: Model(name, folder, options, metrics.batch, notify)
        for name, folder in folders.items()
    }
    return Repository(models, options.poll)


def serve(
    repository: Repository, options: ServingOptions, metrics: Metrics, listener: socket.socket
) -> None:
    """Answer requests until this process is asked to end.

    Args:
        repository: the models, loaded.
        options: how they are served.
        metrics: counts what is done.
        listener: where requests come in.
    """
    logger = logging.getLogger("tfpipe.serving")
    if options.log and not logger.handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))
        logger.setLevel(logging.INFO)
        logger.propagate = False
    sys.setswitchinterval(_SWITCH)
    allow_files(options.connections + _FILES)
    Server(application(repository, options, metrics), repository, options).run([listener])
    repository.close()


def allow_files(count: int) -> None:
    """Have this process open so many files at a time, as far as the system lets it.

    Without a file more no version is loaded, and connections are open files; 1,024 is the usual
    number.

    Args:
        count: of files and connections together.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise ConfigError where the port is taken.

    Args:
        host: an address of this machine.
        port: 0 for any that is free.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(
                f"{host!r} is no address of this machine. Listen at 127.0.0.1, which only this "
                "machine reaches, or at 0.0.0.0, which others reach too."
            ) from None
        raise ConfigError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): give another with "
            "--port, or --port 0 for any that is free."
        ) from None
