"""One HTTP client for all vendors: explicit timeouts and limits, no redirects, no cookies, no proxies from the
environment, no URLs in logs.

The Ascend API takes birth dates in its query string. That text goes over TLS to the office system and nowhere
else. The HTTP libraries might log URLs, so ``http_engine`` silences their loggers.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from adapters.errors import OutcomeUnknown, Unavailable
from adapters.http_engine import AiohttpTransport
from adapters.json_text import UnreadableJson, parse_json

QueryParams = Mapping[str, str] | Sequence[tuple[str, str]]

MAX_RETRY_AFTER = timedelta(hours=1)
"""Upper limit for any wait that a server asks for. A fault there may be fixed sooner than it announced."""

MAX_TOKEN_LENGTH = 8 * 1024
MAX_JSON_CONTAINERS = 150_000
"""How many brackets an answer may open. A page of 1,000 rows opens about a tenth of this."""
MAX_JSON_VALUES = 1_000_000
"""How many commas an answer may have."""


class NotSent(Exception):
    """The request certainly did not reach the other side."""


class NoAnswer(Exception):
    """The request may have reached the other side, but no complete response came back."""


class HttpClient:
    """Calls to one server over kept-alive connections."""

    def __init__(self, base_url: str, connect_timeout: float, read_timeout: float) -> None:
        """Timeouts in seconds. ``read_timeout`` is the longest silence on the socket; ``http_engine`` bounds the whole
        call by a multiple of it.
        """
        self.base_url = base_url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            transport=AiohttpTransport(),
            headers={"Accept-Encoding": "gzip"},  # the engine reads no other encoding
            trust_env=False,
            follow_redirects=False,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: QueryParams = (),
        content: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        send_before: datetime | None = None,
    ) -> httpx.Response:
        """Make one call, once. ``content`` is sent as JSON, ``form`` as a web form.

        ``send_before``: no byte of the request leaves after this instant; then it is NotSent.
        Raises NotSent and NoAnswer. Neither names a URL.
        """
        query = httpx.QueryParams(params if isinstance(params, Mapping) else list(params))
        try:
            return await self._http.request(
                method,
                path,
                params=query or None,
                json=content,
                data=form,
                headers=headers,
                extensions={"send_before": send_before},
            )
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as failure:
            raise NotSent(type(failure).__name__) from None
        except httpx.HTTPError as failure:
            raise NoAnswer(type(failure).__name__) from None

    async def close(self) -> None:
        await self._http.aclose()


@contextmanager
def translated_failures(call_name: str) -> Iterator[None]:
    """Raise NotSent as Unavailable, and NoAnswer as OutcomeUnknown. ``call_name`` goes into their texts."""
    try:
        yield
    except NotSent as failure:
        raise Unavailable(f"{call_name}: not sent: {failure}") from None
    except NoAnswer as failure:
        raise OutcomeUnknown(f"{call_name}: {failure}") from None


@contextmanager
def reading() -> Iterator[None]:
    """Raise OutcomeUnknown as Unavailable: a read without a clear answer changed nothing and may be repeated."""
    try:
        yield
    except OutcomeUnknown as unclear:
        raise Unavailable(str(unclear)) from None


def decoded_json(raw: bytes) -> Any:
    """A vendor's JSON. Raises UnreadableJson, before much time or memory is spent on it."""
    # Counted before parsing: to build millions of small lists would block the event loop.
    if raw.count(b"[") + raw.count(b"{") > MAX_JSON_CONTAINERS or raw.count(b",") > MAX_JSON_VALUES:
        raise UnreadableJson("JSON with too many values")
    return parse_json(raw)


def is_usable_token(token: Any) -> bool:
    """Whether an access token can stand in a header."""
    return isinstance(token, str) and 0 < len(token) <= MAX_TOKEN_LENGTH and token.isascii() and token.isprintable()


def is_unclear(status: int) -> bool:
    """Whether this status leaves open if a write was carried out. A redirect does: a write may be done behind it."""
    return status < 200 or 300 <= status < 400 or status == 408 or status >= 500


def retry_after(response: httpx.Response) -> timedelta | None:
    """The ``Retry-After`` header, which holds seconds or an HTTP date. At most MAX_RETRY_AFTER."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), MAX_RETRY_AFTER)
    moment = http_date(value)
    return None if moment is None else min(max(moment - datetime.now(UTC), timedelta(0)), MAX_RETRY_AFTER)


def http_date(text: str) -> datetime | None:
    """The instant in a date of HTTP or email; UTC without a zone (``-0000``). ``None`` if it is unreadable."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def delay_until_epoch(epoch: str) -> timedelta | None:
    """The wait until a header's timestamp, in seconds since 1970 (UTC). At most MAX_RETRY_AFTER."""
    if not epoch.isdecimal():
        return None
    delay = timedelta(seconds=int(epoch[:12]) - datetime.now(UTC).timestamp())
    return min(max(delay, timedelta(0)), MAX_RETRY_AFTER)


def without_ids(path: str) -> str:
    """The path with each numeric part replaced by ``{id}``, for logs and error texts."""
    return "/".join("{id}" if part.isdecimal() else part for part in path.split("/"))
