"""In doubt a person decides."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Reason
from domain.matching import Verdict, identity_key, match
from domain.patient import Chart, ChartStatus
from domain.phone import phone_key
from domain.request import Person

BORN = date(1988, 4, 2)


def person(first: str = "Ana", last: str = "García-López", **more: object) -> Person:
    given = {"first_name": first, "last_name": last, "date_of_birth": BORN, "mobile": "+15105550123", **more}
    return Person.model_validate(given)


def chart(number: int = 1, first: str = "Ana", last: str = "Garcia Lopez", **more: object) -> Chart:
    given = {
        "id": str(number),
        "first_name": first,
        "last_name": last,
        "date_of_birth": BORN,
        "phones": ("510-555-0123",),
    }
    return Chart.model_validate(given | more)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("García-López", "garcia lopez "),
        ("O'Brien", "O’BRIEN"),
        ("O'Brien", "OBrien"),
        ("McDonald", "MCDONALD"),
        ("José", "Jose"),
    ],
)
def test_spelling_of_a_name_does_not_matter(ours: str, theirs: str) -> None:
    found = match(person(last=ours), None, [chart(last=theirs)])
    assert (found.verdict, found.chart) == (Verdict.MATCHED, "1")


@pytest.mark.parametrize("phone", ["(510) 555-0123", "+1 510 555 0123", "510.555.0123 ext. 7"])
def test_form_of_a_phone_number_does_not_matter(phone: str) -> None:
    assert match(person(), None, [chart(phones=(phone,))]).verdict is Verdict.MATCHED


def test_of_twins_the_first_name_decides_and_a_short_form_goes_to_a_person() -> None:
    twins = [chart(1, first="Castor"), chart(2, first="Pollux")]
    assert match(person("Pollux"), None, twins).chart == "2"
    alike = [chart(1, first="William"), chart(2, first="Wilma")]
    assert match(person("Will"), None, alike).reason is Reason.PATIENT_AMBIGUOUS


def test_two_strangers_with_one_name_and_birthday_are_told_apart_by_contact_or_by_a_person() -> None:
    both = [chart(1), chart(2, phones=("5105550999",))]
    assert match(person(), None, both).chart == "1"
    neither = [chart(1, phones=("5105550998",)), chart(2, phones=("5105550999",))]
    assert match(person(), None, neither).reason is Reason.PATIENT_AMBIGUOUS


def test_a_known_name_with_foreign_contacts_goes_to_a_person() -> None:
    found = match(person(), None, [chart(phones=("5105550999",))])
    assert (found.reason, found.candidates) == (Reason.CONTACT_MISMATCH, ("1",))


def test_a_number_without_its_area_code_is_no_contact() -> None:
    found = match(person(mobile="+15105550123"), None, [chart(phones=("555-0123",))])
    assert (found.reason, found.candidates) == (Reason.CONTACT_MISMATCH, ("1",))
    assert phone_key("555-0123") == ""


def test_a_merged_chart_speaks_for_the_one_it_was_merged_into() -> None:
    merged = chart(1, status=ChartStatus.DUPLICATE, duplicate_of="2")
    assert match(person(), None, [merged, chart(2)]).chart == "2"
    found = match(person(), None, [merged, chart(2, date_of_birth=date(1960, 1, 1))])
    assert (found.reason, found.candidates) == (Reason.PATIENT_AMBIGUOUS, ("2",))


def test_charts_merged_into_one_another_go_to_a_person() -> None:
    ring = [chart(n, status=ChartStatus.DUPLICATE, duplicate_of=str(3 - n)) for n in (1, 2)]
    assert match(person(), None, ring).reason is Reason.PATIENT_AMBIGUOUS


def test_a_parent_of_the_same_name_with_another_birthday_is_another_person() -> None:
    assert match(person(), None, [chart(date_of_birth=date(1960, 1, 1))]).verdict is Verdict.NEW


def test_a_family_member_on_the_same_phone_is_somebody_new() -> None:
    other = chart(first="Rosa", last="Montoya", date_of_birth=date(1960, 1, 1))
    assert match(person(), None, [other]).verdict is Verdict.NEW


def test_an_inactive_chart_and_contradicting_claims_go_to_a_person() -> None:
    assert match(person(), None, [chart(status=ChartStatus.INACTIVE)]).reason is Reason.CHART_INACTIVE
    assert match(person(), True, []).reason is Reason.PATIENT_NOT_FOUND
    assert match(person(), False, [chart()]).reason is Reason.PATIENT_EXISTS


def test_junior_and_senior_are_two_people() -> None:
    senior = chart(name_suffix="Sr")
    assert match(person(last="García-López Jr"), None, [senior]).verdict is not Verdict.MATCHED


def test_a_duplicate_chart_gives_way_to_the_one_it_was_merged_into() -> None:
    merged = chart(2, status=ChartStatus.DUPLICATE, duplicate_of="1")
    assert match(person(), None, [merged, chart(1)]).chart == "1"


people = st.builds(
    chart,
    st.integers(1, 99),
    st.sampled_from(["Ana", "Anna", "Rosa", "Pollux"]),
    st.sampled_from(["Garcia Lopez", "García", "Smith"]),
    date_of_birth=st.sampled_from([BORN, date(1990, 1, 1), None]),
    phones=st.sampled_from([(), ("5105550123",), ("5105550999",)]),
)


@given(st.lists(people, max_size=5, unique_by=lambda c: c.id), st.randoms())
def test_order_of_charts_never_matters_and_a_match_is_always_the_same_name_and_birthday(
    charts: list[Chart], random: object
) -> None:
    shuffled = list(charts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = match(person(), None, charts)
    assert found == match(person(), None, shuffled)
    if found.verdict is Verdict.MATCHED:
        (hit,) = (c for c in charts if c.id == found.chart)
        assert (hit.first_name, hit.date_of_birth) == ("Ana", BORN)


def test_the_identity_of_a_person_does_not_depend_on_spelling() -> None:
    assert identity_key(person("ANA", "Garcia lopez")) == identity_key(person())
