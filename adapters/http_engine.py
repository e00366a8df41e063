"""httpx over aiohttp's connections. httpx's own engine takes two to five times the processor time for a call.

Callers rely on one thing: a request that was certainly not sent raises ``httpx.ConnectError``. Every other failure
means that it may have been sent.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
from yarl import URL

for _name in ("aiohttp.client", "aiohttp.internal", "httpx", "httpcore"):  # they would log URLs
    logging.getLogger(_name).setLevel(logging.WARNING)
    logging.getLogger(_name).disabled = True

KEEPALIVE_SECONDS = 4.0
"""We close an idle connection after this time, before the server closes it just as we write to it."""
SKIPPED_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add by itself. httpx has set ours already."""


class _DeadlinePassed(Exception):
    """The request's ``send_before`` is over, and none of its bytes have left."""


NOT_SENT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, _DeadlinePassed)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends each request once. aiohttp's own hidden retry is switched off.

    A request's extension ``send_before`` names the instant after which no byte of it may leave. It is checked when
    the connection stands, right before the bytes are written. So a process that was suspended while it connected
    reads the clock again.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions["timeout"]
        try:
            async with self._open_session().request(
                request.method,
                URL(str(request.url), encoded=True),
                data=await request.aread() or None,
                headers=request.headers.multi_items(),
                skip_auto_headers=SKIPPED_AUTO_HEADERS,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeouts["connect"], sock_read=timeouts["read"]),
                trace_request_ctx=request.extensions.get("send_before"),
            ) as response:
                content = await response.read()
        except NOT_SENT_ERRORS as failure:
            raise httpx.ConnectError(type(failure).__name__) from None
        except (aiohttp.ClientError, OSError) as failure:
            if isinstance(failure.__cause__, _DeadlinePassed):
                raise httpx.ConnectError(type(failure.__cause__).__name__) from None
            raise httpx.ReadError(type(failure).__name__) from None
        return httpx.Response(response.status, headers=response.raw_headers, content=content)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE_SECONDS),
                trace_configs=[_deadline_check()],
            )
            self._session._retry_connection = False  # it would repeat a PUT or DELETE whose response was lost
        return self._session


def _deadline_check() -> aiohttp.TraceConfig:
    """Raises _DeadlinePassed right before bytes are written to a connection after ``send_before``."""

    async def check_deadline(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
        if context.trace_request_ctx is not None and datetime.now(UTC) > context.trace_request_ctx:
            raise _DeadlinePassed

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(check_deadline)
    config.on_request_chunk_sent.append(check_deadline)
    return config
