"""The addresses of the page, and the description of the models that it is drawn from."""

from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tfpipe.serving.servable import Servable

if TYPE_CHECKING:
    from tfpipe.serving.repository import Repository

# Nothing but what this server sends may be loaded or asked, and nobody may put the page in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_FILES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "answers.js": "text/javascript",
    "boxes.js": "text/javascript",
    "digit.js": "text/javascript",
    "elements.js": "text/javascript",
    "images.js": "text/javascript",
    "inputs.js": "text/javascript",
}
OPEN = frozenset({"/", *(f"/page/{name}" for name in _FILES)})


def page_routes(repository: "Repository") -> list[Route]:
    """Return the routes of the page.

    Args:
        repository: the models that can be tried.
    """
    folder = resources.files(__package__)
    contents = {name: (folder / name).read_bytes() for name in ("page.html", *_FILES)}

    async def page(request: Request) -> Response:
        return Response(contents["page.html"], media_type="text/html", headers=_HEADERS)

    async def file(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(contents[name], media_type=_FILES[name], headers=_HEADERS)

    async def models(request: Request) -> Response:
        newest = [model.servables()[:1] for model in repository.models.values()]
        return JSONResponse([described(s) for some in newest for s in some], headers=_HEADERS)

    return [
        Route("/", page, methods=["GET"]),
        Route("/page/models.json", models, methods=["GET"]),
        *(Route(f"/page/{name}", file, methods=["GET"]) for name in _FILES),
    ]


def described(servable: Servable) -> dict[str, Any]:
    """Return what the page has to know of a model.

    Args:
        servable: its newest version.
    """
    contract = servable.contract
    training = contract.get("training", {})
    inputs = [
        {
            "name": feature["name"],
            "kind": feature["kind"],
            "dtype": feature["dtype"],
            "shape": feature["shape"],
            "categories": feature.get("categories", []),
            "training": training.get("inputs", {}).get(feature["name"], {}),
        }
        for feature in contract.get("inputs", [])
    ]
    return {
        "name": servable.name,
        "version": servable.version,
        "task": contract.get("task", ""),
        "generated": contract.get("generated", False),
        "files": servable.takes_files,
        "inputs": inputs,
        "outputs": _outputs(contract, training.get("answers", {})),
        "signatures": {
            name: {n: [t.dtype, t.shape] for n, t in signature.inputs.items()}
            for name, signature in servable.signatures.items()
        },
    }


def _outputs(contract: "dict[str, Any] | Any", answers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs: how each is called, its classes, the range of its numbers, and
    whether it is an image or boxes.
    """
    label = contract.get("label")
    if not label:
        return []
    usual = "probabilities" if contract.get("output") == "probabilities" else "values"
    parts = label.get("parts") or [label]
    return [
        {
            "name": part["name"],
            "field": part["name"] if label.get("parts") else usual,
            "classes": part["classes"],
            "several": part["kind"] == "multilabel",
            "image": part["kind"] == "image",
            "boxes": part["kind"] == "boxes",
            "columns": part.get("columns", []),
            "training": answers.get(part["name"], answers) if not part["classes"] else {},
        }
        for part in parts
    ]
