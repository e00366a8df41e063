"""The worker's own HTTP endpoint: liveness, readiness, and the codec for Temporal's UI."""

import hmac
from collections.abc import Awaitable, Callable, Collection

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.codec_process import BadPayloads, CodecBusy, CodecProcess, Converted, Direction
from runtime.http_server import http_app, problem, read_body

log = structlog.get_logger("ops")

MAX_BODY_BYTES = 8 * 1024 * 1024
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def ops_app(
    codec: CodecProcess, is_ready: Callable[[], bool], *, origin: str, token: str = "", hosts: Collection[str] = ()
) -> Starlette:
    """``origin``: the one web origin that may call the codec. ``token``: if set, callers must send it as a bearer.

    ``hosts``: the names by which callers may reach the codec, besides those of this machine. A web page elsewhere that
    lets its own name point to us is refused.
    """

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    cors = Middleware(
        CORSMiddleware,
        allow_origins=[origin],
        allow_methods=["POST"],
        allow_headers=["content-type", "x-namespace", "authorization"],
        allow_credentials=True,
    )
    routes = [
        Route("/live", live),
        ready_route(is_ready),
        *(
            Route(f"/codec/{direction}", _codec_endpoint(codec, direction, token, hosts), methods=["POST"])
            for direction in Direction
        ),
    ]
    return http_app(routes, [cors])


def ready_route(is_ready: Callable[[], bool]) -> Route:
    """``GET /ready``: 200 or 503. It only reads what is known, so it may be asked as often as somebody likes."""

    async def ready(_: Request) -> JSONResponse:
        ok = is_ready()
        return JSONResponse({"ready": ok}, status_code=200 if ok else 503)

    return Route("/ready", ready)


def _codec_endpoint(
    codec: CodecProcess, direction: Direction, token: str, hosts: Collection[str]
) -> Callable[[Request], Awaitable[Response]]:
    allowed_hosts = frozenset({*LOOPBACK_NAMES, *hosts})

    async def handle(request: Request) -> Response:
        if request.url.hostname not in allowed_hosts:
            return problem(421, "The codec is not reached under this host name. See CODEC_HOST.")
        authorization = request.headers.get("authorization", "").encode()
        if token and not hmac.compare_digest(authorization, f"Bearer {token}".encode()):
            return problem(401, "A bearer token is required.")
        body = await read_body(request, MAX_BODY_BYTES)
        if body is None:
            return problem(413, f"The body is too large. At most {MAX_BODY_BYTES // 1024} KiB are allowed.")
        try:
            converted = await codec.convert(direction, body)
        except BadPayloads as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except CodecBusy:
            return problem(503, "The codec is busy, or the call took too long. Ask for less at a time.")
        _log_use(request, direction, converted)
        return Response(converted.body, media_type="application/json", headers={"Cache-Control": "no-store"})

    return handle


def _log_use(request: Request, direction: Direction, converted: Converted) -> None:
    client = request.client.host if request.client else ""
    use = {"client": client, "payloads": converted.payloads, "keys": list(converted.key_ids)}
    if direction is Direction.DECODE:
        log.info("payloads_decoded", **use)
    else:
        log.info("payloads_encoded", **use)
