"""SendGrid's and Twilio's sending, judged by what the vendors document and what we promise on top."""

import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from sandbox.ascend import Answer
from sandbox.store import Row, Store
from sandbox.times import now_text

REFUSED_NUMBERS = {"+15005550001": 21211, "+15005550009": 21614, "+15005550004": 21610, "+15005550005": 30610}


def sendgrid_problem(status: int, message: str, field: str) -> Answer:
    return Answer(status, {"errors": [{"message": message, "field": field, "help": None}]})


def send_email(store: Store, mail: Any) -> str:
    """Keep the mail as sent; returns its message id. Raises Answer for what SendGrid, or our promise, refuses."""
    if not isinstance(mail, dict):
        raise sendgrid_problem(400, "not an object", "")
    people = mail.get("personalizations") or []
    recipients = [to for person in people for key in ("to", "cc", "bcc") for to in person.get(key, [])]
    if len(recipients) != 1:
        raise sendgrid_problem(400, "exactly one recipient is expected here", "personalizations")
    if not mail.get("from", {}).get("email"):
        raise sendgrid_problem(400, "the from object must be provided", "from.email")
    if not mail.get("subject") or not mail.get("content"):
        raise sendgrid_problem(400, "subject and content are required", "content")
    if "custom_args" in mail:
        raise sendgrid_problem(400, "custom_args must be a string", "custom_args")
    tracking = mail.get("tracking_settings", {})
    for setting in ("click_tracking", "open_tracking", "subscription_tracking"):
        if tracking.get(setting, {}).get("enable") is not False:
            raise sendgrid_problem(400, "tracking must be off", f"tracking_settings.{setting}")
    message_id = secrets.token_urlsafe(16)
    content = {part["type"]: part["value"] for part in mail["content"]}
    store.add(
        "emails",
        {
            "to": recipients[0]["email"],
            "from": mail["from"]["email"],
            "subject": mail["subject"],
            "text": content.get("text/plain", ""),
            "html": content.get("text/html", ""),
            "custom_args": people[0].get("custom_args", {}),
            "message_id": message_id,
            "at": now_text(),
        },
    )
    return message_id


def twilio_problem(status: int, code: int) -> Answer:
    return Answer(status, {"code": code, "message": "refused", "more_info": "", "status": status})


def send_text(store: Store, account: str, form: dict[str, str]) -> Row:
    to, body = form.get("To", ""), form.get("Body", "")
    if to in REFUSED_NUMBERS:
        raise twilio_problem(400, REFUSED_NUMBERS[to])
    if not re.fullmatch(r"\+\d{8,15}", to):
        raise twilio_problem(400, 21211)
    if not body:
        raise twilio_problem(400, 21602)
    if len(body) > 1600:
        raise twilio_problem(400, 21617)
    if not re.fullmatch(r"MG[0-9a-f]{32}", form.get("MessagingServiceSid", "")) and not form.get("From"):
        raise twilio_problem(400, 21603)
    row = store.add(
        "texts", {"to": to, "body": body, "sid": "SM" + secrets.token_hex(16), "at": now_text(), "form": form}
    )
    return _shown_text(row, account)


def listed_texts(store: Store, account: str, asked: dict[str, str]) -> list[Row]:
    """Newest first."""
    found = [row for row in store.all("texts") if asked.get("To") in (None, row["to"]) and _sent_when(row, asked)]
    return [_shown_text(row, account) for row in reversed(found)]


def _sent_when(row: Row, asked: dict[str, str]) -> bool:
    """``DateSent``, and ``DateSent<`` and ``DateSent>`` with the day or the instant itself included."""
    for name, fits in (("DateSent", str.__eq__), ("DateSent<", str.__le__), ("DateSent>", str.__ge__)):
        if name in asked and not fits(row["at"][: len(asked[name].rstrip("Z"))], asked[name].rstrip("Z")):
            return False
    return True


def _shown_text(row: Row, account: str) -> Row:
    """As Twilio's API has it: without the body, where that was not to be retained."""
    sent = format_datetime(datetime.fromisoformat(row["at"]).astimezone(UTC))
    return {
        "sid": row["sid"],
        "account_sid": account,
        "to": row["to"],
        "body": "" if row["form"].get("ContentRetention") == "discard" else row["body"],
        "status": "queued",
        "date_created": sent,
        "date_sent": sent,
        "error_code": None,
    }
