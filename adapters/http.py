"""How we speak HTTP: explicit timeouts, no redirects, no proxies from the environment, no cookies, no URLs in logs.

The Ascend API takes birth dates in its query string; that text goes over TLS to the practice's own system and
nowhere else, so the loggers of the library, which might write URLs, are silenced here.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp

for _name in ("aiohttp.client", "aiohttp.internal"):
    logging.getLogger(_name).setLevel(logging.WARNING)
    logging.getLogger(_name).disabled = True

IDLE_FOR = 4.0
"""Seconds after which an idle connection is closed: before the other side does, while we write to it."""

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]


LONGEST_REST = timedelta(hours=1)
"""Whatever the other side asks for: what is broken there may be whole again by then."""


class NotSent(Exception):
    """The request certainly did not reach the other side."""


class NoAnswer(Exception):
    """The request may have reached the other side; no whole answer came back."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Whatever the case of their names."""
    body: bytes

    def json(self) -> Any:
        """Raises ValueError."""
        return json.loads(self.body)


class HttpClient:
    """Calls to one server over connections that are kept. Each call is made once: never again behind our back."""

    def __init__(self, base_url: str, connect_timeout: float, read_timeout: float) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Pairs = (),
        content: Any = None,
        form: Pairs | None = None,
        headers: Mapping[str, str] | None = None,
        until: datetime | None = None,
    ) -> Answer:
        """``content`` is sent as JSON, ``form`` as a web form. Raises NotSent and NoAnswer, which name no address.

        ``until``: no byte of it may leave after that. Looked at when the connection stands: a process that was stopped
        on the way there looks at the clock anew.
        """
        url = f"{self.base_url}{path}?{urlencode(params)}" if params else self.base_url + path
        body, kind = _body(content, form)
        try:
            async with self._connections().request(
                method,
                url,
                data=body,
                headers={**kind, **(headers or {})},
                allow_redirects=False,
                trace_request_ctx=until,
            ) as response:
                return Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as failure:
            raise NotSent(type(failure).__name__) from None
        except (aiohttp.ClientError, OSError) as failure:
            if isinstance(failure.__cause__, NotSent):
                raise failure.__cause__ from None
            raise NoAnswer(type(failure).__name__) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
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
            raise NotSent("the time for it was over")

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(check)
    config.on_request_chunk_sent.append(check)
    return config


def _body(content: Any, form: Pairs | None) -> tuple[bytes | None, dict[str, str]]:
    if content is not None:
        return json.dumps(content).encode(), {"Content-Type": "application/json"}
    if form is not None:
        return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return None, {}


def retry_after(answer: Answer) -> timedelta | None:
    """The ``Retry-After`` header, in seconds or as an HTTP date."""
    value = answer.headers.get("retry-after", "")
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), LONGEST_REST)
    try:
        return min(max(parsedate_to_datetime(value) - datetime.now(UTC), timedelta(0)), LONGEST_REST)
    except (TypeError, ValueError):
        return None
