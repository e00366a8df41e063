"""Booking requests: a wrong one is refused with the field and what is allowed, and never quoted."""

import base64
import codecs
import functools
import json
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args

import pytest

from adapters.practice_file import read_practice
from client import BadRequest, parse_request
from client.requests import prepare_booking
from devstack import ROOT
from domain.patient import Address
from domain.practice import Practice
from domain.reference import new_reference
from domain.request import BookingRequest, Consent, Person, Sex
from workflows.booking.contracts import RequestedTime, Resolution, ResolutionKind

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ADDRESS = {"line1": "1 Main St", "city": "Oakland", "state": "CA", "postal_code": "94601"}

NUMBERS = [0, 1796749200, 1.5e9, True, "0", "0.00", "1796112000.0", "-1", "1e9", "１９８８-04-02", ""]
"""What pydantic alone would read as seconds since 1970, or as digits."""


@pytest.fixture(scope="module")
def practice() -> Practice:
    return read_practice(ROOT / "practice.toml")


def request_content(**changes: Any) -> dict[str, Any]:
    """A valid request as decoded JSON, with some fields changed."""
    patient = {
        "first_name": "Ana",
        "last_name": "García",
        "date_of_birth": "1988-04-02",
        "email": "ana@example.com",
        "mobile": "+15105550123",
        "sex": "F",
        "address": ADDRESS,
    }
    patient.update(changes.pop("patient", {}))
    content = {
        "request_id": "0b1f",
        "location": "oakland",
        "service": "cleaning",
        "start": "2026-12-08T09:00:00-08:00",
        "provider": None,
        "patient": patient,
        "returning": None,
        "note": "",
        "consent": {"email": True, "sms": True},
        "language": "en",
    }
    return content | changes


def test_readme_names_every_field_of_a_request_and_every_enumerated_value() -> None:
    text = (ROOT / "README.md").read_text().split("A request:")[1].split("\n## ")[0]
    names = set(re.findall(r'["`](\w+)["`]', text))
    fields = {name for model in (BookingRequest, Person, Address, Consent) for name in model.model_fields}
    assert fields | set(Sex) | set(get_args(BookingRequest.model_fields["language"].annotation)) <= names


def refusal(practice: Practice, content: Any) -> str:
    """The text of the BadRequest."""
    with pytest.raises(BadRequest) as error:
        prepare_booking(parse_request(json.dumps(content)), practice, NOW)
    return str(error.value)


def test_valid_request_becomes_the_input_of_a_booking(practice: Practice) -> None:
    booking = prepare_booking(parse_request(json.dumps(request_content())), practice, NOW)
    assert booking.policy.connection == "ascend-main"
    assert booking.reference.startswith("bk_") and len(booking.reference) == 29  # noqa: PT018
    again = prepare_booking(parse_request(json.dumps(request_content())), practice, NOW)
    assert booking.digest == again.digest


def test_reference_has_128_random_bits() -> None:
    """Whoever can guess a reference can pass an appointment off as ours."""
    codes = [new_reference().removeprefix("bk_").upper() + "======" for _ in range(1000)]
    numbers = [int.from_bytes(base64.b32decode(code)) for code in codes]
    assert len(set(numbers)) == len(numbers)
    bits_seen_set, bits_seen_clear = functools.reduce(operator.or_, numbers), ~functools.reduce(operator.and_, numbers)
    assert bits_seen_set & bits_seen_clear == 2**128 - 1, "some bits are the same in every reference"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour: is not a field"),
        ({"patient": {"nickname": "x"}}, "patient.nickname: is not a field"),
        ({"patient": {"date_of_birth": "1988-13-02"}}, "patient.date_of_birth: must be a date"),
        ({"patient": {"date_of_birth": "2030-01-01"}}, "patient.date_of_birth: is in the future"),
        ({"start": "2026-12-08T09:00:00"}, "start: needs a UTC offset"),
        ({"start": "tomorrow"}, "start: must be a date and time"),
        ({"start": "2020-12-08T09:00:00-08:00"}, "start: is in the past"),
        ({"start": "9999-12-31T23:59:59-08:00"}, "start: is more than 5 years ahead"),
        ({"start": "0001-01-01T00:00:00+08:00"}, "start: is in the past"),
        ({"patient": {"mobile": "555-0123"}}, "patient.mobile: not a possible"),
        ({"patient": {"first_name": "\u200d \u00a0"}}, "patient.first_name:"),
        ({"start": "2027-03-14T02:30:00-08:00"}, "start: 02:30 does not exist"),
        ({"location": "atlantis"}, "location: unknown; allowed: boston, brooklyn, denver, oakland, phoenix, portland"),
        ({"service": "surgery"}, "service: unknown; allowed:"),
        ({"provider": "nobody"}, "provider: unknown; allowed: hazel, maple"),
        ({"provider": "maple", "service": "cleaning"}, "provider: does not offer cleaning; allowed: hazel"),
        *[({"start": number}, "start: must be a date and time with UTC offset") for number in NUMBERS],
        *[({"patient": {"date_of_birth": number}}, "patient.date_of_birth: must be a date") for number in NUMBERS],
        ({"patient": {"date_of_birth": "1988-04-02T00:00:00"}}, "patient.date_of_birth: must be a date"),
        (
            {"patient": {"address": ADDRESS | {"postal_code": "１２３４５"}}},
            "patient.address.postal_code: must be a ZIP",
        ),
        ({"patient": {"address": ADDRESS | {"postal_code": "94601-"}}}, "postal_code: must be a ZIP code in digits"),
        ({"patient": {"address": ADDRESS | {"state": "XX"}}}, "address.state: must be the two capital"),
        ({"patient": {"address": ADDRESS | {"state": "ca"}}}, "address.state: must be the two capital"),
        ({"consent": {"sms": "on"}}, "consent.sms: must be true or false"),
        ({"returning": "yes"}, "returning: must be true or false"),
        ({"consent": []}, "consent: must be an object"),
        ({"patient": {"mobile": "call me"}}, "patient.mobile: not a"),
        ({"patient": {"mobile": "555-0123 mom"}}, "patient.mobile: must be digits only"),
        ({"patient": {"mobile": "+19005550123"}}, "patient.mobile: must be an ordinary phone number"),
        ({"patient": {"mobile": "+881612345678"}}, "patient.mobile: must be an ordinary phone number"),
        ({"patient": {"email": "nowhere"}}, "patient.email:"),
        ({"patient": {"first_name": "A" * 500}}, "patient.first_name:"),
        ({"patient": {"first_name": "A\u0000B"}}, "patient.first_name: control characters"),
        ({"patient": {"last_name": "A\nB"}}, "patient.last_name: control characters"),
        ({"patient": {"address": ADDRESS | {"line1": "1 Main St\nB"}}}, "patient.address.line1: control characters"),
        ({"patient": {"address": ADDRESS | {"line2": "\u0000"}}}, "patient.address.line2: control characters"),
        ({"patient": {"address": ADDRESS | {"city": " \u202e"}}}, "patient.address.city:"),
        ({"request_id": "../etc"}, "request_id:"),
        ({"language": "tlh"}, "language:"),
    ],
)
def test_problem_names_its_field(practice: Practice, changes: dict[str, Any], field: str) -> None:
    assert field in refusal(practice, request_content(**changes))


def test_text_from_forms_and_keyboards_is_normalized(practice: Practice) -> None:
    family = "\U0001f468\u200d\U0001f469"
    content = request_content(
        note=f"one\r\ntwo\u00a0three {family}", patient={"first_name": "Ana\u00a0Mar\u00eda\u200e"}
    )
    request = parse_request(json.dumps(content))
    assert request.note == "one\ntwo three \U0001f468\U0001f469"
    assert request.patient.first_name == "Ana Mar\u00eda"
    assert parse_request(json.dumps(request_content(patient={"address": ADDRESS | {"line2": ""}})))


def test_all_problems_are_reported_at_once_and_no_value_is_quoted(practice: Practice) -> None:
    problems = refusal(
        practice, request_content(patient={"email": "canarybird", "mobile": "canarybird"}, note="x" * 2000)
    )
    assert all(field in problems for field in ("patient.email", "patient.mobile", "note"))
    assert "canary" not in problems


@pytest.mark.parametrize("model", [RequestedTime, partial(Resolution, kind=ResolutionKind.START)])
@pytest.mark.parametrize("number", NUMBERS)
def test_time_that_a_person_picks_is_iso_text_too(model: Callable[..., Any], number: Any) -> None:
    with pytest.raises(ValueError, match="must be a date and time with UTC offset"):
        model(start=number)
    assert model(start="2026-12-08T09:00:00-08:00").start == datetime(2026, 12, 8, 17, tzinfo=UTC)


def test_request_in_a_file_of_windows_notepad_is_read() -> None:
    raw = json.dumps(request_content()).encode()
    assert parse_request(codecs.BOM_UTF8 + raw) == parse_request(raw) == parse_request("\ufeff" + raw.decode())


@pytest.mark.parametrize(
    "raw",
    [
        *("", "{", "[]", "null", '"x"', '{"note": "' + "x" * 1_000_000 + '"}'),
        *("[" * 50_000, '{"a":' * 10_000, "9" * 5000, "NaN", "-", '{"note": "\\ud800"}', "\ud800"),
        *(b"\xff\xfe{\x00}\x00", b'{"note": "caf\xe9"}', b"\x00", codecs.BOM_UTF8),
    ],
)
def test_content_that_is_not_a_request_is_refused(raw: str | bytes) -> None:
    with pytest.raises(BadRequest):
        parse_request(raw)
