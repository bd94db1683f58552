"""TensorFlow Serving's REST API: what a request asks, and what it is answered.

Status, metadata, predict, classify and regress, in the row format (`instances`, `predictions`) and
the column format (`inputs`, `outputs`), as https://www.tensorflow.org/tfx/serving/api_rest has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfpipe.serving.protocols.examples import examples_of, takes_examples
from tfpipe.serving.protocols.tensors import array_of, is_base64, named, plain
from tfpipe.serving.refusals import RequestRefused, wrong
from tfpipe.serving.servable import Servable, Signature, Tensor

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]

PREDICT, CLASSIFY, REGRESS = "predict", "classify", "regress"


@dataclass(frozen=True)
class Question:
    """What a request asks a model.

    Args:
        signature: of which signature.
        arrays: by input.
        by_row: whether it came, and is answered, sample by sample.
    """

    signature: Signature
    arrays: "Arrays"
    by_row: bool


def question(body: object, servable: Servable, kind: str = PREDICT) -> Question:
    """Return what the body of a request asks.

    Args:
        body: the JSON.
        servable: the model.
        kind: predict, classify or regress.

    Raises:
        RequestRefused: when it is not what the API and the signature take.
    """
    if not isinstance(body, dict):
        raise wrong("The body should be a JSON object.")
    signature = _signature(body.get("signature_name", ""), servable)
    if kind != PREDICT:
        rows = body.get("examples")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise wrong("The body should have 'examples', a list of objects of named features.")
        context = body.get("context", {})
        if not isinstance(context, dict):
            raise wrong("'context' should be an object of features that all examples share.")
        rows = [context | row for row in rows]
        if takes_examples(signature):
            if not rows:
                raise wrong("There should be at least one sample.")
            return Question(signature, examples_of(rows, signature), True)
        rows = [_features(row, signature) for row in rows]
        return Question(signature, _rows(rows, signature), True)
    if ("instances" in body) == ("inputs" in body):
        raise wrong(
            "The body should have either 'instances' (rows) or 'inputs' (columns), it has "
            f"{named(body) or 'nothing'}."
        )
    if "instances" in body:
        rows = body["instances"]
        if not isinstance(rows, list) or not rows:
            raise wrong("'instances' should be a list of at least one sample.")
        return Question(signature, _rows(rows, signature), True)
    return Question(signature, _columns(body["inputs"], signature), False)


def _signature(name: object, servable: Servable) -> Signature:
    if not isinstance(name, str):
        raise wrong("'signature_name' should be a text.")
    return servable.signature(name)


def _rows(rows: Sequence[Any], signature: Signature) -> "Arrays":
    """Return the arrays of samples that came one after the other."""
    if not rows:
        raise wrong("There should be at least one sample.")
    if not all(t.shape is None or t.shape[:1] == (None,) for t in signature.inputs.values()):
        raise wrong(f"{signature.name} takes no batches: ask in columns, with 'inputs'.")
    if len(signature.inputs) == 1:
        (name,) = signature.inputs
        columns = {name: [_only(row, name) for row in rows]}
    else:
        columns = _by_name(rows, signature)
    return {name: array_of(columns[name], t) for name, t in signature.inputs.items()}


def _features(example: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """Return an example with each single value as its input takes it: bare, or in a list."""
    found = {}
    for name, value in example.items():
        shape = signature.inputs[name].shape if name in signature.inputs else None
        if shape == (None,) and isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif shape == (None, 1) and not isinstance(value, list):
            value = [value]
        found[name] = value
    return found


def _only(row: Any, name: str) -> Any:
    """Return a sample of a signature with one input, which may be given by its name or bare."""
    return row[name] if isinstance(row, dict) and row.keys() == {name} else row


def _by_name(rows: Sequence[Any], signature: Signature) -> dict[str, list[Any]]:
    names = signature.inputs.keys()
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise wrong(f"Sample {number} should be an object with {named(names)}.")
        if missing := names - row.keys():
            raise wrong(f"Sample {number} lacks {named(sorted(missing))}.")
        if unknown := row.keys() - names:
            raise wrong(
                f"Sample {number} has {named(sorted(unknown))}, which {signature.name} does not "
                f"take; it takes {named(names)}."
            )
    return {name: [row[name] for row in rows] for name in names}


def _columns(inputs: Any, signature: Signature) -> "Arrays":
    """Return the arrays of samples that came input by input."""
    names = signature.inputs
    if len(names) == 1 and (is_base64(inputs) or not isinstance(inputs, dict)):
        (name,) = names
        inputs = {name: inputs}
    if not isinstance(inputs, dict):
        raise wrong(f"'inputs' should be an object with {named(names)}.")
    if missing := names.keys() - inputs.keys():  # others are not looked at
        raise wrong(f"'inputs' lacks {named(sorted(missing))}.")
    arrays = {name: array_of(inputs[name], tensor) for name, tensor in names.items()}
    check_rows(arrays, signature)
    return arrays


def check_rows(arrays: "Arrays", signature: Signature) -> None:
    """Refuse inputs that have not the same number of samples, or none."""
    if not signature.batches:
        return
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise wrong(f"The inputs have different numbers of samples: {said}.")
    if 0 in counts.values():
        raise wrong("There should be at least one sample.")


def predicted(asked: Question, answers: "Arrays") -> dict[str, Any]:
    """Return the answer to :predict as JSON has it.

    Args:
        asked: the question.
        answers: by output.

    Raises:
        RequestRefused: when it is asked in rows and not answered in rows.
    """
    counts = {array.shape[:1] for array in answers.values()}
    if asked.by_row and counts != {array.shape[:1] for array in asked.arrays.values()}:
        raise wrong(
            f"{asked.signature.name} does not answer sample by sample: ask in columns, with "
            "'inputs'."
        )
    columns = {name: plain(array, name) for name, array in answers.items()}
    alone = next(iter(columns.values())) if len(columns) == 1 else None
    if not asked.by_row:
        return {"outputs": columns if alone is None else alone}
    if alone is not None:
        return {"predictions": alone}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def classified(servable: Servable, answers: "Arrays") -> dict[str, Any]:
    """Return the answer to :classify: pairs of label and score for each sample.

    The key is `results`, as TensorFlow Serving writes it; one of its documentation's two pages on
    this has `result`.

    Args:
        servable: the model, which may know the names of its classes; else they are empty.
        answers: by output.

    Raises:
        RequestRefused: when the signature does not answer classes.
    """
    names, scores = answers.get("classes"), answers.get("probabilities", answers.get("scores"))
    either = names if scores is None else scores
    if either is None or either.ndim != 2:
        raise wrong("This signature does not classify: it answers no probabilities of classes.")
    samples, classes = either.shape
    values = [[0.0] * classes] * samples if scores is None else plain(scores, "scores")
    if names is not None and names.shape == either.shape:
        labels = plain(names, "classes")
    else:
        known = len(servable.labels) == classes
        labels = [servable.labels if known else [""] * classes] * samples
    pairs = zip(labels, values, strict=True)
    return {"results": [[[n, v] for n, v in zip(*pair, strict=True)] for pair in pairs]}


def regressed(answers: "Arrays") -> dict[str, Any]:
    """Return the answer to :regress: a number for each sample."""
    values = answers.get("values", answers.get("outputs"))
    if values is None or values.dtype.kind != "f":
        raise wrong("This signature does not regress: it answers no values.")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return {"results": plain(values, "values")}


def metadata(servable: Servable) -> dict[str, Any]:
    """Return what /metadata says of a version."""
    definitions = {
        signature.name: {
            "inputs": {name: _info(tensor) for name, tensor in signature.inputs.items()},
            "outputs": {name: _info(tensor) for name, tensor in signature.outputs.items()},
            "method_name": signature.method,
            "defaults": {},
        }
        for signature in servable.signatures.values()
    }
    return {
        "model_spec": {
            "name": servable.name,
            "signature_name": "",
            "version": str(servable.version),
        },
        "metadata": {"signature_def": {"signature_def": definitions}},
    }


def _info(tensor: Tensor) -> dict[str, Any]:
    lengths = [] if tensor.shape is None else [-1 if n is None else n for n in tensor.shape]
    return {
        "dtype": _TYPES.get(tensor.dtype, f"DT_{tensor.dtype.upper()}"),
        "tensor_shape": {
            "dim": [{"size": str(length), "name": ""} for length in lengths],
            "unknown_rank": tensor.shape is None,
        },
        "name": tensor.at,
    }


_TYPES = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}


def status(states: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """Return what a model's address says of its versions.

    Args:
        states: for each version its state (such as AVAILABLE) and what is wrong with it.
    """
    return {
        "model_version_status": [
            {
                "version": str(version),
                "state": state,
                "status": {"error_code": "UNKNOWN" if problem else "OK", "error_message": problem},
            }
            for version, (state, problem) in sorted(states.items(), reverse=True)
        ]
    }


def not_found(name: str, version: str = "") -> RequestRefused:
    """A model or a version that is not served: 404."""
    what = f"Specific({name}, {version})" if version else f"Latest({name})"
    return RequestRefused(404, f"Servable not found for request: {what}")
