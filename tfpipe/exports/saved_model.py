"""Export to a SavedModel that takes raw samples and needs no tfpipe to run.

    saved_models/cifar10_cnn/1/
      saved_model.pb variables/
      assets/labels.txt       the class names, one a line; labels_NAME.txt of several outputs
      assets/contract.json    what goes in, what comes out, where it comes from
      assets/golden.npz       held-out samples and the trained model's answers to them
      assets.extra/tf_serving_warmup_requests

Preprocessing is inside, and dropout and the like are off.
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import CheckFailed
from tfpipe.evaluation.translation.translations import asked_samples
from tfpipe.exports.contract import Origin, contract, signatures_of
from tfpipe.exports.golden import golden_samples, packed, rounding_of
from tfpipe.exports.parity import (
    CONTRACT,
    GOLDEN,
    LABELS,
    assets_of,
    files_of,
    tolerance_of,
    verify,
)
from tfpipe.exports.signatures import Served
from tfpipe.exports.versions import next_version
from tfpipe.exports.warm_up_requests import write_requests
from tfpipe.tasks.task import Task

logger = logging.getLogger("tfpipe.exports")

_ROUNDINGS = 4  # times what rounding changes in the process that trained


def export(
    model: Any,
    task: Task,
    spec: ElementSpec,
    folder: Path,
    samples: dict[str, np.ndarray],
    origin: Origin | None = None,
) -> Path:
    """Write the next version of a SavedModel, after proving that it answers as the model does.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        folder: the model's folder, such as saved_models/cifar10_cnn.
        samples: a few held-out samples, an array for each feature.
        origin: where it comes from.

    Returns:
        the folder of the new version.

    Raises:
        CheckFailed: when the reloaded artefact answers differently; nothing is left behind.
        StorageError: when it cannot be written.
    """

    def write(temporary: Path) -> None:
        write_saved_model(model, task, spec, temporary, samples, origin or Origin(), folder.name)
        try:
            proven(temporary)
        except CheckFailed:
            if not _allow_rounding(model, task, temporary):
                raise
            proven(temporary)

    return next_version(folder, write)


def _allow_rounding(model: Any, task: Task, exported: Path) -> bool:
    """Let an artefact differ by what rounding alone changes, and say so; return whether it may.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        exported: the artefact, which differs by more than it usually may.
    """
    golden, told = assets_of(exported)
    usual, rounding = tolerance_of(told), rounding_of(model, task, golden)
    allowed = _ROUNDINGS * rounding
    if allowed <= usual:
        return False
    logger.warning(
        "Rounding alone changes this model's answers by up to %.3g, computed in one order or "
        "another, so that its export may differ by %.3g and not by %.3g. Such a model has "
        "hardly been trained, or its batch normalisations have not settled.",
        rounding,
        allowed,
        usual,
    )
    text = json.dumps({**told, "tolerance": allowed}, indent=2)
    (exported / "assets" / CONTRACT).write_text(text + "\n")
    return True


def write_saved_model(
    model: Any,
    task: Task,
    spec: ElementSpec,
    folder: Path,
    samples: dict[str, np.ndarray],
    origin: Origin,
    name: str,
) -> None:
    """Write a SavedModel with its assets, which nothing has proven yet.

    Args:
        model: the trained keras.Model.
        task: what its outputs mean.
        spec: the element spec it was trained on.
        folder: where to; it exists.
        samples: a few held-out samples, an array for each feature.
        origin: where it comes from.
        name: under which it will be served.
    """
    served = Served(model, task, spec)
    signatures = served.signatures()
    tf.saved_model.save(served, str(folder), signatures=signatures)
    assets = folder / "assets"
    assets.mkdir(exist_ok=True)
    for file, text in labels_of(spec).items():
        (assets / file).write_text(text, encoding="utf-8")
    told = contract(model, task, spec, origin)
    told["signatures"] = signatures_of(signatures)
    (assets / CONTRACT).write_text(json.dumps(told, indent=2) + "\n")
    golden = golden_samples(model, task, spec, samples)
    (assets / GOLDEN).write_bytes(packed(golden))
    requests = {
        "serving_default": {n: golden[f"array_{n}"][:1] for n in asked_samples(spec, samples)}
    }
    if files := files_of(golden):
        requests["serving_bytes"] = {"bytes": np.array(files[-1:], object)}
    write_requests(folder, name, requests)


def proven(model: Path) -> dict[str, Any]:
    """Return what `verify` finds of an artefact that is being written; raise CheckFailed."""
    try:
        return verify(model, "The exported model")
    except CheckFailed as error:
        raise CheckFailed(
            f"{error} Nothing was exported. Is a layer random, or different when training=False?"
        ) from None


def labels_of(spec: ElementSpec) -> dict[str, str]:
    """Return the files that name the classes, one a line, by file name.

    A vocabulary of tokens is in the contract alone.
    """
    return {
        f"labels_{label.name}.txt" if spec.label.parts else LABELS: "".join(
            f"{name}\n" for name in label.classes
        )
        for label in spec.label.parts or (spec.label,)
        if label.classes and not label.is_vocabulary  # of which some are line breaks
    }
