"""What a person may decide about a booking that waits for one, and what follows from it."""

from domain.booking import Reason
from domain.calendar import LandingState
from domain.matching import Match, Verdict
from domain.rules import Confirmation
from workflows.booking.interruptions import Declined, NeedsStaff
from workflows.booking.messages import BY_PATIENT, NewTime, Resolution, ResolutionKind
from workflows.booking.state import GATES, BookingState

PATIENT_REASONS = frozenset(
    {
        Reason.PATIENT_AMBIGUOUS,
        Reason.PATIENT_NOT_FOUND,
        Reason.PATIENT_EXISTS,
        Reason.CONTACT_MISMATCH,
        Reason.CHART_INACTIVE,
    }
)
SLOT_REASONS = frozenset(
    {Reason.SLOT_TAKEN, Reason.SLOT_BLOCKED, Reason.DAY_FULL, Reason.OUTSIDE_RULES, Reason.REFUSED_BY_OFFICE}
)
"""Another time may be had."""
MAY_BE_THE_CHART = frozenset({Reason.NOT_FOR_NEW_PATIENTS, Reason.REFUSED_BY_SYSTEM})
"""Another chart may settle it; a practice system refuses also what names a chart that is not there."""
TO_BE_SEEN = frozenset({Reason.NOT_REACHED, Reason.NOT_RELEASED, Reason.NO_ANSWER})
"""Nothing is to be decided: a person knows, and sees to it."""
APPROVING = frozenset({ResolutionKind.APPROVE, ResolutionKind.START})
"""Whoever saw what must be approved and picks another time has approved it."""


def allowed(state: BookingState) -> tuple[ResolutionKind, ...]:
    """What may be decided about the open exception."""
    if state.need is None:
        return ()
    reason, kinds = state.need.reason, ResolutionKind
    if reason in TO_BE_SEEN:
        return (kinds.APPROVE,)
    if state.settled:
        return (kinds.APPROVE, kinds.RETRY)
    if reason is Reason.NOT_FOR_EXISTING_PATIENTS:
        return (kinds.APPROVE, kinds.DECLINE, kinds.START)
    possible = [kinds.DECLINE, kinds.START, kinds.RETRY]
    if reason in PATIENT_REASONS or reason in MAY_BE_THE_CHART:
        possible = [kinds.PATIENT, kinds.NEW_PATIENT, *possible]
    if _is_approvable(state, reason):
        possible = [kinds.APPROVE, *possible]
    return tuple(possible)


def _is_approvable(state: BookingState, reason: Reason) -> bool:
    """There is something that can be accepted as it stands: the only chart, the note, or the hold."""
    if reason in PATIENT_REASONS:
        return state.match is not None and len(state.match.candidates) == 1
    if state.on_its_way and reason is not Reason.LANDING_UNCLEAR:
        return False  # it lands by itself
    return reason in GATES or state.appointment is not None


def apply(decision: Resolution, state: BookingState) -> None:
    """Take a person's decision over; raises Declined when it is no."""
    if decision.kind is ResolutionKind.DECLINE:
        raise Declined(Reason.DECLINED_BY_STAFF)
    need, by_staff = state.need, decision.by != BY_PATIENT
    state.close_exception()
    state.office_off_since = None  # whoever decides may know better
    state.staff_override = by_staff
    state.approved |= by_staff and state.gate_shown and decision.kind in APPROVING
    match decision.kind:
        case ResolutionKind.PATIENT:
            state.match = Match(verdict=Verdict.MATCHED, chart=decision.patient, because=("staff",))
        case ResolutionKind.NEW_PATIENT:
            state.excluded_charts = state.match.candidates if state.match is not None else ()
            state.match = Match(verdict=Verdict.NEW, because=("staff",))
        case ResolutionKind.START:
            _pick_another_time(decision, state, by_staff)
        case ResolutionKind.RETRY:
            _forget_unsettled_match(state)
        case ResolutionKind.APPROVE:
            _accept_as_it_stands(state, need)
    if state.appointment is None:
        state.slot = None  # it may have been taken while nobody looked


def _pick_another_time(decision: Resolution, state: BookingState, by_staff: bool) -> None:
    assert decision.start is not None
    provider = decision.provider if by_staff else decision.provider or state.wanted.provider
    state.wanted = NewTime(start=decision.start, provider=provider, operatory=decision.operatory)
    state.approved &= by_staff or state.given.policy.confirmation is not Confirmation.STAFF
    state.slot = None
    state.moving = state.appointment is not None
    state.version += 1


def _forget_unsettled_match(state: BookingState) -> None:
    match = state.match
    settled = match is not None and (match.verdict is Verdict.MATCHED or "staff" in match.because)
    state.match = match if settled else None


def _accept_as_it_stands(state: BookingState, need: NeedsStaff | None) -> None:
    if state.doubt is not None and state.match is not None and len(state.match.candidates) == 1:
        state.match = Match(verdict=Verdict.MATCHED, chart=state.match.candidates[0], because=("staff",))
    if state.appointment is not None:
        kept = state.appointment.slot
        if state.moving:
            state.wanted = NewTime(start=kept.time.start, provider=kept.provider, operatory=kept.operatory)
        state.slot, state.moving = kept, False
    if need is not None and need.reason is Reason.LANDING_UNCLEAR:
        _is_there(state)
    state.confirmed |= need is not None and need.reason is Reason.NOT_CONFIRMED  # by hand, in their own system


def _is_there(state: BookingState) -> None:
    """A person was asked to look and has seen it in the practice's own system, whatever our account of it says."""
    if state.appointment is not None and state.on_its_way:
        state.appointment = state.appointment.model_copy(update={"landing": LandingState.LANDED})
        state.confirmed = state.vouched = True
