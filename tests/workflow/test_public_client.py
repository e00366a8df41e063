"""What a web backend passes on to a patient, over a real booking."""

import pytest
from temporalio.client import Client

from adapters.practice_file import read_practice
from client import BookingClient, DeskClient, NotPossible
from domain.booking import Reason, Status
from domain.public_booking import PatientAction, PublicBooking
from settings import load_settings
from tests.support.bookings import ALEX, NOVA, at, build_request, next_free_day, submit_and_wait
from tests.support.sandbox import SandboxControl


@pytest.fixture
def patients(client: Client) -> BookingClient:
    return BookingClient(client, read_practice(load_settings().practice_file), "bookings")


async def test_patient_learns_the_decision_and_the_provider_but_no_chart(
    patients: BookingClient, control: SandboxControl
) -> None:
    request = build_request(at(next_free_day(), 9))
    booking = await patients.submit(request)
    booking = await patients.wait(request.request_id, 30) if booking.status is Status.RECEIVED else booking
    assert isinstance(booking, PublicBooking)
    assert (booking.status, booking.provider) == (Status.CONFIRMED, "hazel")
    assert (await patients.cancel(request.request_id)).status is Status.CANCELLED


async def test_doubt_about_the_patient_is_told_to_staff_only(
    patients: BookingClient, bookings: DeskClient, control: SandboxControl
) -> None:
    request = build_request(at(next_free_day(), 9), ALEX)
    await patients.submit(request)
    public = await patients.wait(request.request_id, 30)
    assert (public.status, public.actions) == (Status.NEEDS_STAFF, (PatientAction.CANCEL,))
    view = await bookings.show(request.request_id)
    assert view.reason is Reason.PATIENT_AMBIGUOUS
    assert not any(chart in public.model_dump_json() for chart in view.patient_candidates)
    with pytest.raises(NotPossible) as refusal:
        await patients.reschedule(request.request_id, at(next_free_day(), 10))
    assert Reason.PATIENT_AMBIGUOUS not in str(refusal.value)
    await patients.cancel(request.request_id)


async def test_patient_picks_an_alternative_by_the_name_of_its_provider(
    patients: BookingClient, bookings: DeskClient, control: SandboxControl
) -> None:
    start = at(next_free_day(), 9)
    await submit_and_wait(bookings, build_request(start, provider="hazel"))
    request = build_request(start, NOVA, provider="hazel")
    await patients.submit(request)
    lost = await patients.wait(request.request_id, 30)
    assert lost.actions == (PatientAction.RESCHEDULE, PatientAction.CANCEL)
    choice = lost.alternatives[0]
    booking = await patients.reschedule(request.request_id, choice.start, choice.provider)
    booking = await patients.wait(request.request_id, 30)
    assert (booking.status, booking.start, booking.provider) == (Status.CONFIRMED, choice.start, choice.provider)
