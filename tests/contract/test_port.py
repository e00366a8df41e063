"""What the port promises, tested on every practice system over real HTTP."""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.errors import NotAuthorized, NotFound, OutcomeUnknown, RateLimited, Refused, Unavailable
from adapters.practice_system import NewChart, PatientQuery
from devstack import free_port
from domain.calendar import AppointmentStatus, LandingState
from domain.interval import Interval
from domain.patient import Address
from domain.request import Person
from tests.support.practice_systems import (
    CONNECTIONS,
    DAY,
    NINE,
    PracticeUnderTest,
    practice_under_test,
    unlimited_permit,
)
from tests.support.sandbox import SandboxControl

ADDRESS = Address(line1="1 Main St", city="Oakland", state="CA", postal_code="94601")
NEWCOMER = Person(
    first_name="Nova",
    last_name="Newcomer",
    date_of_birth=date(1991, 4, 2),
    email="nova@example.com",
    mobile="+15105550121",
)


async def test_hold_is_written_found_confirmed_and_cancelled(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    (found,) = await practice.system.find_by_reference(hold.reference, practice.location, NINE)
    assert (found.id, found.status, found.slot) == (placed.id, AppointmentStatus.TENTATIVE, hold.slot)
    assert found.landing is LandingState.LANDED
    for _ in range(2):
        assert (await practice.system.confirm_hold(placed.id, hold)).status is AppointmentStatus.CONFIRMED
        practice.settle()
    for _ in range(2):
        await practice.system.cancel(placed.id, hold.reference, "Cancelled online")
        practice.settle()
    assert await practice.system.find_by_reference(hold.reference, practice.location, NINE) == []


async def test_released_hold_occupies_no_operatory(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    for _ in range(2):
        await practice.system.release(placed.id, hold.reference)
        practice.settle()
    assert await practice.system.find_by_reference(hold.reference, practice.location, NINE) == []
    calendar = await practice.system.read_calendar(practice.location, DAY)
    assert not [a for a in calendar.appointments if a.status.occupies_time]


async def test_windows_are_read_only_on_request(practice: PracticeUnderTest) -> None:
    practice.sandbox.fault(
        system=practice.sandbox_system, path="scheduletemplates|working_hours", kind="forbidden", times=None
    )
    assert (await practice.system.read_calendar(practice.location, DAY, include_windows=False)).windows is None


@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_write_that_times_out_has_an_unknown_outcome(sandbox: SandboxControl, connection: str) -> None:
    with (
        practice_under_test(sandbox, connection) as practice,
        practice_under_test(sandbox, connection, read_timeout=2.0) as impatient,
    ):
        sandbox.fault(
            system=practice.sandbox_system,
            method="POST",
            path=practice.appointments_path,
            kind="hang_after",
            seconds=30,
        )
        hold = practice.hold()
        with pytest.raises(OutcomeUnknown):
            await impatient.system.write_hold(hold, unlimited_permit)
        assert len(await practice.system.find_by_reference(hold.reference, practice.location, NINE)) == 1
        await practice.system.close()
        await impatient.system.close()


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "garbage", "drop_before"])
async def test_write_whose_answer_proves_nothing_has_an_unknown_outcome(practice: PracticeUnderTest, kind: str) -> None:
    practice.sandbox.fault(system=practice.sandbox_system, method="POST", path=practice.appointments_path, kind=kind)
    hold = practice.hold()
    with pytest.raises(OutcomeUnknown):
        await practice.system.write_hold(hold, unlimited_permit)
    committed = kind != "drop_before"
    assert len(await practice.system.find_by_reference(hold.reference, practice.location, NINE)) == committed


async def test_write_whose_permit_has_expired_is_not_sent(practice: PracticeUnderTest) -> None:
    """A process that was stopped between its permit and its send notices when it continues."""

    async def expired_permit() -> datetime:
        return datetime.now(UTC) - timedelta(milliseconds=1)

    hold = practice.hold()
    with pytest.raises(Unavailable):
        await practice.system.write_hold(hold, expired_permit)
    with pytest.raises(Unavailable):
        await practice.system.create_patient(_new_chart(practice, NEWCOMER), expired_permit)
    assert await practice.system.find_by_reference(hold.reference, practice.location, NINE) == []
    assert await practice.system.find_patients(_query_for(practice, NEWCOMER)) == []


async def test_write_repeated_with_a_new_token_needs_a_new_permit(practice: PracticeUnderTest) -> None:
    await practice.system.read_calendar(practice.location, DAY)
    practice.sandbox.fault(
        system=practice.sandbox_system, method="POST", path=practice.appointments_path, kind="expire_tokens"
    )
    permits = [datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(minutes=1)]

    async def permit() -> datetime:
        return permits.pop()

    hold = practice.hold()
    with pytest.raises(Unavailable):
        await practice.system.write_hold(hold, permit)
    assert not permits
    assert await practice.system.find_by_reference(hold.reference, practice.location, NINE) == []


async def test_permit_is_requested_last_before_the_send(practice: PracticeUnderTest) -> None:
    """By then the adapter has a token and has waited for the rate limit."""
    calls_at_permit: list[int] = []

    async def permit() -> datetime:
        calls_at_permit.append(practice.sandbox.calls(practice.sandbox_system))
        return await unlimited_permit()

    await practice.system.write_hold(practice.hold(), permit)
    assert calls_at_permit == [practice.sandbox.calls(practice.sandbox_system) - 1]


async def test_write_without_a_connection_counts_as_not_sent(practice: PracticeUnderTest) -> None:
    await practice.system.write_hold(practice.hold(), unlimited_permit)  # the adapter has a token after this
    transport: Any = vars(practice.system)["_transport"]
    vars(transport)["_http"]._http.base_url = f"http://127.0.0.1:{free_port(0)}"
    with pytest.raises(Unavailable):
        await practice.system.write_hold(practice.hold(NINE + timedelta(hours=2)), unlimited_permit)


async def test_expired_token_is_renewed_once_for_a_write(practice: PracticeUnderTest) -> None:
    await practice.system.read_calendar(practice.location, DAY)
    practice.sandbox.fault(
        system=practice.sandbox_system, method="POST", path=practice.appointments_path, kind="expire_tokens"
    )
    hold = practice.hold()
    await practice.system.write_hold(hold, unlimited_permit)
    assert len(await practice.system.find_by_reference(hold.reference, practice.location, NINE)) == 1


async def test_rate_limit_has_a_retry_time_and_a_refusal_is_final(practice: PracticeUnderTest) -> None:
    practice.sandbox.fault(
        system=practice.sandbox_system, path=practice.appointments_path, kind="rate_limited", retry_after=7
    )
    with pytest.raises(RateLimited) as limited:
        await practice.system.write_hold(practice.hold(), unlimited_permit)
    assert limited.value.retry_after == timedelta(seconds=7)
    practice.sandbox.fault(system=practice.sandbox_system, path=practice.appointments_path, kind="forbidden")
    with pytest.raises(NotAuthorized):
        await practice.system.write_hold(practice.hold(), unlimited_permit)


async def test_desk_edits_of_a_hold_are_kept(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.desk(do="move", id=placed.id, start=(NINE + timedelta(minutes=30)).isoformat())
    confirmed = await practice.system.confirm_hold(placed.id, hold)
    assert confirmed.time.start == NINE + timedelta(minutes=30)
    practice.desk(do="cancel", id=placed.id)
    with pytest.raises(Refused):
        await practice.system.confirm_hold(placed.id, hold)
    seated = practice.hold(NINE + timedelta(hours=3))
    theirs = await practice.place_landed(seated)
    practice.set_status(theirs.id, "here")
    await practice.system.release(theirs.id, seated.reference)
    await practice.system.cancel(theirs.id, "bk_" + "a" * 26, "not ours")
    practice.settle()
    assert (await practice.system.get_appointment(theirs.id)).status is AppointmentStatus.ARRIVED


async def test_hold_that_the_desk_deleted_cannot_be_confirmed(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.desk(do="delete", id=placed.id)
    with pytest.raises(Refused) as refused:
        await practice.system.confirm_hold(placed.id, hold)
    assert isinstance(refused.value, NotFound) or refused.value.code == "broken"
    await practice.system.release(placed.id, hold.reference)


async def test_unknown_id_in_a_hold_is_distinguished_from_a_deleted_appointment(practice: PracticeUnderTest) -> None:
    with pytest.raises(Refused) as refused:
        await practice.system.write_hold(practice.hold(patient="404404"), unlimited_permit)
    assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    elsewhere = hold.model_copy(update={"slot": hold.slot.model_copy(update={"operatory": "404404"})})
    if practice.system.capabilities.can_move(hold.slot, elsewhere.slot):
        with pytest.raises(Refused) as refused:
            await practice.system.move(placed.id, elsewhere)
        assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    await practice.system.release(placed.id, hold.reference)


async def test_confirmation_whose_answer_was_lost_succeeds(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.sandbox.fault(
        system=practice.sandbox_system,
        method=practice.update_method,
        path=practice.appointments_path,
        kind="status_after",
        status=500,
    )
    assert (await practice.system.confirm_hold(placed.id, hold)).status is AppointmentStatus.CONFIRMED


@pytest.mark.parametrize(("operatory", "provider"), [(0, 0), (1, 0), (1, 1)])
async def test_hold_is_moved_in_place_if_the_system_can(
    practice: PracticeUnderTest, operatory: int, provider: int
) -> None:
    first = practice.hold()
    placed = await practice.place_landed(first)
    second = practice.hold(NINE + timedelta(hours=2), operatory=operatory, provider=provider, reference=first.reference)
    if not practice.system.capabilities.can_move(first.slot, second.slot):
        with pytest.raises(Refused) as refused:
            await practice.system.move(placed.id, second)
        assert refused.value.code == "needs_replacement"
        assert (await practice.system.get_appointment(placed.id)).slot == first.slot
        return
    for _ in range(2):
        assert (await practice.system.move(placed.id, second)).slot == second.slot
        practice.settle()
    assert (await practice.system.get_appointment(placed.id)).slot == second.slot


async def test_calendar_shows_an_appointment_that_began_before_the_span(practice: PracticeUnderTest) -> None:
    practice.book(NINE - timedelta(hours=2), minutes=180)
    found = await practice.system.read_calendar(practice.location, Interval(start=NINE, end=NINE + timedelta(hours=1)))
    assert [a.time.start for a in found.appointments] == [NINE - timedelta(hours=2)]


async def test_block_closes_one_operatory(practice: PracticeUnderTest) -> None:
    end = (NINE + timedelta(hours=1)).isoformat()
    practice.desk(
        do="block", location=practice.location, operatory=practice.operatories[0], start=NINE.isoformat(), end=end
    )
    found = await practice.system.read_calendar(practice.location, DAY)
    assert [(b.operatory, b.provider) for b in found.blocks] == [(practice.operatories[0], None)]


async def test_new_chart_is_complete_and_found_again(practice: PracticeUnderTest) -> None:
    created = await practice.system.create_patient(_new_chart(practice, NEWCOMER), unlimited_permit)
    (found,) = await practice.system.find_patients(_query_for(practice, NEWCOMER))
    assert (found.id, found.phones, found.email) == (created.id, ("5105550121",), "nova@example.com")


async def test_birth_dates_and_names_are_not_logged_at_any_level(
    practice: PracticeUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    """Practice systems take them in the query string of a search."""
    with caplog.at_level(logging.DEBUG), capture_logs() as lines:
        await practice.system.create_patient(_new_chart(practice, NEWCOMER), unlimited_permit)
        await practice.system.find_patients(_query_for(practice, NEWCOMER))
    assert any("GET" in line.get("call", "") for line in lines), "the search was not logged at all"
    text = f"{lines} {caplog.text}".casefold()
    assert [word for word in ("newcomer", "1991", "5105550121", "nova") if word in text] == []


async def test_hold_for_a_dependent_is_written_for_the_dependent_or_refused(practice: PracticeUnderTest) -> None:
    child = Person(first_name="Minnow", last_name="Sampleton", date_of_birth=date(2018, 3, 4))
    if practice.system.capabilities.books_for_dependents:
        assert (await practice.place_landed(practice.hold(dependent=child))).patient != practice.patient
        return
    with pytest.raises(Refused):
        await practice.system.write_hold(practice.hold(dependent=child), unlimited_permit)
    assert (await practice.system.read_calendar(practice.location, DAY)).appointments == ()


async def test_reference_data_contains_the_practice(practice: PracticeUnderTest) -> None:
    data = await practice.system.reference_data()
    assert data.locations[practice.location].zone
    assert all(data.providers[provider].active for provider in practice.providers)
    assert [data.operatories[operatory].location for operatory in practice.operatories] == [
        practice.location,
        practice.location,
    ]
    assert await practice.system.check() == []


async def test_write_that_has_not_landed_is_visible_and_can_be_released_but_not_confirmed(
    practice: PracticeUnderTest,
) -> None:
    hold = practice.hold()
    placed = await practice.system.write_hold(hold, unlimited_permit)
    if not practice.system.capabilities.queued_writes:
        assert placed.landing is LandingState.LANDED
        return
    (found,) = await practice.system.find_by_reference(hold.reference, practice.location, NINE)
    assert (placed.landing, found.landing) == (LandingState.ACCEPTED, LandingState.ACCEPTED)
    with pytest.raises(Unavailable) as unavailable:
        await practice.system.confirm_hold(placed.id, hold)
    assert unavailable.value.retry_after is not None
    # A call to confirm it would cost money and fail.
    assert "PATCH /appointments/{id}" not in practice.sandbox.state()["calls"]["nexhealth"]
    await practice.system.release(placed.id, hold.reference)
    practice.settle()
    assert await practice.system.find_by_reference(hold.reference, practice.location, NINE) == []


def _new_chart(practice: PracticeUnderTest, person: Person) -> NewChart:
    return NewChart(
        person=person, location=practice.location, address=ADDRESS, language="es", provider=practice.providers[0]
    )


def _query_for(practice: PracticeUnderTest, person: Person) -> PatientQuery:
    return PatientQuery(
        location=practice.location,
        last_name=person.last_name,
        first_name=person.first_name,
        date_of_birth=person.date_of_birth,
    )
