"""All workers meet before TensorFlow starts: with a deadline, and names for who did not come.

TensorFlow's own start waits for ever for a worker that never comes up. It waits inside C++ and
keeps Python's lock meanwhile, so that no thread of ours can end it, and it takes SIGTERM for
itself. So the waiting is done here, in Python, where a deadline and Ctrl-C work: every worker
reports to the chief at the chief's address, and when the last one has come the chief tells all to
go on, frees its port, and TensorFlow finds everybody there.
"""

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tfpipe.devices.cluster.membership import Cluster, host_and_port
from tfpipe.errors import DeviceError

GO = "go"
_LONGEST = 1 << 20  # of a report, in bytes
_PAUSE = 0.2


@dataclass
class _Caller:
    """A connection to the chief, and who it turned out to be."""

    socket: socket.socket
    received: bytes = b""
    worker: int | None = field(default=None)


def meet(cluster: Cluster, deadline_seconds: float) -> None:
    """Return when all workers of the cluster have come.

    Args:
        cluster: the workers, and which of them this process is.
        deadline_seconds: how long to wait for the others.

    Raises:
        DeviceError: when a worker has not come by the deadline, when two do not agree who the
            workers are, or when this worker's port is taken.
    """
    until = time.monotonic() + deadline_seconds
    with _listen(cluster) as server:
        if cluster.chief:
            _receive_all(cluster, server, until, deadline_seconds)
            return
    _report(cluster, until, deadline_seconds)


def _listen(cluster: Cluster) -> socket.socket:
    """This worker's own port, which also shows that TensorFlow will be able to take it."""
    host, port = host_and_port(cluster.address)
    local = host in ("localhost", "127.0.0.1")
    try:
        # Elsewhere on all interfaces, as TensorFlow does: the name may be that of a service.
        return socket.create_server(("127.0.0.1" if local else "", port))
    except OSError as error:
        raise DeviceError(
            f"Worker {cluster.index} cannot listen on {cluster.address} ({error.strerror}). End "
            "the program that uses this port, or choose another port for this worker in --cluster."
        ) from error


def _receive_all(cluster: Cluster, server: socket.socket, until: float, seconds: float) -> None:
    callers: list[_Caller] = []
    try:
        while missing := set(range(1, cluster.size)) - {c.worker for c in callers}:
            if time.monotonic() > until:
                raise DeviceError(_give_up(cluster, missing, callers, seconds))
            ready, _, _ = select.select([server, *[c.socket for c in callers]], [], [], _PAUSE)
            if server in ready:
                callers.append(_Caller(server.accept()[0]))
            for caller in [c for c in callers if c.socket in ready]:
                if not _hear(cluster, caller):
                    caller.socket.close()
                    callers.remove(caller)
        for caller in callers:
            _answer(caller, GO)
    finally:
        for caller in callers:
            caller.socket.close()


def _give_up(cluster: Cluster, missing: set[int], callers: list[_Caller], seconds: float) -> str:
    """Who did not come; those who did are told as well."""
    names = ", ".join(f"{i} ({cluster.workers[i]})" for i in sorted(missing))
    message = (
        f"Worker {names} did not come up within {seconds:g} s. Look at its log, check that it was "
        f"started and that it can reach {cluster.address}; a larger --start-deadline waits longer."
    )
    for caller in callers:
        _answer(caller, message)
    return message


def _hear(cluster: Cluster, caller: _Caller) -> bool:
    """Read what a caller sends; False when it has gone, or is no worker."""
    try:
        data = caller.socket.recv(65536)
    except OSError:
        return False
    caller.received += data
    if not data or len(caller.received) > _LONGEST:
        return False
    if not caller.received.endswith(b"\n"):
        return True
    try:
        report = json.loads(caller.received)
        worker, workers = int(report["worker"]), tuple(report["workers"])
    except (ValueError, KeyError, TypeError):
        return False  # a port scanner, a browser
    if workers != cluster.workers or not 0 < worker < cluster.size:
        difference = (
            f"Worker {worker} was told the workers are {', '.join(workers)}, and the chief was "
            f"told {', '.join(cluster.workers)}. Give all of them the same list in the same order."
        )
        _answer(caller, difference)
        raise DeviceError(difference)
    caller.worker = worker
    return True


def _answer(caller: _Caller, text: str) -> None:
    with contextlib.suppress(OSError):  # it has gone; its own start will say so
        caller.socket.sendall(f"{text}\n".encode())


def _report(cluster: Cluster, until: float, seconds: float) -> None:
    """Tell the chief that this worker is here, again and again, until it says to go on."""
    message = json.dumps({"worker": cluster.index, "workers": cluster.workers}) + "\n"
    reason = "it does not answer"
    while (left := until - time.monotonic()) > 0:
        answer = ""
        try:
            with socket.create_connection(host_and_port(cluster.workers[0]), left) as chief:
                chief.sendall(message.encode())
                reason = "it answered, and waits for another worker"
                answer = _line(chief, lambda: until - time.monotonic())
        except OSError as error:  # it is not there yet, or its name is not known yet
            if not isinstance(error, TimeoutError):
                reason = error.strerror or str(error)
        if answer == GO:
            return
        if answer:
            raise DeviceError(answer)
        time.sleep(_PAUSE)
    raise DeviceError(
        f"Worker {cluster.index} did not get through to the chief, worker 0 at "
        f"{cluster.workers[0]}, within {seconds:g} s: {reason}. Check that every worker was "
        "started, that it runs on the machine of its address, and that the port is open."
    )


def _line(connection: socket.socket, left: Callable[[], float]) -> str:
    received = b""
    while not received.endswith(b"\n"):
        connection.settimeout(max(left(), 0.01))
        data = connection.recv(65536)
        if not data:
            return ""  # the chief has gone, and may come again
        received += data
    return received.decode(errors="replace").strip()
