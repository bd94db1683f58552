"""What every oracle of a search has in common: Keras Tuner's files, which outlive any kill.

searches/cifar10_cnn/20261121-101502/tuner/
  oracle.json  tuner0.json  trial_00/trial.json  trial_01/trial.json  ...
"""

import json
import math
import random
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_tuner import HyperParameters, Oracle
from keras_tuner.engine.trial import Trial, TrialStatus

from tfpipe.errors import RunError
from tfpipe.storage import write_whole
from tfpipe.tuning.oracles.settings import Values, every, rounded, settings

STOPPED = {"status": TrialStatus.STOPPED, "values": None}
IDLE = {"status": TrialStatus.IDLE, "values": None}
ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)

# More settings than these are not listed one by one.
LISTED = 100_000
# Keras Tuner takes a space for exhausted after 20 values in a row that were tried. Where all
# settings can be listed, the rest is drawn from the list; elsewhere chance is given longer.
_COLLISIONS = 20
_PATIENCE = 2000


class DurableOracle(Oracle):
    """What tfpipe asks of every oracle, whatever proposes its values.

    Its files appear whole, and a trial's file before the oracle's, which names it: a process that
    is killed at any moment leaves a project that reloads, and several processes may use it that
    take turns and reload what another has changed. Keras Tuner's own lock stays locked after an
    exception and so is not used.
    """

    def prepare(
        self, seed: int, project: Path, declared: Mapping[str, Any] | None, size: int | None
    ) -> None:
        """Finish what Keras Tuner's own constructor cannot be told.

        Args:
            seed: of all random choices. Keras Tuner takes 0 for none.
            project: the folder of its files.
            declared: the values of the first trial; drawn as those of any other without.
            size: how many different settings there are; None for no end of them.
        """
        self.seed = self._seed_state = seed
        self.verbose = 0
        self._lock = threading.RLock()
        self._max_collisions = _COLLISIONS
        self._declared = dict(declared) if declared is not None else None
        self.size = size
        self._set_project_dir(str(project.parent), project.name)

    @property
    def project(self) -> Path:
        """The folder of its files."""
        return Path(self._directory) / self._project_name

    ongoing_trials: dict[str, Trial]
    _retry_queue: list[str]
    _known = ""

    # Trials come and go

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial of a slot; one without values where there is none (now, or any more)."""
        with self._lock:
            if tuner_id in self.ongoing_trials:
                return self.ongoing_trials[tuner_id]
            trial = self._repeated() if self._retry_queue else self._proposed()
            if trial.status == TrialStatus.RUNNING:
                self.ongoing_trials[tuner_id] = trial
                self._save_trial(trial)
                self.save()
            return trial

    def _repeated(self) -> Trial:
        trial = self.trials[self._retry_queue.pop(0)]
        trial.status, trial.message = TrialStatus.RUNNING, None
        # What it measured before it was cut off, it measures again.
        trial.metrics, trial.score, trial.best_step = type(trial.metrics)(), None, 0
        return trial

    def _proposed(self) -> Trial:
        trial_id = self._next_id()
        full = self.max_trials is not None and len(self.trials) >= self.max_trials
        proposal = STOPPED if full else self.populate_space(trial_id)
        hyperparameters = self.hyperparameters.copy()
        hyperparameters.values = proposal.get("values") or {}
        trial = Trial(hyperparameters, trial_id, proposal["status"])
        if trial.status == TrialStatus.RUNNING:
            self._record_values(trial)
            self.trials[trial_id] = trial
            self.start_order.append(trial_id)
        return trial

    def _next_id(self) -> str:
        """As long as the first trial's, so that a search that is prolonged keeps its names."""
        first = self.start_order[0] if self.start_order else str((self.max_trials or 100) - 1)
        return f"{len(self.trials):0{max(2, len(first))}d}"

    def reopen(self, trial_ids: Sequence[str]) -> None:
        """Have trials that are over wait to be trained again."""
        with self._lock:
            for trial_id in trial_ids:
                self.end_order.remove(trial_id)
                trial = self.trials[trial_id]
                trial.status, trial.message = TrialStatus.RUNNING, None
                self._save_trial(trial)
            self._retry_queue = sorted({*self._retry_queue, *trial_ids}, key=int)
            self.save()

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Take what a trial measured after an epoch; written when it ends.

        Args:
            trial_id: the trial.
            metrics: value by name.
            step: the epoch.
        """
        with self._lock:
            trial = self.trials[trial_id]
            for name, value in metrics.items():
                if not trial.metrics.exists(name):
                    # Keras Tuner would build the metric to learn its direction, and that starts
                    # TensorFlow's devices in the process that searches.
                    trial.metrics.register(name, self._direction(name))
                # Its tracker would warn of what is not a number.
                trial.metrics.metrics[name].update(float(value), step=step)
            return trial

    def _direction(self, metric: str) -> str:
        # Keras Tuner, too, takes min for those that it does not know.
        judged = self.objective.name.removeprefix("val_")
        return self.objective.direction if metric.removeprefix("val_") == judged else "min"

    def end_trial(self, trial: Trial) -> None:
        """Keep how a trial ended; nothing happens where it has ended before.

        Args:
            trial: its id, its status (COMPLETED or FAILED) and its message count: its values are
                known, and may have been rounded on their way from another machine. One whose
                objective was never a finite number has failed.
        """
        with self._lock:
            known = self.trials[trial.trial_id]
            if known.trial_id in self.end_order:
                return
            known.status, known.message = trial.status, trial.message
            if known.status == TrialStatus.COMPLETED:
                self.score_trial(known)
            elif known.status != TrialStatus.FAILED:
                known.status = TrialStatus.FAILED
            self._save_trial(known)
            self._close(known.trial_id)
            self.save()

    def score_trial(self, trial: Trial) -> None:
        """Find the best epoch of a trial; one without a finite value has failed."""
        name, direction = self.objective.name, self.objective.direction
        history = trial.metrics.get_history(name) if trial.metrics.exists(name) else []
        finite = [one for one in history if math.isfinite(one.mean())]
        if not finite:
            trial.status = TrialStatus.FAILED
            trial.message = trial.message or f"{name} was never a finite number."
            return
        best = (min if direction == "min" else max)(finite, key=lambda one: one.mean())
        trial.score, trial.best_step = float(best.mean()), best.step

    def _close(self, trial_id: str) -> None:
        self.ongoing_trials = {
            slot: trial for slot, trial in self.ongoing_trials.items() if trial.trial_id != trial_id
        }
        self._retry_queue = [waiting for waiting in self._retry_queue if waiting != trial_id]
        self._run_times[trial_id] += 1
        self.end_order.append(trial_id)

    def open_trials(self) -> list[str]:
        """The numbers of the trials that have begun and are not over, in order."""
        return [trial_id for trial_id in self.start_order if trial_id not in self.end_order]

    def await_again(self, trial_ids: Sequence[str]) -> None:
        """Have these of the open trials wait to be taken up, and take the others as running."""
        with self._lock:
            self._retry_queue = sorted(trial_ids, key=int)
            slots = {trial.trial_id: slot for slot, trial in self.ongoing_trials.items()}
            self.ongoing_trials = {
                slots.get(trial_id, trial_id): self.trials[trial_id]
                for trial_id in self.open_trials()
                if trial_id not in self._retry_queue
            }

    def update_space(self, hyperparameters: HyperParameters) -> None:
        """Nothing: the whole space is known from the start."""

    # Values

    def _random_values(self) -> Values | None:
        if self._declared is not None and not self.start_order:
            return dict(self._declared)
        values = super()._random_values()
        return values if values is not None else self._untried()

    def _untried(self) -> Values | None:
        """Values that no trial had, where chance alone did not find them; None without any."""
        if self.size is None or self.size > LISTED:
            self._max_collisions = _PATIENCE
            values = super()._random_values()
            self._max_collisions = _COLLISIONS
            return values
        listed = settings(self.hyperparameters.space, every)
        left = [values for values in listed if not self._duplicate(values)]
        self._seed_state += 1
        return random.Random(self._seed_state).choice(left) if left else None

    def _compute_values_hash(self, values: Mapping[str, Any]) -> str:
        # 0.3 as declared and 3 steps of 0.1 are one value.
        return super()._compute_values_hash(
            {name: rounded(value) for name, value in values.items()}
        )

    # Files

    def save(self) -> None:
        """Write oracle.json."""
        state = self.get_state()
        write_json(self.project / "oracle.json", state)
        self._known = json.dumps(state)

    def is_changed(self) -> bool:
        """Whether another process has written oracle.json since this one read or wrote it."""
        return (self.project / "oracle.json").read_text() != self._known

    def _save_trial(self, trial: Trial) -> None:
        folder = self.project / f"trial_{trial.trial_id}"
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "trial.json", trial.get_state())

    def reload(self) -> None:
        """Go on where the files are.

        A trial that oracle.json does not know was cut off between the two writes: its file is
        removed, and its values come again. One that has ended by its own file has ended. The others
        that had begun wait to be taken up again, in the order in which they began.

        Raises:
            RunError: when a file is missing, broken, or of another space.
        """
        with self._lock:
            state = _read(self.project / "oracle.json")
            try:
                self._restore(state)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise RunError(
                    f"{self.project / 'oracle.json'} is no state of this search: {error!r}."
                ) from None
            self.save()

    def _restore(self, state: dict[str, Any]) -> None:
        declared = json.loads(json.dumps(self.hyperparameters.get_config()["space"]))
        if state["hyperparameters"]["space"] != declared:
            raise RunError(
                f"{self.project} belongs to other ranges than those of the declaration: start a "
                "new search, or put back the declaration as it was."
            )
        self._forget_others(known=state["start_order"])
        self.trials = {trial_id: self._read_trial(trial_id) for trial_id in state["start_order"]}
        self.set_state({**state, "ongoing_trials": {}})
        for trial_id in self.open_trials():
            if self.trials[trial_id].status in ENDED:
                self._close(trial_id)
        self._retry_queue = sorted(self.open_trials(), key=int)

    def _forget_others(self, known: Sequence[str]) -> None:
        folders = {f"trial_{trial_id}" for trial_id in known}
        for folder in self.project.glob("trial_*"):
            if folder.name not in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _read_trial(self, trial_id: str) -> Trial:
        if not trial_id.isdecimal():
            raise ValueError(f"{trial_id!r} is no trial's number")
        return Trial.from_state(_read(self.project / f"trial_{trial_id}" / "trial.json"))


def write_json(path: Path, state: Any) -> None:
    """Write a state whole or not at all, as Keras Tuner writes it."""
    write_whole(path, json.dumps(state).encode())


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
