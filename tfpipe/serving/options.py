"""How models are served: one frozen value, from the command line or from Python."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tfpipe.errors import ConfigError
from tfpipe.text import listed

MEGABYTE = 1 << 20
OWN_LABELS = {"latest": -1, "previous": -2}  # places among the versions that answer
_LABEL = re.compile(r"([^/=]+/)?[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class ServingOptions:
    """How models are served.

    Args:
        host: the address to listen at; the default one is reached from this machine alone.
        port: the port, 0 for any that is free.
        max_batch: samples that are answered at once, at most.
        max_queue: samples that may wait, before requests are sent away with 503.
        max_body: bytes of a request's body.
        max_pixels: pixels of an image, width times height, before it is decoded.
        max_samples: samples of one request.
        deadline: seconds from a request's arrival within which it is answered, else 504.
        versions: how many of the newest versions of a model are served.
        poll: seconds between two looks for new versions; 0 to never look.
        token: what a request has to bring as `Authorization: Bearer TOKEN`; None for no such thing.
        log: whether to write a line for each request.
        grace: seconds that accepted requests get when the server is stopped.
        connections: connections at once, before more are sent away with 503.
        labels: versions by LABEL, or by MODEL/LABEL; they answer beside the newest ones.
        threads: of TensorFlow's operations in each process; 0 for one less than the processors, so
            that one is left to read requests and to write answers.
        workers: processes that answer; more than one pays where the model does not use all cores.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    max_batch: int = 32
    max_queue: int = 1024
    max_body: int = 32 * MEGABYTE
    max_pixels: int = 50_000_000
    max_samples: int = 4096
    deadline: float = 30.0
    versions: int = 1
    poll: float = 1.0
    token: str | None = None
    log: bool = True
    grace: float = 30.0
    connections: int = 2048
    labels: Mapping[str, int] = field(default_factory=dict)
    threads: int = 0
    workers: int = 1

    @property
    def threads_each(self) -> int:
        """Return the threads of TensorFlow's operations in each process."""
        return self.threads or max(1, ((os.cpu_count() or 1) - 1) // self.workers)


def parse_labels(words: Sequence[str]) -> dict[str, int]:
    """Return the labels of versions that are written as LABEL=VERSION, or MODEL/LABEL=VERSION.

    Args:
        words: as a person writes them.

    Raises:
        ConfigError: when one is written otherwise.
    """
    labels = {}
    for word in words:
        label, _, version = word.partition("=")
        if not (_LABEL.fullmatch(label) and version.isdecimal() and version.isascii()):
            raise ConfigError(f"--label {word}: expected is LABEL=VERSION, as in stable=3.")
        if label.rpartition("/")[2] in OWN_LABELS:
            raise ConfigError(f"--label {word}: {listed(OWN_LABELS)} go with the newest versions.")
        labels[label] = int(version)
    return labels
