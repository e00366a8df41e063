"""How we speak HTTP: explicit timeouts, no redirects, no proxies from the environment, no URLs in logs.

The Ascend API takes birth dates in its query string; that text goes over TLS to the practice's own system and
nowhere else, so the loggers of the libraries, which might write URLs, are silenced.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from adapters.errors import OutcomeUnknown, Unavailable
from adapters.http_engine import Engine

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]

LONGEST_REST = timedelta(hours=1)
"""Whatever the other side asks for: what is broken there may be whole again by then."""


class NotSent(Exception):
    """The request certainly did not reach the other side."""


class NoAnswer(Exception):
    """The request may have reached the other side; no whole answer came back."""


class HttpClient:
    """Calls to one server over connections that are kept."""

    def __init__(self, base_url: str, connect_timeout: float, read_timeout: float) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            transport=Engine(),
            trust_env=False,
            follow_redirects=False,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Pairs = (),
        content: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        until: datetime | None = None,
    ) -> httpx.Response:
        """``content`` is sent as JSON, ``form`` as a web form. Raises NotSent and NoAnswer, which name no address.

        ``until``: no byte of it may leave after that.
        """
        asked = httpx.QueryParams(params if isinstance(params, Mapping) else list(params))
        try:
            return await self._http.request(
                method,
                path,
                params=asked or None,
                json=content,
                data=form,
                headers=headers,
                extensions={"until": until},
            )
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as failure:
            raise NotSent(type(failure).__name__) from None
        except httpx.HTTPError as failure:
            raise NoAnswer(type(failure).__name__) from None

    async def close(self) -> None:
        await self._http.aclose()


@contextmanager
def calling(name: str) -> Iterator[None]:
    """A call that came to no answer is Unavailable, or OutcomeUnknown where it may have been heard."""
    try:
        yield
    except NotSent as failure:
        raise Unavailable(f"{name}: not sent: {failure}") from None
    except NoAnswer as failure:
        raise OutcomeUnknown(f"{name}: {failure}") from None


def retry_after(answer: httpx.Response) -> timedelta | None:
    """The ``Retry-After`` header, in seconds or as an HTTP date."""
    value = answer.headers.get("retry-after", "")
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), LONGEST_REST)
    try:
        return min(max(parsedate_to_datetime(value) - datetime.now(UTC), timedelta(0)), LONGEST_REST)
    except (TypeError, ValueError):
        return None


def rest_until(epoch: str) -> timedelta | None:
    """From a header that says when calls are welcome again, in seconds since 1970."""
    if not epoch.isdecimal():
        return None
    left = timedelta(seconds=int(epoch[:12]) - datetime.now(UTC).timestamp())
    return min(max(left, timedelta(0)), LONGEST_REST)


def anonymous(path: str) -> str:
    """A path without ids, for logs and error texts."""
    return "/".join("{id}" if part.isdecimal() else part for part in path.split("/"))
