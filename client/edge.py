"""The edge: a request is understood and judged before anything is started."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from domain.local_time import check_start
from domain.practice import Location, Practice, UnknownName
from domain.reference import new_reference
from domain.request import BookingRequest
from workflows.booking.messages import BookingInput

Found = TypeVar("Found")

MOST_BYTES = 64 * 1024
FARTHEST = timedelta(days=5 * 365)


class BadRequest(ValueError):
    """Refused at the edge; each problem names the field and what is allowed, never what was sent."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def parse_request(raw: str | bytes) -> BookingRequest:
    """A request from JSON text. Raises BadRequest."""
    if len(raw) > MOST_BYTES:
        raise BadRequest([f"request: at most {MOST_BYTES // 1024} KiB of JSON"])
    try:
        content = json.loads(raw)
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise BadRequest(["request: not valid JSON"]) from None
    return request_from(content)


def request_from(content: Any) -> BookingRequest:
    """A request from decoded JSON. Unknown fields are refused. Raises BadRequest."""
    try:
        return BookingRequest.model_validate(content, extra="forbid")
    except ValidationError as refusal:
        raise BadRequest([_plain(error) for error in refusal.errors(include_input=False)]) from None


def prepare(request: BookingRequest, practice: Practice, now: datetime) -> BookingInput:
    """The workflow's input: names looked up, time judged, rules fixed. Raises BadRequest."""
    problems: list[str] = []
    policy = _found(problems, lambda: practice.policy(request.location, request.service))
    provider = None
    if policy is not None:
        location = practice.location(request.location)
        if request.provider is not None:
            provider = _found(problems, lambda: location.provider_id(request.provider or ""))
            problems += _offer_problems(request, practice, location, provider)
        problems += _start_problems(request.start, now, location.tz)
    if request.patient.date_of_birth > now.date():
        problems.append("patient.date_of_birth: lies in the future")
    elif request.patient.date_of_birth.year < now.year - 130:
        problems.append("patient.date_of_birth: lies more than 130 years back")
    if problems or policy is None:
        raise BadRequest(problems)
    return BookingInput(
        request=request,
        reference=new_reference(),
        policy=policy,
        provider=provider,
        digest=_digest(request),
    )


def _offer_problems(request: BookingRequest, practice: Practice, location: Location, provider: str | None) -> list[str]:
    """A provider who does not perform the service; at another time neither."""
    offering = practice.rule(request.location, request.service).providers
    if provider is None or provider in offering:
        return []
    names = sorted(name for name, known in location.providers.items() if known in offering)
    return [f"provider: does not offer {request.service}; allowed: {', '.join(names)}"]


def _start_problems(start: datetime, now: datetime, tz: ZoneInfo) -> list[str]:
    if start <= now:
        return ["start: is in the past; give a time to come"]
    if start > now + FARTHEST:
        return [f"start: lies more than {FARTHEST.days // 365} years ahead"]
    try:
        check_start(start, tz)
    except ValueError as wrong:
        return [f"start: {wrong}"]
    return []


def _found(problems: list[str], look_up: Callable[[], Found]) -> Found | None:
    try:
        return look_up()
    except UnknownName as unknown:
        problems.append(str(unknown))
        return None


def _digest(request: BookingRequest) -> str:
    canonical = json.dumps(request.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_HINTS = {
    "extra_forbidden": "is not a field of a request",
    "missing": "is missing",
    "bool_type": "must be true or false",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "timezone_aware": "needs an offset from UTC, as in 2026-12-01T09:00:00-08:00",
    "datetime_from_date_parsing": "must be a date and time with offset, as in 2026-12-01T09:00:00-08:00",
    "datetime_parsing": "must be a date and time with offset, as in 2026-12-01T09:00:00-08:00",
    "date_from_datetime_parsing": "must be a date, as in 1988-04-02",
    "date_parsing": "must be a date, as in 1988-04-02",
}


def _plain(error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"]) or "request"
    text = _HINTS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"{path}: {text}"
