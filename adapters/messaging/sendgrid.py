"""Email through SendGrid's v3 API. SendGrid's own SDK builds the request, and our HTTP client sends it.

The SDK's way to send is not safe for us: it has no timeout, follows redirects and takes the API key along, obeys proxy
variables, and opens a new connection for each email.

SendGrid signs no business associate agreement, so an email must not contain health information.
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
from adapters.http import HttpClient, delay_until_epoch, is_unclear, reading, translated_failures
from adapters.messenger import MAX_MESSAGE_ID_LENGTH, Channel, OutgoingMessage
from adapters.rows import readable_id


@dataclass(frozen=True)
class SendGridConfig:
    base_url: str
    api_key: str = field(repr=False)
    sender: str
    sender_name: str = ""
    timeout: float = 15
    """Seconds of silence on the socket, while connecting or reading. Not the whole call."""


class SendGridMessenger:
    channel = Channel.EMAIL

    def __init__(self, config: SendGridConfig) -> None:
        self._config = config
        self._http = HttpClient(config.base_url, config.timeout, config.timeout)
        self._headers = {"Authorization": f"Bearer {config.api_key}"}

    async def send(self, message: OutgoingMessage) -> str:
        mail = mail_body(self._config, message)
        response = await self._call("POST", "/v3/mail/send", content=mail, send_before=message.send_before)
        return readable_id(response.headers.get("X-Message-Id"), MAX_MESSAGE_ID_LENGTH) or "accepted"

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        """Always empty: SendGrid has no call that lists what it sent."""
        return ()

    async def check(self) -> list[str]:
        with reading():
            await self._call("GET", "/v3/scopes")
        return []

    async def close(self) -> None:
        await self._http.close()

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        call_name = f"{method} {path}"
        with translated_failures(call_name):
            response = await self._http.request(method, path, headers=self._headers, **request)
        if 200 <= response.status_code < 300:
            return response
        raise _error(call_name, response)


def mail_body(config: SendGridConfig, message: OutgoingMessage) -> dict[str, Any]:
    """The JSON body for one email to one person.

    All tracking is off: SendGrid would rewrite links, and so see them. The message key is the only custom argument,
    because SendGrid's staff may see custom arguments.
    """
    mail = Mail(from_email=Email(config.sender, _one_line(config.sender_name) or None))
    mail.subject = _one_line(message.subject)
    mail.add_content(Content("text/plain", message.text))
    personalization = Personalization()
    personalization.add_to(To(message.to))
    personalization.add_custom_arg(CustomArg("msg_key", message.key))
    mail.add_personalization(personalization)
    tracking = TrackingSettings()
    tracking.click_tracking = ClickTracking(enable=False, enable_text=False)
    tracking.open_tracking = OpenTracking(enable=False)
    tracking.subscription_tracking = SubscriptionTracking(enable=False)
    tracking.ganalytics = Ganalytics(enable=False)
    mail.tracking_settings = tracking
    body: dict[str, Any] = mail.get()
    return body


def _error(call_name: str, response: httpx.Response) -> OutsideError:
    status, reason = response.status_code, f"{call_name}: {response.status_code}"
    if status == 429:
        return RateLimited(reason, delay_until_epoch(response.headers.get("X-RateLimit-Reset", "")))
    if status in (401, 403):
        return Misconfigured(f"{reason}: SENDGRID_API_KEY is refused or lacks the scope", code=str(status))
    if is_unclear(status):
        return OutcomeUnknown(reason)
    return Refused(reason, code=str(status))


def _one_line(text: str) -> str:
    """The SDK passes line breaks through, and with them any header that somebody puts into a subject."""
    return re.sub(r"[\r\n]+", " ", text).strip()
