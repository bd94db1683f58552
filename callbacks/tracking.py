"""Tracking: what the callbacks have in common that report a run to a tracker of experiments.

A subclass says how its tracker is told. It is told of the parameters once, of the metrics after
each epoch, and of the test metrics, the report and the model when the run is over. A run that is
resumed goes on in the same run of the tracker, whose id is kept in the run's directory.
"""

import importlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import keras

logger = logging.getLogger("tfpipe.callbacks")


class Tracking(keras.callbacks.Callback):
    """Reports a run to a tracker.

    It needs a run: tfpipe gives it one before training. In a plain `model.fit` give it any object
    with a `directory` first; what is in the directory's config.json are the parameters. There, call
    `on_run_end({"state": "finished"})` last.

    A tracker that does not answer when training begins is an error. Later it is not: what could not
    be told is told after the next epoch, and the run goes on.

    Args:
        report: whether to hand over the run's report when it is over.
        model: whether to hand over the model: what was exported, else the best epoch's.

    Raises:
        ImportError: when the tracker's package is not installed.
        ValueError: for training without a run.
    """

    package = ""  # what is imported
    extra = ""  # of tfpipe, which installs it

    def __init__(self, report: bool = False, model: bool = False) -> None:
        super().__init__()
        self.report = report
        self.with_model = model
        self.run: Any = None
        self._waiting: list[tuple[int, dict[str, float]]] = []
        self._known: dict[str, Any] = {}

    # What a tracker is told

    def begin(self, name: str, config: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Begin a run of the tracker, or go on with one.

        Args:
            name: the run's, as `tfpipe runs` shows it.
            config: its config.json; empty where there is none.
            known: what was returned when the run began; empty for a new one.

        Returns:
            What is needed to go on with it, as JSON can hold it.
        """
        raise NotImplementedError

    def log(self, metrics: dict[str, float], epoch: int) -> None:
        """Tell the metrics after an epoch, which counts from 1."""
        raise NotImplementedError

    def hand_over(self, kind: str, path: Path) -> None:
        """Hand over a file or a folder, the "report" or the "model"."""
        raise NotImplementedError

    def end(self, state: str, message: str, metrics: dict[str, float]) -> None:
        """Say how the run ended.

        Args:
            state: "finished", "interrupted" or "failed".
            message: why.
            metrics: the final ones of the test split, such as "test_accuracy".
        """
        raise NotImplementedError

    # What tfpipe calls

    def set_run(self, run: Any) -> None:
        """Take the run to report."""
        self.library()
        self.run = run

    def library(self) -> Any:
        """The tracker's package."""
        try:
            return importlib.import_module(self.package)
        except ModuleNotFoundError as error:
            if error.name != self.package:
                raise
            raise ImportError(
                f"{type(self).__name__} needs the package {self.package}, which is not installed. "
                f"Install it with: pip install 'tfpipe[{self.extra}]'"
            ) from None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.run is None:
            raise ValueError(
                f"{type(self).__name__} does not know its run, which tfpipe gives it before "
                "training. In a plain model.fit call its set_run(run) first, with an object that "
                "has a directory."
            )
        directory = Path(self.run.directory)
        known = _read(self._file)
        told = known.pop("epoch", 0)
        parts = directory.absolute().parts
        name = "/".join(parts[-4 if parts[-2] == "trials" else -2 :])
        self._known = self.begin(name, _read(directory / "config.json"), known)
        self._keep(told)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        told = _read(self._file).get("epoch", 0)
        if epoch + 1 > told:  # one that is trained again, after a kill, was told before
            metrics = {name: float(value) for name, value in (logs or {}).items()}
            self._waiting.append((epoch + 1, metrics))
        self._tell()

    def on_run_end(self, status: dict[str, Any]) -> None:
        """Say how the run ended, with the test metrics, and hand over what is asked for.

        Args:
            status: the run's status.json.
        """
        if not self._known:  # it ended before training began
            return
        self._tell()
        metrics = {f"test_{n}": v for n, v in status.get("metrics", {}).get("test", {}).items()}
        try:
            if status["state"] == "finished":
                for kind, path in self._results(status):
                    self.hand_over(kind, path)
            self.end(status["state"], status.get("message", ""), metrics)
        except Exception as error:  # noqa: BLE001 (the run has ended, and is whole)
            logger.warning("%s: the end of the run could not be told (%s).", self._name, error)
        self._known = {}

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def _file(self) -> Path:
        return Path(self.run.directory) / f"{self.extra}.json"

    def _tell(self) -> None:
        try:
            while self._waiting:
                epoch, metrics = self._waiting[0]
                self.log(metrics, epoch)
                self._keep(epoch)
                del self._waiting[0]
        except Exception as error:  # noqa: BLE001 (a run does not end because a tracker is away)
            epochs = ", ".join(str(epoch) for epoch, _ in self._waiting)
            logger.warning("%s: epoch %s could not be told yet (%s).", self._name, epochs, error)

    def _keep(self, epoch: int) -> None:
        """Keep what is needed to go on, and up to which epoch the tracker knows, whole or not."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f".{self._file.name}.writing")
        temporary.write_text(json.dumps({**self._known, "epoch": epoch}, indent=2) + "\n")
        os.replace(temporary, self._file)

    def _results(self, status: dict[str, Any]) -> list[tuple[str, Path]]:
        directory = Path(self.run.directory)
        exports = [Path(path) for path in status.get("exports", ())]
        model = exports[-1] if exports else directory / "checkpoints" / "best.keras"
        asked = [("report", directory / "report")] if self.report else []
        asked += [("model", model)] if self.with_model else []
        return [(kind, path) for kind, path in asked if path.exists()]


def parameters(config: dict[str, Any]) -> dict[str, Any]:
    """Return the innermost fields of a run's config.json: name and value, as JSON has it."""
    fields = config.get("fields", {})
    inner = {name.rpartition(".")[0] for name in fields}
    holders = {name for name in fields if any(i == name or i.startswith(f"{name}.") for i in inner)}
    return {name: entry["value"] for name, entry in fields.items() if name not in holders}


def as_text(value: Any) -> str:
    """Return a value of config.json on one line; what is called is named alone."""
    if isinstance(value, dict) and set(value) in ({"name"}, {"function"}):
        return str(next(iter(value.values())))
    return value if isinstance(value, str) else json.dumps(value)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
