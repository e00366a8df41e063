"""SMS through Twilio's Messages API."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
from adapters.http import (
    HttpClient,
    decoded_json,
    http_date,
    is_unclear,
    reading,
    retry_after,
    translated_failures,
)
from adapters.json_text import UnreadableJson
from adapters.messenger import MAX_MESSAGE_ID_LENGTH, Channel, OutgoingMessage
from adapters.rows import as_row, readable_id

UNDELIVERABLE_CODES = frozenset({21211, 21214, 21217, 21610, 21612, 21614, 21635, 30004, 30005, 30006})
"""The number is bad, or its owner opted out (21610). Source: Twilio's error pages."""
MISCONFIGURED_CODES = frozenset({20003, 20404, 21408, 21601, 21606, 21608, 30002, 30032, 30034, 30450, 30640})
"""Our account or sender is not set up. Source: Twilio's error pages."""
RETRYABLE_CODES = frozenset({20429, 21611, 30001, 30022, 30023, 30610, 63038})
"""A queue is full, or it is quiet hours for the number's owner (30610). Source: Twilio's error pages."""
MIN_VALIDITY_SECONDS = 6
"""Twilio wants more than 5."""
MAX_VALIDITY_SECONDS = 36_000
EARLIEST = datetime.min.replace(tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(seconds=5)
"""How much Twilio's clock may be behind ours."""


@dataclass(frozen=True)
class TwilioConfig:
    base_url: str
    account_sid: str
    api_key_sid: str
    api_key_secret: str = field(repr=False)
    messaging_service_sid: str
    connect_timeout: float = 5
    """Seconds."""
    read_timeout: float = 30
    """Seconds. Twilio may take 26 seconds before it answers; a shorter timeout would leave outcomes unknown."""


class TwilioMessenger:
    channel = Channel.SMS

    def __init__(self, config: TwilioConfig) -> None:
        self._config = config
        self._http = HttpClient(config.base_url, config.connect_timeout, config.read_timeout)
        self._headers = {"Authorization": _basic_auth(config.api_key_sid, config.api_key_secret)}
        self._messages_path = f"/2010-04-01/Accounts/{config.account_sid}/Messages.json"

    async def close(self) -> None:
        await self._http.close()

    async def send(self, message: OutgoingMessage) -> str:
        """Twilio discards the text after sending and obscures the number, because we ask it to."""
        form = {
            "To": message.to,
            "Body": message.text,
            "MessagingServiceSid": self._config.messaging_service_sid,
            "ContentRetention": "discard",
            "AddressRetention": "obfuscate",
        }
        if message.deliver_before is not None:
            seconds_left = int((message.deliver_before - datetime.now(UTC)).total_seconds())
            form["ValidityPeriod"] = str(min(max(seconds_left, MIN_VALIDITY_SECONDS), MAX_VALIDITY_SECONDS))
        body = await self._call("POST", self._messages_path, form=form, send_before=message.send_before)
        sid = readable_id(body.get("sid"), MAX_MESSAGE_ID_LENGTH)
        if sid is None:
            raise OutcomeUnknown("POST Messages: an answer without sid")
        return sid

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        """Ids of texts to this number. Twilio has discarded their content, so any of them may be this message."""
        day = since.astimezone(UTC).date().isoformat()
        with reading():
            body = await self._call("GET", self._messages_path, params={"To": message.to, "DateSent>": day})
        listed = body.get("messages")
        if not isinstance(listed, list):
            raise Unavailable("GET Messages: an answer without messages")
        return tuple(
            sid
            for sent in map(as_row, listed)
            if (sid := readable_id(sent.get("sid"), MAX_MESSAGE_ID_LENGTH)) is not None
            and _sent_at(sent) >= since - CLOCK_TOLERANCE
            and sent.get("body") in (None, "", message.text)
        )

    async def check(self) -> list[str]:
        """A standard API key may not read the account itself, so the check reads what sending needs: messages."""
        with reading():
            await self._call("GET", self._messages_path, params={"PageSize": "1"})
        return []

    async def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        call_name = f"{method} Messages"  # the path has the account's id
        with translated_failures(call_name):
            response = await self._http.request(method, path, headers=self._headers, **request)
        try:
            body = decoded_json(response.content)
        except UnreadableJson:
            body = None
        if 200 <= response.status_code < 300 and isinstance(body, dict):
            return body
        raise _error(call_name, response, body)


def _basic_auth(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _error(call_name: str, response: httpx.Response, body: Any) -> OutsideError:
    """Without Twilio's own message, which quotes the number."""
    status = response.status_code
    code = body.get("code") if isinstance(body, dict) and isinstance(body.get("code"), int) else None
    reason = f"{call_name}: {status} code {code}"
    if status == 429 or code in RETRYABLE_CODES:
        return RateLimited(reason, retry_after(response))
    if is_unclear(status) or 200 <= status < 300:
        return OutcomeUnknown(reason)
    if code in UNDELIVERABLE_CODES:
        return Undeliverable(reason, code=str(code))
    if code in MISCONFIGURED_CODES or status in (401, 403):
        return Misconfigured(f"{reason}: check the TWILIO settings", code=str(code))
    return Refused(reason, code=str(code))


def _sent_at(message: dict[str, Any]) -> datetime:
    """The earliest possible time if Twilio's is unreadable."""
    return http_date(str(message.get("date_sent") or message.get("date_created"))) or EARLIEST
