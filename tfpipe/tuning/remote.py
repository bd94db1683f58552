"""A worker's side of a search on several machines: trials come from the chief and go back to it.

The worker runs them as any search does (`tfpipe.tuning.conduct`), in the folder that all machines
share. A chief that does not answer is asked again for a while. What is trained meanwhile is in the
trial's run: whoever goes on with it, goes on from there.
"""

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tfpipe.declare.loading import Loaded, differing, load
from tfpipe.errors import ConfigError, Interrupted, RunError
from tfpipe.tuning import wire
from tfpipe.tuning.conduct import all_alike
from tfpipe.tuning.proposals import WAIT, NoTrial
from tfpipe.tuning.stored import Search, Trial, read

PATIENCE = 300.0  # seconds to wait for a chief that does not answer, which may be starting

_BEAT = 2.0  # seconds between two signs of life
_DEADLINE = 10.0  # seconds for an answer
_WORD = 5.0  # seconds until a person is told that the chief does not answer
_PAUSE = 0.5  # seconds before a slot asks again, when there was no trial for it
_SLOW = 15.0  # seconds that a network folder may take to show what another machine has written


class Remote:
    """The trials that a chief hands out, in the place of `Proposals`; a context.

    Args:
        address: HOST:PORT of the chief, or a port of this machine.
        root: the folder that holds searches/, shared with the chief.
        loaded: the pipeline, which must be the chief's: without overrides it gets the chief's.
        person: how often a person has asked to stop.
        note: tells a person something.
        patience: seconds to wait for a chief that does not answer.
        clock: seconds, rising.

    Raises:
        ConfigError: for no address, or another declaration than the chief's.
        RunError: when there is no chief of tfpipe at the address, or its search is not in `root`.

    Example:
        with Remote("10.0.0.5:8000", Path("/shared"), load("cifar10_cnn.py")) as remote:
            trial = remote.next("tuner0")
    """

    search: Search

    def __init__(
        self,
        address: str,
        root: Path,
        loaded: Loaded,
        *,
        person: Callable[[], int] = int,
        note: Callable[[str], object] = str,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = wire.address(address, "--worker")
        self.name = f"{platform.node() or 'worker'}-{os.getpid()}-{uuid.uuid4().hex[:4]}"
        self.lost: set[str] = set()
        self.stop, self.reason = "", ""
        self._root, self._loaded = root, loaded
        self._person, self._note, self._noted = person, note, False
        self._patience, self._clock, self._heard = patience, clock, clock()
        self._held: dict[str, str] = {}  # the numbers of trials, by slot
        self._unsaid: list[Trial] = []
        self._ended: list[Trial] = []
        self._ask_at: dict[str, float] = {}
        self._closing = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="tfpipe-alive", daemon=True)

    def __enter__(self) -> "Remote":
        import grpc

        _, self._messages, services = wire.keras_tuner_messages()
        options = [
            *wire.OPTIONS,
            ("grpc.enable_http_proxy", 0),  # a proxy knows the machines of this network least
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        self._channel = grpc.insecure_channel(self.address, options=options)
        try:
            self._service = services.OracleStub(self._channel)
            self._describe = self._channel.unary_unary(wire.DESCRIBE)
            self._alive = self._channel.unary_unary(wire.ALIVE)
            self.search = self._join()
            self._metadata = wire.metadata(wire.identity(self.search))
            self._say()
        except BaseException:
            self._channel.close()
            raise
        self._beating.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self.close()
        if not isinstance(error, Interrupted) or self._person() or self.stop != "now":
            return False
        # No person's doing here, and no failure.
        self._note(f"The chief has ended the search: {self.reason}")
        return True

    def close(self) -> None:
        """Say goodbye: the trials that are not over go to others."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._beating.join()
        with contextlib.suppress(RunError):  # its run is finished, and says so
            self._deliver()
        self._say(leaving=True)
        self._channel.close()

    # In the place of Proposals

    def next(self, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        """A trial for a slot; WAIT where one may come later, None where none will.

        Raises:
            RunError: when the chief has not answered for long, or its folder is not this one.
        """
        if self._clock() < self._ask_at.get(slot, 0.0):
            return WAIT
        self._ask_at[slot] = self._clock() + _PAUSE
        self._deliver()
        if self._unsaid:
            return WAIT
        whole = f"{self.name}/{slot}"
        answer = self._ask(
            self._service.CreateTrial, self._messages.CreateTrialRequest(tuner_id=whole)
        )
        if answer is None:
            return None if self._finished() else WAIT
        return self._answered(answer.trial, whole)

    def end(self, trial: Trial) -> None:
        """Tell the chief what became of a trial.

        Raises:
            RunError: when the chief has not answered for long.
            TrainingError: when all trials fail here for one reason: a worker that lacks something
                would soon have used up those of the others.
        """
        self._held.pop(trial.worker, None)
        self._unsaid.append(trial)
        self._ask_at.clear()
        self._deliver()
        self._ended.append(trial)
        if failure := all_alike(self._ended):
            raise failure

    def asked(self) -> int:
        """How often somebody has asked to stop: a person here, or the chief."""
        return self._person() or int(self.stop == "now")

    # Inside

    def _answered(self, proposed: Any, slot: str) -> Trial | Literal[NoTrial.WAIT] | None:
        from keras_tuner.engine.trial import TrialStatus

        status = TrialStatus.from_proto(proposed.status)
        if status == TrialStatus.STOPPED:
            return None
        if status != TrialStatus.RUNNING:
            return WAIT
        trial = self._record(proposed.trial_id, slot)
        self.lost.discard(trial.id)
        self._held[slot] = trial.id
        return trial

    def _record(self, number: str, slot: str) -> Trial:
        """What the chief has written of a trial, which shows that the folder is shared."""
        until = time.monotonic() + _SLOW
        while number.isdecimal() and time.monotonic() < until:
            with contextlib.suppress(RunError):  # it is not there yet
                trial = Trial.read(self.search.folder(number))
                if trial.worker == slot:
                    return trial
            time.sleep(0.1)
        raise RunError(
            f"The chief has written trial {number} into its folder of {self.search.name}, and it "
            f"is not in {self.search.trials_folder}: that is another folder, perhaps a copy. Give "
            "the one that the machines share with --root DIR."
        )

    def _deliver(self) -> None:
        """Say how trials have ended, as far as it was not said."""
        import grpc

        trials, answers, _ = wire.keras_tuner_messages()
        while self._unsaid:
            trial = self._unsaid[0]
            status = trials.COMPLETED if trial.completed else trials.FAILED
            message = trials.Trial(trial_id=trial.id, status=status)
            metadata = wire.metadata(wire.identity(self.search), trial)
            answer = self._ask(
                self._service.EndTrial,
                answers.EndTrialRequest(trial=message),
                metadata,
                fine=grpc.StatusCode.ABORTED,  # it is not ours any more
            )
            if answer is None:
                return
            del self._unsaid[0]

    def _ask(self, method: Any, request: Any, metadata: Any = None, fine: Any = None) -> Any:
        """An answer of the chief; None where there is none at the moment.

        Raises:
            RunError: when there has been none for long, or the chief refuses.
        """
        import grpc

        try:
            answer = method(request, timeout=_DEADLINE, metadata=metadata or self._metadata)
        except grpc.RpcError as error:
            if fine is not None and error.code() == fine:
                return error
            if not _is_silence(error):
                raise RunError(f"The chief at {self.address} answers: {error.details()}") from None
            if self._clock() - self._heard > self._patience:
                raise self._gone() from None
            self._tell_of_silence()
            return None
        self._has_answered()
        return answer

    def _has_answered(self) -> None:
        self._heard = self._clock()
        if self._noted:
            self._noted = False
            self._note("The chief answers.")

    def _tell_of_silence(self) -> None:
        if not self._noted and self._clock() - self._heard > _WORD:
            self._noted = True
            self._note(
                f"The chief at {self.address} does not answer. Asking again for "
                f"{self._patience:.0f} s."
            )

    def _gone(self) -> RunError:
        kept = "".join(
            f" Trial {trial.id} has ended and is kept: its run is {self.search.run(trial).path}."
            for trial in self._unsaid
        )
        return RunError(
            f"The chief at {self.address} has not answered for "
            f"{self._clock() - self._heard:.0f} s.{kept} Go on with tfpipe search --resume "
            f"{self.search.name} where the chief was, and start this worker again."
        )

    def _finished(self) -> bool:
        """Whether the search has ended, as its folder says."""
        with contextlib.suppress(RunError):
            return read(self.search.directory.path, self._root).state == "finished"
        return False

    def _beat(self) -> None:
        while not self._closing.wait(_BEAT):
            self._say()

    def _say(self, leaving: bool = False) -> None:
        """Give a sign of life, and hear what the chief has to say."""
        import grpc

        held = dict(self._held)
        said = {"worker": self.name, "trials": held, "leaving": leaving}
        with contextlib.suppress(grpc.RpcError):
            answer = self._alive(wire.packed(said), timeout=_DEADLINE, metadata=self._metadata)
            self._heard = self._clock()
            told = json.loads(answer)
            self.lost |= set(told["lost"])
            self.reason, self.stop = told["reason"], told["stop"]

    # Joining

    def _join(self) -> Search:
        """The chief's search, when it is the same here."""
        told = self._described()
        if told.get("version") != wire.VERSION:
            raise RunError(
                f"The chief at {self.address} is another version of tfpipe: install the same one "
                "on all machines."
            )
        search = self._shared(str(told["name"]), str(told["identity"]))
        self._check_declaration(search)
        return search

    def _described(self) -> dict[str, Any]:
        import grpc

        until = self._clock() + self._patience
        while True:
            try:
                told = json.loads(self._describe(b"{}", timeout=_DEADLINE))
                self._has_answered()
                return dict(told)
            except (grpc.RpcError, ValueError, TypeError) as error:
                if not isinstance(error, grpc.RpcError) or not _is_silence(error):
                    raise self._no_chief("What answers there is no chief of a search") from None
                if self._person():
                    raise Interrupted("Stopped before the first trial.") from None
                self._tell_of_silence()
                if self._clock() > until:
                    said = f"No chief has answered within {self._patience:g} s"
                    raise self._no_chief(said) from None
            time.sleep(0.2)

    def _no_chief(self, said: str) -> RunError:
        port = self.address.rpartition(":")[2]
        return RunError(
            f"--worker {self.address}: {said}. Start it with tfpipe search FILE --chief "
            f"{self.address}; with --chief {port} alone it hears its own machine only."
        )

    def _shared(self, name: str, identity: str) -> Search:
        """The chief's search in this machine's folder, which may take a while to show it."""
        until = time.monotonic() + min(_SLOW, self._patience)
        folder = self._root / "searches"
        while True:
            for path in folder.glob("*/*"):
                # Compared, and not made from the name: what comes from outside is no path.
                if f"{path.parent.name}/{path.name}" == name:
                    with contextlib.suppress(RunError):
                        search = read(path, self._root)
                        if wire.identity(search) == identity:
                            return search
            if time.monotonic() > until:
                raise RunError(
                    f"The chief's search {name} is not in {folder.absolute()}. All machines work "
                    "in one folder that they share: give it with --root DIR."
                )
            time.sleep(0.2)

    def _check_declaration(self, search: Search) -> None:
        """Refuse to run another pipeline than the chief's; raises ConfigError."""
        loaded = self._loaded
        target = f"{loaded.path}::{type(loaded.pipeline).__name__}"
        if not loaded.overrides and loaded.path is not None:
            loaded = load(target, search.overrides)
        if fields := differing(loaded.pipeline, search.pipeline):
            raise ConfigError(
                f"{target} declares another {', '.join(fields)} than the chief's search "
                f"{search.name}. Give the file that the chief has."
            )
        search.load()  # as the trials will, from where the chief has it


def _is_silence(error: Any) -> bool:
    """Whether a call got no answer, rather than one that refuses."""
    import grpc

    codes = grpc.StatusCode
    return error.code() in (codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.CANCELLED)
