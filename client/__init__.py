"""The SDK for web backends: start bookings, follow them, decide on them, and find openings.

``BookingClient`` is for what patients see, ``DeskClient`` for the practice's staff. Everything a backend needs is
exported here. Nothing in this package prints, reads files or parses command lines.
"""

from client.bookings import DEFAULT_LIST_LIMIT, NO_ANSWER_STATUSES, BookingList, DeskClient
from client.errors import BadRequest, NoAnswer, NoSuchBooking, NotPossible
from client.openings import OpeningsFinder
from client.public import BookingClient
from client.requests import parse_request, validate_request

__all__ = [
    "DEFAULT_LIST_LIMIT",
    "NO_ANSWER_STATUSES",
    "BadRequest",
    "BookingClient",
    "BookingList",
    "DeskClient",
    "NoAnswer",
    "NoSuchBooking",
    "NotPossible",
    "OpeningsFinder",
    "parse_request",
    "validate_request",
]
