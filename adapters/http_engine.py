"""httpx over aiohttp's connections. httpx's own engine takes two to five times the processor time for a call.

Callers rely on two things. A request that was certainly not sent raises ``httpx.ConnectError``; every other failure
means that it may have been sent. And whatever the other side answers, it takes no more than a bounded amount of memory
and time here.
"""

import logging
import zlib
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
MAX_BODY_BYTES = 4 * 1024 * 1024
"""The longest body that is read, before and after decompression. A page of 1,000 rows takes about half of it."""
MAX_HEADERS = 100
MAX_HEADER_BYTES = 8 * 1024
"""The longest single header that is read."""
ANSWER_TIME_FACTOR = 2
"""A whole call may take this many read timeouts, and the time to connect. A server that sends a byte now and then is
never silent for as long as one read timeout."""
HEADERS_READ = frozenset({b"retry-after", b"x-ratelimit-reset", b"x-message-id"})
"""The headers of an answer that reach our code. So no cookie is kept, and no redirect leads anywhere."""
GZIP_WINDOW = 16 + zlib.MAX_WBITS


class _DeadlinePassed(Exception):
    """The request's ``send_before`` is over, and none of its bytes have left."""


class AnswerTooLarge(httpx.ReadError):
    """The body is longer than MAX_BODY_BYTES, or would be after decompression."""


class UnreadableEncoding(httpx.ReadError):
    """The body is compressed in a way that we did not ask for, or not completely."""


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
                timeout=aiohttp.ClientTimeout(
                    total=timeouts["connect"] + ANSWER_TIME_FACTOR * timeouts["read"],
                    sock_connect=timeouts["connect"],
                    sock_read=timeouts["read"],
                ),
                trace_request_ctx=request.extensions.get("send_before"),
            ) as response:
                content = await _read_body(response)
        except NOT_SENT_ERRORS as failure:
            raise httpx.ConnectError(type(failure).__name__) from None
        except TimeoutError:
            raise httpx.ReadTimeout(httpx.ReadTimeout.__name__) from None
        except (aiohttp.ClientError, OSError) as failure:
            if isinstance(failure.__cause__, _DeadlinePassed):
                raise httpx.ConnectError(type(failure.__cause__).__name__) from None
            raise httpx.ReadError(type(failure).__name__) from None
        headers = [(name, value) for name, value in response.raw_headers if name.lower() in HEADERS_READ]
        return httpx.Response(response.status, headers=headers, content=content)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,  # _read_body decompresses within its limit
                max_headers=MAX_HEADERS,
                max_field_size=MAX_HEADER_BYTES,
                max_line_size=MAX_HEADER_BYTES,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE_SECONDS),
                trace_configs=[_deadline_check()],
            )
            self._session._retry_connection = False  # it would repeat a PUT or DELETE whose response was lost
        return self._session


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """The decompressed body. Raises AnswerTooLarge before more than the limit is held in memory."""
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise AnswerTooLarge(AnswerTooLarge.__name__)
    encoding = ",".join(response.headers.getall("Content-Encoding", [])).strip().lower()
    if not raw or encoding in ("", "identity"):
        return bytes(raw)
    if encoding != "gzip":
        raise UnreadableEncoding(UnreadableEncoding.__name__)
    return _decompressed(bytes(raw))


def _decompressed(raw: bytes) -> bytes:
    stream = zlib.decompressobj(GZIP_WINDOW)
    try:
        body = stream.decompress(raw, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise UnreadableEncoding(UnreadableEncoding.__name__) from None
    if len(body) > MAX_BODY_BYTES:
        raise AnswerTooLarge(AnswerTooLarge.__name__)
    if not stream.eof or stream.unused_data:
        raise UnreadableEncoding(UnreadableEncoding.__name__)
    return body


def _deadline_check() -> aiohttp.TraceConfig:
    """Raises _DeadlinePassed right before bytes are written to a connection after ``send_before``."""

    async def check_deadline(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
        if context.trace_request_ctx is not None and datetime.now(UTC) > context.trace_request_ctx:
            raise _DeadlinePassed

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(check_deadline)
    config.on_request_chunk_sent.append(check_deadline)
    return config
