"""Ends of a step that stop the normal course: raised deep inside, handled where the next phase is chosen.

NeedsStaff      a person must decide
Declined        the answer to the request is no
Cancelled       the patient cancelled while the step was running
"""

from domain.booking import Reason
from domain.slot import Slot


class NeedsStaff(Exception):
    """The booking cannot go on without a person."""

    def __init__(
        self,
        reason: Reason,
        *,
        alternatives: tuple[Slot, ...] = (),
        leftover_ids: tuple[str, ...] = (),
        refusal: str = "",
    ) -> None:
        """``leftover_ids``: appointments that had to be released and still stand.

        ``refusal``: what the practice system said when it refused.
        """
        super().__init__(reason.value)
        self.reason = reason
        self.alternatives = alternatives
        self.leftover_ids = leftover_ids
        self.refusal = refusal


class Declined(Exception):
    """The request is declined."""

    def __init__(self, reason: Reason, *, alternatives: tuple[Slot, ...] = ()) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.alternatives = alternatives


class Cancelled(Exception):
    """The patient cancelled the booking."""
