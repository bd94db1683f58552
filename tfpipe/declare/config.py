"""The resolved declaration: the value and the origin of every field."""

from typing import Any

from tfpipe.declare.codec import to_json
from tfpipe.declare.loading import Loaded
from tfpipe.declare.origins import origins
from tfpipe.declare.tree import flatten, is_range, resolve


def resolved_fields(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Return the value and origin of every field by its dotted name.

    A range has its bounds under "range" as well.
    """
    where = origins(loaded)
    fields: dict[str, dict[str, Any]] = {}
    for name, value in flatten(loaded.pipeline).items():
        fields[name] = {"value": to_json(resolve(value)), "origin": where[name]}
        if is_range(value):
            fields[name]["range"] = to_json(value)
    return fields
