"""Booking requests: parse and validate one, and prepare the workflow's input. Nothing is started here."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from adapters.json_text import UnreadableJson, parse_json
from client.errors import BadRequest
from domain.local_time import check_start
from domain.practice import Location, Practice, UnknownName
from domain.reference import new_reference
from domain.request import BookingRequest
from domain.text import printable_key
from workflows.booking.contracts import MAX_YEARS_AHEAD, BookingInput

Value = TypeVar("Value")

MAX_REQUEST_BYTES = 64 * 1024
MAX_PATIENT_AGE = 130
"""Years."""


def parse_request(raw: str | bytes) -> BookingRequest:
    """A request from JSON text. Raises BadRequest."""
    if len(raw) > MAX_REQUEST_BYTES:
        raise BadRequest([f"request: must be at most {MAX_REQUEST_BYTES // 1024} KiB of JSON"])
    try:
        content = parse_json(raw)
    except UnreadableJson as error:
        raise BadRequest([f"request: is {error}"]) from None
    return validate_request(content)


def validate_request(content: Any) -> BookingRequest:
    """A request from decoded JSON. Unknown fields are refused. Raises BadRequest."""
    try:
        return BookingRequest.model_validate(content, extra="forbid")
    except ValidationError as error:
        raise BadRequest([_problem_text(each) for each in error.errors(include_input=False)]) from None


def prepare_booking(request: BookingRequest, practice: Practice, now: datetime) -> BookingInput:
    """The workflow's input, after the names are looked up and the time is checked.

    The rules of the practice file are copied into it, so later changes of the file do not affect this booking.
    Raises BadRequest.
    """
    problems: list[str] = []
    policy = _look_up(problems, lambda: practice.policy(request.location, request.service))
    provider = None
    if policy is not None:
        location = practice.location(request.location)
        if request.provider is not None:
            provider = _look_up(problems, lambda: location.provider_id(request.provider or ""))
            problems += _provider_problems(request, practice, location, provider)
        problems += _start_problems(request.start, now, location.tz)
    if request.patient.date_of_birth > now.date():
        problems.append("patient.date_of_birth: is in the future")
    elif request.patient.date_of_birth.year < now.year - MAX_PATIENT_AGE:
        problems.append(f"patient.date_of_birth: is more than {MAX_PATIENT_AGE} years ago")
    if problems or policy is None:
        raise BadRequest(problems)
    return BookingInput(
        request=request,
        reference=new_reference(),
        policy=policy,
        provider=provider,
        digest=_digest(request),
    )


def _provider_problems(
    request: BookingRequest, practice: Practice, location: Location, provider: str | None
) -> list[str]:
    """A provider who does not offer the service at all. No other time would help."""
    offering = practice.rule(request.location, request.service).providers
    if provider is None or provider in offering:
        return []
    names = sorted(name for name, provider_id in location.providers.items() if provider_id in offering)
    return [f"provider: does not offer {request.service}; allowed: {', '.join(names)}"]


def _start_problems(start: datetime, now: datetime, tz: ZoneInfo) -> list[str]:
    if start <= now:
        return ["start: is in the past; choose a future time"]
    if start > now + timedelta(days=MAX_YEARS_AHEAD * 365):
        return [f"start: is more than {MAX_YEARS_AHEAD} years ahead"]
    try:
        check_start(start, tz)
    except ValueError as error:
        return [f"start: {error}"]
    return []


def _look_up(problems: list[str], look_up: Callable[[], Value]) -> Value | None:
    """The value, or ``None`` and one more problem."""
    try:
        return look_up()
    except UnknownName as unknown:
        problems.append(str(unknown))
        return None


def _digest(request: BookingRequest) -> str:
    canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_DATE_TIME_HINT = "must be a date and time with UTC offset, such as 2026-12-01T09:00:00-08:00"
_DATE_HINT = "must be a date, such as 1988-04-02"
_HINTS = {
    "extra_forbidden": "is not a field of a request",
    "missing": "is missing",
    "bool_type": "must be true or false",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "timezone_aware": "needs a UTC offset, as in 2026-12-01T09:00:00-08:00",
    "datetime_from_date_parsing": _DATE_TIME_HINT,
    "datetime_parsing": _DATE_TIME_HINT,
    "date_from_datetime_parsing": _DATE_HINT,
    "date_parsing": _DATE_HINT,
}
"""By pydantic's error type; other errors keep pydantic's text."""


def _problem_text(error: Any) -> str:
    path = ".".join(printable_key(str(part)) for part in error["loc"]) or "request"
    text = _HINTS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"{path}: {text}"
