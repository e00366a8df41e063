"""The checker: pure functions over the evidence, one for each invariant. It calls nobody."""

from tests.faults.calendar_invariants import (
    booked_appointments_exist,
    no_leftovers,
    no_overlaps_by_us,
    one_appointment_per_request,
    only_requested_writes,
)
from tests.faults.evidence import Evidence, Violation
from tests.faults.message_invariants import (
    accepted_messages_reached_provider,
    confirmations_were_true,
    last_message_matches_status,
    messages_sent_once,
    opt_outs_and_consent_respected,
    outcomes_were_notified,
)
from tests.faults.staff_edit_invariants import kept_appointments_stay, staff_edits_survive, staff_removals_stay_removed
from tests.faults.system_invariants import (
    calls_stay_limited,
    every_booking_settles,
    every_history_replays,
    no_personal_data_leaks,
    no_request_lost,
    one_chart_per_person,
    one_content_per_request_id,
)

INVARIANTS = (
    no_request_lost,
    booked_appointments_exist,
    one_appointment_per_request,
    no_leftovers,
    no_overlaps_by_us,
    only_requested_writes,
    staff_edits_survive,
    staff_removals_stay_removed,
    kept_appointments_stay,
    confirmations_were_true,
    last_message_matches_status,
    messages_sent_once,
    accepted_messages_reached_provider,
    outcomes_were_notified,
    opt_outs_and_consent_respected,
    one_chart_per_person,
    every_booking_settles,
    every_history_replays,
    calls_stay_limited,
    no_personal_data_leaks,
    one_content_per_request_id,
)


def check(evidence: Evidence) -> list[Violation]:
    """Every violation of every invariant; an empty list if all hold."""
    return [violation for invariant in INVARIANTS for violation in invariant(evidence)]
