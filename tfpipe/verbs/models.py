"""`tfpipe models`: the model builders, their fields and their input contracts."""

from typing import Any

import tfpipe.models
from tfpipe.declare.codec import to_json
from tfpipe.declare.field_types import describe
from tfpipe.declare.kinds import ModelBuilder
from tfpipe.declare.part import REQUIRED, hints


def models() -> list[dict[str, Any]]:
    """Each builder: name, what it is, its input contract, and its fields with type and default."""
    builders = []
    for name in tfpipe.models.__all__:
        builder = getattr(tfpipe.models, name)
        if isinstance(builder, type) and issubclass(builder, ModelBuilder):
            builders.append(
                {
                    "name": name,
                    "summary": (builder.__doc__ or "").splitlines()[0],
                    "contract": builder.contract,
                    "fields": {
                        field: {
                            "type": describe(hints(builder)[field]),
                            "default": None if default is REQUIRED else to_json(default),
                            "required": default is REQUIRED,
                        }
                        for field, default in builder.fields().items()
                    },
                }
            )
    return builders
