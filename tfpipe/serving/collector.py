"""What Prometheus is told of the models at the moment that it asks: queues, versions, drift.

Of several processes that serve one socket one is asked, so each leaves what it has in a folder that
they share, once a second, and the one that is asked adds it all up.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tfpipe.serving.drift import stability_of
from tfpipe.serving.metrics import SHARED
from tfpipe.storage import write_whole

if TYPE_CHECKING:
    from tfpipe.serving.repository import Repository

_OFTEN = 1.0  # seconds between two times that a process leaves what it has
_OLD = 10.0  # what is older is of a process that has ended
_VERSION = ("model", "version")
_FAMILIES: Mapping[str, tuple[type[Metric], str, Sequence[str]]] = {
    "tfpipe_inputs": (CounterMetricFamily, "Values of an input that were looked at.", ("input",)),
    "tfpipe_inputs_outside": (
        CounterMetricFamily,
        "Values unlike those of training.",
        ("input", "why"),
    ),
    "tfpipe_answers": (CounterMetricFamily, "Answers by class.", ("output", "answer")),
    "tfpipe_answers_share": (
        GaugeMetricFamily,
        "Share of a class in recent answers.",
        ("output", "answer"),
    ),
    "tfpipe_training_share": (
        GaugeMetricFamily,
        "Share of a class in training.",
        ("output", "answer"),
    ),
    "tfpipe_answers_stability_index": (
        GaugeMetricFamily,
        "Of recent answers and training; above 0.25 they differ.",
        ("output",),
    ),
}
# Of these each process has its own, and all have the same of the others.
_SUMMED = ("tfpipe_inputs", "tfpipe_inputs_outside", "tfpipe_answers")
_RECENT = "recent answers"  # which become shares, when those of all processes are together

# (name, labels, value)
Row = tuple[str, tuple[str, ...], float]


class RepositoryCollector(Collector):
    """What a repository is like.

    Args:
        repository: the models.
    """

    def __init__(self, repository: "Repository") -> None:
        self._repository = repository
        folder = os.environ.get(SHARED)
        self._file = Path(folder) / f"models-{os.getpid()}.json" if folder else None
        if self._file is not None:
            threading.Thread(target=self._leave, name="counts", daemon=True).start()

    def collect(self) -> Iterable[Metric]:
        """Return what there is, of all processes together."""
        summed: Counter[tuple[str, tuple[str, ...]]] = Counter()
        same: dict[tuple[str, tuple[str, ...]], float] = {}
        for name, labels, value in [*self._rows(), *self._others()]:
            if name in (*_SUMMED, _RECENT, "tfpipe_queue_samples"):
                summed[name, labels] += value  # type: ignore[assignment]
            else:
                same[name, labels] = value
        found = {**same, **summed}
        found |= _compared(found)
        waiting = GaugeMetricFamily(
            "tfpipe_queue_samples", "Samples that wait for their answers.", labels=["model"]
        )
        versions = GaugeMetricFamily(
            "tfpipe_model_version", "1 for a version that answers.", labels=[*_VERSION]
        )
        families: dict[str, Any] = {
            "tfpipe_queue_samples": waiting,
            "tfpipe_model_version": versions,
        }
        for name, (family, text, own) in _FAMILIES.items():
            families[name] = family(name, text, labels=[*_VERSION, *own])  # type: ignore[call-arg]
        for (name, labels), value in found.items():
            if name != _RECENT:
                families[name].add_metric(labels, value)
        yield from families.values()

    def _rows(self) -> Iterator[Row]:
        """Return what this process has."""
        for model in self._repository.models.values():
            yield "tfpipe_queue_samples", (model.name,), model.waiting
            for version, drift in model.drifts():
                named = (model.name, str(version))
                yield "tfpipe_model_version", named, 1
                for name, count in drift.inputs().items():
                    yield "tfpipe_inputs", (*named, name), count
                for pair, count in drift.outside().items():
                    yield "tfpipe_inputs_outside", (*named, *pair), count
                for pair, count in drift.answers().items():
                    yield "tfpipe_answers", (*named, *pair), count
                for pair, count in drift.recent().items():
                    yield _RECENT, (*named, *pair), count
                for output, shares in drift.shares.items():
                    for answer, share in shares.items():
                        yield "tfpipe_training_share", (*named, output, answer), share

    def _others(self) -> Iterator[Row]:
        """Return what other processes have left, and not too long ago."""
        if self._file is None:
            return
        for file in self._file.parent.glob("models-*.json"):
            if file == self._file:
                continue
            old = time.time() - file.stat().st_mtime >= _OLD
            for name, labels, value in json.loads(file.read_bytes()):
                if name in _SUMMED or not old:  # what has been counted stays counted
                    yield name, tuple(labels), value

    def _leave(self) -> None:
        assert self._file is not None
        while self._file.parent.is_dir():
            write_whole(self._file, json.dumps([*self._rows()]).encode())
            time.sleep(_OFTEN)


def _compared(
    found: Mapping[tuple[str, tuple[str, ...]], float],
) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the shares of recent answers, and how far those of each output are from training."""
    shares: dict[tuple[str, ...], dict[str, float]] = {}
    for (name, labels), value in found.items():
        if name == "tfpipe_training_share":
            shares.setdefault(labels[:3], {})[labels[3]] = value
    compared: dict[tuple[str, tuple[str, ...]], float] = {}
    for output, known in shares.items():
        counts = [int(found.get((_RECENT, (*output, a)), 0)) for a in known]
        if (index := stability_of([*known.values()], counts)) is None:
            continue
        compared["tfpipe_answers_stability_index", output] = index
        for answer, count in zip(known, counts, strict=True):
            compared["tfpipe_answers_share", (*output, answer)] = count / sum(counts)
    return compared
