"""What may be shown of a booking."""

from zoneinfo import ZoneInfo

from domain.booking import BookingView, Reason
from domain.wording import reason_sentence, set_aside_sentence
from workflows.booking.contracts import workflow_id
from workflows.booking.resolutions import PATIENT_REASONS, allowed_resolutions
from workflows.booking.state.booking_state import BookingState


def build_view(state: BookingState) -> BookingView:
    """Where the booking stands, with its times in the location's zone."""
    appointment, exception, lifecycle = state.reservation.appointment, state.exception, state.lifecycle
    cause = state.inbox.last_cause
    request, policy = state.booking.request, state.booking.policy
    current = appointment or state.reservation.slot
    start, zone = state.reservation.start, ZoneInfo(policy.zone)
    end = current.time.end if current else start + policy.duration
    return BookingView(
        id=workflow_id(request.request_id),
        request_id=request.request_id,
        reference=state.booking.reference,
        status=lifecycle.status,
        reason=lifecycle.reason,
        detail=_detail(state),
        location=policy.location,
        service=policy.service,
        start=start.astimezone(zone),
        end=end.astimezone(zone),
        moving_to=state.reservation.requested.start.astimezone(zone) if state.reservation.is_moving else None,
        provider=current.provider if current else None,
        operatory=current.operatory if current else None,
        appointment_id=appointment.id if appointment else None,
        patient_candidates=_charts(state),
        alternatives=tuple(slot.in_zone(zone) for slot in exception.alternatives),
        alternatives_as_of=exception.alternatives_as_of if exception.alternatives else None,
        exception_opened_at=exception.opened_at,
        exception_number=exception.number if exception.is_open else None,
        resolutions=allowed_resolutions(state),
        deadline=exception.next_action_at,
        held_until=held_until.astimezone(zone) if (held_until := state.hold_expires_at) else None,
        language=request.language,
        declined_by=exception.decline.by if exception.decline else None,
        decline_note=exception.decline.note if exception.decline else "",
        messages=tuple(state.messages),
        last_resolution=exception.last_resolution,
        set_aside=state.inbox.set_aside,
        set_aside_detail=set_aside_sentence(cause) if cause is not None else None,
        note=request.note,
        updated_at=lifecycle.updated_at,
    )


def _charts(state: BookingState) -> tuple[str, ...]:
    """The charts that the open exception is about."""
    reason, created = state.exception.reason, state.patient.created_chart
    if reason is Reason.CHART_LEFT and created is not None:
        return (created,)
    return state.patient.candidates if reason in PATIENT_REASONS else ()


def _detail(state: BookingState) -> str | None:
    """One plain sentence for the desk, and what the practice system said if it refused."""
    reason, problem = state.lifecycle.reason, state.exception.problem
    if reason is None:
        return None
    refusal = problem.refusal if problem is not None and problem.reason is reason else ""
    return reason_sentence(reason, refusal)
