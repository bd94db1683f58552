"""All workers meet before TensorFlow starts, or learn who did not come."""

import socket
import threading

import pytest

from tfpipe.devices.cluster.membership import Cluster, host_and_port
from tfpipe.devices.cluster.rendezvous import meet
from tfpipe.errors import DeviceError


@pytest.fixture
def workers():
    """Three free addresses on this machine."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    addresses = tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
    for server in servers:
        server.close()
    return addresses


def all_meet(*calls):
    """What each call of `meet` raised, the calls running at once."""
    found = [None] * len(calls)

    def call(place, cluster, seconds):
        try:
            meet(cluster, seconds)
        except DeviceError as error:
            found[place] = str(error)

    threads = [
        threading.Thread(target=call, args=(i, *arguments)) for i, arguments in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_all_come(workers):
    assert all_meet(*[(Cluster(workers, i), 60) for i in range(3)]) == [None] * 3


def test_the_ports_are_free_afterwards(workers):
    for _ in range(2):
        assert all_meet(*[(Cluster(workers, i), 60) for i in range(3)]) == [None] * 3


def test_a_worker_that_never_comes_is_named(workers):
    chief, other = all_meet((Cluster(workers, 0), 2), (Cluster(workers, 1), 60))
    assert chief == other
    assert chief.startswith(f"Worker 2 ({workers[2]}) did not come up within 2 s.")


def test_a_chief_that_never_comes_is_named(workers):
    with pytest.raises(DeviceError, match=rf"the chief, worker 0 at {workers[0]}, within 0\.3 s"):
        meet(Cluster(workers, 2), 0.3)


def test_workers_that_were_told_different_things(workers):
    other = (workers[0], workers[2], workers[1])
    chief, worker = all_meet((Cluster(workers, 0), 60), (Cluster(other, 1), 60))
    assert chief == worker
    assert chief.startswith(f"Worker 1 was told the workers are {', '.join(other)}")


def test_a_port_that_is_taken(workers):
    with (
        socket.create_server(host_and_port(workers[1])),
        pytest.raises(DeviceError, match=rf"Worker 1 cannot listen on {workers[1]}"),
    ):
        meet(Cluster(workers, 1), 60)


def test_strangers_are_not_counted(workers):
    def stranger(text):
        while True:
            try:
                with socket.create_connection(host_and_port(workers[0])) as chief:
                    chief.sendall(text)
                    return
            except ConnectionRefusedError:
                pass

    strangers = [
        threading.Thread(target=stranger, args=(text,))
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"")
    ]
    chief = threading.Thread(target=meet, args=(Cluster(workers, 0), 60))
    chief.start()
    for thread in strangers:
        thread.start()
    for thread in strangers:
        thread.join()
    assert all_meet(*[(Cluster(workers, i), 60) for i in (1, 2)]) == [None] * 2
    chief.join()
