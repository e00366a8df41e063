"""The texts that every language of messages to patients must have."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.wording.messages import MessageKind


@dataclass(frozen=True)
class PatientTexts:
    """All texts to patients in one language. ``{when}`` is the visit's start, ``{phone}`` the location's number."""

    weekdays: tuple[str, ...]
    """Abbreviated, from Monday."""
    months: tuple[str, ...]
    """Abbreviated, from January."""
    day_halves: tuple[str, str]
    """Before noon, and from noon on."""
    start_format: str
    """How ``{when}`` is written, with ``{weekday}``, ``{month}``, ``{day}``, ``{hour}`` (1 to 12), ``{minute}`` and
    ``{half}``."""
    sms: Mapping[MessageKind, str]
    """Text messages, without the practice's name in front. Letters that SMS lacks lose their accents."""
    email_subject: str
    email_update: str
    """The only content of an email that may not say more."""
    email_details: Mapping[MessageKind, str]
    """Replaces ``email_update`` where emails may say when the visit is. A kind that is not here has no details."""
    email_link: str
    """With ``{link}``."""
    email_contact: str
    email_unexpected: str
    """For somebody who made no request."""
