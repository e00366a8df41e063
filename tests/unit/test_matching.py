"""Matching a person to charts: if there is any doubt, staff decide."""

import itertools
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.booking import Reason
from domain.contacts import FILLER_LOCAL_PARTS, FILLER_WORDS
from domain.matching import TRUTH_TABLE, BirthDates, Contacts, Match, Names, Verdict, identity_key, match
from domain.names import PARTICLES, SUFFIXES
from domain.patient import Chart, ChartStatus
from domain.request import Person

BIRTH_DATE = date(1988, 4, 2)
PAGE = Path(__file__).parents[2] / "docs" / "matching.md"


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


def test_merged_chart_is_evidence_for_its_target() -> None:
    merged = chart(1, status=ChartStatus.DUPLICATE, duplicate_of="2")
    assert match(person(), None, [merged, chart(2)]).chart == "2"
    result = match(person(), None, [merged, chart(2, date_of_birth=date(1960, 1, 1))])
    assert (result.reason, result.candidates) == (Reason.PATIENT_AMBIGUOUS, ("2",))


def test_charts_merged_into_one_another_go_to_staff() -> None:
    circle = [chart(n, status=ChartStatus.DUPLICATE, duplicate_of=str(3 - n)) for n in (1, 2)]
    assert match(person(), None, circle).reason is Reason.PATIENT_AMBIGUOUS


def test_namesake_with_another_birth_date_and_contact_is_another_person() -> None:
    namesake = chart(date_of_birth=date(1960, 1, 1), phones=("5105550999",))
    assert match(person(), None, [namesake]).verdict is Verdict.NEW


@pytest.mark.parametrize("born", [date(1988, 2, 4), date(1988, 4, 12), date(1998, 4, 2), date(1960, 1, 1), None])
def test_equal_name_and_shared_contact_go_to_staff_whatever_the_birth_date(born: date | None) -> None:
    result = match(person(), None, [chart(date_of_birth=born)])
    assert (result.reason, result.candidates) == (Reason.PATIENT_AMBIGUOUS, ("1",))


@pytest.mark.parametrize(
    ("chart_name", "request_name"),
    [
        (("अनिल", "शर्मा"), ("अनिला", "शर्मा")),
        (("だいき", "山田"), ("たいき", "山田")),
        (("だいき", "ヤマダ"), ("ダイキ", "ヤマダ")),
        (("Minh", "Dang"), ("Minh", "Đặng")),
        (("Minh", "Garcia Lopez"), ("-", "-")),
        (("Rosa", "Garcia Lopez"), ("Rosa", "Lopez")),
        (("Rosa", "Reyes"), ("Rosa", "Marin Reyes")),
        (("Rosa", "Cruz"), ("Rosa", "de la Cruz")),
        (("Rosa", "Montoya"), ("Rosa", "Whitfield")),
        (("Castor", "Twinley"), ("Pollux", "Twinley")),
        (("Minh", "Nguyen"), ("Nguyen", "Minh")),
        (("", ""), ("Rosa", "Cruz")),
    ],
)
def test_known_birth_date_and_contact_are_never_new(chart_name: tuple[str, str], request_name: tuple[str, str]) -> None:
    result = match(person(*request_name), None, [chart(1, *chart_name)])
    assert result.verdict is not Verdict.NEW


@pytest.mark.parametrize(
    ("chart_name", "request_name"),
    [
        (("अनिल", "शर्मा"), ("अनिला", "शर्मा")),
        (("だいき", "山田"), ("たいき", "山田")),
        (("-", "-"), ("-", "-")),
        (("-", "山田"), (".", "山田")),
    ],
)
def test_name_that_differs_in_a_telling_mark_or_has_no_letter_never_matches(
    chart_name: tuple[str, str], request_name: tuple[str, str]
) -> None:
    assert match(person(*request_name), None, [chart(1, *chart_name)]).verdict is Verdict.ASK


@pytest.mark.parametrize(
    ("chart_name", "request_name"),
    [
        (("Minh", "Dang"), ("Minh", "Đặng")),
        (("Lukasz", "Orsted"), ("Łukasz", "Ørsted")),
        (("Isil", "Weiss"), ("Işıl", "Weiß")),
        (("Gudrun", "Thorsson"), ("Guðrún", "Þórsson")),
    ],
)
def test_letters_that_do_not_decompose_are_folded(chart_name: tuple[str, str], request_name: tuple[str, str]) -> None:
    assert match(person(*request_name), None, [chart(1, *chart_name)]).verdict is Verdict.MATCHED
    assert identity_key(person(*request_name)) == identity_key(person(*chart_name))


@pytest.mark.parametrize(
    ("chart_name", "request_name"),
    [
        (("Rosa", "Garcia Lopez"), ("Rosa", "Lopez")),
        (("Rosa", "Reyes"), ("Rosa", "Marin Reyes")),
        (("Rosa", "Cruz"), ("Rosa", "de la Cruz")),
        (("J", "Cruz"), ("Juana", "Cruz")),
        (("Minh", "Nguyen"), ("Nguyen", "Minh")),
    ],
)
def test_part_of_a_name_with_the_birth_date_goes_to_staff_without_a_shared_contact(
    chart_name: tuple[str, str], request_name: tuple[str, str]
) -> None:
    result = match(person(*request_name), None, [chart(1, *chart_name, phones=("5105550999",))])
    assert result.verdict is Verdict.ASK


def test_stranger_with_the_same_birth_date_is_new() -> None:
    stranger = chart(first="Rosa", last="Montoya", phones=("5105550999",))
    assert match(person(), None, [stranger]).verdict is Verdict.NEW


@pytest.mark.parametrize(
    ("chart_contacts", "request_contacts"),
    [
        ({"phones": ("999-999-9999",)}, {"mobile": "+19999999999"}),
        ({"phones": ("510-555-5555",)}, {"mobile": "+15105555555"}),
        ({"phones": (), "email": "none@none.com"}, {"mobile": None, "email": "none@none.com"}),
        ({"phones": (), "email": "no@email.com"}, {"mobile": None, "email": "no@email.com"}),
        ({"phones": (), "email": "TEST@test.com"}, {"mobile": None, "email": "test@test.com"}),
    ],
)
def test_filler_is_no_contact(chart_contacts: dict[str, Any], request_contacts: dict[str, Any]) -> None:
    result = match(person("Mary", "Hill", **request_contacts), None, [chart(1, "Mary", "Hill", **chart_contacts)])
    assert result.reason is Reason.CONTACT_MISMATCH


def test_practice_contacts_say_nothing_about_a_patient() -> None:
    own_email = chart(phones=("510-555-0100",), email="desk@practice.example")
    request = person(mobile="+15105550100", email="Desk@practice.example")
    assert match(request, None, [own_email]).verdict is Verdict.MATCHED
    practice_contacts = frozenset({"+15105550100", "desk@practice.example"})
    result = match(request, None, [own_email], practice_contacts=practice_contacts)
    assert result.reason is Reason.CONTACT_MISMATCH


@pytest.mark.parametrize("phone", ["(510) 555-0123 mom", "510-555-0999 / 510-555-0123", "5105550999, 5105550123 work"])
def test_every_number_in_a_field_counts(phone: str) -> None:
    assert match(person(), None, [chart(phones=(phone,))]).verdict is Verdict.MATCHED


def test_chart_without_contacts_matches_only_if_no_other_chart_is_possible() -> None:
    without_contacts = chart(1, phones=())
    assert match(person(), None, [without_contacts]).verdict is Verdict.MATCHED
    for other in (chart(2, phones=("5105550999",)), chart(2, "Anna")):
        result = match(person(), None, [without_contacts, other])
        assert (result.reason, result.candidates) == (Reason.PATIENT_AMBIGUOUS, ("1", "2"))


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


def test_chart_that_two_searches_find_is_one_chart() -> None:
    assert match(person(), None, [chart(), chart()]).chart == "1"


def test_merge_target_is_chosen_over_the_duplicate() -> None:
    merged = chart(2, status=ChartStatus.DUPLICATE, duplicate_of="1")
    assert match(person(), None, [merged, chart(1)]).chart == "1"


names = st.sampled_from(
    [("Ana", "García López"), ("Anna", "Lopez"), ("Ana", "Smith"), ("Rosa", "Lopez"), ("Pollux", "Twin"), ("-", "-")]
)
birth_dates = st.sampled_from([BIRTH_DATE, date(1988, 2, 4), date(1960, 1, 1)])
numbers = st.sampled_from(["+15105550123", "+15105550999", "+19999999999"])


@st.composite
def charts_of_an_office(draw: st.DrawFn) -> list[Chart]:
    count = draw(st.integers(0, 5))
    return [
        chart(
            number,
            *draw(names),
            date_of_birth=draw(st.none() | birth_dates),
            phones=tuple(draw(st.lists(numbers, max_size=2))),
            email=draw(st.sampled_from([None, "ana@patients.example", "none@none.com"])),
            name_suffix=draw(st.sampled_from([None, "Jr", "Sr"])),
            status=draw(st.sampled_from(ChartStatus)),
            duplicate_of=draw(st.none() | st.integers(1, 5).map(str)),
        )
        for number in range(1, count + 1)
    ]


people = st.builds(
    lambda name, born, mobile, email: person(*name, date_of_birth=born, mobile=mobile, email=email),
    names,
    birth_dates,
    st.none() | numbers,
    st.sampled_from([None, "ana@patients.example", "none@none.com"]),
)


def possible_owners(result: Match) -> set[str]:
    return set(result.candidates) | ({result.chart} if result.chart else set())


@given(people, charts_of_an_office(), st.randoms())
def test_order_of_charts_never_matters(one: Person, charts: list[Chart], random: Any) -> None:
    shuffled = list(charts)
    random.shuffle(shuffled)
    assert match(one, None, charts) == match(one, None, shuffled)


@given(people, charts_of_an_office())
def test_match_agrees_in_name_and_birth_date_and_contradicts_no_contact(one: Person, charts: list[Chart]) -> None:
    result = match(one, None, charts)
    if result.verdict is Verdict.MATCHED:
        (owner,) = (each for each in charts if each.id == result.chart)
        assert (owner.first_name, owner.date_of_birth) == (one.first_name, one.date_of_birth)
        assert not owner.phones or one.mobile in owner.phones or owner.email == one.email
        assert "-" not in one.first_name


@given(people, charts_of_an_office())
def test_one_more_chart_never_turns_a_doubt_into_a_match_with_another_chart(one: Person, charts: list[Chart]) -> None:
    before = match(one, None, charts)
    after = match(one, None, [*charts, chart(9, "Rosa", "Montoya", phones=("+15105550777",))])
    assert possible_owners(before) <= possible_owners(after)
    assert before.verdict is not Verdict.ASK or after.verdict is Verdict.ASK


DISAGREEMENTS: list[dict[str, Any]] = [
    {"first_name": "Zoltan"},
    {"last_name": "Whitfield"},
    {"date_of_birth": date(1931, 7, 7)},
    {"phones": ("+15105550777",), "email": None},
    {"name_suffix": "III"},
]


@given(people, charts_of_an_office().filter(bool), st.sampled_from(DISAGREEMENTS))
def test_chart_that_disagrees_in_one_more_field_is_never_closer_to_a_match(
    one: Person, charts: list[Chart], disagreement: dict[str, Any]
) -> None:
    strength = [Verdict.NEW, Verdict.ASK, Verdict.MATCHED]
    for each in charts:
        before = match(one, None, [each]).verdict
        after = match(one, None, [each.model_copy(update=disagreement)]).verdict
        assert strength.index(after) <= strength.index(before)


@given(people, people)
def test_two_people_compare_the_same_way_in_both_directions(one: Person, other: Person) -> None:
    """With each in the role of the chart. A chart without contacts is an exception, so both have some."""
    one, other = (each.model_copy(update={"mobile": each.mobile or "+15105550555"}) for each in (one, other))
    forward, backward = (match(a, None, [chart_of(b)]).verdict for a, b in ((one, other), (other, one)))
    assert forward == backward


def chart_of(one: Person) -> Chart:
    phones = (one.mobile,) if one.mobile else ()
    return chart(1, one.first_name, one.last_name, date_of_birth=one.date_of_birth, phones=phones, email=one.email)


def test_truth_table_is_monotone_and_complete() -> None:
    strength = [Verdict.NEW, Verdict.ASK, Verdict.MATCHED]
    levels = [
        (dates, names, contacts, strength.index(TRUTH_TABLE[dates, names][contacts]))
        for dates, names, contacts in itertools.product(BirthDates, Names, Contacts)
    ]
    for *weaker, weak in levels:
        for *stronger, strong in levels:
            if all(a <= b for a, b in zip(weaker, stronger, strict=True)):
                assert weak <= strong


def test_documented_truth_table_is_the_one_in_force() -> None:
    text = PAGE.read_text()
    rows = re.findall(r"^\| (equal|uncertain|different) \| (equal|similar|different) \| (.*) \|$", text, re.MULTILINE)
    documented = {
        (BirthDates[dates.upper()], Names[names.upper()]): tuple(cell.strip("* ") for cell in cells.split("|"))
        for dates, names, cells in rows
    }
    in_force = {levels: tuple(reversed(verdicts)) for levels, verdicts in TRUTH_TABLE.items()}
    assert documented == in_force


@pytest.mark.parametrize(
    "words", [FILLER_WORDS, FILLER_LOCAL_PARTS - FILLER_WORDS, PARTICLES, {f"{suffix.title()}" for suffix in SUFFIXES}]
)
def test_documented_word_lists_are_those_in_force(words: set[str]) -> None:
    lists = [set(re.findall(r"`(\w+)`", paragraph)) for paragraph in re.split(r"\n\n|\n\* ", PAGE.read_text())]
    assert words in lists


def test_identity_key_does_not_depend_on_spelling() -> None:
    assert identity_key(person("ANA", "Garcia lopez")) == identity_key(person())
