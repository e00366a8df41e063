"""What can go wrong in calls to systems outside.

OutsideError
├── Refused           the other side understood and said no; repeating the call changes nothing
│   ├── NotFound      what the call names does not exist (any more)
│   ├── SlotTaken     the practice system sees something in the slot; another time may be free
│   ├── Undeliverable this address cannot be reached on this channel (messages only)
│   └── Misconfigured our account, credentials or sender are not set up (messages and practice systems)
│       └── NotAuthorized
├── RateLimited       not processed; may be repeated after ``retry_after``
├── Unavailable       certainly not processed; may be repeated, after ``retry_after`` if that is set
│   ├── OfficeOffline the partner answers, but the office system is offline; repeat when it is back online
│   └── Unreadable    a row lacks a required field; guessing its value could double-book
└── OutcomeUnknown    may or may not have been processed; read before you repeat it

The texts of these errors name calls, statuses and codes, never a person or a request body.
"""

from datetime import timedelta


class OutsideError(Exception):
    """Base class of every error from a system outside."""


class Refused(OutsideError):
    """The other side understood the call and said no."""

    def __init__(self, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class NotFound(Refused):
    """What the call names does not exist (any more)."""


class SlotTaken(Refused):
    """The practice system refuses the slot because of something in its own calendar."""


class Undeliverable(Refused):
    """This address cannot be reached on this channel. Use another channel, or a person."""


class Misconfigured(Refused):
    """Our account or settings are wrong. Every call fails until somebody changes them."""


class NotAuthorized(Misconfigured):
    """Our credentials were refused, or the practice has not enabled us."""


class RateLimited(OutsideError):
    """The call was not processed because we made too many."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unavailable(OutsideError):
    """The call did not reach the other side, or it certainly changed nothing there."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class OfficeOffline(Unavailable):
    """The office system is offline and takes in nothing now."""


class Unreadable(Unavailable):
    """A row has a required field that we cannot read. Reading it again gives the same until somebody fixes the row."""

    def __init__(self, field: str, reference: str | None = None) -> None:
        """``reference``: our marker, if the row carries it."""
        super().__init__(f"a row with an unreadable {field}")
        self.field = field
        self.reference = reference


class OutcomeUnknown(OutsideError):
    """The answer was lost: the other side may have carried out the write."""


REFUSAL_TYPES = frozenset(
    kind.__name__ for kind in (Refused, NotFound, SlotTaken, Undeliverable, Misconfigured, NotAuthorized)
)
"""The ``ApplicationError.type`` of every refusal once it has passed through Temporal."""
