"""An exported SavedModel, to predict with: described by its own assets, and run without Keras."""

import json
from pathlib import Path

from tfpipe.declare.codec import from_json
from tfpipe.declare.spec import ElementSpec
from tfpipe.devices import start_tensorflow
from tfpipe.errors import ConfigError, ModelError
from tfpipe.jobs.predict.answering import ServedModel
from tfpipe.jobs.predict.images import reads_images
from tfpipe.jobs.predict.predictor import Predictor
from tfpipe.jobs.predict.written import Written
from tfpipe.terminal import Terminal

_FILE = "saved_model.pb"


def find_saved_model(target: str, root: Path) -> Path | None:
    """Return the folder of the SavedModel that a person means; None where it is none.

    Args:
        target: its folder, or that of its versions, of which the newest is taken.
        root: the folder with saved_models/, below which it may lie.
    """
    for folder in (Path(target).expanduser(), root / target):
        if (folder / _FILE).is_file():
            return folder
        if folder.is_dir():
            there = [p for p in folder.iterdir() if p.name.isdecimal() and (p / _FILE).is_file()]
            if there:
                return max(there, key=lambda path: int(path.name))
    return None


def of_saved_model(folder: Path, terminal: Terminal) -> Predictor:
    """The model of an export, which is loaded when it is first asked.

    Args:
        folder: its folder, of one version.
        terminal: told what is slow.

    Raises:
        ModelError: for one that tfpipe has not exported.
    """
    from tfpipe.tasks import task_for

    file = folder / "assets" / "contract.json"
    try:
        contract = json.loads(file.read_text())
        features = tuple(map(from_json, contract["inputs"]))
        spec = ElementSpec(features, (from_json(contract["label"]),))
        titles: str = contract["task"]
        written = Written.of(contract.get("written", {}))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder} is a SavedModel that does not say what it reads and answers: {file} "
            f"cannot be read ({error}). Expected is one that tfpipe run or tfpipe export wrote."
        ) from None
    names = dict(part.split(": ", 1) for part in titles.split(", ")) if ": " in titles else titles
    try:
        task = task_for(spec, names)
    except ConfigError as error:
        raise ModelError(f"{folder} has a task of its own: {error} Predict with its run.") from None

    # One that gives images or boxes is asked for arrays, whatever kind of file they came from.
    decodes = reads_images(spec) and not (spec.gives_images or spec.finds_boxes)

    def load() -> ServedModel:
        with terminal.waiting("starting TensorFlow"):
            start_tensorflow()
        with terminal.waiting("loading the model"):
            return ServedModel(folder, task)

    return Predictor(str(folder), load, task, spec, (), written, decodes=decodes)
