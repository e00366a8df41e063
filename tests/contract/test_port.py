"""What every practice system must do for us, whoever makes it and however it is reached: over real HTTP."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from adapters.errors import NotAuthorized, NotFound, OutcomeUnknown, RateLimited, Refused, Unavailable
from adapters.practice_system import NewChart, PatientQuery
from demo.stack import free_port
from domain.calendar import AppointmentStatus, LandingState
from domain.interval import Interval
from domain.patient import Address
from domain.request import Person
from tests.support.practice_systems import CONNECTIONS, DAY, NINE, Bench, at_any_time, bench
from tests.support.sandbox import SandboxControl

ADDRESS = Address(line1="1 Main St", city="Oakland", state="CA", postal_code="94601")
NEWCOMER = Person(
    first_name="Nova",
    last_name="Newcomer",
    date_of_birth=date(1991, 4, 2),
    email="nova@example.com",
    mobile="+15105550121",
)


async def test_a_hold_is_written_found_confirmed_and_broken(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    (found,) = await at.system.find_by_reference(wanted.reference, at.location, NINE)
    assert (found.id, found.status, found.slot) == (placed.id, AppointmentStatus.TENTATIVE, wanted.slot)
    assert found.landing is LandingState.LANDED
    for _ in range(2):
        assert (await at.system.confirm_hold(placed.id, wanted)).status is AppointmentStatus.CONFIRMED
        at.settle()
    for _ in range(2):
        await at.system.cancel(placed.id, wanted.reference, "Cancelled online")
        at.settle()
    assert await at.system.find_by_reference(wanted.reference, at.location, NINE) == []


async def test_a_withdrawn_hold_occupies_no_chair(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    for _ in range(2):
        await at.system.withdraw(placed.id, wanted.reference)
        at.settle()
    assert await at.system.find_by_reference(wanted.reference, at.location, NINE) == []
    calendar = await at.system.calendar(at.location, DAY)
    assert not [a for a in calendar.appointments if a.status.occupies_time]


async def test_windows_that_nobody_asks_for_are_not_read(at: Bench) -> None:
    at.sandbox.fault(system=at.wire, path="scheduletemplates|working_hours", kind="forbidden", times=None)
    assert (await at.system.calendar(at.location, DAY, windows=False)).windows is None


@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_a_write_that_is_not_answered_in_time_is_unknown(sandbox: SandboxControl, connection: str) -> None:
    with bench(sandbox, connection) as at, bench(sandbox, connection, read_timeout=2.0) as hasty:
        sandbox.fault(system=at.wire, method="POST", path=at.appointments, kind="hang_after", seconds=30)
        wanted = at.hold()
        with pytest.raises(OutcomeUnknown):
            await hasty.system.place_hold(wanted, at_any_time)
        assert len(await at.system.find_by_reference(wanted.reference, at.location, NINE)) == 1
        await at.system.close()
        await hasty.system.close()


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "garbage", "drop_before"])
async def test_a_write_whose_answer_proves_nothing_is_unknown_never_failed(at: Bench, kind: str) -> None:
    at.sandbox.fault(system=at.wire, method="POST", path=at.appointments, kind=kind)
    wanted = at.hold()
    with pytest.raises(OutcomeUnknown):
        await at.system.place_hold(wanted, at_any_time)
    committed = kind != "drop_before"
    assert len(await at.system.find_by_reference(wanted.reference, at.location, NINE)) == committed


async def test_what_may_not_be_sent_any_more_is_not_sent(at: Bench) -> None:
    """A process that was stopped between its permission and its write finds out when it goes on."""

    async def just_over() -> datetime:
        return datetime.now(UTC) - timedelta(milliseconds=1)

    wanted = at.hold()
    with pytest.raises(Unavailable):
        await at.system.place_hold(wanted, just_over)
    with pytest.raises(Unavailable):
        await at.system.create_patient(_new(at, NEWCOMER), just_over)
    assert await at.system.find_by_reference(wanted.reference, at.location, NINE) == []
    assert await at.system.find_patients(_who(at, NEWCOMER)) == []


async def test_a_write_that_is_sent_again_with_another_token_needs_permission_again(at: Bench) -> None:
    await at.system.calendar(at.location, DAY)
    at.sandbox.fault(system=at.wire, method="POST", path=at.appointments, kind="expire_tokens")
    permits = [datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(minutes=1)]

    async def permit() -> datetime:
        return permits.pop()

    wanted = at.hold()
    with pytest.raises(Unavailable):
        await at.system.place_hold(wanted, permit)
    assert not permits
    assert await at.system.find_by_reference(wanted.reference, at.location, NINE) == []


async def test_permission_is_asked_when_nothing_else_is_left_to_wait_for(at: Bench) -> None:
    """The token and the turn have been waited for by then."""
    asked: list[int] = []

    async def permit() -> datetime:
        asked.append(at.sandbox.calls(at.wire))
        return await at_any_time()

    await at.system.place_hold(at.hold(), permit)
    assert asked == [at.sandbox.calls(at.wire) - 1]


async def test_a_write_for_which_there_was_no_connection_was_not_sent(at: Bench) -> None:
    await at.system.place_hold(at.hold(), at_any_time)  # the token is known from then on
    transport: Any = vars(at.system)["_transport"]
    vars(transport)["_http"]._http.base_url = f"http://127.0.0.1:{free_port(0)}"
    with pytest.raises(Unavailable):
        await at.system.place_hold(at.hold(NINE + timedelta(hours=2)), at_any_time)


async def test_an_expired_token_is_renewed_once_even_for_a_write(at: Bench) -> None:
    await at.system.calendar(at.location, DAY)
    at.sandbox.fault(system=at.wire, method="POST", path=at.appointments, kind="expire_tokens")
    wanted = at.hold()
    await at.system.place_hold(wanted, at_any_time)
    assert len(await at.system.find_by_reference(wanted.reference, at.location, NINE)) == 1


async def test_a_rate_limit_says_when_to_come_back_and_a_refusal_is_final(at: Bench) -> None:
    at.sandbox.fault(system=at.wire, path=at.appointments, kind="rate_limited", retry_after=7)
    with pytest.raises(RateLimited) as limited:
        await at.system.place_hold(at.hold(), at_any_time)
    assert limited.value.retry_after == timedelta(seconds=7)
    at.sandbox.fault(system=at.wire, path=at.appointments, kind="forbidden")
    with pytest.raises(NotAuthorized):
        await at.system.place_hold(at.hold(), at_any_time)


async def test_what_the_desk_did_to_a_hold_is_kept(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.desk(do="move", id=placed.id, start=(NINE + timedelta(minutes=30)).isoformat())
    confirmed = await at.system.confirm_hold(placed.id, wanted)
    assert confirmed.time.start == NINE + timedelta(minutes=30)
    at.desk(do="cancel", id=placed.id)
    with pytest.raises(Refused):
        await at.system.confirm_hold(placed.id, wanted)
    seated = at.hold(NINE + timedelta(hours=3))
    theirs = await at.landed(seated)
    at.seat(theirs.id)
    await at.system.withdraw(theirs.id, seated.reference)
    await at.system.cancel(theirs.id, "bk_" + "a" * 26, "not ours")
    at.settle()
    assert (await at.system.get_appointment(theirs.id)).status is AppointmentStatus.ARRIVED


async def test_a_hold_that_the_desk_deleted_is_gone_or_broken(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.desk(do="delete", id=placed.id)
    with pytest.raises(Refused) as refused:
        await at.system.confirm_hold(placed.id, wanted)
    assert isinstance(refused.value, NotFound) or refused.value.code == "broken"
    await at.system.withdraw(placed.id, wanted.reference)


async def test_what_we_refer_to_and_is_not_there_is_told_from_what_was_deleted(at: Bench) -> None:
    with pytest.raises(Refused) as refused:
        await at.system.place_hold(at.hold(patient="404404"), at_any_time)
    assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    wanted = at.hold()
    placed = await at.landed(wanted)
    elsewhere = wanted.model_copy(update={"slot": wanted.slot.model_copy(update={"operatory": "404404"})})
    if at.system.capabilities.can_move(wanted.slot, elsewhere.slot):
        with pytest.raises(Refused) as refused:
            await at.system.move(placed.id, elsewhere)
        assert (type(refused.value), refused.value.code) == (Refused, "bad_reference")
    await at.system.withdraw(placed.id, wanted.reference)


async def test_a_confirmation_that_was_committed_but_not_answered_counts(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.sandbox.fault(system=at.wire, method=at.change, path=at.appointments, kind="status_after", status=500)
    assert (await at.system.confirm_hold(placed.id, wanted)).status is AppointmentStatus.CONFIRMED


@pytest.mark.parametrize(("chair", "provider"), [(0, 0), (1, 0), (1, 1)])
async def test_a_hold_is_moved_in_place_where_the_system_can(at: Bench, chair: int, provider: int) -> None:
    first = at.hold()
    placed = await at.landed(first)
    second = at.hold(NINE + timedelta(hours=2), chair=chair, provider=provider, reference=first.reference)
    if not at.system.capabilities.can_move(first.slot, second.slot):
        with pytest.raises(Refused) as refused:
            await at.system.move(placed.id, second)
        assert refused.value.code == "needs_replacement"
        assert (await at.system.get_appointment(placed.id)).slot == first.slot
        return
    for _ in range(2):
        assert (await at.system.move(placed.id, second)).slot == second.slot
        at.settle()
    assert (await at.system.get_appointment(placed.id)).slot == second.slot


async def test_a_visit_that_began_before_the_span_is_seen(at: Bench) -> None:
    at.book(NINE - timedelta(hours=2), minutes=180)
    found = await at.system.calendar(at.location, Interval(start=NINE, end=NINE + timedelta(hours=1)))
    assert [a.time.start for a in found.appointments] == [NINE - timedelta(hours=2)]


async def test_blocks_close_one_chair_or_the_whole_location(at: Bench) -> None:
    end = (NINE + timedelta(hours=1)).isoformat()
    at.desk(do="block", location=at.location, operatory=at.chairs[0], start=NINE.isoformat(), end=end)
    found = await at.system.calendar(at.location, DAY)
    assert [(b.operatory, b.provider) for b in found.blocks] == [(at.chairs[0], None)]


async def test_a_new_chart_is_complete_and_found_again(at: Bench) -> None:
    made = await at.system.create_patient(_new(at, NEWCOMER), at_any_time)
    (found,) = await at.system.find_patients(_who(at, NEWCOMER))
    assert (found.id, found.phones, found.email) == (made.id, ("5105550121",), "nova@example.com")


async def test_errors_never_quote_a_person(at: Bench) -> None:
    at.sandbox.fault(system=at.wire, method="POST", path="/patients", kind="status_before", status=400)
    at.sandbox.fault(system=at.wire, method="POST", path="/v1/patients", kind="status_before", status=400)
    with pytest.raises(Refused) as refused:
        await at.system.create_patient(_new(at, NEWCOMER), at_any_time)
    assert "ewcomer" not in str(refused.value)
    assert "nova" not in str(refused.value).lower()


async def test_a_visit_for_a_dependent_is_booked_for_the_dependent_or_not_at_all(at: Bench) -> None:
    child = Person(first_name="Minnow", last_name="Sampleton", date_of_birth=date(2018, 3, 4))
    if at.system.capabilities.books_for_dependents:
        assert (await at.landed(at.hold(dependent=child))).patient != at.patient
        return
    with pytest.raises(Refused):
        await at.system.place_hold(at.hold(dependent=child), at_any_time)
    assert (await at.system.calendar(at.location, DAY)).appointments == ()


async def test_what_the_practice_consists_of_is_known(at: Bench) -> None:
    known = await at.system.reference_data()
    assert known.locations[at.location].zone
    assert all(known.providers[provider].active for provider in at.providers)
    assert [known.operatories[chair].location for chair in at.chairs] == [at.location, at.location]
    assert await at.system.check() == []


async def test_a_write_that_waits_for_the_office_is_seen_and_can_be_taken_back_but_not_confirmed(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.system.place_hold(wanted, at_any_time)
    if not at.system.capabilities.queued_writes:
        assert placed.landing is LandingState.LANDED
        return
    (found,) = await at.system.find_by_reference(wanted.reference, at.location, NINE)
    assert (placed.landing, found.landing) == (LandingState.ACCEPTED, LandingState.ACCEPTED)
    with pytest.raises(Unavailable) as later:
        await at.system.confirm_hold(placed.id, wanted)
    assert later.value.retry_after is not None
    assert "PATCH /appointments/{id}" not in at.sandbox.state()["calls"]["nexhealth"]  # a call that costs, in vain
    await at.system.withdraw(placed.id, wanted.reference)
    at.settle()
    assert await at.system.find_by_reference(wanted.reference, at.location, NINE) == []


def _new(at: Bench, person: Person) -> NewChart:
    return NewChart(person=person, location=at.location, address=ADDRESS, language="es", provider=at.providers[0])


def _who(at: Bench, person: Person) -> PatientQuery:
    return PatientQuery(
        location=at.location,
        last_name=person.last_name,
        first_name=person.first_name,
        date_of_birth=person.date_of_birth,
    )
