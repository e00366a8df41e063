"""A booking as it is shown to patients and to the desk."""

from zoneinfo import ZoneInfo

from domain.booking import BookingView
from domain.messages import plain_reason
from workflows.booking.decisions import PATIENT_REASONS, allowed
from workflows.booking.messages import workflow_id
from workflows.booking.state import BookingState


def view_of(state: BookingState) -> BookingView:
    """Where the booking stands, its times in the zone of its location."""
    place = state.appointment or state.slot
    request, policy = state.given.request, state.given.policy
    tz = ZoneInfo(policy.zone)
    end = place.time.end if place else state.start + policy.duration
    asks_for_person = state.need is not None and state.need.reason in PATIENT_REASONS
    return BookingView(
        id=workflow_id(request.request_id),
        request_id=request.request_id,
        reference=state.given.reference,
        status=state.status,
        reason=state.reason,
        detail=_detail(state),
        location=policy.location,
        service=policy.service,
        start=state.start.astimezone(tz),
        end=end.astimezone(tz),
        provider=place.provider if place else None,
        operatory=place.operatory if place else None,
        appointment_id=state.appointment.id if state.appointment else None,
        patient_candidates=state.match.candidates if state.match and asks_for_person else (),
        alternatives=tuple(slot.in_zone(tz) for slot in state.alternatives),
        exception_number=state.questions if state.need is not None else None,
        resolutions=allowed(state),
        deadline=state.deadline,
        messages=tuple(state.messages),
        note=request.note,
        updated_at=state.updated_at,
    )


def _detail(state: BookingState) -> str | None:
    if state.reason is None:
        return None
    said = state.need.said if state.need is not None and state.need.reason is state.reason else ""
    return plain_reason(state.reason) + (f" It said: {said}." if said else "")
