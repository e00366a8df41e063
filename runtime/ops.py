"""The worker's own HTTP endpoint: liveness, readiness, and the codec for Temporal's UI."""

import hmac
import json
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from runtime.codec import KEY_ID, DecryptionError, EncryptionCodec
from runtime.http_server import http_app, problem, read_body

log = structlog.get_logger("ops")

MAX_BODY_BYTES = 8 * 1024 * 1024

Convert = Callable[[list[Payload]], Awaitable[list[Payload]]]


def ops_app(codec: EncryptionCodec, is_ready: Callable[[], bool], *, origin: str, token: str = "") -> Starlette:
    """``origin``: the one web origin that may call the codec. ``token``: if set, callers must send it as a bearer."""

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
        Route(
            "/codec/decode",
            _codec_endpoint(codec.decode, partial(log.info, "payloads_decoded"), token),
            methods=["POST"],
        ),
        Route(
            "/codec/encode",
            _codec_endpoint(codec.encode, partial(log.info, "payloads_encoded"), token),
            methods=["POST"],
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
    convert: Convert, log_use: Callable[..., None], token: str
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def handle(request: Request) -> JSONResponse:
        authorization = request.headers.get("authorization", "").encode()
        if token and not hmac.compare_digest(authorization, f"Bearer {token}".encode()):
            return problem(401, "A bearer token is required.")
        body = await read_body(request, MAX_BODY_BYTES)
        if body is None:
            return problem(413, f"The body is too large. At most {MAX_BODY_BYTES // 1024} KiB are allowed.")
        try:
            received = ParseDict(json.loads(body), Payloads(), ignore_unknown_fields=True)
            answer = Payloads(payloads=await convert(list(received.payloads)))
        except (ParseError, ValueError, TypeError, RecursionError, DecryptionError) as error:
            return JSONResponse({"error": type(error).__name__}, status_code=400)
        key_ids = sorted({p.metadata.get(KEY_ID, b"").decode(errors="replace") for p in received.payloads})
        client = request.client.host if request.client else ""
        log_use(client=client, payloads=len(received.payloads), keys=key_ids)
        return JSONResponse(MessageToDict(answer), headers={"Cache-Control": "no-store"})

    return handle
