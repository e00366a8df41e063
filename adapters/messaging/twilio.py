"""SMS through Twilio's Messages API."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from adapters.errors import (
    Misconfigured,
    OutcomeUnknown,
    OutsideError,
    RateLimited,
    Refused,
    Unavailable,
    Undeliverable,
)
from adapters.http import NOT_SENT, http_client, retry_after
from adapters.messenger import Channel, OutgoingMessage

UNDELIVERABLE = frozenset({21211, 21214, 21217, 21610, 21612, 21614, 21635, 30004, 30005, 30006})
"""The number is bad, or its owner opted out (21610). Source: Twilio's error pages."""
MISCONFIGURED = frozenset({20003, 20404, 21408, 21601, 21606, 21608, 30002, 30032, 30034, 30450, 30640})
TRY_LATER = frozenset({20429, 21611, 30001, 30022, 30023, 30610, 63038})
"""Queues are full, or (30610) the number's owner is not to be disturbed at this hour."""
LONGEST_VALIDITY = 36_000


@dataclass(frozen=True)
class TwilioConfig:
    base_url: str
    account_sid: str
    api_key_sid: str
    api_key_secret: str = field(repr=False)
    messaging_service_sid: str
    connect_timeout: float = 5
    read_timeout: float = 30
    """Twilio itself may think for 26 s; giving up sooner would make outcomes unknown."""


class TwilioMessenger:
    channel = Channel.SMS

    def __init__(self, config: TwilioConfig) -> None:
        self._config = config
        self._http = http_client(config.base_url, config.connect_timeout, config.read_timeout)
        self._messages = f"/2010-04-01/Accounts/{config.account_sid}/Messages.json"

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, message: OutgoingMessage) -> str:
        form = {
            "To": message.to,
            "Body": message.text,
            "MessagingServiceSid": self._config.messaging_service_sid,
            "ContentRetention": "discard",
            "AddressRetention": "obfuscate",
        }
        if message.deliver_before is not None:
            left = int((message.deliver_before - datetime.now(UTC)).total_seconds())
            form["ValidityPeriod"] = str(min(max(left, 6), LONGEST_VALIDITY))
        body = await self._call("POST", self._messages, data=form)
        sid = body.get("sid")
        if not sid:
            raise OutcomeUnknown("POST Messages: an answer without sid")
        return str(sid)

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        """Texts to this number; what they said Twilio has not retained, as asked to."""
        day = since.astimezone(UTC).date().isoformat()
        body = await self._call("GET", self._messages, params={"To": message.to, "DateSent>": day})
        return tuple(
            str(sent["sid"])
            for sent in body.get("messages") or []
            if _sent_at(sent) >= since - timedelta(seconds=5) and sent.get("body") in (None, "", message.text)
        )

    async def check(self) -> list[str]:
        await self._call("GET", f"/2010-04-01/Accounts/{self._config.account_sid}.json")
        return []

    async def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        name = f"{method} {'Messages' if path == self._messages else 'Account'}"
        auth = (self._config.api_key_sid, self._config.api_key_secret)
        try:
            response = await self._http.request(method, path, auth=auth, **content)
        except NOT_SENT:
            raise Unavailable(f"{name}: no connection") from None
        except httpx.HTTPError as failure:
            raise OutcomeUnknown(f"{name}: {type(failure).__name__}") from None
        try:
            body = response.json()
        except ValueError:
            body = None
        if 200 <= response.status_code < 300 and isinstance(body, dict):
            return body
        raise _meaning(name, response, body)


def _meaning(name: str, response: httpx.Response, body: Any) -> OutsideError:
    """What a refusal means; Twilio's own message is left out, since it quotes the number."""
    status = response.status_code
    code = body.get("code") if isinstance(body, dict) else None
    what = f"{name}: {status} code {code}"
    if status == 429 or code in TRY_LATER:
        return RateLimited(what, retry_after(response))
    if status >= 500 or status == 408 or 200 <= status < 300:
        return OutcomeUnknown(what)
    if code in UNDELIVERABLE:
        return Undeliverable(what, code=str(code))
    if code in MISCONFIGURED or status in (401, 403):
        return Misconfigured(f"{what}: check the TWILIO settings", code=str(code))
    return Refused(what, code=str(code))


def _sent_at(message: dict[str, Any]) -> datetime:
    try:
        return parsedate_to_datetime(str(message.get("date_sent") or message.get("date_created")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
