"""SMS through Twilio's Messages API."""

from base64 import b64encode
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
    Undeliverable,
)
from adapters.http import HttpClient, calling, retry_after
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
        self._http = HttpClient(config.base_url, config.connect_timeout, config.read_timeout)
        self._headers = {"Authorization": _basic(config.api_key_sid, config.api_key_secret)}
        self._messages = f"/2010-04-01/Accounts/{config.account_sid}/Messages.json"

    async def close(self) -> None:
        await self._http.close()

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
        body = await self._call("POST", self._messages, form=form, until=message.send_before)
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

    async def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        name = f"{method} {'Messages' if path == self._messages else 'Account'}"
        with calling(name):
            answer = await self._http.request(method, path, headers=self._headers, **request)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if 200 <= answer.status_code < 300 and isinstance(body, dict):
            return body
        raise _meaning(name, answer, body)


def _basic(name: str, secret: str) -> str:
    return f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"


def _meaning(name: str, answer: httpx.Response, body: Any) -> OutsideError:
    """What a refusal means; Twilio's own message is left out, since it quotes the number."""
    status = answer.status_code
    code = body.get("code") if isinstance(body, dict) else None
    what = f"{name}: {status} code {code}"
    if status == 429 or code in TRY_LATER:
        return RateLimited(what, retry_after(answer))
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
