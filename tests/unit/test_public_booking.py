"""What a patient may see of a booking, and what only the practice's staff may see."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.booking import BookingView, Reason, Status
from domain.interval import span
from domain.public_booking import PatientAction, to_public
from domain.slot import Slot

START = datetime(2027, 1, 12, 17, tzinfo=UTC)
NOW = START - timedelta(days=1)
NAMES = {"201": "maple"}
SLOT = Slot(time=span(START + timedelta(hours=1), 60), provider="201", operatory="11")
DESK_ONLY = {"reason", "detail", "patient_candidates", "appointment_id", "operatory", "resolutions", "messages", "note"}


def view(status: Status, reason: Reason | None = None, **changes: Any) -> BookingView:
    fields: dict[str, Any] = {
        "id": "booking-a1",
        "request_id": "a1",
        "reference": "bk_0",
        "status": status,
        "reason": reason,
        "location": "oakland",
        "service": "exam",
        "start": START,
        "provider": "201",
        "patient_candidates": ("chart-7001",),
        "resolutions": ("approve", "start") if status is Status.NEEDS_STAFF else (),
        "alternatives": (SLOT,),
        "updated_at": NOW,
    }
    return BookingView(**fields | changes)


@pytest.mark.parametrize("reason", Reason)
def test_public_booking_names_no_reason_and_no_chart(reason: Reason) -> None:
    public = to_public(view(Status.NEEDS_STAFF, reason), NAMES, NOW)
    assert not DESK_ONLY & set(public.model_dump())
    assert "chart-7001" not in public.model_dump_json()


def test_doubts_about_the_patient_look_alike_from_outside() -> None:
    reasons = (Reason.PATIENT_AMBIGUOUS, Reason.CONTACT_MISMATCH, Reason.NOT_FOR_NEW_PATIENTS, Reason.TOO_MANY_OPEN)
    assert len({to_public(view(Status.NEEDS_STAFF, reason), NAMES, NOW) for reason in reasons}) == 1


def test_lost_slot_offers_alternatives_and_another_time() -> None:
    public = to_public(view(Status.NEEDS_STAFF, Reason.SLOT_TAKEN), NAMES, NOW)
    assert public.actions == (PatientAction.RESCHEDULE, PatientAction.CANCEL)
    assert [(each.start, each.provider) for each in public.alternatives] == [(SLOT.time.start, "maple")]


def test_no_other_time_is_offered_once_the_desk_has_answered() -> None:
    public = to_public(view(Status.NEEDS_STAFF, Reason.SLOT_TAKEN, resolutions=()), NAMES, NOW)
    assert (public.actions, public.alternatives) == ((PatientAction.CANCEL,), ())


def test_time_that_cannot_be_booked_online_is_declined_with_alternatives() -> None:
    public = to_public(view(Status.DECLINED, Reason.OUTSIDE_RULES), NAMES, NOW)
    assert public.alternatives
    assert public.actions == ()


def test_provider_is_named_only_once_the_time_is_the_patients() -> None:
    assert to_public(view(Status.CONFIRMED), NAMES, NOW).provider == "maple"
    assert to_public(view(Status.NEEDS_STAFF, Reason.CONTACT_MISMATCH), NAMES, NOW).provider is None


def test_hold_says_until_when() -> None:
    held = view(Status.HELD, Reason.APPROVAL, held_until=START)
    assert to_public(held, NAMES, NOW).held_until == START
    unsure = held.model_copy(update={"status": Status.NEEDS_STAFF, "reason": Reason.CONTACT_MISMATCH})
    assert to_public(unsure, NAMES, NOW).held_until is None


def test_visit_that_has_begun_cannot_be_cancelled_online() -> None:
    assert to_public(view(Status.CONFIRMED), NAMES, NOW).actions == (PatientAction.CANCEL,)
    assert to_public(view(Status.CONFIRMED), NAMES, START).actions == ()


def test_message_is_in_the_language_of_the_request() -> None:
    english = to_public(view(Status.CONFIRMED), NAMES, NOW)
    spanish = to_public(view(Status.CONFIRMED, language="es"), NAMES, NOW)
    assert "confirmed" in english.message
    assert "confirmad" in spanish.message
