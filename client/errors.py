"""What can go wrong for a caller of the SDK.

BadRequest      the request is wrong; the problems say which field and what is allowed
NoSuchBooking   no booking has this id
NotPossible     the booking's state does not allow it; the text says why
NoAnswer        the booking did not answer; the call may or may not have taken effect

Anything else, such as temporalio's RPCError, comes from Temporal itself.
"""

from collections.abc import Sequence


class BadRequest(ValueError):
    """Each problem names the field and what is allowed. It never quotes what was sent."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class NoSuchBooking(LookupError):
    """No booking has this id."""


class NotPossible(RuntimeError):
    """The booking's state does not allow it. The text says why, and what is allowed."""


class NoAnswer(ConnectionError):
    """The booking did not answer. Show it later to see whether the call took effect, or repeat the same call."""
