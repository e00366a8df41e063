"""The ``ApplicationError.type`` strings that activities raise, so that raising and handling code cannot diverge.

Errors of adapters keep their class names as types: see ``adapters.errors``.
"""

CHART_LEASE_BUSY = "ChartLeaseBusy"
"""Another booking is creating this person's chart."""
CHART_WRITE_UNSETTLED = "ChartWriteUnsettled"
"""A newer attempt creates this chart, or an earlier write of it may still be carried out."""
HOLD_NOT_VISIBLE_YET = "HoldNotVisibleYet"
"""A hold of unknown outcome may still become visible, so it is too early to write again."""
HOLD_NEVER_VISIBLE = "HoldNeverVisible"
"""A hold was sent the maximum number of times and never became visible. Staff must decide."""
NOT_IN_PRACTICE_FILE = "NotInPracticeFile"
"""The worker's practice file has no such location or service. Another worker may have a newer file."""
