"""The best model of a run, to predict with."""

import sys
from pathlib import Path
from typing import Any

from tfpipe.declare.codec import from_json
from tfpipe.declare.loading import Loaded
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices import start_tensorflow
from tfpipe.errors import ModelError, RunError
from tfpipe.jobs.predict.answering import TrainedModel
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.jobs.predict.written import Written
from tfpipe.jobs.restore import Stopped, redeclare
from tfpipe.terminal import Terminal


def of_run(stopped: Stopped, terminal: Terminal) -> Predictor:
    """The best model of a run, which is loaded when it is first asked.

    Args:
        stopped: the run.
        terminal: told what is slow.
    """
    from tfpipe.tasks import task_for

    best = best_file(stopped)
    spec: ElementSpec = from_json(stopped.config["spec"])
    declared = stopped.config["pipeline"]["task"]

    task = task_for(spec, declared)

    def load() -> TrainedModel:
        with terminal.waiting("starting TensorFlow"):
            start_tensorflow()
        with terminal.waiting("loading the model"):
            model = load_model(best, stopped)
        return TrainedModel(model, task.for_model(model), spec)

    notes = []
    if stopped.sample:
        notes.append(
            f"{stopped.name} was trained on generated data, and these answers mean nothing."
        )
    written = Written.of(stopped.config["pipeline"].get("data") or {})
    return Predictor(stopped.name, load, task, spec.asked, tuple(notes), written)


def best_file(stopped: Stopped) -> Path:
    """Return the file of a run's best model; raises RunError where there is none."""
    if (painted := stopped.directory.picture).is_file():
        raise RunError(f"{stopped.name} painted a picture, {painted}, and has no model to ask.")
    best = stopped.directory.checkpoints / "best.keras"
    if not best.is_file() and stopped.directory.metrics_file.is_file():
        raise RunError(
            f"{stopped.name} has lost its best model: {best} is gone. Bring it back from a backup, "
            f"or train on with tfpipe resume {stopped.name}"
        )
    if not best.is_file():
        raise RunError(
            f"{stopped.name} has no best model: it was stopped before the end of its first epoch. "
            f"Go on with tfpipe resume {stopped.name}"
        )
    return best


def load_model(path: Path, stopped: Stopped) -> Any:
    """A saved model; one with layers of the person's own needs the file that defines them."""
    import keras

    from tfpipe.models.known_layers import know_layers

    know_layers()
    try:
        return keras.models.load_model(path, compile=False)
    except ModelError:  # such as a module of TF-Hub that is gone
        raise
    except (TypeError, ValueError):
        own = _own_objects(redeclare(stopped, (), None))
    try:
        return keras.models.load_model(path, own, compile=False)
    except (TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(
            f"{path} cannot be loaded: {reason}\nDefine its layers in the pipeline's file, or "
            "in a module that it imports with @keras.saving.register_keras_serializable()."
        ) from error


def _own_objects(loaded: Loaded) -> dict[str, Any]:
    """The classes and functions that a pipeline's file defines, by name."""
    name = type(loaded.pipeline).__module__
    own = vars(sys.modules[name]).items()
    return {n: v for n, v in own if callable(v) and getattr(v, "__module__", "") == name}
