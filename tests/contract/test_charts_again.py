"""Charts that a search by birth date does not show, and charts that changed while a booking waited."""

from datetime import date

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.patients import MatchPatientInput, PatientActivities, RecheckChartInput
from adapters.errors import NotFound
from adapters.ledger import Ledger
from adapters.practice_system import PatientQuery
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.matching import Match, Verdict
from domain.patient import ChartStatus
from domain.request import Person
from tests.support.practice_systems import PracticeUnderTest
from tests.support.practices import location, practice_of

CONTACT = {"email": "fable@patients.example", "phone": "5105550131"}


def query(practice: PracticeUnderTest, last_name: str, born: date) -> PatientQuery:
    return PatientQuery(location=practice.location, last_name=last_name, first_name="Fable", date_of_birth=born)


async def test_chart_with_day_and_month_swapped_is_found_by_its_last_name(practice: PracticeUnderTest) -> None:
    chart = practice.chart("Fable", "Mistyper", "1988-04-02", **CONTACT)
    practice.chart("Fable", "Mistyperson", "1988-04-02", **CONTACT)
    swapped = query(practice, "MISTYPER", date(1988, 2, 4))
    assert await practice.system.find_patients(swapped) == []
    (found,) = await practice.system.find_namesakes(swapped)
    assert (found.id, found.date_of_birth, found.email) == (chart, date(1988, 4, 2), CONTACT["email"])


async def test_merged_chart_is_followed_to_the_chart_in_use_where_the_system_tells_it(
    practice: PracticeUnderTest,
) -> None:
    former, current = (practice.chart("Fable", "Twicely", "1988-04-02", **CONTACT) for _ in range(2))
    assert (await practice.system.read_chart(former)).status is ChartStatus.ACTIVE
    practice.desk(do="set_chart", id=former, merged_into=current)
    chart = await practice.system.read_chart(former)
    expected = (former, ChartStatus.INACTIVE) if practice.is_nexhealth else (current, ChartStatus.ACTIVE)
    assert (chart.id, chart.status) == expected


async def test_chart_that_was_set_inactive_reads_as_inactive(practice: PracticeUnderTest) -> None:
    chart = practice.chart("Fable", "Sleeper", "1988-04-02", **CONTACT)
    practice.desk(do="set_chart", id=chart, active=False)
    assert (await practice.system.read_chart(chart)).status is ChartStatus.INACTIVE


async def test_missing_chart_is_not_found(practice: PracticeUnderTest) -> None:
    with pytest.raises(NotFound):
        await practice.system.read_chart("99999")


def activities_at(practice: PracticeUnderTest, ledger: Ledger) -> PatientActivities:
    """The activities of a practice with this one location."""
    content = location("here", practice_system_id=practice.location)
    connections = Connections(
        practice=practice_of(content, system=practice.connection.rpartition(" ")[2]),
        systems={"main": practice.system},
        ledger=ledger,
    )
    return PatientActivities(connections, KeyedHash(b"k" * 32))


async def match_person(practice: PracticeUnderTest, person: Person, ledger: Ledger) -> Match:
    activities = activities_at(practice, ledger)
    return await ActivityEnvironment().run(
        activities.match_patient, MatchPatientInput(location="here", person=person, guardian=None)
    )


@pytest.fixture
def fable() -> Person:
    return Person(
        first_name="Fable",
        last_name="Mistyper",
        date_of_birth=date(1988, 2, 4),
        email="fable@patients.example",
        mobile="+15105550131",
    )


async def test_patient_whose_birth_date_was_mistyped_is_asked_about(
    practice: PracticeUnderTest, ledger: Ledger, fable: Person
) -> None:
    chart = practice.chart("Fable", "Mistyper", "1988-04-02", **CONTACT)
    match = await match_person(practice, fable, ledger)
    assert (match.verdict, match.candidates) == (Verdict.ASK, (chart,))


async def test_namesake_with_another_birth_date_and_another_contact_is_somebody_else(
    practice: PracticeUnderTest, ledger: Ledger, fable: Person
) -> None:
    practice.chart("Fable", "Mistyper", "1988-04-02", email="other@patients.example", phone="5105550139")
    assert (await match_person(practice, fable, ledger)).verdict is Verdict.NEW


async def test_known_patient_is_found_with_one_call(practice: PracticeUnderTest, ledger: Ledger, fable: Person) -> None:
    practice.chart("Fable", "Mistyper", "1988-02-04", **CONTACT)
    await match_person(practice, fable, ledger)  # with the reads that happen once
    calls = practice.sandbox.calls(practice.sandbox_system)
    assert (await match_person(practice, fable, ledger)).verdict is Verdict.MATCHED
    assert practice.sandbox.calls(practice.sandbox_system) == calls + 1


async def test_practice_phone_in_a_chart_is_no_evidence(
    practice: PracticeUnderTest, ledger: Ledger, fable: Person
) -> None:
    chart = practice.chart("Fable", "Mistyper", "1988-02-04", email="other@patients.example", phone="5105550100")
    match = await match_person(practice, fable.model_copy(update={"mobile": "+15105550100"}), ledger)
    assert (match.reason, match.candidates) == (Reason.CONTACT_MISMATCH, (chart,))


async def test_chart_that_changed_while_a_booking_waited_is_followed_or_asked_about(
    practice: PracticeUnderTest, ledger: Ledger
) -> None:
    activities = activities_at(practice, ledger)

    async def recheck(chart: str) -> tuple[Verdict, str | None, tuple[str, ...]]:
        match = await ActivityEnvironment().run(
            activities.recheck_chart, RecheckChartInput(location="here", chart=chart)
        )
        return match.verdict, match.chart, match.candidates

    former, current = (practice.chart("Fable", "Twicely", "1988-04-02", **CONTACT) for _ in range(2))
    assert await recheck(former) == (Verdict.MATCHED, former, ())
    practice.desk(do="set_chart", id=former, merged_into=current)
    followed = (Verdict.MATCHED, current, ())
    assert await recheck(former) == ((Verdict.ASK, None, (former,)) if practice.is_nexhealth else followed)
    practice.desk(do="set_chart", id=current, active=False)
    assert await recheck(current) == (Verdict.ASK, None, (current,))
    assert await recheck("99999") == (Verdict.ASK, None, ())
