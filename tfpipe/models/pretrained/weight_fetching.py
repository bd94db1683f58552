"""Fetching a published file of weights: whole or not at all, and never waiting in silence."""

import contextlib
import hashlib
import http.client
import logging
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tfpipe.errors import ModelError
from tfpipe.models.pretrained.weight_files import WeightsFile

logger = logging.getLogger("tfpipe.models")

# No byte for so long and the download is given up: 15 s after the start at the latest.
SILENCE_SECONDS = 8.0
_TELL_SECONDS = 10.0
_BLOCK = 1 << 18
HDF5 = b"\x89HDF\r\n\x1a\n"


def fetch(file: WeightsFile) -> None:
    """Download a file to where Keras keeps it.

    Args:
        file: what to fetch; its path must not exist, and is written whole or not at all.

    Raises:
        ModelError: when it cannot be had, or is not what was published; says why alone.
    """
    with _temporary(file.path) as (stream, temporary):
        download = _Download(file.address, stream)
        download.start()
        logger.info("Fetching %s", file.address)
        _watch(download)
        stream.flush()
        os.fsync(stream.fileno())
        if wrong := what_is_wrong(temporary, file):
            raise ModelError(f"what came from there {wrong}")
        os.replace(temporary, file.path)


def what_is_wrong(path: Path, file: WeightsFile) -> str:
    """Why a file is not the published one, as the end of a sentence; empty where it is."""
    with path.open("rb") as stream:
        if stream.read(len(HDF5)) != HDF5:
            return "is no HDF5 file"
        stream.seek(0)
        digest = hashlib.file_digest(stream, file.algorithm).hexdigest()
    if file.digest and digest != file.digest:
        return f"has the {file.algorithm} {digest}, and the published one {file.digest}"
    return ""


class _Download(threading.Thread):
    """Downloads beside, since the look-up of a name and the handshake heed no time limit.

    Args:
        address: what to fetch.
        stream: where to; nothing is written once `stopped` is set.
    """

    def __init__(self, address: str, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.received = self.total = 0
        self.problem = ""
        self.stopped = threading.Event()
        self._address, self._stream = address, stream

    def run(self) -> None:
        try:
            with urllib.request.urlopen(self._address, timeout=SILENCE_SECONDS) as answer:
                self.total = int(answer.headers.get("Content-Length") or 0)
                while (block := answer.read1(_BLOCK)) and not self.stopped.is_set():
                    self._stream.write(block)
                    self.received += len(block)
        except urllib.error.HTTPError as error:
            self.problem = f"HTTP {error.code} {error.reason}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.problem = str(getattr(error, "reason", error)) or type(error).__name__
        else:
            if self.received < self.total:
                self.problem = f"it broke off after {self.received:,} of {self.total:,} bytes"


def _watch(download: _Download) -> None:
    """Wait for a download as long as bytes come; raises ModelError when it has not succeeded."""
    began = heard = told = time.monotonic()
    received = 0
    try:
        while download.is_alive():
            download.join(0.05)
            now = time.monotonic()
            if download.received != received:
                heard, received = now, download.received
            if now - heard > SILENCE_SECONDS:
                raise ModelError(f"no answer within {SILENCE_SECONDS:g} s")
            if now - told > _TELL_SECONDS:
                told = now
                logger.info("%s after %.0f s", _progress(download), now - began)
    finally:
        download.stopped.set()
    if download.problem:
        raise ModelError(download.problem)


def _progress(download: _Download) -> str:
    of = f" of {download.total / 1e6:,.0f}" if download.total else ""
    return f"{download.received / 1e6:,.0f}{of} MB"


@contextlib.contextmanager
def _temporary(final: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A file beside the final one, gone at the end unless it was renamed."""
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=final.parent, prefix=f".{final.name}.")
        os.chmod(name, 0o644)
    except OSError as error:
        raise ModelError(f"{final.parent} cannot be written ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream, Path(name)
    except OSError as error:
        raise ModelError(f"{final.parent} cannot be written ({error.strerror})") from None
    finally:
        Path(name).unlink(missing_ok=True)
