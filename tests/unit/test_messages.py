"""The texts of messages, reasons and statuses, and what they must not reveal."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Reason, Status
from domain.policy import EmailContent
from domain.wording import MessageFacts, MessageKind, compose_message, format_start, public_status, reason_sentence
from domain.wording.languages import LANGUAGES
from domain.wording.sms import GSM_ALPHABET, SMS_LENGTH, TWO_SEGMENTS_LENGTH, spell_for_sms

START = datetime(2026, 12, 1, 17, tzinfo=UTC)
LONGEST_START = datetime(2026, 12, 30, 20, 30, tzinfo=UTC)
PATIENT_KINDS = [kind for kind in MessageKind if not kind.value.startswith("desk")]
ESSENTIAL_NAME_LENGTH = 25
"""Letters of the practice's name that every text message must have room for."""


LINK = "https://appointments.bright-harbor-dental.example/manage/" + "a2" * 26


def facts(name: str = "Bright Harbor Dental Oakland", start: datetime = START, link: str | None = None) -> MessageFacts:
    return MessageFacts(
        practice_name=name,
        practice_phone="+1 510-555-0100",
        zone="America/Los_Angeles",
        start=start,
        link=link,
    )


def sms(kind: MessageKind, language: str, message_facts: MessageFacts) -> str:
    return compose_message(kind, "sms", language, message_facts, EmailContent.NOTICE).text


@given(st.text(max_size=80), st.sampled_from(PATIENT_KINDS), st.sampled_from(sorted(LANGUAGES)))
def test_text_message_fits_one_segment_and_is_in_the_basic_alphabet_if_the_name_is(
    name: str, kind: MessageKind, language: str
) -> None:
    text = sms(kind, language, facts(name))
    is_basic = set(text) <= GSM_ALPHABET
    assert len(text.encode("utf-16-le")) // 2 <= SMS_LENGTH == 160
    assert is_basic or not set(spell_for_sms(name)) <= GSM_ALPHABET
    assert "CANCEL" not in text


@pytest.mark.parametrize("kind", PATIENT_KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_message_has_room_for_the_practice_name(kind: MessageKind, language: str) -> None:
    name = "A" * SMS_LENGTH
    text = sms(kind, language, facts(name, LONGEST_START))
    assert len(text) == SMS_LENGTH
    assert text.startswith("A" * ESSENTIAL_NAME_LENGTH)


@pytest.mark.parametrize("kind", PATIENT_KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_email_reveals_no_time_practice_or_service_by_default(kind: MessageKind, language: str) -> None:
    email = compose_message(kind, "email", language, facts(link=LINK), EmailContent.NOTICE)
    assert not any(word in email.subject + email.text for word in ("Dec", "dic ", "9:00", "Bright Harbor", "Cleaning"))
    assert LINK in email.text


@pytest.mark.parametrize("kind", PATIENT_KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_message_with_a_link_fits_two_segments(kind: MessageKind, language: str) -> None:
    text = sms(kind, language, facts("A" * SMS_LENGTH, LONGEST_START, LINK))
    assert len(text) <= TWO_SEGMENTS_LENGTH == 306
    assert text.startswith("A" * ESSENTIAL_NAME_LENGTH)
    assert text.endswith(LINK)


def test_link_that_is_too_long_for_a_text_message_is_left_out() -> None:
    assert "http" not in sms(MessageKind.CONFIRMED, "en", facts(link=LINK + "a" * 200))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("content", EmailContent)
def test_every_kind_of_email_says_something_else(language: str, content: EmailContent) -> None:
    emails = [compose_message(kind, "email", language, facts(), content) for kind in PATIENT_KINDS]
    assert len({email.subject for email in emails}) == len({email.text for email in emails}) == len(PATIENT_KINDS)


def test_confirmed_visit_says_so_in_every_message() -> None:
    for content in EmailContent:
        email = compose_message(MessageKind.CONFIRMED, "email", "en", facts(), content)
        assert email.subject == "Your visit is confirmed"
        assert email.text.startswith("Your visit is confirmed")
    assert "your visit is confirmed: Tue Dec 1, 9:00 AM. To change it, call" in sms(
        MessageKind.CONFIRMED, "en", facts()
    )
    assert "su cita está" not in sms(MessageKind.CONFIRMED, "es", facts())  # SMS has no a with an accent
    assert "su cita esta confirmada: mar 1 dic, 9:00 a. m." in sms(MessageKind.CONFIRMED, "es", facts())


def test_cancelled_visit_is_not_called_a_request() -> None:
    for language, visit, request in (("en", "your visit", "request"), ("es", "su cita", "solicitud")):
        text = sms(MessageKind.VISIT_CANCELLED, language, facts())
        assert visit in text
        assert request not in text
        assert request in sms(MessageKind.CANCELLED, language, facts())


def test_times_are_on_the_locations_clock_in_the_patients_language() -> None:
    assert "Tue Dec 1, 9:00 AM" in sms(MessageKind.CONFIRMED, "en", facts())
    assert "mar 1 dic, 9:00 a. m." in sms(MessageKind.CONFIRMED, "es", facts())
    detailed = compose_message(MessageKind.CONFIRMED, "email", "en", facts(), EmailContent.DETAILED)
    assert "Tue Dec 1" in detailed.text


@pytest.mark.parametrize(
    ("hour", "english", "spanish"),
    [(0, "12:05 AM", "12:05 a. m."), (11, "11:05 AM", "11:05 a. m."), (12, "12:05 PM", "12:05 p. m.")],
)
def test_hours_are_on_a_twelve_hour_clock(hour: int, english: str, spanish: str) -> None:
    start = datetime(2026, 12, 1, hour, 5, tzinfo=UTC)
    assert format_start(start, "UTC", "en") == f"Tue Dec 1, {english}"
    assert format_start(start, "UTC", "es") == f"mar 1 dic, {spanish}"


@pytest.mark.parametrize("texts", LANGUAGES.values(), ids=LANGUAGES)
def test_every_language_has_all_texts_to_patients(texts: object) -> None:
    assert set(vars(texts)["sms"]) == set(PATIENT_KINDS)
    assert set(vars(texts)["email_notices"]) == set(vars(texts)["email_subjects"]) == set(PATIENT_KINDS)
    assert set(vars(texts)["email_details"]) == set(vars(LANGUAGES["en"])["email_details"])
    assert (len(vars(texts)["weekdays"]), len(vars(texts)["months"])) == (7, 12)


@pytest.mark.parametrize(
    ("name", "name_in_sms"),
    [
        ("Cl\u00ednica Dental Garc\u00eda", "Clinica Dental Garcia"),
        ("Children\u2019s Dental", "Children's Dental"),
        ("Pe\u00f1a Dental \u2013 Oakland", "Pe\u00f1a Dental - Oakland"),
        ("Đoàn & Weiß 1½ Smiles", "Doàn & Weiß 1 1/2 Smiles"),
        ("Łukasz Żółty Dental", "Lukasz Zolty Dental"),
        ("Kaʻahumanu Dental", "Ka'ahumanu Dental"),
        ("Þórsson & Ŋaba", "Thorsson & Ngaba"),
        ("½½ 3¼5 Dental", "1/2 1/2 3 1/4 5 Dental"),
        ("١٢٣ Dental", "123 Dental"),
        ("Studio Ⅷ 😀 Dental™", "Studio VIII DentalTM"),
        ("仁愛牙科 Dental", "仁愛牙科 Dental"),
        ("10² Dental", "10² Dental"),
        ("हिन्दी Dental", "हिन्दी Dental"),
        ("😀", "Dental office"),
    ],
)
def test_practice_name_keeps_all_its_letters_in_a_text_message(name: str, name_in_sms: str) -> None:
    assert sms(MessageKind.CONFIRMED, "es", facts(name)).startswith(f"{name_in_sms}: ")


def test_every_letter_and_number_leaves_something_in_a_text_message() -> None:
    kept = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] in "LN")
    assert [character for character in kept if spell_for_sms("か" + character).strip() == "か"] == []


@given(st.text(st.characters(categories=["Nd", "No"]), max_size=12), st.sampled_from(["", " ", "x"]))
def test_numbers_keep_their_value_in_a_text_message(text: str, separator: str) -> None:
    def values(spelled: str) -> list[Fraction | str]:
        tokens = re.findall(r"[0-9]+/[0-9]*|[0-9]+|[^\sx]", spelled)
        return [Fraction(each.rstrip("/")) if each[0] in "0123456789" else each for each in tokens]

    def expected(source: str) -> Iterator[Fraction | str]:
        for token in re.findall(r"\d+|[^\sx]", source):
            is_fraction = "⁄" in unicodedata.normalize("NFKD", token)
            if token.isdecimal():
                yield Fraction(int(token))
            elif is_fraction:
                yield Fraction(unicodedata.numeric(token)).limit_denominator(10)
            else:
                yield token

    source = separator.join(text)
    assert values(spell_for_sms(source)) == list(expected(unicodedata.normalize("NFC", source)))


def test_line_break_in_a_practice_name_does_not_reach_the_subject() -> None:
    hostile = facts("X\r\nBcc: y@z.example")
    email = compose_message(MessageKind.DESK_EXCEPTION, "email", "en", hostile, EmailContent.NOTICE)
    assert "\n" not in email.subject
    assert "\r" not in email.subject


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_plain_sentence(reason: Reason) -> None:
    assert reason_sentence(reason).endswith(".")


PUBLIC_REASONS = {
    Status.NEEDS_STAFF: {Reason.SLOT_TAKEN, Reason.SLOT_BLOCKED, Reason.NOT_ACTIVE, Reason.DAY_FULL},
    Status.RECEIVED: {Reason.OFFICE_OFFLINE},
    Status.DECLINED: {Reason.CALL_ONLY, Reason.OUTSIDE_RULES},
}
"""The reasons that do not depend on who asks."""


@pytest.mark.parametrize("status", Status)
def test_public_status_reveals_no_reason_that_depends_on_who_asks(status: Status) -> None:
    other_reasons = set(Reason) - PUBLIC_REASONS.get(status, set())
    assert len({public_status(status, reason) for reason in (None, *other_reasons)}) == 1


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ("POST /appointments: 422 slot_taken", "slot taken"),
        ("POST /appointments: 404: a record that it names does not exist", "a record that it names does not exist"),
        ("PUT /v1/appointments/7001: 409", ""),
        ("this appointment cannot be moved in place", "this appointment cannot be moved in place"),
        ("", ""),
    ],
)
def test_refusal_is_told_to_the_desk_without_the_vendors_path(refusal: str, said: str) -> None:
    plain = reason_sentence(Reason.REFUSED_BY_SYSTEM)
    told = f" It said: {said}." if said else ""
    assert reason_sentence(Reason.REFUSED_BY_SYSTEM, refusal) == plain + told
