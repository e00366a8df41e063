"""What leaves the practice says no more than it must."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Reason, Status
from domain.messages import _GSM, Kind, MessageFacts, compose, plain_reason, public_status
from domain.policy import EmailContent

START = datetime(2026, 12, 1, 17, tzinfo=UTC)
TO_PATIENTS = [kind for kind in Kind if not kind.value.startswith("desk")]


def facts(name: str = "Bright Harbor Dental Oakland") -> MessageFacts:
    return MessageFacts(
        practice_name=name,
        practice_phone="+1 510-555-0100",
        zone="America/Los_Angeles",
        start=START,
        link="https://book.example/b",
    )


@given(st.text(max_size=80), st.sampled_from(TO_PATIENTS), st.sampled_from(["en", "es"]))
def test_a_text_message_always_fits_one_segment_of_the_basic_alphabet(name: str, kind: Kind, language: str) -> None:
    text = compose(kind, "sms", language, facts(name), EmailContent.NOTICE).text
    assert len(text) <= 160
    assert set(text) <= _GSM
    assert "CANCEL" not in text


@pytest.mark.parametrize("kind", TO_PATIENTS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_email_tells_no_time_no_practice_and_no_service_by_default(kind: Kind, language: str) -> None:
    mail = compose(kind, "email", language, facts(), EmailContent.NOTICE)
    assert not any(word in mail.subject + mail.text for word in ("Dec", "dic", "9:00", "Bright Harbor", "Cleaning"))
    assert "https://book.example/b" in mail.text


def test_times_are_told_on_the_locations_clock_in_the_patients_language() -> None:
    assert "Tue Dec 1, 9:00 AM" in compose(Kind.CONFIRMED, "sms", "en", facts(), EmailContent.NOTICE).text
    assert "mar 1 dic, 9:00" in compose(Kind.CONFIRMED, "sms", "es", facts(), EmailContent.NOTICE).text
    assert "Tue Dec 1" in compose(Kind.CONFIRMED, "email", "en", facts(), EmailContent.DETAILED).text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Cl\u00ednica Dental Garc\u00eda", "Clinica Dental Garcia"),
        ("Children\u2019s Dental", "Children's Dental"),
        ("Pe\u00f1a Dental \u2013 Oakland", "Pe\u00f1a Dental - Oakland"),
    ],
)
def test_a_practice_name_is_told_with_all_its_letters(name: str, told: str) -> None:
    assert compose(Kind.CONFIRMED, "sms", "es", facts(name), EmailContent.NOTICE).text.startswith(f"{told}: ")


def test_no_line_break_gets_into_a_subject() -> None:
    mail = compose(Kind.DESK_EXCEPTION, "email", "en", facts("X\r\nBcc: y@z.example"), EmailContent.NOTICE)
    assert "\n" not in mail.subject and "\r" not in mail.subject  # noqa: PT018


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_plain_sentence(reason: Reason) -> None:
    assert plain_reason(reason).endswith(".")


SAY_WHY = {
    Status.NEEDS_STAFF: {Reason.SLOT_TAKEN, Reason.SLOT_BLOCKED, Reason.DAY_FULL},
    Status.RECEIVED: {Reason.OFFICE_OFFLINE},
    Status.DECLINED: {Reason.CALL_ONLY, Reason.OUTSIDE_RULES},
}
"""What does not depend on who asks."""


@pytest.mark.parametrize("status", Status)
def test_the_public_wording_says_why_only_where_it_does_not_depend_on_who_asks(status: Status) -> None:
    others = set(Reason) - SAY_WHY.get(status, set())
    assert len({public_status(status, reason) for reason in (None, *others)}) == 1
