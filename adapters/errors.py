"""What can go wrong beyond our walls.

OutsideError
├── Refused           the other side understood and said no; asking again changes nothing
│   ├── NotFound      what the call names is not there (any more)
│   ├── SlotTaken     the practice system sees something in the way; another time may be free
│   ├── Undeliverable this address cannot be reached on this channel (messages only)
│   └── Misconfigured our account, credentials or sender are not set up (messages and practice systems)
│       └── NotAuthorized
├── RateLimited       not processed; may be repeated after ``retry_after``
├── Unavailable       certainly not processed; may be repeated, where it says so after ``retry_after``
│   ├── OfficeOffline     the partner answers, but the practice's own system is off: to be repeated when it is back
│   └── Unreadable    a row lacks what every such row has: guessing at it could double-book
└── OutcomeUnknown    may or may not have been processed: never repeat before looking

Messages of these errors name calls, statuses and codes, never a person or a request body.
"""

from datetime import timedelta


class OutsideError(Exception):
    """Base of all of them."""


class Refused(OutsideError):
    def __init__(self, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class NotFound(Refused):
    """The thing named by the call does not exist (any more)."""


class SlotTaken(Refused):
    """The practice system will not write there: something of its own is in the way."""


class Undeliverable(Refused):
    """This address cannot be reached on this channel; another channel or a person must."""


class Misconfigured(Refused):
    """Our own account or settings are wrong; every call will fail until somebody changes them."""


class NotAuthorized(Misconfigured):
    """Credentials refused, or the practice has not enabled us."""


class RateLimited(OutsideError):
    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unavailable(OutsideError):
    """The call did not reach the other side, or it certainly did nothing."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class OfficeOffline(Unavailable):
    """The practice's own system takes nothing in now."""


class Unreadable(Unavailable):
    """Asked for again the row says the same, until somebody mends it there."""

    def __init__(self, field: str, reference: str | None = None) -> None:
        """``reference``: our marker, where the row carries it all the same."""
        super().__init__(f"a row with an unreadable {field}")
        self.field = field
        self.reference = reference


class OutcomeUnknown(OutsideError):
    """The answer was lost: the write may have been committed."""


REFUSALS = frozenset(
    kind.__name__ for kind in (Refused, NotFound, SlotTaken, Undeliverable, Misconfigured, NotAuthorized)
)
"""Names under which refusals travel through Temporal."""
