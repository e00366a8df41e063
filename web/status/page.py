"""Writes the status page as HTML. Every text in it is escaped; it has no script and loads nothing."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from domain.booking import Status
from domain.practice import Location, Practice
from domain.public_booking import PublicBooking
from domain.wording import format_start
from domain.wording.languages import LANGUAGES
from domain.wording.texts import PageTexts

_FOLDER = Path(__file__).parent
_TEMPLATE = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""For the content security policy: this style sheet and no other."""
_TONES = {
    Status.CONFIRMED: "good",
    Status.RECEIVED: "open",
    Status.NEEDS_STAFF: "open",
    Status.HELD: "open",
}


def write_status_page(booking: PublicBooking, location: Location, language: str) -> str:
    """Where the booking stands. Its message must be in ``language``. No patient, provider or service is named."""
    page = LANGUAGES[language].page
    is_booked = booking.status in (Status.HELD, Status.CONFIRMED)
    can_change = is_booked or _TONES.get(booking.status) == "open"
    when_label = page.when_requested if booking.status in (Status.RECEIVED, Status.NEEDS_STAFF) else page.when
    details = (
        "<dl>"
        + _row(when_label, escape(format_start(booking.start, location.time_zone, language)))
        + _row(page.where, escape(_address(location)))
        + "</dl>"
        + _contact(page.call_to_change if can_change else page.call_for_help, [location], with_names=False)
    )
    return _write(
        language,
        practice=location.name,
        heading=page.headings[booking.status],
        sentence=booking.message,
        details=details,
        tone=_TONES.get(booking.status, "ended"),
    )


def write_invalid_link_page(practice: Practice, language: str) -> str:
    """One page for every link that shows nothing. It does not say why, because that would tell what exists."""
    page = LANGUAGES[language].page
    return _write_without_booking(page.invalid_heading, page.invalid, practice.locations, practice, language)


def write_busy_page(practice: Practice, language: str) -> str:
    """The booking does not answer now."""
    page = LANGUAGES[language].page
    return _write_without_booking(page.busy_heading, page.busy, practice.locations, practice, language)


def _write_without_booking(
    heading: str, sentence: str, locations: Sequence[Location], practice: Practice, language: str
) -> str:
    details = _contact("", locations, with_names=len(locations) > 1)
    return _write(language, practice=practice.name, heading=heading, sentence=sentence, details=details, tone="ended")


def _write(language: str, *, practice: str, heading: str, sentence: str, details: str, tone: str) -> str:
    """``details`` is HTML, everything else is text."""
    return _TEMPLATE.substitute(
        language=language,
        title=escape(LANGUAGES[language].page.title),
        style=_STYLE,
        practice=escape(practice),
        tone=tone,
        heading=escape(heading),
        sentence=escape(sentence),
        details=details,
        languages=_language_links(language),
    )


def _row(label: str, html: str) -> str:
    return f"<dt>{escape(label)}</dt><dd>{html}</dd>"


def _contact(sentence: str, locations: Sequence[Location], *, with_names: bool) -> str:
    phones = "".join(
        f"<dt>{escape(location.name)}</dt><dd>{_phone(location)}</dd>" if with_names else f"<br>{_phone(location)}"
        for location in locations
    )
    return f"<dl>{phones}</dl>" if with_names else f'<p class="contact">{escape(sentence)}{phones}</p>'


def _phone(location: Location) -> str:
    digits = "".join(character for character in location.phone if character in "+0123456789")
    return f'<a class="phone" href="tel:{digits}">{escape(location.phone)}</a>'


def _address(location: Location) -> str:
    address = location.address
    street = " ".join(part for part in (address.line1, address.line2) if part)
    return f"{street}, {address.city}, {address.state} {address.postal_code}"


def _language_links(current: str) -> str:
    links = "".join(
        f'<a href="?lang={code}" lang="{code}" hreflang="{code}">{escape(_page(code).language_name)}</a>'
        for code in LANGUAGES
        if code != current
    )
    return f"<nav>{links}</nav>"


def _page(language: str) -> PageTexts:
    return LANGUAGES[language].page
