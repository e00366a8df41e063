"""Matching a person to charts: if there is any doubt, staff decide."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Reason
from domain.matching import Verdict, identity_key, match
from domain.patient import Chart, ChartStatus
from domain.phone import phone_key
from domain.request import Person

BIRTH_DATE = date(1988, 4, 2)


def person(first: str = "Ana", last: str = "García-López", **more: object) -> Person:
    fields = {"first_name": first, "last_name": last, "date_of_birth": BIRTH_DATE, "mobile": "+15105550123", **more}
    return Person.model_validate(fields)


def chart(number: int = 1, first: str = "Ana", last: str = "Garcia Lopez", **more: object) -> Chart:
    fields = {
        "id": str(number),
        "first_name": first,
        "last_name": last,
        "date_of_birth": BIRTH_DATE,
        "phones": ("510-555-0123",),
    }
    return Chart.model_validate(fields | more)


@pytest.mark.parametrize(
    ("person_name", "chart_name"),
    [
        ("García-López", "garcia lopez "),
        ("O'Brien", "O’BRIEN"),
        ("O'Brien", "OBrien"),
        ("McDonald", "MCDONALD"),
        ("José", "Jose"),
    ],
)
def test_spelling_of_a_name_does_not_matter(person_name: str, chart_name: str) -> None:
    result = match(person(last=person_name), None, [chart(last=chart_name)])
    assert (result.verdict, result.chart) == (Verdict.MATCHED, "1")


@pytest.mark.parametrize("phone", ["(510) 555-0123", "+1 510 555 0123", "510.555.0123 ext. 7"])
def test_format_of_a_phone_number_does_not_matter(phone: str) -> None:
    assert match(person(), None, [chart(phones=(phone,))]).verdict is Verdict.MATCHED


def test_first_name_tells_twins_apart_but_a_short_form_goes_to_staff() -> None:
    twins = [chart(1, first="Castor"), chart(2, first="Pollux")]
    assert match(person("Pollux"), None, twins).chart == "2"
    similar = [chart(1, first="William"), chart(2, first="Wilma")]
    assert match(person("Will"), None, similar).reason is Reason.PATIENT_AMBIGUOUS


def test_namesakes_with_one_birth_date_are_distinguished_by_contact_or_by_staff() -> None:
    one_contact_agrees = [chart(1), chart(2, phones=("5105550999",))]
    assert match(person(), None, one_contact_agrees).chart == "1"
    no_contact_agrees = [chart(1, phones=("5105550998",)), chart(2, phones=("5105550999",))]
    assert match(person(), None, no_contact_agrees).reason is Reason.PATIENT_AMBIGUOUS


def test_known_name_with_other_contacts_goes_to_staff() -> None:
    result = match(person(), None, [chart(phones=("5105550999",))])
    assert (result.reason, result.candidates) == (Reason.CONTACT_MISMATCH, ("1",))


def test_phone_number_without_area_code_matches_nothing() -> None:
    result = match(person(mobile="+15105550123"), None, [chart(phones=("555-0123",))])
    assert (result.reason, result.candidates) == (Reason.CONTACT_MISMATCH, ("1",))
    assert phone_key("555-0123") == ""


def test_merged_chart_is_evidence_for_its_target() -> None:
    merged = chart(1, status=ChartStatus.DUPLICATE, duplicate_of="2")
    assert match(person(), None, [merged, chart(2)]).chart == "2"
    result = match(person(), None, [merged, chart(2, date_of_birth=date(1960, 1, 1))])
    assert (result.reason, result.candidates) == (Reason.PATIENT_AMBIGUOUS, ("2",))


def test_charts_merged_into_one_another_go_to_staff() -> None:
    circle = [chart(n, status=ChartStatus.DUPLICATE, duplicate_of=str(3 - n)) for n in (1, 2)]
    assert match(person(), None, circle).reason is Reason.PATIENT_AMBIGUOUS


def test_namesake_with_another_birth_date_is_another_person() -> None:
    assert match(person(), None, [chart(date_of_birth=date(1960, 1, 1))]).verdict is Verdict.NEW


def test_family_member_with_the_same_phone_is_new() -> None:
    other = chart(first="Rosa", last="Montoya", date_of_birth=date(1960, 1, 1))
    assert match(person(), None, [other]).verdict is Verdict.NEW


def test_inactive_chart_and_wrong_returning_answer_go_to_staff() -> None:
    assert match(person(), None, [chart(status=ChartStatus.INACTIVE)]).reason is Reason.CHART_INACTIVE
    assert match(person(), True, []).reason is Reason.PATIENT_NOT_FOUND
    assert match(person(), False, [chart()]).reason is Reason.PATIENT_EXISTS


def test_junior_and_senior_are_two_people() -> None:
    senior = chart(name_suffix="Sr")
    assert match(person(last="García-López Jr"), None, [senior]).verdict is not Verdict.MATCHED


def test_merge_target_is_chosen_over_the_duplicate() -> None:
    merged = chart(2, status=ChartStatus.DUPLICATE, duplicate_of="1")
    assert match(person(), None, [merged, chart(1)]).chart == "1"


chart_strategy = st.builds(
    chart,
    st.integers(1, 99),
    st.sampled_from(["Ana", "Anna", "Rosa", "Pollux"]),
    st.sampled_from(["Garcia Lopez", "García", "Smith"]),
    date_of_birth=st.sampled_from([BIRTH_DATE, date(1990, 1, 1), None]),
    phones=st.sampled_from([(), ("5105550123",), ("5105550999",)]),
)


@given(st.lists(chart_strategy, max_size=5, unique_by=lambda c: c.id), st.randoms())
def test_order_of_charts_never_matters_and_a_match_has_the_same_name_and_birth_date(
    charts: list[Chart], random: object
) -> None:
    shuffled = list(charts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    result = match(person(), None, charts)
    assert result == match(person(), None, shuffled)
    if result.verdict is Verdict.MATCHED:
        (matched_chart,) = (c for c in charts if c.id == result.chart)
        assert (matched_chart.first_name, matched_chart.date_of_birth) == ("Ana", BIRTH_DATE)


def test_identity_key_does_not_depend_on_spelling() -> None:
    assert identity_key(person("ANA", "Garcia lopez")) == identity_key(person())
