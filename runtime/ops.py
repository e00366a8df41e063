"""The worker's own HTTP endpoint: liveness, readiness, and the codec for Temporal's UI."""

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial

import structlog
import uvicorn
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from runtime.codec import KEY_ID, DecryptionError, EncryptionCodec

log = structlog.get_logger("ops")

MAX_BODY_BYTES = 8 * 1024 * 1024
SHUTDOWN_TIMEOUT = 5
"""Seconds that running requests have to finish when the process stops. A request that never ends must not block it."""


class AddressUnavailable(ConnectionError):
    """We cannot listen on the configured address, mostly because another process does."""


Convert = Callable[[list[Payload]], Awaitable[list[Payload]]]


def ops_app(codec: EncryptionCodec, is_ready: Callable[[], bool], *, origin: str, token: str = "") -> Starlette:
    """``origin``: the one web origin that may call the codec. ``token``: if set, callers must send it as a bearer."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> JSONResponse:
        ok = is_ready()
        return JSONResponse({"ready": ok}, status_code=200 if ok else 503)

    cors = Middleware(
        CORSMiddleware,
        allow_origins=[origin],
        allow_methods=["POST"],
        allow_headers=["content-type", "x-namespace", "authorization"],
        allow_credentials=True,
    )
    routes = [
        Route("/live", live),
        Route("/ready", ready),
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
    return Starlette(routes=routes, middleware=[cors])


def _codec_endpoint(
    convert: Convert, log_use: Callable[..., None], token: str
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def handle(request: Request) -> JSONResponse:
        authorization = request.headers.get("authorization", "").encode()
        if token and not hmac.compare_digest(authorization, f"Bearer {token}".encode()):
            return JSONResponse({"error": "a bearer token is required"}, status_code=401)
        body = await read_body(request, MAX_BODY_BYTES)
        if body is None:
            return JSONResponse({"error": "too large"}, status_code=413)
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


async def read_body(request: Request, max_bytes: int) -> bytes | None:
    """The request's body, or ``None`` when it is longer than ``max_bytes``; then reading stops early."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


@asynccontextmanager
async def serve(app: Starlette, address: str) -> AsyncIterator[None]:
    """Serve on ``host:port`` inside this event loop. The process keeps its own signal handlers.

    Raises AddressUnavailable.
    """
    host, _, port = address.rpartition(":")
    try:
        listener = socket.create_server((host, int(port)))
    except OSError as error:
        raise AddressUnavailable(f"{address}: cannot listen on this address: {error.strerror}") from None
    config = uvicorn.Config(
        app,
        log_config=None,  # uvicorn's own configuration would enable loggers again that we have silenced
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
