"""`tfpipe config`: the resolved declaration, and where each value came from."""

from typing import Any

from tfpipe.declare.fieldtypes import is_range
from tfpipe.declare.loading import Loaded, from_instance
from tfpipe.declare.origins import origins
from tfpipe.declare.pipeline import Pipeline
from tfpipe.declare.tree import flatten, resolve, to_json


def config(pipeline: Pipeline | Loaded) -> dict[str, dict[str, Any]]:
    """The value and origin of every field by its dotted name.

    Args:
        pipeline: an instance, or a loaded file.

    Returns:
        {"batch_size": {"value": 32, "origin": "pipelines/cifar10_cnn.py:37"}, ...}; a range has
        its bounds under "range" as well.
    """
    loaded = pipeline if isinstance(pipeline, Loaded) else from_instance(pipeline)
    found = origins(loaded)
    return {name: _entry(value, found[name]) for name, value in flatten(loaded.pipeline).items()}


def _entry(value: Any, origin: str) -> dict[str, Any]:
    entry = {"value": to_json(resolve(value)), "origin": origin}
    if is_range(value):
        entry["range"] = to_json(value)
    return entry
