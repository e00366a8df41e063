"""How a step of the hold protocol ended, if it neither failed nor needs a person."""

from enum import Enum


class StepResult(Enum):
    DONE = "done"
    OFFICE_PENDING = "office_pending"
    """The office system has not taken in the hold, or is offline for the confirmation."""
    HOLD_RELEASED_EARLIER = "hold_released"
    """The hold is gone because we released it earlier; now it is wanted again."""
