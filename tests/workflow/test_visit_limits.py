"""One person's fair share of the calendar, over real bookings."""

import asyncio

from client import DeskClient
from domain.booking import Reason, Status
from domain.public_booking import PatientAction, to_public
from tests.support.bookings import (
    NOVA,
    TESS,
    appointments_of,
    at,
    build_request,
    cancel_and_wait,
    next_free_day,
    resolve_and_wait,
    submit_and_wait,
)
from tests.support.sandbox import SandboxControl
from workflows.booking.contracts import Resolution, ResolutionKind

APPROVE = Resolution(kind=ResolutionKind.APPROVE)


async def test_one_person_gets_no_more_than_their_share_of_many_simultaneous_requests(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day, services = next_free_day(), ("cleaning", "exam", "hurried", "first-visit", "recall")
    requests = [
        build_request(at(day, hour), NOVA, service=service)
        for hour, service in zip((9, 10, 11, 13, 14), services, strict=True)
    ]
    requests += [build_request(at(day, 9), NOVA, service=service) for service in services]
    views = await asyncio.gather(*(submit_and_wait(bookings, request) for request in requests))
    with_slot = [view for view in views if view.status in (Status.HELD, Status.CONFIRMED)]
    assert len(with_slot) <= 2
    assert {view.status for view in views} <= {Status.HELD, Status.CONFIRMED, Status.NEEDS_STAFF}
    rows = [row for view in views for row in appointments_of(control, view)]
    assert len(rows) == len(with_slot)
    assert len({view.start for view in with_slot}) == len(with_slot)
    for view in views:
        await cancel_and_wait(bookings, view)


async def test_second_visit_of_one_service_is_offered_to_the_desk_as_a_change(
    bookings: DeskClient, control: SandboxControl
) -> None:
    day = next_free_day()
    first = await submit_and_wait(bookings, build_request(at(day, 9)))
    assert first.status is Status.CONFIRMED
    second = await submit_and_wait(bookings, build_request(at(day, 11)))
    assert (second.status, second.reason) == (Status.NEEDS_STAFF, Reason.SAME_SERVICE)
    assert appointments_of(control, second) == []
    public = to_public(second, {}, second.start)
    assert public.actions == (PatientAction.CANCEL,)
    assert (
        public.message
        == to_public(second.model_copy(update={"reason": Reason.CONTACT_MISMATCH}), {}, second.start).message
    )
    third = await submit_and_wait(bookings, build_request(at(day, 11), NOVA))  # the excess one holds no slot
    assert third.status is Status.CONFIRMED


async def test_desk_may_book_both(bookings: DeskClient, control: SandboxControl) -> None:
    day = next_free_day()
    await submit_and_wait(bookings, build_request(at(day, 9)))
    second = await submit_and_wait(bookings, build_request(at(day, 11)))
    assert second.reason is Reason.SAME_SERVICE
    assert (await resolve_and_wait(bookings, second, APPROVE)).status is Status.CONFIRMED


async def test_cancelled_visit_makes_room_for_another(bookings: DeskClient, control: SandboxControl) -> None:
    day = next_free_day()
    first = await submit_and_wait(bookings, build_request(at(day, 9)))
    await cancel_and_wait(bookings, first)
    assert (await submit_and_wait(bookings, build_request(at(day, 11)))).status is Status.CONFIRMED


async def test_repeated_request_does_not_count_against_itself(bookings: DeskClient, control: SandboxControl) -> None:
    request = build_request(at(next_free_day(), 9), TESS)
    views = [await submit_and_wait(bookings, request) for _ in range(3)]
    assert {view.status for view in views} == {Status.CONFIRMED}


async def test_losers_of_a_crowd_ask_the_practice_system_for_no_chart(
    bookings: DeskClient, control: SandboxControl
) -> None:
    start, crowd = at(next_free_day(), 9), 40
    before = control.calls("ascend")
    people = [
        (f"Crowd{number}", "Sampleton", "1980-01-15", f"c{number}@patients.example", None) for number in range(crowd)
    ]
    requests = [
        build_request(
            start,
            patient={"first_name": first, "last_name": last, "date_of_birth": born, "email": email},
            provider="hazel",
            consent={"email": False, "sms": False},
        )
        for first, last, born, email, _ in people
    ]
    views = await asyncio.gather(*(submit_and_wait(bookings, request) for request in requests))
    assert [view.status for view in views].count(Status.NEEDS_STAFF) >= crowd - 2  # two operatories
    assert all(view.alternatives for view in views if view.status is Status.NEEDS_STAFF)
    assert control.calls("ascend") - before <= crowd / 2
