"""What takes a booking off its straight way: each is raised where it shows, and met where it is decided what then."""

from domain.booking import Reason
from domain.slot import Slot


class NeedsStaff(Exception):
    """The booking can't go on by itself."""

    def __init__(
        self, reason: Reason, *, alternatives: tuple[Slot, ...] = (), standing: tuple[str, ...] = (), said: str = ""
    ) -> None:
        """``standing``: what was to be taken back and is still there; ``said``: how the practice system refused."""
        super().__init__(reason.value)
        self.reason = reason
        self.alternatives = alternatives
        self.standing = standing
        self.said = said


class Declined(Exception):
    """The answer is no."""

    def __init__(self, reason: Reason, *, alternatives: tuple[Slot, ...] = ()) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.alternatives = alternatives


class Withdrawn(Exception):
    """The patient took the request back."""


class GivenBack(Exception):
    """We have taken the hold back ourselves, and now it is wanted: it is to be had anew."""


class OnItsWay(Exception):
    """Written, the hold or its confirmation, but the practice's own system has not taken it in yet."""
