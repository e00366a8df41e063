"""How our processes listen for HTTP. What a caller may send is limited here, once for all of our endpoints.

Nothing is trusted before it is complete: headers and body have a time and a size, and one address in use or one slow
caller must not keep others out. Every refusal is a problem document (RFC 9457) with one sentence.
"""

import asyncio
import json
import socket
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

log = structlog.get_logger("http")

SHUTDOWN_TIMEOUT = 5
"""Seconds that running requests have to finish when the process stops. A request that never ends must not block it."""
PROBLEM_TYPE = "application/problem+json"


class AddressUnavailable(ConnectionError):
    """We cannot listen on the configured address, mostly because another process does."""


@dataclass(frozen=True)
class HttpLimits:
    """What one caller may use before its request is complete. Times are in seconds."""

    headers_timeout: float = 10
    """To send all headers, from the connection or from the first byte of a later request."""
    body_timeout: float = 20
    """To send the body after the headers."""
    header_bytes: int = 16 * 1024
    """The request line and all headers together."""
    headers: int = 64
    connections: int = 128
    """Each may hold one body, so with the largest body this bounds the memory too."""


def http_app(routes: Sequence[BaseRoute], middleware: Sequence[Middleware] = ()) -> Starlette:
    """An application whose every error is a problem document: no traceback reaches the caller or the log."""
    return Starlette(
        routes=routes,
        middleware=[Middleware(_ErrorsAsProblems), *middleware],
        exception_handlers={HTTPException: _answer_http_exception},
    )


def problem(status: int, detail: str) -> JSONResponse:
    """A refusal. ``detail`` is one sentence, and never quotes what the caller sent."""
    return JSONResponse(_problem_content(status, detail), status_code=status, media_type=PROBLEM_TYPE)


async def read_body(request: Request, max_bytes: int) -> bytes | None:
    """The request's body, or ``None`` when it is longer than ``max_bytes``; then reading stops early.

    Raises ClientDisconnect when the caller goes away before the end. ``http_app`` handles it.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


@asynccontextmanager
async def serve(app: Starlette, address: str, setting: str, limits: HttpLimits = HttpLimits()) -> AsyncIterator[None]:
    """Serve on ``host:port`` inside this event loop. The process keeps its own signal handlers.

    ``setting`` is the variable that has the address. Raises AddressUnavailable, which names it.
    """
    host, _, port = address.rpartition(":")
    try:
        listener = socket.create_server((host, int(port)))
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # create_server adds the address in its own way
        raise AddressUnavailable(f"{setting}: cannot listen on {address}: {reason}") from None
    config = uvicorn.Config(
        app,
        http=partial(LimitedProtocol, limits),  # type: ignore[arg-type]  # called like a class
        ws="none",
        log_config=None,  # uvicorn's own configuration would enable loggers again that we have silenced
        log_level="error",
        access_log=False,
        server_header=False,
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


class LimitedProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1 protocol with the limits that it lacks.

    Uvicorn limits neither the time nor the size of headers and body, and counts a connection only once its headers are
    complete. So it waits for a half-sent request for ever, and a few hundred of them use up the process's files.
    """

    def __init__(self, limits: HttpLimits, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        """While headers or a body are incomplete."""
        self._is_reading_headers = True
        self._header_bytes = 0
        """Of headers that are still incomplete."""
        self._refusal = (HTTPStatus.BAD_REQUEST, "This is not an HTTP/1.1 request.")
        """What ``send_400_response`` answers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections are open. Try again soon.")
        else:
            self._set_deadline(self._limits.headers_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        # Data after a complete request starts the clock too: blank lines between requests are no request yet, and
        # uvicorn stops its own idle timer at each byte.
        if self._deadline is None and self._is_reading_headers:
            self._set_deadline(self._limits.headers_timeout)
        super().data_received(data)
        if self._is_reading_headers and self._deadline is not None:
            # The parser reports a header when it is complete, so a header that never ends is counted here.
            self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes and not self.transport.is_closing():
                self._refuse(*self._headers_too_large())

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._check_header_size(len(self.url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        # The blank, the colon and the line's end make four bytes.
        self._check_header_size(len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers))

    def on_headers_complete(self) -> None:
        self._is_reading_headers = False
        self._header_bytes = 0
        self._set_deadline(self._limits.body_timeout)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_reading_headers = True
        self._clear_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Uvicorn calls this when the parser fails or one of the callbacks above raises."""
        self._refuse(*self._refusal)

    def _check_header_size(self, size: int) -> None:
        if size > self._limits.header_bytes or len(self.headers) > self._limits.headers:
            self._refusal = self._headers_too_large()
            raise ValueError("headers are too large")

    def _headers_too_large(self) -> tuple[HTTPStatus, str]:
        detail = f"At most {self._limits.headers} headers with {self._limits.header_bytes} bytes are allowed."
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        detail = f"The request took too long. Send this part of it within {seconds:g} seconds."
        self._deadline = self.loop.call_later(seconds, self._refuse, HTTPStatus.REQUEST_TIMEOUT, detail)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer and close. A request that is being handled sees that its caller has gone."""
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            body = json.dumps(_problem_content(status, detail)).encode()
            head = f"content-type: {PROBLEM_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()


class _ErrorsAsProblems:
    """Turns what a handler does not foresee into a 500, and logs its type and where it was raised.

    Not its text, which may quote a person. Starlette's own handler would pass the error on to uvicorn, which logs it
    with its text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            log.error("http_request_failed", error=type(error).__name__, raised_at=_code_line(error))
            if not is_started and scope["type"] == "http":
                await problem(500, "The request failed here. The log says where.")(scope, receive, send)


async def _answer_http_exception(_: Request, error: Exception) -> Response:
    """Starlette's own refusals, such as 404 and 405."""
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, f"{HTTPStatus(error.status_code).phrase}.")
    answer.headers.update(error.headers or {})
    return answer


def _code_line(error: Exception) -> str:
    """File and line where the error was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"


def _problem_content(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
