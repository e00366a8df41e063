"""How SendGrid and Twilio accept, refuse and list messages.

The email checks also hold Holdfast to its own promises: one recipient for each message, and tracking switched off.
"""

import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from sandbox.errors import ErrorResponse
from sandbox.store import Row, Store
from sandbox.timestamps import current_timestamp

REFUSED_NUMBERS = {"+15005550001": 21211, "+15005550009": 21614, "+15005550004": 21610, "+15005550005": 30610}
"""Twilio's error code for each test number."""
MAX_TEXT_LENGTH = 1600


def sendgrid_error(status: int, message: str, field: str) -> ErrorResponse:
    return ErrorResponse(status, {"errors": [{"message": message, "field": field, "help": None}]})


def send_email(store: Store, mail: Any) -> str:
    """Store the email as sent. Returns its message id. Raises ErrorResponse for an email that is not acceptable."""
    _check_email(mail)
    personalization = mail["personalizations"][0]
    message_id = secrets.token_urlsafe(16)
    content = {part["type"]: part["value"] for part in mail["content"]}
    store.add(
        "emails",
        {
            "to": _recipients(mail)[0]["email"],
            "from": mail["from"]["email"],
            "subject": mail["subject"],
            "text": content.get("text/plain", ""),
            "html": content.get("text/html", ""),
            "custom_args": personalization.get("custom_args", {}),
            "message_id": message_id,
            "at": current_timestamp(),
        },
    )
    return message_id


def _check_email(mail: Any) -> None:
    if not isinstance(mail, dict):
        raise sendgrid_error(400, "not an object", "")
    if len(_recipients(mail)) != 1:
        raise sendgrid_error(400, "exactly one recipient is expected here", "personalizations")
    if not mail.get("from", {}).get("email"):
        raise sendgrid_error(400, "the from object must be provided", "from.email")
    if not mail.get("subject") or not mail.get("content"):
        raise sendgrid_error(400, "subject and content are required", "content")
    if "custom_args" in mail:
        raise sendgrid_error(400, "custom_args must be a string", "custom_args")
    tracking = mail.get("tracking_settings", {})
    for setting in ("click_tracking", "open_tracking", "subscription_tracking"):
        if tracking.get(setting, {}).get("enable") is not False:
            raise sendgrid_error(400, "tracking must be off", f"tracking_settings.{setting}")


def _recipients(mail: Row) -> list[Row]:
    personalizations = mail.get("personalizations") or []
    return [
        recipient
        for personalization in personalizations
        for key in ("to", "cc", "bcc")
        for recipient in personalization.get(key, [])
    ]


def twilio_error(status: int, code: int) -> ErrorResponse:
    return ErrorResponse(status, {"code": code, "message": "refused", "more_info": "", "status": status})


def send_text(store: Store, account: str, form: dict[str, str]) -> Row:
    """Store the text message as sent. Returns Twilio's answer. Raises ErrorResponse for one that is not acceptable."""
    to, body = form.get("To", ""), form.get("Body", "")
    if to in REFUSED_NUMBERS:
        raise twilio_error(400, REFUSED_NUMBERS[to])
    if not re.fullmatch(r"\+\d{8,15}", to):
        raise twilio_error(400, 21211)
    if not body:
        raise twilio_error(400, 21602)
    if len(body) > MAX_TEXT_LENGTH:
        raise twilio_error(400, 21617)
    if not re.fullmatch(r"MG[0-9a-f]{32}", form.get("MessagingServiceSid", "")) and not form.get("From"):
        raise twilio_error(400, 21603)
    sid = "SM" + secrets.token_hex(16)
    row = store.add("texts", {"to": to, "body": body, "sid": sid, "at": current_timestamp(), "form": form})
    return _message_resource(row, account)


def list_texts(store: Store, account: str, params: dict[str, str]) -> list[Row]:
    """The text messages that the query asks for, newest first."""
    rows = [
        row for row in store.all("texts") if params.get("To") in (None, row["to"]) and _matches_date_sent(row, params)
    ]
    return [_message_resource(row, account) for row in reversed(rows)]


def _matches_date_sent(row: Row, params: dict[str, str]) -> bool:
    """Check ``DateSent``, ``DateSent<`` and ``DateSent>``. The bounds are included, whether days or instants."""
    for name, compare in (("DateSent", str.__eq__), ("DateSent<", str.__le__), ("DateSent>", str.__ge__)):
        if name in params and not compare(row["at"][: len(params[name].rstrip("Z"))], params[name].rstrip("Z")):
            return False
    return True


def _message_resource(row: Row, account: str) -> Row:
    """The message as Twilio's API returns it: without its body if the sender asked not to retain that."""
    sent_at = format_datetime(datetime.fromisoformat(row["at"]).astimezone(UTC))
    return {
        "sid": row["sid"],
        "account_sid": account,
        "to": row["to"],
        "body": "" if row["form"].get("ContentRetention") == "discard" else row["body"],
        "status": "queued",
        "date_created": sent_at,
        "date_sent": sent_at,
        "error_code": None,
    }
