"""How we speak HTTP: explicit timeouts, no redirects, no proxies from the environment, no URLs in logs.

The Ascend API takes birth dates in its query string; that text goes over TLS to the practice's own system and
nowhere else, so the loggers that would write URLs are silenced here.
"""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from adapters.errors import Unavailable

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)
    logging.getLogger(_name).disabled = True

LONGEST_REST = timedelta(hours=1)
"""Whatever the other side asks for: what is broken there may be whole again by then."""
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""The request certainly did not reach the other side."""


_ABOUT_TO_SEND = frozenset({"http11.send_request_headers.started", "http11.send_request_body.started"})


def http_client(base_url: str, connect_timeout: float, read_timeout: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
        trust_env=False,
        follow_redirects=False,
    )


def sent_until(moment: datetime) -> dict[str, Any]:
    """Extensions of a request of which no byte may leave after ``moment``; then it raises Unavailable.

    Asked when the connection stands: a process that was stopped on the way there looks at the clock anew.
    """

    async def check(event: str, info: object) -> None:
        if event in _ABOUT_TO_SEND and datetime.now(UTC) > moment:
            raise Unavailable("not sent: the time for it was over")

    return {"trace": check}


def retry_after(response: httpx.Response) -> timedelta | None:
    """The ``Retry-After`` header, in seconds or as an HTTP date."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), LONGEST_REST)
    try:
        return min(max(parsedate_to_datetime(value) - datetime.now(UTC), timedelta(0)), LONGEST_REST)
    except (TypeError, ValueError):
        return None
