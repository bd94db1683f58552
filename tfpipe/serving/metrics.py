"""What Prometheus is told: requests, latencies, batches, queues, versions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from tfpipe.serving.repository import Repository

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_WHY, _ANSWER = ("input", "why"), ("output", "answer")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counts of one server, apart from any others in its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)


class RepositoryCollector(Collector):
    """What a repository is like at the moment that it is asked.

    Args:
        repository: the models.
    """

    def __init__(self, repository: "Repository") -> None:
        self._repository = repository

    def collect(self) -> Iterable[Metric]:
        """Return the queues and the versions."""
        waiting = GaugeMetricFamily(
            "tfpipe_queue_samples", "Samples that wait for their answers.", labels=["model"]
        )
        versions = GaugeMetricFamily(
            "tfpipe_model_version", "1 for a version that answers.", labels=["model", "version"]
        )
        for name, model in self._repository.models.items():
            waiting.add_metric([name], model.waiting)
            for servable in model.servables():
                versions.add_metric([name, str(servable.version)], 1)
        yield waiting
        yield versions
        yield from self._drift()

    def _drift(self) -> Iterable[Metric]:
        """Return what was asked and answered, beside what training had."""
        of = ["model", "version"]
        seen = CounterMetricFamily(
            "tfpipe_inputs", "Values of an input that were looked at.", labels=[*of, "input"]
        )
        outside = CounterMetricFamily(
            "tfpipe_inputs_outside",
            "Values unlike those of training.",
            labels=[*of, *_WHY],
        )
        answers = CounterMetricFamily("tfpipe_answers", "Answers by class.", labels=[*of, *_ANSWER])
        shares = GaugeMetricFamily(
            "tfpipe_training_share",
            "Share of a class in training.",
            labels=[*of, *_ANSWER],
        )
        stability = GaugeMetricFamily(
            "tfpipe_answers_stability_index",
            "Of answers and training; above 0.25 they differ.",
            labels=[*of, "output"],
        )
        for name, model in self._repository.models.items():
            for version, drift in model.drifts():
                named = [name, str(version)]
                for key, count in drift.inputs().items():
                    seen.add_metric([*named, key], count)
                for pair, count in drift.outside().items():
                    outside.add_metric([*named, *pair], count)
                for pair, count in drift.answers().items():
                    answers.add_metric([*named, *pair], count)
                for output, known in drift.shares.items():
                    for answer, share in known.items():
                        shares.add_metric([*named, output, answer], share)
                for output, value in drift.stability().items():
                    stability.add_metric([*named, output], value)
        yield from (seen, outside, answers, shares, stability)
