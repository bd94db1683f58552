"""The application: which address is answered by what, and what every request goes through."""

import asyncio
import json
import logging
import random
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tfpipe.serving.collector import RepositoryCollector
from tfpipe.serving.limits import Bodies, body_of, check_images, inflated
from tfpipe.serving.metrics import CONTENT_TYPE, Metrics
from tfpipe.serving.options import ServingOptions
from tfpipe.serving.page.page import OPEN as PAGE
from tfpipe.serving.page.page import page_routes
from tfpipe.serving.protocols import open_inference as v2
from tfpipe.serving.protocols import tensorflow_api as v1
from tfpipe.serving.protocols.openapi import openapi
from tfpipe.serving.refusals import RequestRefused, wrong
from tfpipe.serving.repository import LoadedVersion, Repository
from tfpipe.serving.servable import Servable

if TYPE_CHECKING:
    import numpy as np
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("tfpipe.serving")
_LARGE = 1 << 18  # bytes of JSON that are read in a thread, while others are answered
_DEFLATED = 8  # times that a body that comes compressed is larger, as a guess
_BODIES = 8  # times the largest body: what all of them together may hold
# One thread: JSON is read under Python's lock, so that two take as long and twice the memory.
_READER = ThreadPoolExecutor(1, "json")
_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_OPEN = PAGE | {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_T = TypeVar("_T")
_METHODS = {v1.PREDICT, v1.CLASSIFY, v1.REGRESS}


def application(repository: Repository, options: ServingOptions, metrics: Metrics) -> "ASGIApp":
    """Return the application that answers for some models.

    Args:
        repository: the models, loaded.
        options: limits, and the token where there is one.
        metrics: counts what is done.
    """
    metrics.add(RepositoryCollector(repository))
    endpoints = _Endpoints(repository, options)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        return PlainTextResponse(*(("ready\n", 200) if repository.ready else ("not ready\n", 503)))

    async def counts(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    async def described(request: Request) -> Response:
        return JSONResponse(openapi(repository, options))

    one = "/v1/models/{name}"
    versions = ("", "/versions/{version}", "/labels/{label}")
    v2_versions = ("", "/versions/{version}")
    routes = [
        *(Route(f"{one}{v}:{{verb}}", endpoints.ask, methods=["POST"]) for v in versions),
        *(Route(f"{one}{v}/metadata", endpoints.metadata, methods=["GET"]) for v in versions),
        *(Route(f"{one}{v}", endpoints.status, methods=["GET"]) for v in versions),
        Route("/v2", endpoints.server, methods=["GET"]),
        Route("/v2/health/live", endpoints.live, methods=["GET"]),
        Route("/v2/health/ready", endpoints.ready, methods=["GET"]),
        *(
            route
            for v in v2_versions
            for route in (
                Route(f"/v2/models/{{name}}{v}/infer", endpoints.infer, methods=["POST"]),
                Route(f"/v2/models/{{name}}{v}/ready", endpoints.model_ready, methods=["GET"]),
                Route(f"/v2/models/{{name}}{v}", endpoints.model, methods=["GET"]),
            )
        ),
        *page_routes(repository),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", counts, methods=["GET"]),
        Route("/openapi.json", described, methods=["GET"]),
    ]
    handlers: Any = {
        RequestRefused: refused,
        404: malformed,
        405: malformed,
        Exception: broken,
    }
    return Around(
        Starlette(routes=routes, exception_handlers=handlers), repository, options, metrics
    )


async def refused(request: Request, error: RequestRefused) -> Response:
    """Say why a request is not answered."""
    return JSONResponse({"error": error.message}, error.status, error.headers)


async def malformed(request: Request, error: Any) -> Response:
    """Say that an address is none, or takes another method."""
    message = f"Malformed request: {request.method} {request.url.path}"
    return JSONResponse({"error": message}, error.status_code, error.headers)


async def broken(request: Request, error: Exception) -> Response:
    """Say that the server is wrong; what went wrong is in its log."""
    return JSONResponse({"error": "The server could not answer: its log says why."}, 500)


class _Endpoints:
    """What the addresses of models are answered.

    Args:
        repository: the models.
        options: limits.
    """

    def __init__(self, repository: Repository, options: ServingOptions) -> None:
        self._repository, self._options = repository, options
        self._bodies = Bodies(_BODIES * options.max_body)

    def _lease(self, request: Request, held: ExitStack) -> LoadedVersion:
        """Hold the version that a request names."""
        names = request.path_params
        model = self._repository.model(names["name"])
        return held.enter_context(model.lease(names.get("version", ""), names.get("label", "")))

    async def _body(self, request: Request, held: ExitStack) -> bytes:
        until, now = request.state.until, time.monotonic()
        declared = request.headers.get("content-length")
        take = held.enter_context(self._bodies.room())
        most = self._options.max_body
        try:
            async with asyncio.timeout(until - now):
                body = await body_of(request.receive, declared, most, take)
        except TimeoutError:
            raise RequestRefused(
                408, "The body did not come in time.", {"Connection": "close"}
            ) from None
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding == "identity":
            return body
        plain = await _beside(lambda: inflated(body, encoding, most), len(body) * _DEFLATED)
        take(len(plain))
        return plain

    async def _answers(
        self, request: Request, served: LoadedVersion, asked: v1.Question | v2.Inference
    ) -> "dict[str, np.ndarray]":
        arrays = asked.arrays
        rows = max((len(a) for a in arrays.values() if a.ndim), default=1)
        if rows > self._options.max_samples:
            raise RequestRefused(
                413, f"{rows:,} samples; at most {self._options.max_samples:,} are taken."
            )
        pixels: list[int] = []
        if served.servable.takes_files and "bytes" in arrays:
            pixels = check_images(arrays["bytes"].reshape(-1).tolist(), self._options.max_pixels)
        answers = await served.batcher.ask(asked.signature, arrays, request.state.until, pixels)
        served.drift.add(arrays, answers)
        return answers

    async def ask(self, request: Request) -> Response:
        """Answer :predict, :classify and :regress."""
        verb = request.path_params["verb"]
        if verb not in _METHODS:
            raise RequestRefused(404, f"Malformed request: POST {request.url.path}")
        with ExitStack() as held:
            body = await self._body(request, held)
            served = self._lease(request, held)
            servable = served.servable

            def read() -> v1.Question:
                return v1.question(_json(body), servable, verb)

            asked = await _beside(read, len(body))
            answers = await self._answers(request, served, asked)

            def write() -> bytes:
                return json.dumps(_written(verb, servable, asked, answers)).encode()

            size = sum(array.nbytes for array in answers.values())
            return Response(await _beside(write, size * 8), media_type="application/json")

    async def metadata(self, request: Request) -> Response:
        """Say what a version takes and answers."""
        with ExitStack() as held:
            return JSONResponse(v1.metadata(self._lease(request, held).servable))

    async def status(self, request: Request) -> Response:
        """Say how the versions are."""
        names = request.path_params
        path = request.url.path
        if path.rpartition(":")[2] in _METHODS:
            raise RequestRefused(405, f"Malformed request: GET {path}", {"Allow": "POST"})
        model = self._repository.model(names["name"])
        states = dict(model.states)
        if "label" in names:
            with model.lease(label=names["label"]) as served:
                states = {v: s for v, s in states.items() if v == served.servable.version}
        if "version" in names:
            states = {v: s for v, s in states.items() if str(v) == names["version"]}
            if not states:
                raise RequestRefused(
                    404, f"Could not find version {names['version']} of {model.name}"
                )
        return JSONResponse(v1.status(states))

    async def server(self, request: Request) -> Response:
        """Say what server this is."""
        return JSONResponse(
            {"name": "tfpipe", "version": version(), "extensions": ["binary_tensor_data"]}
        )

    async def live(self, request: Request) -> Response:
        """Say that it lives."""
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        """Say whether all models answer."""
        ready = self._repository.ready
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def model(self, request: Request) -> Response:
        """Say what a model takes and answers, in the second protocol."""
        with ExitStack() as held:
            servable = self._lease(request, held).servable
            there = [s.version for s in self._repository.model(servable.name).servables()]
            return JSONResponse(v2.metadata(servable, there))

    async def model_ready(self, request: Request) -> Response:
        """Say whether a model answers."""
        with ExitStack() as held:
            name = self._lease(request, held).servable.name
        return JSONResponse({"name": name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Answer a request of the second protocol."""
        with ExitStack() as held:
            body = await self._body(request, held)
            served = self._lease(request, held)
            length = request.headers.get(v2.HEADER_LENGTH)

            def read() -> v2.Inference:
                return v2.inference(body, length, served.servable)

            asked = await _beside(read, len(body))
            answers = await self._answers(request, served, asked)

            def write() -> tuple[bytes, int | None]:
                return v2.inferred(served.servable, asked, answers)

            size = sum(array.nbytes for array in answers.values())
            content, head = await _beside(write, size * 8)
        if head is None:
            return Response(content, media_type="application/json")
        headers = {"Inference-Header-Content-Length": str(head)}
        return Response(content, headers=headers, media_type="application/octet-stream")


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wrong(f"JSON Parse error: {error}") from None


def _written(
    verb: str, servable: Servable, asked: v1.Question, answers: "dict[str, np.ndarray]"
) -> dict[str, Any]:
    if verb == v1.CLASSIFY:
        return v1.classified(servable, answers)
    return v1.regressed(answers) if verb == v1.REGRESS else v1.predicted(asked, answers)


async def _beside(work: Callable[[], _T], size: int) -> _T:
    """Return what some work on a number of bytes gives; a lot of it is done in a thread."""
    if size <= _LARGE:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_READER, work)


def version() -> str:
    """Return the version of tfpipe."""
    from importlib.metadata import version as installed

    return installed("tfpipe")


class Around:
    """What every request goes through: a name, a deadline, the token, a count and a line of log.

    Args:
        app: answers the requests.
        repository: the models, whose names may be told to Prometheus.
        options: the deadline and the token.
        metrics: counts them.
    """

    def __init__(
        self, app: "ASGIApp", repository: Repository, options: ServingOptions, metrics: Metrics
    ) -> None:
        self._app, self._repository, self._options = app, repository, options
        self._metrics = metrics

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        identity = given if _ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        scope["state"] = {
            **scope.get("state", {}),
            "until": time.monotonic() + self._options.deadline,
        }
        code = 500

        async def sent(message: "Message") -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                own = [
                    (b"x-request-id", identity.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                if self._repository.stopping:
                    own.append((b"connection", b"close"))
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        try:
            if self._allowed(scope["path"], headers.get(b"authorization", b"")):
                await self._app(scope, receive, sent)
            else:
                error = {"error": "A token is needed: Authorization: Bearer TOKEN."}
                needed = {"WWW-Authenticate": "Bearer"}
                await JSONResponse(error, 401, needed)(scope, receive, sent)
        finally:
            self._note(scope, identity, code, time.perf_counter() - began)

    def _allowed(self, path: str, authorization: bytes) -> bool:
        token = self._options.token
        if token is None or path in _OPEN:
            return True
        scheme, _, given = authorization.partition(b" ")
        right = secrets.compare_digest(given.strip(), token.encode())
        return right and scheme.lower() == b"bearer"

    def _note(self, scope: "Scope", identity: str, code: int, seconds: float) -> None:
        names = scope.get("path_params", {})
        name = names.get("name", "")
        model = name if name in self._repository.models else ""
        verb = names.get("verb", "infer" if scope["path"].endswith("/infer") else "other")
        method = verb if verb in {*_METHODS, "infer"} else "other"
        self._metrics.request(model, method, code, seconds)
        if self._options.log:
            line = {
                "time": round(time.time(), 3),
                "id": identity,
                "method": scope["method"],
                "path": scope["path"],
                "status": code,
                "milliseconds": round(seconds * 1000, 2),
                "client": (scope.get("client") or [""])[0],
            }
            log.info(json.dumps(line))
