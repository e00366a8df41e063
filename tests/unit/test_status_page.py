"""What the status page shows, in both languages, and what it never shows."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from adapters.practice_file import read_practice
from devstack import ROOT
from domain.booking import BookingView, Reason, Status
from domain.public_booking import PublicBooking, to_public
from domain.wording import public_status
from domain.wording.languages import LANGUAGES
from web.status.page import write_busy_page, write_invalid_link_page, write_status_page

PRACTICE = read_practice(ROOT / "practice.toml")
OAKLAND = PRACTICE.location("oakland")
ALLOWED_TAGS = frozenset("html head meta title style body main p h1 dl dt dd br nav a".split())  # noqa: SIM905
HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The text that a browser shows, and the tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = ""
        self._words: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag if tag in ("style", "title") else ""

    def handle_endtag(self, tag: str) -> None:
        self._hidden = ""

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._words.append(data)


def booking(status: Status, language: str = "en", **changes: object) -> PublicBooking:
    fields = {
        "id": "booking-r1",
        "request_id": "r1",
        "reference": "bk_" + "a" * 26,
        "status": status,
        "detail": HOSTILE,
        "location": "oakland",
        "service": "cleaning",
        "start": datetime(2026, 12, 1, 17, tzinfo=UTC),
        "provider": "9000000000202",
        "note": HOSTILE,
        "updated_at": datetime(2026, 11, 30, tzinfo=UTC),
    }
    now = datetime(2026, 11, 30, tzinfo=UTC)
    return to_public(BookingView.model_validate(fields | changes), {"9000000000202": "maple"}, now, language)


def test_confirmed_visit_says_when_and_where_it_is_and_whom_to_call() -> None:
    text = Page(write_status_page(booking(Status.CONFIRMED), OAKLAND, "en")).text
    assert "Confirmed Your visit is confirmed. Date and time Tue Dec 1, 9:00 AM" in text
    assert OAKLAND.name in text
    assert f"To change or cancel, call us. {OAKLAND.phone}" in text


def test_confirmed_visit_reads_the_same_in_spanish() -> None:
    html = write_status_page(booking(Status.CONFIRMED, "es"), OAKLAND, "es")
    assert "Confirmada Su cita está confirmada. Fecha y hora mar 1 dic, 9:00 a. m." in Page(html).text
    assert '<html lang="es">' in html


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("language", LANGUAGES)
def test_page_names_no_patient_service_provider_or_id(status: Status, language: str) -> None:
    html = write_status_page(booking(status, language, reason=Reason.PATIENT_AMBIGUOUS), OAKLAND, language)
    shown = Page(html)
    assert public_status(status, None, language) in shown.text
    assert not any(
        word in html.lower() for word in ("cleaning", "9000000000202", "booking-r1", "bk_a", "alert", "maple")
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_loads_nothing_and_runs_nothing(language: str) -> None:
    pages = [write(PRACTICE, language) for write in (write_busy_page, write_invalid_link_page)]
    for html in [*pages, write_status_page(booking(Status.HELD, language), OAKLAND, language)]:
        tags = Page(html).tags
        assert {tag for tag, _ in tags} <= ALLOWED_TAGS
        addresses = [str(attributes["href"]) for _, attributes in tags if "href" in attributes]
        assert all(address.startswith(("tel:+", "?lang=")) for address in addresses)
        assert not any("src" in attributes or "style" in attributes for _, attributes in tags)


def test_names_from_the_practice_file_are_escaped() -> None:
    location = OAKLAND.model_copy(update={"name": HOSTILE, "phone": '"><img src=x>'})
    html = write_status_page(booking(Status.CONFIRMED), location, "en")
    assert HOSTILE not in html
    assert "<img" not in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_status_and_the_same_public_reasons(language: str) -> None:
    texts = LANGUAGES[language]
    assert set(texts.page.headings) == set(Status)
    assert set(texts.statuses) == set(LANGUAGES["en"].statuses)
    assert {(status, None) for status in Status} <= set(texts.statuses)


def test_link_that_shows_nothing_lists_every_office_to_call() -> None:
    text = Page(write_invalid_link_page(PRACTICE, "en")).text
    assert "This link does not work" in text
    assert all(location.name in text and location.phone in text for location in PRACTICE.locations)
