"""The worker's own small HTTP endpoint: is it alive, is it ready, and decoding for Temporal's UI."""

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext

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

MOST_BYTES = 8 * 1024 * 1024
FINISHES_WITHIN = 5
"""Seconds in which a request under way may end when the process does: who never finishes asking holds nobody up."""


class AddressTaken(ConnectionError):
    """Somebody else listens at the address we were told to listen at."""


Convert = Callable[[list[Payload]], Awaitable[list[Payload]]]


def ops_app(codec: EncryptionCodec, ready: Callable[[], bool], *, origin: str, token: str = "") -> Starlette:
    """``origin`` is the one web origin that may ask to decode; ``token``, where set, must come as a bearer."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def is_ready(_: Request) -> JSONResponse:
        ok = ready()
        return JSONResponse({"ready": ok}, status_code=200 if ok else 503)

    def endpoint(what: str, convert: Convert) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def handle(request: Request) -> JSONResponse:
            given_token = request.headers.get("authorization", "").encode()
            if token and not hmac.compare_digest(given_token, f"Bearer {token}".encode()):
                return JSONResponse({"error": "a bearer token is needed"}, status_code=401)
            body = await body_of(request, MOST_BYTES)
            if body is None:
                return JSONResponse({"error": "too large"}, status_code=413)
            try:
                given = ParseDict(json.loads(body), Payloads(), ignore_unknown_fields=True)
                answer = Payloads(payloads=await convert(list(given.payloads)))
            except (ParseError, ValueError, TypeError, RecursionError, DecryptionError) as wrong:
                return JSONResponse({"error": type(wrong).__name__}, status_code=400)
            keys = sorted({p.metadata.get(KEY_ID, b"").decode(errors="replace") for p in given.payloads})
            client = request.client.host if request.client else ""
            log.info(what, client=client, payloads=len(given.payloads), keys=keys)
            return JSONResponse(MessageToDict(answer), headers={"Cache-Control": "no-store"})

        return handle

    cors = Middleware(
        CORSMiddleware,
        allow_origins=[origin],
        allow_methods=["POST"],
        allow_headers=["content-type", "x-namespace", "authorization"],
        allow_credentials=True,
    )
    routes = [
        Route("/live", live),
        Route("/ready", is_ready),
        Route("/codec/decode", endpoint("decoded", codec.decode), methods=["POST"]),
        Route("/codec/encode", endpoint("encoded", codec.encode), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[cors])


async def body_of(request: Request, at_most: int) -> bytes | None:
    """As it came; ``None``, and no more of it is read, where it is longer than so many bytes."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > at_most:
            return None
    return bytes(raw)


@asynccontextmanager
async def serve(app: Starlette, address: str) -> AsyncIterator[None]:
    """Serve on ``host:port`` inside this event loop, leaving signals to the process. Raises AddressTaken."""
    host, _, port = address.rpartition(":")
    try:
        listening = socket.create_server((host, int(port)))
    except OSError as refusal:
        raise AddressTaken(f"{address}: cannot listen there: {refusal.strerror}") from None
    config = uvicorn.Config(
        app,
        log_config=None,  # its own would let loggers speak again that are silenced
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=FINISHES_WITHIN,
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
