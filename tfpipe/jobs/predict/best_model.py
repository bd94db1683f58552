"""The best model of a run, to predict with."""

import sys
from pathlib import Path
from typing import Any

from tfpipe.declare.codec import from_json
from tfpipe.declare.loading import Loaded
from tfpipe.devices import start_tensorflow
from tfpipe.errors import ModelError, RunError
from tfpipe.jobs.predict.predictor import Predictor, check_images
from tfpipe.jobs.restore import Stopped, redeclare
from tfpipe.terminal import Terminal


def of_run(stopped: Stopped, terminal: Terminal) -> Predictor:
    """The best model of a run."""
    from tfpipe.tasks import task_for

    best = stopped.directory.checkpoints / "best.keras"
    if not best.is_file():
        raise RunError(
            f"{stopped.name} has no best model: it was stopped before the end of its first epoch. "
            f"Go on with tfpipe resume {stopped.name}"
        )
    spec = from_json(stopped.config["spec"])
    check_images(spec, stopped.name)
    with terminal.waiting("starting TensorFlow"):
        start_tensorflow()
    with terminal.waiting("loading the model"):
        model = _loaded(best, stopped)
    task = task_for(spec, stopped.config["pipeline"]["task"]).for_model(model)
    notes = []
    if stopped.sample:
        notes.append(
            f"{stopped.name} was trained on generated data, and these answers mean nothing."
        )
    return Predictor(stopped.name, model, task, spec, tuple(notes))


def _loaded(path: Path, stopped: Stopped) -> Any:
    """A saved model; one with layers of the person's own needs the file that defines them."""
    import keras

    import tfpipe.models.pretrained.hub_module  # noqa: F401 (by which Keras knows a layer of TF-Hub)

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
