"""What Prometheus is told: requests, latencies, batches, queues, versions."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Where several processes that serve one socket keep their counts; prometheus_client reads it too.
SHARED = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counts of one server, apart from any others in its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._collectors: list[Collector] = []
        self._requests = Counter(
            "tfpipe_requests", "Requests that were answered.",
            ["model", "method", "code"], registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "tfpipe_request_seconds", "From a request's arrival to its answer.",
            ["model", "method"], buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._rows = Histogram(
            "tfpipe_batch_samples", "Samples that were answered together.",
            ["model"], buckets=_ROWS, registry=self.registry,
        )  # fmt: skip
        self._batch_seconds = Histogram(
            "tfpipe_batch_seconds", "How long the model took for a batch.",
            ["model"], buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip

    def request(self, model: str, method: str, code: int, seconds: float) -> None:
        """Count a request.

        Args:
            model: a model that is served; empty where the request names none.
            method: predict, classify, regress, infer or other.
            code: the status of HTTP.
            seconds: how long it took.
        """
        self._requests.labels(model, method, str(code)).inc()
        self._seconds.labels(model, method).observe(seconds)

    def batch(self, model: str, rows: int, seconds: float) -> None:
        """Count a batch of so many samples."""
        self._rows.labels(model).observe(rows)
        self._batch_seconds.labels(model).observe(seconds)

    def add(self, collector: Collector) -> None:
        """Tell Prometheus what a collector finds as well."""
        self._collectors.append(collector)
        self.registry.register(collector)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it: of all processes that serve one socket."""
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        for collector in self._collectors:
            together.register(collector)
        return generate_latest(together)
