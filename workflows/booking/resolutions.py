"""What the desk may answer to an exception, and what follows from the answer."""

from domain.booking import LIMIT_REASONS, Reason
from domain.rules import Confirmation
from workflows.booking.contracts import BY_PATIENT, RequestedTime, Resolution, ResolutionKind
from workflows.booking.state.booking_state import BookingState
from workflows.booking.state.desk_exception import NEEDS_APPROVAL
from workflows.shared.outcomes import Declined

PATIENT_REASONS = frozenset(
    {
        Reason.PATIENT_AMBIGUOUS,
        Reason.PATIENT_NOT_FOUND,
        Reason.PATIENT_EXISTS,
        Reason.CONTACT_MISMATCH,
        Reason.CHART_INACTIVE,
    }
)
MAYBE_WRONG_CHART = frozenset({Reason.NOT_FOR_NEW_PATIENTS, Reason.REFUSED_BY_SYSTEM})
"""Another chart may settle it. A practice system also refuses an appointment whose chart is not there."""
ACKNOWLEDGE_ONLY = frozenset({Reason.NOT_REACHED, Reason.NOT_RELEASED, Reason.CHART_LEFT, Reason.NO_ANSWER})
"""There is nothing to decide: the desk must only know, and see to it."""
APPROVING = frozenset({ResolutionKind.APPROVE, ResolutionKind.START})
"""A person who saw what must be approved, and chooses another time, has approved it."""


def allowed_resolutions(state: BookingState) -> tuple[ResolutionKind, ...]:
    """What the desk may answer to the open exception. Nothing while an answer is being carried out."""
    reason, kinds = state.exception.reason, ResolutionKind
    if reason is None or state.exception.resolution is not None:
        return ()
    if reason in ACKNOWLEDGE_ONLY:
        return (kinds.APPROVE,)
    if state.lifecycle.is_confirmed_or_final:
        return (kinds.APPROVE, kinds.RETRY)
    if reason is Reason.NOT_FOR_EXISTING_PATIENTS:
        return (kinds.APPROVE, kinds.DECLINE, kinds.START)
    allowed = [kinds.DECLINE, kinds.START, kinds.RETRY]
    if reason in PATIENT_REASONS or reason in MAYBE_WRONG_CHART:
        allowed = [kinds.PATIENT, kinds.NEW_PATIENT, *allowed]
    if _can_approve(state, reason):
        allowed = [kinds.APPROVE, *allowed]
    return tuple(allowed)


def _can_approve(state: BookingState, reason: Reason) -> bool:
    """There is one thing to accept as it stands: the only chart, the note, or the hold."""
    if reason in PATIENT_REASONS:
        return len(state.patient.candidates) == 1
    if reason in LIMIT_REASONS:
        return True
    if state.reservation.is_landing and reason is not Reason.LANDING_UNCLEAR:
        return False  # it lands by itself
    return reason in NEEDS_APPROVAL or state.reservation.appointment is not None


def apply_resolution(resolution: Resolution, state: BookingState) -> None:
    """Carry out the desk's answer. Raises Declined if the answer is no."""
    if resolution.kind is ResolutionKind.DECLINE:
        state.exception.record_decline(resolution)
        raise Declined(Reason.DECLINED_BY_STAFF)
    exception, reason = state.exception, state.exception.reason
    is_by_staff = resolution.by != BY_PATIENT
    exception.close()
    state.office.assume_online()  # a person may know better than our last check
    exception.override_rules(is_by_staff)
    if reason in LIMIT_REASONS:  # only the desk is asked about these
        exception.waive_limit()
    if is_by_staff and exception.approval_was_asked and resolution.kind in APPROVING:
        exception.approve()
    match resolution.kind:
        case ResolutionKind.PATIENT:
            state.patient.choose(resolution.patient)
        case ResolutionKind.NEW_PATIENT:
            state.patient.rule_out_candidates()
        case ResolutionKind.START:
            _request_time(resolution, state, is_by_staff)
        case ResolutionKind.RETRY:
            state.patient.reset_unless_settled()
        case ResolutionKind.APPROVE:
            _accept_as_it_stands(state, reason)
    if state.reservation.appointment is None:
        state.reservation.drop_slot()


def _request_time(resolution: Resolution, state: BookingState, is_by_staff: bool) -> None:
    assert resolution.start is not None
    requested = state.reservation.requested
    provider = resolution.provider if is_by_staff else resolution.provider or requested.provider
    if not is_by_staff and state.booking.policy.confirmation is Confirmation.STAFF:
        state.exception.revoke_approval()
    state.reservation.request_time(
        RequestedTime(start=resolution.start, provider=provider, operatory=resolution.operatory)
    )
    state.lifecycle.start_message_version()


def _accept_as_it_stands(state: BookingState, reason: Reason | None) -> None:
    if state.patient.doubt is not None and len(state.patient.candidates) == 1:
        state.patient.choose(state.patient.candidates[0])
    if state.reservation.appointment is not None:
        state.reservation.keep_as_it_stands()
    if reason is Reason.LANDING_UNCLEAR and state.reservation.is_landing:
        # The desk was asked to look and has seen the appointment in the office system.
        state.reservation.accept_as_confirmed()
        state.office.vouch()
    if reason is Reason.NOT_CONFIRMED:
        state.reservation.record_confirmed(True)  # the desk confirmed it by hand in the office system
