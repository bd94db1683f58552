"""Answering samples of many requests together, in one thread, without making anybody wait for it.

The thread takes whatever waits when it is free, up to a size: a lone request is answered at once,
and under load batches form by themselves. A batch is filled up to one of a few sizes, so that the
model meets no size for the first time under load. Large images are answered few at a time, and take
turns with all else: those who sent them wait for them, and nobody else for more than one batch.
When a batch fails, its requests are asked again by halves, so that a request that is wrong answers
for itself alone.
"""

import asyncio
import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfpipe.serving.refusals import RequestRefused, overloaded, too_late, wrong
from tfpipe.serving.servable import Signature

# What lines begin with that say where a graph was built.
_PLACES = ("  File ", "    ", "<stack traces", "Detected at ")

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]
    Answers = dict[str, np.ndarray]


@dataclass(eq=False)
class Job:
    """What one request asks.

    Args:
        signature: of which signature.
        arrays: by input.
        rows: how many samples.
        until: when it is too late, by the clock of `time.monotonic`.
        answer: where the answer goes.
        loop: the event loop that waits for it.
        weight: the pixels that are decoded for it.
        heavy: whether they are too many for a whole batch of such samples.
        batches: whether it may be asked together with others.
    """

    signature: Signature
    arrays: "Arrays"
    rows: int
    until: float
    answer: "asyncio.Future[Answers]"
    loop: asyncio.AbstractEventLoop = field(repr=False)
    weight: int = 0
    heavy: bool = False
    batches: bool = True

    @cached_property
    def kind(self) -> tuple[Any, ...] | None:
        """What jobs have to have in common to be asked together; None for one that goes alone."""
        if not self.batches:
            return None
        shapes = ((n, a.shape[1:]) for n, a in self.arrays.items())
        return self.signature.name, self.heavy, *shapes


class Batcher:
    """Answers the requests to one version of a model.

    Args:
        max_batch: samples in a batch, at most; a request with more goes alone.
        max_queue: samples that may wait.
        watch: told the rows of each batch and its seconds.
        max_weight: pixels that are decoded for a batch, at most.
        alone: signatures that do not answer sample by sample; one that is found to is added.
    """

    def __init__(
        self,
        max_batch: int,
        max_queue: int,
        watch: Callable[[int, float], None] = lambda rows, seconds: None,
        max_weight: int = 1,
        alone: Iterable[str] = (),
    ) -> None:
        self._max_batch, self._max_queue, self._watch = max_batch, max_queue, watch
        self._max_weight, self._alone = max_weight, {*alone}
        self._last: tuple[Any, ...] | None = None  # the kind of the last batch
        self._jobs: collections.deque[Job] = collections.deque()
        self._waiting = self._asked = 0  # samples that wait; and those that are being answered too
        self._some = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many samples wait."""
        return self._waiting

    async def ask(
        self, signature: Signature, arrays: "Arrays", until: float, weights: Sequence[int] = ()
    ) -> "Answers":
        """Return the answers to arrays.

        Args:
            signature: of which signature.
            arrays: by input.
            until: when it is too late, by the clock of `time.monotonic`.
            weights: the pixels of each sample, where they are files of images.

        Raises:
            RequestRefused: when the queue is full, the deadline passes, or the model cannot answer.
        """
        loop = asyncio.get_running_loop()
        batches = signature.batches and signature.name not in self._alone
        rows = len(next(iter(arrays.values()))) if batches else 1
        weight = sum(weights)
        if rows > self._max_batch or (rows > 1 and weight > self._max_weight):
            return await self._in_parts(signature, arrays, until, rows, weights)
        heavy = weight * self._max_batch > self._max_weight * rows
        answer = loop.create_future()
        job = Job(signature, arrays, rows, until, answer, loop, weight, heavy, batches)
        with self._some:
            if self._waiting and self._waiting + rows > self._max_queue:
                raise overloaded()
            self._waiting += rows
            self._jobs.append(job)
            self._some.notify()
        self._asked += rows
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                return await job.answer
        except TimeoutError:
            raise too_late() from None
        finally:
            self._asked -= rows

    async def _in_parts(
        self,
        signature: Signature,
        arrays: "Arrays",
        until: float,
        rows: int,
        weights: Sequence[int],
    ) -> "Answers":
        """Ask a request of many samples in batches, between which others get their turn."""
        import numpy as np

        if self._waiting + rows > self._max_queue:
            raise overloaded()
        parts, start, weight = [], 0, 0
        for row in range(rows):
            own = weights[row] if weights else 0
            if row - start == self._max_batch or (row > start and weight + own > self._max_weight):
                parts.append(slice(start, row))
                start, weight = row, 0
            weight += own
        parts.append(slice(start, rows))
        found: list[Answers] = []
        for part in parts:
            of_part = {name: array[part] for name, array in arrays.items()}
            try:
                found.append(await self.ask(signature, of_part, until, weights[part]))
            except RequestRefused as error:
                error.message += f" (of the samples from {part.start} on)" if part.start else ""
                raise
            if signature.name in self._alone:
                return await self.ask(signature, arrays, until)
        return {name: np.concatenate([answers[name] for answers in found]) for name in found[0]}

    def close(self) -> None:
        """Answer what waits, then end the thread."""
        with self._some:
            self._closing = True
            self._some.notify()

    def _work(self) -> None:
        while jobs := self._next():
            began = time.perf_counter()
            self._answer([job for job in jobs if not job.answer.done()])
            self._watch(sum(job.rows for job in jobs), time.perf_counter() - began)

    def _next(self) -> list[Job]:
        """Return the jobs of the next batch; none when there will be no more."""
        with self._some:
            while not self._jobs:
                if self._closing:
                    return []
                self._some.wait()
            # The kinds take turns, so that none waits for all that there is of another.
            first = next((job for job in self._jobs if job.kind != self._last), self._jobs[0])
            self._jobs.remove(first)
            self._last = first.kind
            jobs, rows, weight, others = [first], first.rows, first.weight, []
            most = max(rows, self._room())
            while first.kind is not None and self._jobs:
                job = self._jobs.popleft()
                fits = rows + job.rows <= most
                fits = fits and not (job.heavy and weight + job.weight > self._max_weight)
                if job.kind == first.kind and fits:
                    jobs.append(job)
                    rows, weight = rows + job.rows, weight + job.weight
                else:
                    others.append(job)
                if rows >= most:
                    break
            self._jobs.extendleft(reversed(others))
            self._waiting -= rows
            return jobs

    def _room(self) -> int:
        """Return how many samples the next batch may have: a power of two, which is not filled up.

        No more than half of those that are being answered: while the model has one half, requests
        of the other are read and answers are written. Otherwise each would wait for the other.
        """
        most = min(self._max_batch, self._waiting, max(1, self._asked // 2))
        return 1 << max(0, most.bit_length() - 1)

    def _answer(self, jobs: list[Job]) -> None:
        now = time.monotonic()
        late = [job for job in jobs if job.until < now]
        jobs = [job for job in jobs if job.until >= now]
        deliver([(job, too_late()) for job in late])
        if not jobs:
            return
        try:
            answers = together(jobs)
        except Uneven:
            self._alone.add(jobs[0].signature.name)
            for job in jobs:
                job.batches = False
                self._answer([job])
            return
        except Exception as error:  # noqa: BLE001 (whatever the model raises is its answer)
            if len(jobs) > 1:
                half = len(jobs) // 2
                self._answer(jobs[:half])
                self._answer(jobs[half:])
            else:
                deliver([(jobs[0], failure(error, jobs[0]))])
            return
        deliver([*zip(jobs, answers, strict=True)])


class Uneven(Exception):
    """A signature has answered with another number of samples than it was asked."""


def together(jobs: list[Job]) -> "list[Answers]":
    """Return the answers to each of some jobs of one kind, asked as one batch.

    Args:
        jobs: of one kind.

    Raises:
        Uneven: when it cannot be said which answer is whose.
    """
    import numpy as np

    signature, rows = jobs[0].signature, sum(job.rows for job in jobs)
    if not jobs[0].batches:
        return [signature(jobs[0].arrays)]
    asked = rows if jobs[0].heavy else filled(rows)
    arrays = {}
    for name in jobs[0].arrays:
        parts = [job.arrays[name] for job in jobs]
        if asked > rows:
            parts.append(np.repeat(parts[-1][-1:], asked - rows, axis=0))
        arrays[name] = np.concatenate(parts) if len(parts) > 1 else parts[0]
    answers, found, start = signature(arrays), [], 0
    if any(values.shape[:1] != (asked,) for values in answers.values()):
        raise Uneven
    for job in jobs:
        stop = start + job.rows
        found.append({name: values[start:stop] for name, values in answers.items()})
        start = stop
    return found


def filled(rows: int) -> int:
    """Return the size that a batch of so many rows is filled up to: the next power of two."""
    return 1 << max(0, rows - 1).bit_length()


def failure(error: Exception, job: Job) -> RequestRefused:
    """Return what a request is told whose samples the model cannot take."""
    reason, first, last = reason_of(error), 0, job.rows
    while job.batches and last - first > 1:
        middle = (first + last) // 2
        try:
            job.signature({name: array[first:middle] for name, array in job.arrays.items()})
            first = middle
        except Exception as own:  # noqa: BLE001 (as above)
            last, reason = middle, reason_of(own)
    return wrong(f"The model cannot answer sample {first}: {reason}")


def reason_of(error: Exception) -> str:
    """Return what an error of TensorFlow says, without where its graph was built."""
    before, _, _ = str(error).partition("[[{{node")
    reason: list[str] = []
    for line in reversed(before.splitlines()):
        if reason and (not line.strip() or line.startswith(_PLACES)):
            break
        reason = [*line.split(), *reason]
    return " ".join(reason)[:500]


def deliver(results: "list[tuple[Job, Answers | RequestRefused]]") -> None:
    """Hand results to those who wait for them, each in its event loop."""

    def hand_over(some: "list[tuple[Job, Answers | RequestRefused]]") -> None:
        for job, result in some:
            if job.answer.done():  # the client has gone, or the deadline has passed
                continue
            if isinstance(result, RequestRefused):
                job.answer.set_exception(result)
            else:
                job.answer.set_result(result)

    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Answers | RequestRefused]]] = {}
    for job, result in results:
        by_loop.setdefault(job.loop, []).append((job, result))
    for loop, some in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the server has ended without them
            loop.call_soon_threadsafe(hand_over, some)
