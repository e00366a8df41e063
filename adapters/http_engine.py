"""httpx over aiohttp's connections: httpx's own engine takes two to five times the processor time for a call.

The one thing that matters of it: what certainly was not sent is a ``ConnectError``; every other failure is not.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
from yarl import URL

for _name in ("aiohttp.client", "aiohttp.internal", "httpx", "httpcore"):  # they would write addresses
    logging.getLogger(_name).setLevel(logging.WARNING)
    logging.getLogger(_name).disabled = True

IDLE_FOR = 4.0
"""Seconds after which an idle connection is closed: before the other side does, while we write to it."""
OURS_TO_SAY = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class _TooLate(Exception):
    """No byte of it may leave any more."""


NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, _TooLate)


class Engine(httpx.AsyncBaseTransport):
    """Each call is made once: never again behind our back.

    A request's extension ``until`` names the moment after which no byte of it may leave. It is looked at when the
    connection stands: a process that was stopped on the way there looks at the clock anew.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        wait = request.extensions["timeout"]
        try:
            async with self._connections().request(
                request.method,
                URL(str(request.url), encoded=True),
                data=await request.aread() or None,
                headers=request.headers.multi_items(),
                skip_auto_headers=OURS_TO_SAY,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=wait["connect"], sock_read=wait["read"]),
                trace_request_ctx=request.extensions.get("until"),
            ) as answer:
                content = await answer.read()
        except NOT_SENT as failure:
            raise httpx.ConnectError(type(failure).__name__) from None
        except (aiohttp.ClientError, OSError) as failure:
            if isinstance(failure.__cause__, _TooLate):
                raise httpx.ConnectError(type(failure.__cause__).__name__) from None
            raise httpx.ReadError(type(failure).__name__) from None
        return httpx.Response(answer.status, headers=answer.raw_headers, content=content)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_FOR),
                trace_configs=[_watched()],
            )
            self._session._retry_connection = False  # it would repeat a PUT or DELETE whose answer was lost
        return self._session


def _watched() -> aiohttp.TraceConfig:
    """Asks, right before anything is written to a connection, whether it still may be."""

    async def check(_session: aiohttp.ClientSession, context: Any, _about: object) -> None:
        if context.trace_request_ctx is not None and datetime.now(UTC) > context.trace_request_ctx:
            raise _TooLate

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(check)
    config.on_request_chunk_sent.append(check)
    return config
