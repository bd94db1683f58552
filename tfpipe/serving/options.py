"""How models are served: one frozen value, from the command line or from Python."""

from dataclasses import dataclass

MEGABYTE = 1 << 20


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
    workers: int = 1
