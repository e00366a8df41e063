"""The texts that every language of messages to patients must have."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.booking import Reason, Status
from domain.wording.messages import MessageKind


@dataclass(frozen=True)
class PageTexts:
    """The page that shows a patient where a booking stands."""

    language_name: str
    """What this language calls itself."""
    title: str
    headings: Mapping[Status, str]
    when: str
    when_requested: str
    """The same while nothing is booked."""
    where: str
    call_to_change: str
    call_for_help: str
    invalid_heading: str
    invalid: str
    """For every link that shows nothing, whatever the cause."""
    busy_heading: str
    busy: str


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
    sms_link: str
    """Follows a text message if there is a link. With ``{link}``."""
    email_subjects: Mapping[MessageKind, str]
    email_notices: Mapping[MessageKind, str]
    """What an email says that may not say when and where the visit is."""
    email_details: Mapping[MessageKind, str]
    """Replaces the notice where emails may say when the visit is. A kind that is not here has no details."""
    email_link: str
    """With ``{link}``."""
    email_contact: str
    email_unexpected: str
    """For somebody who made no request."""
    statuses: Mapping[tuple[Status, Reason | None], str]
    """What a patient may read about a status. Only reasons that do not depend on who asks are here: see ``public``."""
    page: PageTexts
