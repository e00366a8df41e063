"""Email through SendGrid's own SDK, with its sharp edges taken off.

The SDK as it comes has no timeout, follows redirects with the API key, obeys proxy variables, and logs payload and
key at debug level. SendGrid signs no business associate agreement, so what is handed to it must say nothing.
"""

import asyncio
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from python_http_client.client import Client
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    ClickTracking,
    Content,
    CustomArg,
    Email,
    Ganalytics,
    Mail,
    OpenTracking,
    Personalization,
    SubscriptionTracking,
    To,
    TrackingSettings,
)

from adapters.errors import Misconfigured, OutcomeUnknown, RateLimited, Refused, Unavailable
from adapters.messenger import Channel, OutgoingMessage

logging.getLogger("python_http_client.client").setLevel(logging.WARNING)
logging.getLogger("python_http_client.client").disabled = True

AT_ONCE = 20
"""Calls under way, each on a thread of its own: were they on the event loop's, an outage here would hold up all."""


@dataclass(frozen=True)
class SendGridConfig:
    base_url: str
    api_key: str = field(repr=False)
    sender: str
    sender_name: str = ""
    timeout: float = 15
    """Seconds a socket may stay silent."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class _HardenedClient(Client):  # type: ignore[misc]
    """No proxies, no redirects, and its parts are hardened like itself."""

    def _build_client(self, name: str | None = None) -> "_HardenedClient":
        return type(self)(
            host=self.host,
            version=self._version,
            request_headers=dict(self.request_headers),
            url_path=[*self._url_path, name] if name else self._url_path,
            append_slash=self.append_slash,
            timeout=self.timeout,
        )

    def _make_request(self, opener: Any, request: Any, timeout: float | None = None) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
        try:
            return opener.open(request, timeout=timeout or self.timeout)
        except urllib.error.HTTPError as failure:
            raise HTTPError(failure.code, failure.reason, failure.read(), failure.headers) from None


class SendGridMessenger:
    channel = Channel.EMAIL

    def __init__(self, config: SendGridConfig) -> None:
        self._config = config
        self._threads = ThreadPoolExecutor(AT_ONCE, "email")
        self._api = SendGridAPIClient(config.api_key, host=config.base_url.rstrip("/"))
        hardened = _HardenedClient(
            host=self._api.client.host,
            version=3,
            request_headers=dict(self._api.client.request_headers),
            timeout=config.timeout,
        )
        self._api.client = hardened

    async def send(self, message: OutgoingMessage) -> str:
        body = _mail(self._config, message)
        response = await self._call("POST /v3/mail/send", lambda: self._api.client.mail.send.post(request_body=body))
        return str(response.headers.get("X-Message-Id") or "accepted")

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        return ()  # SendGrid can't be asked

    async def check(self) -> list[str]:
        await self._call("GET /v3/scopes", lambda: self._api.client.scopes.get())
        return []

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, name: str, request: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _classified, name, request)


def _mail(config: SendGridConfig, message: OutgoingMessage) -> dict[str, Any]:
    mail = Mail(from_email=Email(config.sender, _one_line(config.sender_name) or None))
    mail.subject = _one_line(message.subject)
    mail.add_content(Content("text/plain", message.text))
    person = Personalization()
    person.add_to(To(message.to))
    person.add_custom_arg(CustomArg("msg_key", message.key))
    mail.add_personalization(person)
    tracking = TrackingSettings()
    tracking.click_tracking = ClickTracking(enable=False, enable_text=False)
    tracking.open_tracking = OpenTracking(enable=False)
    tracking.subscription_tracking = SubscriptionTracking(enable=False)
    tracking.ganalytics = Ganalytics(enable=False)
    mail.tracking_settings = tracking
    body: dict[str, Any] = mail.get()
    return body


def _classified(call: str, request: Callable[[], Any]) -> Any:
    try:
        return request()
    except HTTPError as failure:
        raise _meaning(call, int(failure.status_code), failure.headers or {}) from None
    except TimeoutError:
        raise OutcomeUnknown(f"{call}: timeout") from None
    except urllib.error.URLError as failure:
        if isinstance(failure.reason, TimeoutError):
            raise OutcomeUnknown(f"{call}: timeout") from None
        raise Unavailable(f"{call}: no connection") from None
    except OSError as failure:
        raise OutcomeUnknown(f"{call}: {type(failure).__name__}") from None
    except Exception as failure:  # http.client's own errors are neither wrapped nor OSErrors
        raise OutcomeUnknown(f"{call}: {type(failure).__name__}") from None


def _meaning(call: str, status: int, headers: Any) -> Exception:
    what = f"{call}: {status}"
    if status == 429:
        reset = str(headers.get("X-RateLimit-Reset") or "")
        wait = timedelta(seconds=max(0, int(reset) - datetime.now(UTC).timestamp())) if reset.isdecimal() else None
        return RateLimited(what, wait)
    if status in (401, 403):
        return Misconfigured(f"{what}: SENDGRID_API_KEY is refused or lacks the scope", code=str(status))
    if status == 408 or status >= 500:
        return OutcomeUnknown(what)
    return Refused(what, code=str(status))


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text).strip()
