"""Bad input is refused at the edge, with the field and what is allowed, and never echoed."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from adapters.practice_file import read_practice
from client.edge import BadRequest, parse_request, prepare
from demo.stack import ROOT
from domain.patient import Address
from domain.practice import Practice
from domain.request import BookingRequest, Consent, Person, Sex

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HOME = {"line1": "1 Main St", "city": "Oakland", "state": "CA", "postal_code": "94601"}


@pytest.fixture(scope="module")
def practice() -> Practice:
    return read_practice(ROOT / "practice.toml")


def request(**changes: Any) -> dict[str, Any]:
    patient = {
        "first_name": "Ana",
        "last_name": "García",
        "date_of_birth": "1988-04-02",
        "email": "ana@example.com",
        "mobile": "+15105550123",
        "sex": "F",
        "address": HOME,
    }
    patient.update(changes.pop("patient", {}))
    whole = {
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
    return whole | changes


def test_the_readme_names_every_field_of_a_request_and_every_value_that_is_one_of_a_few() -> None:
    text = (ROOT / "README.md").read_text().split("A request:")[1].split("\n## ")[0]
    named = set(re.findall(r'["`](\w+)["`]', text))
    fields = {name for model in (BookingRequest, Person, Address, Consent) for name in model.model_fields}
    assert fields | set(Sex) | set(get_args(BookingRequest.model_fields["language"].annotation)) <= named


def refusal(practice: Practice, content: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        prepare(parse_request(json.dumps(content)), practice, NOW)
    return str(refused.value)


def test_a_good_request_becomes_the_input_of_a_booking(practice: Practice) -> None:
    given = prepare(parse_request(json.dumps(request())), practice, NOW)
    assert given.policy.connection == "ascend-main"
    assert given.reference.startswith("bk_") and len(given.reference) == 29  # noqa: PT018
    again = prepare(parse_request(json.dumps(request())), practice, NOW)
    assert given.digest == again.digest


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour: is not a field"),
        ({"patient": {"nickname": "x"}}, "patient.nickname: is not a field"),
        ({"patient": {"date_of_birth": "1988-13-02"}}, "patient.date_of_birth: must be a date"),
        ({"patient": {"date_of_birth": "2030-01-01"}}, "patient.date_of_birth: lies in the future"),
        ({"start": "2026-12-08T09:00:00"}, "start: needs an offset"),
        ({"start": "tomorrow"}, "start: must be a date and time"),
        ({"start": "2020-12-08T09:00:00-08:00"}, "start: is in the past"),
        ({"start": "9999-12-31T23:59:59-08:00"}, "start: lies more than 5 years ahead"),
        ({"start": "0001-01-01T00:00:00+08:00"}, "start: is in the past"),
        ({"patient": {"mobile": "555-0123"}}, "patient.mobile: not a possible"),
        ({"patient": {"first_name": "\u200d \u00a0"}}, "patient.first_name:"),
        ({"start": "2027-03-14T02:30:00-08:00"}, "start: 02:30 does not exist"),
        ({"location": "atlantis"}, "location: unknown; allowed: boston, brooklyn, denver, oakland, phoenix, portland"),
        ({"service": "surgery"}, "service: unknown; allowed:"),
        ({"provider": "nobody"}, "provider: unknown; allowed: hazel, maple"),
        ({"provider": "maple", "service": "cleaning"}, "provider: does not offer cleaning; allowed: hazel"),
        ({"start": 1796749200}, "start: must be written out"),
        ({"start": "1796749200"}, "start: must be written out"),
        ({"patient": {"date_of_birth": 0}}, "patient.date_of_birth: must be written out"),
        ({"consent": {"sms": "on"}}, "consent.sms: must be true or false"),
        ({"returning": "yes"}, "returning: must be true or false"),
        ({"consent": []}, "consent: must be an object"),
        ({"patient": {"mobile": "call me"}}, "patient.mobile: not a"),
        ({"patient": {"email": "nowhere"}}, "patient.email:"),
        ({"patient": {"first_name": "A" * 500}}, "patient.first_name:"),
        ({"patient": {"first_name": "A\u0000B"}}, "patient.first_name: control characters"),
        ({"patient": {"last_name": "A\nB"}}, "patient.last_name: control characters"),
        ({"patient": {"address": HOME | {"line1": "1 Main St\nB"}}}, "patient.address.line1: control characters"),
        ({"patient": {"address": HOME | {"line2": "\u0000"}}}, "patient.address.line2: control characters"),
        ({"patient": {"address": HOME | {"city": " \u202e"}}}, "patient.address.city:"),
        ({"request_id": "../etc"}, "request_id:"),
        ({"language": "tlh"}, "language:"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(practice: Practice, changes: dict[str, Any], field: str) -> None:
    assert field in refusal(practice, request(**changes))


def test_what_forms_and_keyboards_put_into_text_is_taken(practice: Practice) -> None:
    family = "\U0001f468\u200d\U0001f469"
    sent = request(note=f"one\r\ntwo\u00a0three {family}", patient={"first_name": "Ana\u00a0Mar\u00eda\u200e"})
    taken = parse_request(json.dumps(sent))
    assert taken.note == "one\ntwo three \U0001f468\U0001f469"
    assert taken.patient.first_name == "Ana Mar\u00eda"
    assert parse_request(json.dumps(request(patient={"address": HOME | {"line2": ""}})))


def test_several_problems_are_named_at_once_and_nothing_is_echoed(practice: Practice) -> None:
    told = refusal(practice, request(patient={"email": "canarybird", "mobile": "canarybird"}, note="x" * 2000))
    assert all(field in told for field in ("patient.email", "patient.mobile", "note"))
    assert "canary" not in told


@pytest.mark.parametrize("raw", ["", "{", "[]", "null", '"x"', '{"note": "' + "x" * 1_000_000 + '"}'])
def test_what_is_no_request_is_refused(practice: Practice, raw: str) -> None:
    with pytest.raises(BadRequest):
        parse_request(raw)


def test_a_broken_practice_file_tells_every_problem_with_its_path(tmp_path: Path) -> None:
    text = (ROOT / "practice.toml").read_text()
    text = text.replace('time_zone = "America/Denver"', 'time_zone = "America/Denvr"')
    text = text.replace('slot_step = "30m"', 'slot_stepp = "30m"').replace('duration = "90m"', 'duration = "long"')
    broken = tmp_path / "practice.toml"
    broken.write_text(text)
    with pytest.raises(ValueError, match="slot_stepp") as refused:
        read_practice(broken)
    told = str(refused.value)
    assert "did you mean slot_step?" in told
    assert "locations[1].time_zone" in told
    assert "locations[2].services[2].duration" in told


def test_a_list_with_wrong_items_is_not_called_empty(tmp_path: Path) -> None:
    broken = tmp_path / "practice.toml"
    broken.write_text((ROOT / "practice.toml").read_text().replace("time_zone", "timezone"))
    with pytest.raises(ValueError, match="did you mean time_zone") as refused:
        read_practice(broken)
    assert "at least 1" not in str(refused.value)
    broken.write_text('name = "x"\nconnections = []\nlocations = []\n')
    with pytest.raises(ValueError, match=r"connections: .* at least 1"):
        read_practice(broken)


def test_references_between_parts_of_a_practice_file_are_checked(tmp_path: Path) -> None:
    text = (ROOT / "practice.toml").read_text().replace('offered_by = ["cedar"]', 'offered_by = ["ceder"]')
    broken = tmp_path / "practice.toml"
    broken.write_text(text.replace('connection = "ascend-main"', 'connection = "ascend"', 1))
    with pytest.raises(ValueError, match="ceder is unknown; allowed: cedar, holly") as refused:
        read_practice(broken)
    assert "locations[0].connection: unknown; allowed: ascend-main" in str(refused.value)


def test_a_connection_goes_the_way_its_system_allows(tmp_path: Path) -> None:
    """Ascend directly, unless the file says otherwise; all others through NexHealth, which moves nobody's visit."""
    text = (ROOT / "practice.toml").read_text()
    file = tmp_path / "practice.toml"
    for written, kind in [
        ('system = "ascend"', "ascend"),
        ('system = "ascend"\nkind = "nexhealth"', "nexhealth"),
        ('system = "eaglesoft"', "nexhealth"),
    ]:
        file.write_text(text.replace('system = "ascend"', written))
        assert read_practice(file).connections[0].kind == kind
    held = 'phone = "+15105550100"\nplaceholder_patient = "1"'
    for written, told in [
        ('system = "eaglesoft"\nkind = "ascend"', r'connections\[0\].kind: "ascend" reaches only system = "ascend"'),
        ('system = "eaglesoft"', r"locations\[0\].placeholder_patient: NexHealth never moves"),
    ]:
        changed = text.replace('system = "ascend"', written).replace('phone = "+15105550100"', held)
        file.write_text(changed)
        with pytest.raises(ValueError, match=told):
            read_practice(file)


def test_one_ascend_account_is_one_connection(tmp_path: Path) -> None:
    """Providers and patients are the account's; apart, its locations would not see each other's visits."""
    text = (ROOT / "practice.toml").read_text()
    file = tmp_path / "practice.toml"
    file.write_text(
        text.replace("[[connections]]", '[[connections]]\nname = "other"\nsystem = "ascend"\n\n[[connections]]', 1)
    )
    with pytest.raises(ValueError, match=r"connections\[1\]: there is one Ascend account"):
        read_practice(file)
    file.write_text(
        text.replace("[[connections]]", '[[connections]]\nname = "other"\nsystem = "eaglesoft"\n\n[[connections]]', 1)
    )
    assert read_practice(file).connections[0].system == "eaglesoft"


def test_the_nearest_rule_wins(tmp_path: Path) -> None:
    text = (ROOT / "practice.toml").read_text()
    text = text.replace("[defaults]\n", '[defaults]\nduration = "20m"\ndaily_cap = 9\n')
    text = text.replace('id = "denver"\n', 'id = "denver"\nminimum_notice = "3h"\ndaily_cap = 8\n')
    text = text.replace('buffer_after = "10m"\n', 'buffer_after = "10m"\ndaily_cap = 7\n')
    file = tmp_path / "practice.toml"
    file.write_text(text)
    found = read_practice(file)
    cleaning, consult, elsewhere = (
        found.rule(*names) for names in (("denver", "cleaning"), ("denver", "consult"), ("oakland", "consult"))
    )
    assert (cleaning.daily_cap, consult.daily_cap, elsewhere.daily_cap) == (7, 8, 9)
    assert (cleaning.duration, cleaning.minimum_notice, elsewhere.minimum_notice) == (
        timedelta(minutes=60),
        timedelta(hours=3),
        timedelta(hours=2),
    )
