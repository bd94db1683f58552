"""A search on several machines: a chief and its workers, talking over real sockets."""

import contextlib
import platform
import shutil
import socket
import threading
import time
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import grpc
import pytest

from tfpipe.declare.loading import load
from tfpipe.errors import (
    ConfigError,
    Interrupted,
    RunError,
    StorageError,
    TfpipeError,
    TrainingError,
)
from tfpipe.tuning import remote as remote_module
from tfpipe.tuning import stored, wire
from tfpipe.tuning.chief import Chief, _how_to_join, serve
from tfpipe.tuning.oracles import make_oracle
from tfpipe.tuning.proposals import WAIT, Proposals
from tfpipe.tuning.records import Records
from tfpipe.tuning.remote import Remote
from tfpipe.tuning.space import space_of

PIPELINE = """
from tfpipe import Pipeline, hp, keras
from tfpipe.data import TFDS
from tfpipe.models import MLP


SGD = keras.optimizers.SGD(learning_rate=hp.Float(0.01, min=1e-4, max=1e-1, log=True))
ADAM = keras.optimizers.Adam(learning_rate=hp.Float(0.001, min=1e-4, max=1e-2, log=True))


class Tuned(Pipeline):
    data = TFDS("mnist")
    model = MLP(units=(8,))
    optimizer = hp.Choice(SGD, values=(SGD, ADAM))
    epochs = 3
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "tuned.py"
    file.write_text(PIPELINE)
    return file


@pytest.fixture
def root(tmp_path):
    return tmp_path / "shared"


@pytest.fixture
def search(file, root):
    """A search of 4 random trials that nobody has begun."""
    loaded = load(str(file))
    asked = stored.Asked("random", 4, "val_accuracy", "max", 1)
    space = space_of(loaded.pipeline).to_json()
    return stored.create(root, loaded, datetime(2026, 11, 21), asked, space)


@pytest.fixture
def proposals(search):
    return proposals_of(search)


def proposals_of(search, reload=False):
    """The trials of a search; `reload` as after the chief's end."""
    space = space_of(search.load().pipeline)
    asked = search.asked
    oracle = make_oracle(
        asked.tuner,
        space.hyperparameters(),
        objective=asked.objective,
        direction=asked.direction,
        trials=asked.trials,
        seed=asked.seed,
        epochs=3,
        project=search.directory.path / "tuner",
        declared=None,
        size=space.size,
        reload=reload,
    )
    return Proposals(search, space, oracle)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def chief(proposals, search):
    """A chief whose clock stands still until `passes` moves it."""
    with Chief("0", proposals, search, clock=Clock()) as chief:
        yield chief


def passes(chief, seconds):
    """Let time pass, as a chief sees it that looks once a second."""
    for _ in range(seconds):
        chief._clock.now += 1.0
        chief.sweep()


@pytest.fixture
def worker(chief, file, root):
    """Makes workers of the chief."""
    made = []

    def make(**more):
        remote = Remote(chief.address, root, load(str(file)), **more)
        made.append(remote)
        return remote.__enter__()

    yield make
    for remote in made:
        remote.close()


def wait_for(what, seconds=20):
    """What a call gives once it gives something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing came for {seconds} s")


def taken(remote, slot="tuner0"):
    """The next trial of a worker's slot, waiting for it as `conduct` does."""
    (found,) = wait_for(lambda: [one for one in [remote.next(slot)] if one is not WAIT])
    return found


def done(trial, objective=0.1):
    """A trial as it is when it has finished."""
    ended = {"state": "finished", "objective": objective, "epoch": 2, "ended": 5.0, "attempts": 1}
    return replace(trial, **ended, metrics={"val_accuracy": objective}, seconds=1.5)


def notes(chief):
    """What the chief has to say to people, so far."""
    found = []
    while not chief.events.empty():
        what, about = chief.events.get()
        found += [about] if what == "note" else []
    return found


def without_name(remote, texts):
    return [text.replace(remote.name, "NAME") for text in texts]


# Trials come and go


def test_workers_finish_a_search(chief, worker, search, capfd):
    numbers = []

    def run(remote):
        while trial := taken(remote):
            assert trial == stored.Trial.read(search.folder(trial.id))
            numbers.append(trial.id)
            remote.end(done(trial, 0.1 + int(trial.id) / 3))

    remotes = [worker(), worker()]
    threads = [threading.Thread(target=run, args=(remote,)) for remote in remotes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chief.sweep()
    assert sorted(numbers) == ["00", "01", "02", "03"]
    # Exactly: Keras Tuner's messages would have rounded them.
    assert [t.objective for t in search.trials()] == [0.1 + number / 3 for number in range(4)]
    assert {t.state for t in search.trials()} == {"finished"}
    assert {t.worker.rpartition("/")[0] for t in search.trials()} <= {r.name for r in remotes}
    oracle = chief.proposals.oracle
    assert {t.score for t in oracle.trials.values()} == {0.1 + number / 3 for number in range(4)}
    assert not chief.finished  # until the workers have gone
    for remote in remotes:
        remote.close()
    assert chief.finished
    assert capfd.readouterr() == ("", "")


def test_a_chief_does_not_wait_long_for_workers_that_do_not_say_goodbye(chief, worker):
    remote = worker()
    for _ in range(4):
        remote.end(done(taken(remote)))
    assert taken(remote) is None
    passes(chief, 10)
    assert not chief.finished
    passes(chief, 1)
    assert chief.finished


def test_a_slot_that_has_lost_the_answer_gets_the_same_trial(chief):
    first, other = chief.hand_out("a/tuner0"), chief.hand_out("a/tuner1")
    assert chief.hand_out("a/tuner0") is first
    assert other.id != first.id


def test_nothing_is_left_only_when_all_trials_are_back(chief):
    trials = [chief.hand_out(f"a/tuner{number}") for number in range(4)]
    assert chief.hand_out("b/tuner0") is WAIT
    chief.alive("a", {}, leaving=True)
    assert chief.hand_out("b/tuner0").id == trials[0].id


def test_what_a_worker_may_say_of_a_trial(chief, search):
    trial = chief.hand_out("a/tuner0")
    own = {"values": {"x": 1}, "overrides": ("x=1",), "run": "../../elsewhere", "epochs": 9}
    said = replace(done(trial), **own)
    assert chief.take_back(said)
    kept = search.trials()[0]
    assert (kept.values, kept.overrides, kept.run, kept.epochs) == (
        trial.values,
        trial.overrides,
        "00",
        3,
    )
    assert (kept.objective, kept.epoch, kept.seconds, kept.attempts) == (0.1, 2, 1.5, 1)


# Workers come and go


def test_a_lost_worker_neither_loses_nor_blocks_its_trial(chief, search, worker):
    trial = chief.hand_out("lost/tuner0")
    # As `conduct` does when it begins one.
    replace(trial, attempts=1, began=7.0).write(search.folder(trial.id))
    passes(chief, 30)
    assert chief.running() == ["00"]
    passes(chief, 1)
    assert chief.running() == []
    said = "lost has not been heard of for 31 s"
    assert notes(chief) == ["lost has come.", f"{said}: its trials go to others."]
    [kept] = search.trials()
    assert (kept.state, kept.reason, kept.attempts) == ("interrupted", f"{said}.", 1)
    remote = worker()
    again = taken(remote)
    assert (again.id, again.values, again.state, again.attempts, again.began) == (
        "00",
        trial.values,
        "running",
        1,
        7.0,
    )
    # The lost one comes back.
    told = chief.alive("lost", {"lost/tuner0": "00"}, leaving=False)
    assert told == {"lost": ["00"], "stop": "", "reason": ""}
    assert not chief.take_back(done(trial, 0.9))
    remote.end(done(again, 0.3))
    assert [t.objective for t in search.trials()] == [0.3]


def test_a_trial_whose_process_lives_is_not_given_to_another(chief, search):
    trial = chief.hand_out("lost/tuner0")
    with search.run(trial).lock():
        passes(chief, 600)
        assert chief.running() == ["00"]
        assert chief.hand_out("other/tuner0").id == "01"
        passes(chief, 1)
    assert search.trials()[0].state == "failed"
    assert search.trials()[0].kind == "lost"
    assert search.trials()[0].reason == (
        "lost has not been heard of for 601 s, and a process of it still holds the run."
    )


def test_a_chief_that_was_held_up_itself_loses_nobody(chief):
    chief.hand_out("a/tuner0")
    chief._clock.now += 3600
    chief.sweep()
    assert chief.running() == ["00"]


def test_a_worker_that_leaves_puts_its_trials_back(chief, search, worker):
    remote = worker()
    trial = taken(remote)
    remote.close()
    assert without_name(remote, notes(chief)) == ["NAME has come.", "NAME has left."]
    assert search.trials()[0].state == "interrupted"
    assert taken(worker()).id == trial.id


def test_a_worker_hears_that_its_trial_is_another_ones(chief, worker, monkeypatch):
    remote, other = worker(), worker()
    trial = taken(remote)
    remote._say()
    assert remote.lost == set()
    chief._leave(remote.name)
    assert taken(other).id == trial.id
    remote._say()
    assert remote.lost == {trial.id}
    remote.end(done(trial, 0.9))  # is not taken, and no error
    assert chief.running() == [trial.id]


def test_a_worker_where_all_fails_leaves_the_trials_to_others(chief, worker):
    remote = worker()
    failed = {"state": "failed", "kind": "DeviceError", "reason": "There is no GPU."}
    for _ in range(2):
        remote.end(replace(taken(remote), **failed))
    with pytest.raises(TrainingError, match=r"^All 3 trials failed for one reason"):
        remote.end(replace(taken(remote), **failed))
    other = worker()
    other.end(done(taken(other)))
    assert [t.state for t in chief.search.trials()] == ["failed"] * 3 + ["finished"]


# Stopping


def test_a_search_whose_time_is_used_up_lets_trials_finish(chief, worker):
    remote = worker()
    trial = taken(remote)
    chief.halt("finish", "The search's time is used up.")
    remote._say()
    assert remote.asked() == 0
    assert remote.next("tuner1") is None
    assert not chief.finished
    remote.end(done(trial))
    remote.close()
    assert chief.finished


@pytest.mark.parametrize("person", [0, 1])
def test_workers_stop_at_once_when_the_chief_says_so(chief, worker, person):
    said = []
    remote = worker(person=lambda: person, note=said.append)
    taken(remote)
    assert remote.asked() == person
    chief.halt("now", "A person has stopped the search.")
    remote._say()
    assert remote.asked() == 1
    # What `conduct` raises then is an error only when it was a person here.
    assert remote.__exit__(Interrupted, Interrupted("Stopped"), None) is not bool(person)
    assert said == (
        [] if person else ["The chief has ended the search: A person has stopped the search."]
    )
    assert chief.finished


# When the chief goes away


@pytest.fixture
def away(proposals, search, file, root):
    """A worker with a trial whose chief has just gone, its notes, and what brings a chief back."""
    said, clock = [], Clock()
    with Chief("0", proposals, search) as chief:
        worker = Remote(chief.address, root, load(str(file)), note=said.append, clock=clock)
        remote = worker.__enter__()
        trial = taken(remote)
        trial.attempts = 1
        trial.write(search.folder(trial.id))

    def back():
        return Chief(chief.address, proposals_of(search, reload=True), search)

    yield remote, trial, clock, said, back
    remote.close()


def test_a_chief_that_comes_back_in_time(away, search):
    remote, trial, clock, said, back = away
    assert remote.next("tuner1") is WAIT
    clock.now += 6
    assert remote.next("tuner1") is WAIT
    assert said == [f"The chief at {remote.address} does not answer. Asking again for 300 s."]
    with back() as chief:
        with search.run(trial).lock():
            # Its process still trains: nobody else may go on with it.
            assert chief.hand_out("other/tuner0") is WAIT
            wait_for(lambda: remote._say() or remote.lost == {trial.id})
        clock.now += 1
        again = remote.next("tuner0")
        assert said[1:] == ["The chief answers."]
        assert (again.id, again.attempts) == (trial.id, 1)
        assert remote.lost == set()
        remote.end(done(again, 0.3))
        assert [t.objective for t in search.trials()] == [0.3]


def test_a_chief_that_stays_away(away, search):
    remote, trial, clock, _, _ = away
    remote.end(done(trial))
    clock.now += 301
    with pytest.raises(RunError) as caught:
        remote.next("tuner0")
    assert str(caught.value) == (
        f"The chief at {remote.address} has not answered for 301 s. Trial 00 has ended and is "
        f"kept: its run is {search.run(trial).path}. Go on with tfpipe search --resume "
        f"{search.name} where the chief was, and start this worker again."
    )


def test_a_chief_whose_search_is_finished(away, search):
    remote, _, clock, _, _ = away
    search.state = "finished"
    search.write()
    clock.now += 1
    assert remote.next("tuner0") is None


def test_what_fails_at_the_chief_ends_the_search(chief, worker, monkeypatch):
    def full(trial):
        raise StorageError("The disk of X is full.")

    remote = worker()
    trial = taken(remote)
    monkeypatch.setattr(chief.proposals, "end", full)
    with pytest.raises(RunError) as caught:
        remote.end(done(trial))
    assert str(caught.value) == (
        f"The chief at {chief.address} answers: The chief has failed: The disk of X is full."
    )
    with pytest.raises(StorageError, match=r"^The disk of X is full\.$"):
        chief.sweep()


# A chief's own loop


class Watch:
    """Writes down what a watcher is told."""

    def __init__(self):
        self.said, self.running = [], []

    def began(self, trial):
        self.said.append(f"began {trial.id}")

    def ended(self, trial):
        self.said.append(f"{trial.state} {trial.id}")

    def tick(self, running):
        self.running.append(dict(running))

    def note(self, text):
        self.said.append(text)


class Served:
    """`serve` in a thread, with a worker that has come."""

    def __init__(self, search, file, root):
        self.watch, self.asks, self.spent, self.raised = Watch(), 0, 0.0, None
        self.trial_ended = search.write_best  # it serves as the records, too
        arguments = (search, proposals_of(search), self.watch, "0", lambda: self.asks, self)
        self.thread = threading.Thread(target=self._run, args=arguments, daemon=True)
        self.thread.start()
        waits = wait_for(lambda: self.watch.said)[0]
        self.port = waits.partition(". ")[0].rpartition(":")[2]
        self.remote = Remote(self.port, root, load(str(file))).__enter__()

    def _run(self, *arguments):
        try:
            serve(*arguments)
        except TfpipeError as error:
            self.raised = error

    def end(self):
        self.remote.close()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()
        return [text.replace(self.remote.name, "NAME") for text in self.watch.said]


@pytest.fixture
def served(search, file, root):
    made = Served(search, file, root)
    yield made
    made.asks = 2
    made.end()


def test_a_chief_serves_to_the_end(served, search):
    for number in range(4):
        trial = taken(served.remote)
        (search.folder(trial.id) / "progress.json").write_text('{"doing": "epoch 2 of 3"}')
        time.sleep(0.3 if number == 0 else 0)
        served.remote.end(done(trial, 0.1 * number))
    assert taken(served.remote) is None
    assert served.end() == [
        _how_to_join(f"127.0.0.1:{served.port}", search),
        "NAME has come.",
        *[f"{what} {number:02d}" for number in range(4) for what in ("began", "finished")],
        "NAME has left.",
    ]
    assert served.raised is None
    assert {"00": "epoch 2 of 3"} in served.watch.running
    assert search.directory.read_json("best.json")["trial"] == "03"


@pytest.mark.parametrize("hard", [False, True])
def test_a_budget_at_the_chief(served, search, hard):
    search.asked.budget, search.asked.hard = 60.0, hard
    trial = taken(served.remote)
    served.spent = 60.0
    wait_for(lambda: served.remote._say() or served.remote.stop)
    assert served.remote.stop == ("now" if hard else "finish")
    if not hard:
        served.remote.end(done(trial))
    assert served.end()[-1 if hard else -2] == ("interrupted 00" if hard else "finished 00")
    assert served.raised is None


def test_a_person_stops_the_chief(served):
    taken(served.remote)
    served.asks = 1
    wait_for(lambda: served.remote._say() or served.remote.asked())
    assert served.end()[-2:] == ["NAME has left.", "interrupted 00"]
    assert str(served.raised) == "Stopped; everything so far is saved."


def test_all_trials_failing_for_one_reason_end_a_search_on_several_machines(served):
    for number in range(3):
        failed = {"state": "failed", "kind": "DataError", "reason": "There is no data."}
        with pytest.raises(TrainingError) if number == 2 else contextlib.nullcontext():
            served.remote.end(replace(taken(served.remote), **failed))
    wait_for(lambda: served.remote._say() or served.remote.asked())
    served.end()
    assert str(served.raised) == (
        "All 3 trials failed for one reason, so no other is begun: There is no data."
    )


def test_one_worker_where_all_fails_does_not_end_the_search(served, search, file, root):
    with Remote(served.port, root, load(str(file))) as other:
        trial = taken(other)
        for number in range(3):
            failed = {"state": "failed", "kind": "DeviceError", "reason": "There is no GPU."}
            with pytest.raises(TrainingError) if number == 2 else contextlib.nullcontext():
                served.remote.end(replace(taken(served.remote), **failed))
        served.remote.close()
        wait_for(lambda: served.watch.said.count("failed 03"))
        other._say()
        assert other.asked() == 0
        other.end(done(trial))
    served.end()
    assert served.raised is None
    assert [t.state for t in search.trials()] == ["finished", "failed", "failed", "failed"]


# What others may ask


def stub(chief):
    _, requests, services = wire.keras_tuner_messages()
    channel = grpc.insecure_channel(chief.address)
    return channel, requests, services.OracleStub(channel)


def test_keras_tuners_own_worker_is_told_what_this_is(chief, monkeypatch):
    from keras_tuner.src.distribute.oracle_client import OracleClient

    host, port = chief.address.split(":")
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", host)
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", port)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner0")
    client = OracleClient(chief.proposals.oracle)
    with pytest.raises(grpc.RpcError) as caught:
        client.create_trial("tuner0")
    assert caught.value.details() == (
        f"This is the chief of {chief.search.name}, for workers that tfpipe search FILE --worker "
        "starts."
    )
    assert {hp.name for hp in client.get_space().space} == {
        "optimizer",
        "optimizer[SGD].learning_rate",
        "optimizer[Adam].learning_rate",
    }
    chief.sweep()


def test_requests_that_make_no_sense_do_the_chief_no_harm(chief):
    channel, requests, service = stub(chief)
    own = wire.metadata(chief.identity)
    wrong = [
        (channel.unary_unary(wire.ALIVE), b"[]", "This is no heartbeat"),
        (channel.unary_unary(wire.ALIVE), b"\xff", "This is no heartbeat"),
        (service.EndTrial, requests.EndTrialRequest(), "there is no record of a trial"),
        (service.UpdateTrial, requests.UpdateTrialRequest(), "is in its folder"),
        (service.UpdateSpace, requests.UpdateSpaceRequest(), "that the pipeline declares"),
    ]
    for method, request, said in wrong:
        with pytest.raises(grpc.RpcError) as caught:
            method(request, metadata=own)
        assert said in caught.value.details()
    broken = (*own, ("tfpipe-trial-bin", b'{"id": 3}'))
    with pytest.raises(grpc.RpcError) as caught:
        service.EndTrial(requests.EndTrialRequest(), metadata=broken)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    channel.close()
    chief.sweep()


# Addresses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8000", "127.0.0.1:8000"),
        ("0.0.0.0:8000", "0.0.0.0:8000"),
        ("host-a:08000", "host-a:8000"),
        ("[::1]:8000", "[::1]:8000"),
    ],
)
def test_addresses(text, found):
    assert wire.address(text, "--chief") == found


@pytest.mark.parametrize("text", ["", "host", "host:", "8000x", "host:65536", "::1:8000", "a:b:80"])
def test_what_is_no_address(text):
    with pytest.raises(ConfigError) as caught:
        wire.address(text, "--worker")
    assert str(caught.value) == (
        f"--worker {text} is no address. Write HOST:PORT, such as 10.0.0.5:8000, or for this "
        "machine alone a port, such as 8000."
    )


@pytest.mark.parametrize(
    ("address", "worker", "more"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000", ""),
        ("[::1]:8000", "[::1]:8000", ""),
        ("0.0.0.0:8000", f"{platform.node()}:8000", " Whoever reaches this port can take part."),
        ("10.0.0.5:8000", "10.0.0.5:8000", " Whoever reaches this port can take part."),
    ],
)
def test_how_people_are_told_to_join(address, worker, more, search, file, root):
    assert _how_to_join(address, search) == (
        f"Waiting for workers at {address}.{more} Start them with: tfpipe search {file}::Tuned "
        f"--worker {worker} --root {root}"
    )


def test_a_port_in_use(chief, proposals, search):
    with pytest.raises(ConfigError) as caught:
        Chief(chief.address, proposals, search).__enter__()
    assert str(caught.value) == (
        f"--chief {chief.address} cannot be listened on (Address already in use). End the program "
        "that uses this port or choose another port, and give a name or an address of this machine."
    )


def test_a_port_that_is_taken_in_the_last_moment(proposals, search, monkeypatch):
    monkeypatch.setattr("tfpipe.tuning.service.check_free", lambda address: None)
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^--chief 127\.0\.0\.1:{port} cannot be listened"):
            Chief(str(port), proposals, search).__enter__()


def test_a_machine_that_is_another(proposals, search):
    with pytest.raises(
        ConfigError, match=r"cannot be listened on \(Cannot assign requested address"
    ):
        Chief("192.0.2.1:8000", proposals, search).__enter__()


# Who may join


def joining(chief, file, root, **more):
    """What a worker is told that tries to join."""
    with pytest.raises((ConfigError, RunError)) as caught:
        Remote(chief.address, root, load(str(file)), **more).__enter__()
    return str(caught.value)


def test_another_declaration_is_refused(chief, file, root, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(PIPELINE.replace("epochs = 3", "epochs = 4"))
    assert joining(chief, other, root) == (
        f"{other}::Tuned declares another epochs than the chief's search {chief.search.name}. Give "
        "the file that the chief has."
    )


def test_the_same_declaration_in_another_place_is_taken(chief, file, root, tmp_path):
    moved = tmp_path / "elsewhere" / "tuned.py"
    moved.parent.mkdir()
    file.rename(moved)
    with Remote(chief.address, root, load(str(moved))) as remote:
        assert taken(remote).id == "00"


def test_another_file_in_the_place_of_the_chiefs_is_refused(chief, file, root, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(PIPELINE)
    file.write_text(PIPELINE.replace("epochs = 3", "epochs = 4"))
    assert joining(chief, own, root) == (
        f"{file}::Tuned declares another epochs than when {chief.search.name} began, and trials "
        "that are trained differently cannot be compared. Undo the change, or start a new search."
    )


def test_overrides_are_the_chiefs_or_must_be_the_same(file, root):
    loaded = load(str(file), ["epochs=5"])
    asked = stored.Asked("random", 4, "val_accuracy", "max", 1)
    space = space_of(loaded.pipeline).to_json()
    search = stored.create(root, loaded, datetime(2026, 11, 22), asked, space)
    with Chief("0", proposals_of(search), search) as chief:
        for overrides in ([], ["epochs=5"]):
            with Remote(chief.address, root, load(str(file), overrides)) as remote:
                assert remote.search.name == search.name
        with pytest.raises(ConfigError, match="declares another epochs than the chief's search"):
            Remote(chief.address, root, load(str(file), ["epochs=6"])).__enter__()


def test_a_folder_that_is_not_shared(chief, file, tmp_path):
    assert joining(chief, file, tmp_path / "own", patience=0.3) == (
        f"The chief's search {chief.search.name} is not in {tmp_path / 'own' / 'searches'}. All "
        "machines work in one folder that they share: give it with --root DIR."
    )


def test_a_search_of_the_same_name_is_not_the_same(chief, file, tmp_path):
    loaded = load(str(file))
    asked = stored.Asked("random", 4, "val_accuracy", "max", 1)
    own = stored.create(tmp_path / "own", loaded, datetime(2026, 11, 21), asked, {})
    assert own.name == chief.search.name
    own.began += 0.001
    own.write()
    assert "is not in" in joining(chief, file, tmp_path / "own", patience=0.3)


def test_a_copy_of_the_folder_is_not_shared(chief, file, root, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_module, "_SLOW", 0.3)
    shutil.copytree(root, tmp_path / "copy")
    with (
        Remote(chief.address, tmp_path / "copy", load(str(file))) as remote,
        pytest.raises(RunError) as caught,
    ):
        taken(remote)
    assert str(caught.value) == (
        f"The chief has written trial 00 into its folder of {chief.search.name}, and it is not in "
        f"{tmp_path / 'copy' / 'searches' / chief.search.name / 'trials'}: that is another folder, "
        "perhaps a copy. Give the one that the machines share with --root DIR."
    )
    chief.sweep()
    assert chief.running() == []  # it went back when the worker left


def test_another_version(chief, file, root, monkeypatch):
    monkeypatch.setattr(chief, "describe", lambda: {"version": 0})
    assert joining(chief, file, root) == (
        f"The chief at {chief.address} is another version of tfpipe: install the same one on all "
        "machines."
    )


def test_no_chief(file, root):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = SimpleNamespace(address=f"127.0.0.1:{port}")
    assert joining(address, file, root, patience=0.3) == (
        f"--worker 127.0.0.1:{port}: No chief has answered within 0.3 s. Start it with tfpipe "
        f"search FILE --chief 127.0.0.1:{port}; with --chief {port} alone it hears its own machine "
        "only."
    )


def test_a_server_that_is_no_chief(file, root):
    from concurrent import futures

    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        said = joining(SimpleNamespace(address=f"127.0.0.1:{port}"), file, root)
    finally:
        server.stop(0)
    assert "What answers there is no chief of a search." in said


# All of it, with processes


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_of_a_trial(small, root, python):
    varied = ["optimizer.learning_rate=hp.Float(0.01, min=0.001, max=0.1, log=True)", "epochs=12"]
    loaded = load(str(small), varied)
    asked = stored.Asked("random", 3, "val_accuracy", "max", 1)
    space = space_of(loaded.pipeline).to_json()
    search = stored.create(root, loaded, datetime(2026, 11, 21), asked, space)
    watch, records = Watch(), Records(search)
    arguments = (search, proposals_of(search), watch, "0", lambda: 0, records)
    chief = threading.Thread(target=serve, args=arguments, kwargs={"silence": 3.0}, daemon=True)
    chief.start()
    address = wait_for(lambda: watch.said)[0].partition(". ")[0].rpartition(" ")[2]
    command = ("-m", "tfpipe", "search", small, "--worker", address, "--root", root)
    workers = [python(*command), python(*command)]
    table = search.folder("00") / "metrics.csv"
    wait_for(lambda: table.is_file() and len(table.read_text().splitlines()) > 3, seconds=120)
    (trial,) = (one for one in search.trials() if one.id == "00")
    (killed,) = (one for one in workers if f"-{one.pid}-" in trial.worker)
    before = table.read_text().splitlines()[:3]
    killed.kill()
    chief.join(timeout=120)
    other = next(one for one in workers if one is not killed)
    assert other.end().code == 0
    assert [t.state for t in search.trials()] == ["finished"] * 3
    first = search.trials()[0]
    assert first.attempts == 2
    assert f"-{other.pid}-" in first.worker
    assert table.read_text().splitlines()[:3] == before  # with their times: it went on
    for trial in search.trials():
        rows = (search.folder(trial.id) / "metrics.csv").read_text().splitlines()[1:]
        assert [row.split(",")[0] for row in rows] == [str(n) for n in range(1, 13)]
    assert sorted(watch.said.count(f"finished 0{n}") for n in range(3)) == [1, 1, 1]
    assert search.directory.read_json("best.json")["value"] == search.best().objective
