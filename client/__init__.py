"""The SDK for web backends: start bookings, follow them, decide on them, and find openings.

``BookingClient`` is for what patients see, ``DeskClient`` for the practice's staff. Everything a backend needs is
exported here: ``open_session`` reads the settings and the practice file and connects. Nothing in this package prints,
sets up logging or parses command lines.
"""

from client.bookings import DEFAULT_LIST_LIMIT, NO_ANSWER_STATUSES, BookingList, DeskClient
from client.errors import BadRequest, NoAnswer, NoSuchBooking, NotPossible
from client.openings import OpeningsFinder, OpeningsSurvey
from client.public import BookingClient
from client.requests import parse_request, validate_request
from client.session import Session, open_session

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
    "OpeningsSurvey",
    "Session",
    "open_session",
    "parse_request",
    "validate_request",
]
