"""Email through SendGrid's v3 API, in the words of its own SDK and over our own connections.

How the SDK itself speaks HTTP is not for us: no timeout, redirects followed with the API key, proxy variables obeyed,
a new connection for each mail. SendGrid signs no business associate agreement: what is handed to it must say nothing.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
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

from adapters.errors import Misconfigured, OutcomeUnknown, OutsideError, RateLimited, Refused
from adapters.http import HttpClient, calling, rest_until
from adapters.messenger import Channel, OutgoingMessage


@dataclass(frozen=True)
class SendGridConfig:
    base_url: str
    api_key: str = field(repr=False)
    sender: str
    sender_name: str = ""
    timeout: float = 15
    """Seconds a socket may stay silent."""


class SendGridMessenger:
    channel = Channel.EMAIL

    def __init__(self, config: SendGridConfig) -> None:
        self._config = config
        self._http = HttpClient(config.base_url, config.timeout, config.timeout)
        self._headers = {"Authorization": f"Bearer {config.api_key}"}

    async def send(self, message: OutgoingMessage) -> str:
        mail = _mail(self._config, message)
        answer = await self._call("POST", "/v3/mail/send", content=mail, until=message.send_before)
        return answer.headers.get("X-Message-Id") or "accepted"

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        return ()  # SendGrid can't be asked

    async def check(self) -> list[str]:
        await self._call("GET", "/v3/scopes")
        return []

    async def close(self) -> None:
        await self._http.close()

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        name = f"{method} {path}"
        with calling(name):
            answer = await self._http.request(method, path, headers=self._headers, **request)
        if 200 <= answer.status_code < 300:
            return answer
        raise _meaning(name, answer)


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


def _meaning(name: str, answer: httpx.Response) -> OutsideError:
    status, what = answer.status_code, f"{name}: {answer.status_code}"
    if status == 429:
        return RateLimited(what, rest_until(answer.headers.get("X-RateLimit-Reset", "")))
    if status in (401, 403):
        return Misconfigured(f"{what}: SENDGRID_API_KEY is refused or lacks the scope", code=str(status))
    if status == 408 or status >= 500:
        return OutcomeUnknown(what)
    return Refused(what, code=str(status))


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text).strip()
