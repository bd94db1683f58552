"""`tfpipe run FILE --workers N`: that many processes on this machine, started and ended together.

A worker that dies cannot be replaced: the others' connections are broken for good. So the death of
one ends all, and all start again from the last saved state, on new ports.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfpipe.devices.cluster.membership import Cluster
from tfpipe.processes.signals import count_stop_signals
from tfpipe.processes.worker import Worker, free_ports

_INTERRUPTED = 130
# A person's input is wrong, a check failed, a person stopped it: no reason to start again.
_ON_PURPOSE = (2, 3, _INTERRUPTED)
_INTERVAL = 0.1


@dataclass(frozen=True)
class Limits:
    """How patient the supervisor is; in seconds but for the number of restarts.

    Args:
        deadline: for all workers to be up, after each start.
        restarts: how often all are started again after the death of one.
        backoff: before the first restart; each further one waits twice as long.
        longest_backoff: no restart waits longer.
        grace: between SIGTERM and SIGKILL, for workers whose peer has died: they may wait for it
            in C++, where SIGTERM does not reach them.
        stop_grace: the same when a person stops the run, for the workers to save their state.
    """

    deadline: float = 300.0
    restarts: int = 3
    backoff: float = 2.0
    longest_backoff: float = 60.0
    grace: float = 10.0
    stop_grace: float = 60.0

    def pause(self, restart: int) -> float:
        """Return how long to wait before a restart, the first being 1."""
        return min(self.backoff * 2 ** (restart - 1), self.longest_backoff)


class Supervisor:
    """Starts the workers, watches them, and ends them.

    Args:
        command: the command of a worker, by its place in the cluster and the attempt, from 0; from
            1 on the worker has to resume.
        workers: how many.
        logs: the folder for worker-0.log and so on; appended to over restarts.
        on_event: told in a sentence what happens, for the person.
        limits: how patient to be.
        sleep: waits for a number of seconds.
        clock: seconds, rising.
    """

    def __init__(
        self,
        command: Callable[[Cluster, int], Sequence[str]],
        workers: int,
        logs: Path,
        on_event: Callable[[str], None],
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command, self._size, self._logs = command, workers, logs
        self._say, self._limits = on_event, limits or Limits()
        self._sleep, self._clock = sleep, clock
        self._stop_signals: Callable[[], int] = lambda: 0
        self._workers: list[Worker] = []

    def run(self) -> int:
        """Run the workers to the end.

        Returns:
            0 done; 2 and 3 as the chief said; 130 stopped by a person; 1 when a worker did not come
            up or died more often than it may.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        with count_stop_signals() as self._stop_signals:
            for attempt in range(self._limits.restarts + 1):
                code = self._attempt(attempt)
                if code is not None:
                    return code
                if attempt < self._limits.restarts and not self._stop_signals():
                    self._pause(attempt + 1)
                if self._stop_signals():
                    return _INTERRUPTED
        self._say(f"All {self._limits.restarts} restarts are used up. The last state is intact.")
        return 1

    def _attempt(self, attempt: int) -> int | None:
        """Start all workers and watch them; return None if one died and all may start again."""
        addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(self._size))
        self._workers = []
        try:
            for index in range(self._size):
                command = self._command(Cluster(addresses, index), attempt)
                self._workers.append(Worker(index, command, self._logs))
            return self._watch()
        finally:
            self._end(0)

    def _watch(self) -> int | None:
        until = self._clock() + self._limits.deadline
        while True:
            if self._stop_signals():
                self._say("Stopping all workers; once more ends them at once.")
                self._end(self._limits.stop_grace, patience=1)
                self._pass_on(self._workers[0])
                return _INTERRUPTED
            codes = [worker.poll() for worker in self._workers]
            if any(codes) or codes[0] == 0:
                return self._ended(codes)
            late = [w for w in self._workers if w.late]
            if late and self._clock() > until:
                for worker in late:
                    self._say(
                        f"Worker {worker.index} did not come up within {self._limits.deadline:g} "
                        f"s. Its log says why: {worker.log}"
                    )
                return 1
            self._sleep(_INTERVAL)

    def _ended(self, codes: list[int | None]) -> int | None:
        """Return what becomes of the job when a worker has failed or the chief has finished."""
        chief = self._workers[0]
        if codes[0] == 0:
            self._wait(self._limits.grace, self._workers)
            return 0
        # Of several the one that a signal killed (below 0) came first: the others lost their peer.
        dead = self._workers[codes.index(min(code for code in codes if code))]
        if codes[0] not in _ON_PURPOSE and all(c in (None, 0, *_ON_PURPOSE) for c in codes):
            # What ends one worker on purpose ends the chief as well: hear it out, it says why.
            self._wait(self._limits.grace, [chief])
        for worker in (chief, dead):
            if worker.poll() in _ON_PURPOSE:
                self._end(self._limits.grace)
                self._pass_on(worker)
                return worker.exit_code
        how = dead.how if (dead.exit_code or 0) >= 0 else f"by {dead.how}"
        self._say(f"Worker {dead.index} died ({how}); its log: {dead.log}")
        self._end(self._limits.grace)
        return None

    def _pause(self, restart: int) -> None:
        """Wait before a restart, but not once a person stops the job."""
        seconds = self._limits.pause(restart)
        self._say(
            f"Starting all workers again from the last state in {seconds:g} s (restart {restart} "
            f"of {self._limits.restarts})."
        )
        until = self._clock() + seconds
        while not self._stop_signals() and (left := until - self._clock()) > 0:
            self._sleep(min(left, _INTERVAL))

    def _end(self, grace: float, patience: int = 0) -> None:
        """End all workers and what they started: SIGTERM, and SIGKILL after a grace."""
        if grace:
            for worker in self._workers:
                worker.terminate()
            self._wait(grace, self._workers, patience)
        for worker in self._workers:
            worker.close()

    def _wait(self, seconds: float, workers: Sequence[Worker], patience: int = 0) -> None:
        """Wait for the ends of workers, but not for long, nor once a person insists.

        Args:
            seconds: how long at most.
            workers: whose end to wait for.
            patience: how many requests to stop do not end the waiting.
        """
        until = self._clock() + seconds
        while any(w.poll() is None for w in workers) and self._clock() < until:
            if self._stop_signals() > patience:
                return
            self._sleep(_INTERVAL)

    def _pass_on(self, worker: Worker) -> None:
        """Show what a worker said last, as if it had been run by itself."""
        if worker.index:
            self._say(f"Worker {worker.index} ended the job; its log: {worker.log}")
        sys.stderr.write(worker.last_words())
        sys.stderr.flush()
