"""The description of both protocols in OpenAPI 3.1, with the models that are served."""

from typing import TYPE_CHECKING, Any

from tfpipe.serving.options import OWN_LABELS, ServingOptions
from tfpipe.serving.servable import Signature, Tensor

if TYPE_CHECKING:
    from tfpipe.serving.repository import Repository

_ERROR = {"$ref": "#/components/responses/Error"}
_JSON_TYPES = {"string": {"$ref": "#/components/schemas/Text"}, "bool": {"type": "boolean"}}


def openapi(repository: "Repository", options: ServingOptions) -> dict[str, Any]:
    """Return the description, as /openapi.json gives it.

    Args:
        repository: the models.
        options: says whether a token is needed.
    """
    names = {"type": "string", "enum": [*repository.models]}
    paths: dict[str, Any] = {}
    own = {label.rpartition("/")[2]: None for label in options.labels}
    labels = [*OWN_LABELS, *own]
    versions: dict[str, list[dict[str, Any]]] = {
        "": [],
        "/versions/{version}": [_path("version", {"type": "string", "pattern": "^[0-9]+$"})],
        "/labels/{label}": [_path("label", {"type": "string", "enum": labels})],
    }
    for suffix, extra in versions.items():
        parameters = [_path("name", names), *extra]
        base = f"/v1/models/{{name}}{suffix}"
        paths[base] = _get("How the versions of a model are.", parameters)
        paths[f"{base}/metadata"] = _get("What a model takes and answers.", parameters)
        for verb, body in _BODIES.items():
            paths[f"{base}:{verb}"] = _post(f"Ask a model: {verb}.", parameters, body)
    for suffix, extra in [*versions.items()][:2]:
        parameters = [_path("name", names), *extra]
        base = f"/v2/models/{{name}}{suffix}"
        paths[base] = _get("What a model takes and answers.", parameters)
        paths[f"{base}/ready"] = _get("Whether a model answers.", parameters)
        paths[f"{base}/infer"] = _post("Ask a model.", parameters, "Infer")
    paths["/v2"] = _get("What server this is.", [])
    paths["/v2/health/live"] = _get("Whether the server lives.", [])
    paths["/v2/health/ready"] = _get("Whether all models answer.", [])
    for path, summary in _OTHERS.items():
        paths[path] = _get(summary, [], "text/plain")
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Models served by tfpipe", "version": "1"},
        "paths": paths,
        "components": {"schemas": _schemas(repository), "responses": _RESPONSES},
    }
    if options.token is not None:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


_BODIES = {"predict": "Predict", "classify": "Examples", "regress": "Examples"}
_OTHERS = {
    "/healthz": "Whether the server lives.",
    "/readyz": "Whether all models answer.",
    "/metrics": "Counts for Prometheus.",
}
_RESPONSES = {
    "Error": {
        "description": "Why there is no answer.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                }
            }
        },
    }
}


def _get(
    summary: str, parameters: list[dict[str, Any]], kind: str = "application/json"
) -> dict[str, Any]:
    return {"get": _operation(summary, parameters, kind)}


def _post(summary: str, parameters: list[dict[str, Any]], body: str) -> dict[str, Any]:
    operation = _operation(summary, parameters, "application/json")
    schema = {"$ref": f"#/components/schemas/{body}"}
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": schema}},
    }
    return {"post": operation}


def _operation(summary: str, parameters: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    schema = {"type": "object"} if kind == "application/json" else {"type": "string"}
    answer = {"description": "The answer.", "content": {kind: {"schema": schema}}}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": answer, "default": _ERROR},
    }
    if parameters:
        operation["parameters"] = parameters
    return operation


def _schemas(repository: "Repository") -> dict[str, Any]:
    signatures = [
        signature
        for model in repository.models.values()
        for servable in model.servables()[:1]
        for signature in servable.signatures.values()
    ]
    rows = [_row(signature) for signature in signatures]
    name = {"type": "string", "enum": sorted({signature.name for signature in signatures})}
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string", "enum": sorted({n for s in signatures for n in s.inputs})},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 8}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
    }
    return {
        "Text": {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "required": ["b64"],
                    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
                    "additionalProperties": False,
                },
            ]
        },
        "Predict": {
            "type": "object",
            "properties": {
                "signature_name": name,
                "instances": {"type": "array", "minItems": 1, "items": {"anyOf": rows}},
                "inputs": {},
            },
            "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
            "additionalProperties": False,
        },
        "Examples": {
            "type": "object",
            "required": ["examples"],
            "properties": {
                "signature_name": name,
                "context": {"type": "object"},
                "examples": {
                    "type": "array", "minItems": 1,
                    "items": {"anyOf": [_named(signature) for signature in signatures]},
                },
            },
            "additionalProperties": False,
        },
        "Infer": {
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "id": {"type": "string"},
                "parameters": {"type": "object"},
                "inputs": {"type": "array", "items": tensor},
                "outputs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "parameters": {"type": "object"},
                        },
                    },
                },
            },
        },
    }  # fmt: skip


def _row(signature: Signature) -> dict[str, Any]:
    """Return the schema of a sample: bare where there is one input."""
    if len(signature.inputs) == 1:
        (tensor,) = signature.inputs.values()
        return _values(tensor)
    return _named(signature)


def _named(signature: Signature) -> dict[str, Any]:
    properties = {name: _values(tensor) for name, tensor in signature.inputs.items()}
    return {
        "type": "object",
        "required": [*properties],
        "properties": properties,
        "additionalProperties": False,
    }


def _values(tensor: Tensor) -> dict[str, Any]:
    """Return the schema of an input's values in one sample."""
    schema: dict[str, Any] = _JSON_TYPES.get(tensor.dtype, {"type": "number"})
    if tensor.dtype.startswith(("int", "uint")):
        schema = {"type": "integer"}
        if tensor.dtype == "uint8":
            schema |= {"minimum": 0, "maximum": 255}
    for length in reversed((tensor.shape or ())[1:]):
        schema = {"type": "array", "items": schema}
        if length is not None:
            schema |= {"minItems": length, "maxItems": length}
    return schema
