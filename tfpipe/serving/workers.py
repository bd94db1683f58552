"""Several processes that answer on one socket: started, watched, and ended together.

    python -m tfpipe.serving.workers SPEC     one of them, from a WorkerSpec in JSON

One that dies takes its requests along and is started again; the others go on.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfpipe.errors import CheckFailed, ModelError, TfpipeError
from tfpipe.processes.exit_reason import describe
from tfpipe.processes.lifeline import end_with_parent
from tfpipe.processes.signals import count_stop_signals
from tfpipe.serving.options import ServingOptions

_BACKOFF, _LONGEST = 0.5, 30.0  # seconds before one that died is started again
_WATCH = 0.05
_GRACE = 5.0  # seconds beyond the options' for a process to end
_SHARED = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True)
class WorkerSpec:
    """What one of the processes has to know.

    Args:
        folders: of the models, by name.
        options: how they are served.
        descriptor: of the socket that all of them listen at.
    """

    folders: dict[str, str]
    options: dict[str, Any]
    descriptor: int


class _Process:
    """One of the processes, and what it has said.

    Args:
        spec: what it has to know.
        shared: the folder of counts.
        said: told in a sentence what happens there.
    """

    def __init__(self, spec: WorkerSpec, shared: str, said: Callable[[str], None]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tfpipe.serving.workers", json.dumps(asdict(spec))],
            stdin=subprocess.PIPE,  # it ends with this pipe
            stdout=subprocess.PIPE,
            pass_fds=[spec.descriptor],
            start_new_session=True,
            env={**os.environ, _SHARED: shared},
            text=True,
        )
        self.began = time.monotonic()
        self.ready = threading.Event()
        self.error: tuple[int, str] | None = None
        self._said = said
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            told = json.loads(line)
            if "said" in told:
                self._said(told["said"])
            elif "error" in told:
                self.error = told["code"], told["error"]
            else:
                self.ready.set()

    def end(self, seconds: float) -> None:
        """Wait until it has ended, and make it end when that takes longer."""
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


def serve_in_workers(
    folders: dict[str, Path],
    options: ServingOptions,
    listener: socket.socket,
    notify: Callable[[str], None],
    up: Callable[[], None],
) -> None:
    """Answer requests in several processes until this one is asked to end.

    Args:
        folders: of the models, by name.
        options: how they are served, and by how many processes.
        listener: where requests come in.
        notify: told in a sentence what happens.
        up: called when all of them answer.

    Raises:
        ModelError: when a model cannot be served, as the first process says.
        CheckFailed: when it does not answer as it should.
    """
    listener.set_inheritable(True)
    spec = WorkerSpec(
        {name: str(folder) for name, folder in folders.items()},
        {**asdict(options), "workers": 1, "threads": options.threads_each},
        listener.fileno(),
    )
    with (
        tempfile.TemporaryDirectory(prefix="tfpipe-serve-") as shared,
        count_stop_signals() as stops,
    ):

        def start(place: int) -> _Process:
            return _Process(spec, shared, notify if place == 0 else lambda text: None)

        running = [start(place) for place in range(options.workers)]
        failures, told = [0] * options.workers, False
        due: dict[int, float] = {}  # when those that ended are started again
        try:
            while not stops():
                for place, worker in enumerate(running):
                    code = worker.process.poll()
                    if code is None:
                        continue
                    if worker.error is not None and not told:
                        raise _error(*worker.error)
                    if place in due:
                        if time.monotonic() >= due[place]:
                            del due[place]
                            running[place] = start(place)
                        continue
                    lived = time.monotonic() - worker.began > _LONGEST
                    failures[place] = 1 if lived else failures[place] + 1
                    pause = min(_BACKOFF * 2 ** (failures[place] - 1), _LONGEST)
                    reason = describe(code) if worker.error is None else worker.error[1]
                    notify(f"process {place + 1} ended ({reason}) and is started again")
                    worker.end(0)
                    due[place] = time.monotonic() + pause
                if not told and all(worker.ready.is_set() for worker in running):
                    up()
                    told = True
                time.sleep(_WATCH)
        finally:
            listener.close()
            for worker in running:
                if worker.process.poll() is None:
                    worker.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + options.grace + _GRACE
            for worker in running:
                worker.end(end - time.monotonic())


def _error(code: int, message: str) -> TfpipeError:
    return CheckFailed(message) if code == CheckFailed.exit_code else ModelError(message)


def _until_parent_is_gone() -> None:
    # Not through sys.stdin, whose lock would be held at the end of this process.
    while os.read(0, 4096):
        pass


def main(text: str) -> None:
    """Answer requests in this process, which is one of several."""
    end_with_parent(_until_parent_is_gone)
    from tfpipe.serving import server
    from tfpipe.serving.metrics import Metrics

    def tell(**what: Any) -> None:
        print(json.dumps(what), flush=True)  # noqa: T201 (to the process that watches)

    spec = WorkerSpec(**json.loads(text))
    options = ServingOptions(**spec.options)
    metrics = Metrics()
    folders = {name: Path(folder) for name, folder in spec.folders.items()}
    repository = server.repository_of(
        folders, options, metrics, lambda sentence: tell(said=sentence)
    )
    try:
        repository.start()
    except TfpipeError as error:
        tell(error=str(error), code=error.exit_code)
        sys.exit(error.exit_code)
    tell(ready=True)
    server.serve(repository, options, metrics, socket.socket(fileno=spec.descriptor))


if __name__ == "__main__":
    main(sys.argv[1])
