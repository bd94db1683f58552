"""`tfpipe config`: the resolved declaration, and where each value came from."""

from typing import Any

from tfpipe.declare.loading import Loaded, loaded_from
from tfpipe.declare.origins import resolved_fields
from tfpipe.declare.pipeline import Pipeline


def config(pipeline: Pipeline | Loaded) -> dict[str, dict[str, Any]]:
    """Return the value and origin of every field by its dotted name.

    Args:
        pipeline: an instance, or a loaded file.

    Returns:
        {"batch_size": {"value": 32, "origin": "pipelines/cifar10_cnn.py:37"}, ...}; a range has
        its bounds under "range" as well.
    """
    return resolved_fields(loaded_from(pipeline))
