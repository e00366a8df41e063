"""The SDK for web backends: start bookings, follow them, decide on them, and find openings.

Everything a backend needs is exported here. Nothing in this package prints, reads files or parses command lines.
"""

from client.bookings import DEFAULT_LIST_LIMIT, NO_ANSWER_STATUSES, BookingClient, BookingList
from client.errors import BadRequest, NoAnswer, NoSuchBooking, NotPossible
from client.openings import OpeningsFinder
from client.requests import parse_request, validate_request

__all__ = [
    "DEFAULT_LIST_LIMIT",
    "NO_ANSWER_STATUSES",
    "BadRequest",
    "BookingClient",
    "BookingList",
    "NoAnswer",
    "NoSuchBooking",
    "NotPossible",
    "OpeningsFinder",
    "parse_request",
    "validate_request",
]
