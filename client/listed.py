"""What the server itself tells of a booking, sealed like everything else, while no worker answers."""

from datetime import UTC, datetime, tzinfo
from typing import Any

from temporalio.client import WorkflowExecution
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from domain.booking import BookingView, Reason, Status
from domain.practice import Practice, UnknownName
from runtime.codec import DecryptionError
from workflows.booking.messages import BookingInput, request_id_of, workflow_id
from workflows.shared.search_attributes import (
    APPOINTMENT_START,
    BOOKING_LOCATION,
    BOOKING_SERVICE,
    BOOKING_STATUS,
    EXCEPTION_REASON,
)

REFERENCE, DIGEST = "reference", "digest"


def memo(given: BookingInput) -> dict[str, str]:
    return {REFERENCE: given.reference, DIGEST: given.digest}


def listing(given: BookingInput) -> TypedSearchAttributes:
    """How a booking is listed before its workflow has begun."""
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BOOKING_STATUS, Status.RECEIVED.value),
        SearchAttributePair(BOOKING_LOCATION, given.request.location),
        SearchAttributePair(BOOKING_SERVICE, given.request.service),
        SearchAttributePair(APPOINTMENT_START, given.request.start),
    ]
    return TypedSearchAttributes(attributes)


async def as_listed(execution: WorkflowExecution, practice: Practice) -> BookingView:
    """One that was sealed with other keys is listed without its reference: it must not hide all others."""
    said = execution.typed_search_attributes
    reason, location = said.get(EXCEPTION_REASON), said.get(BOOKING_LOCATION) or ""
    detail = "The booking does not answer."
    try:
        reference = await execution.memo_value(REFERENCE, "", type_hint=str)
    except DecryptionError as sealed:
        reference, detail = "", f"The booking cannot be read: {sealed}."
    return BookingView(
        id=execution.id,
        request_id=request_id_of(execution.id),
        reference=reference,
        status=Status(said.get(BOOKING_STATUS) or Status.RECEIVED),
        reason=Reason(reason) if reason else None,
        detail=detail,
        location=location,
        service=said.get(BOOKING_SERVICE) or "",
        start=_start(execution).astimezone(_clock(practice, location)),
        updated_at=datetime.now(UTC),
    )


def how_soon(execution: WorkflowExecution) -> tuple[bool, float]:
    """What is open before what is over, of which the latest first."""
    start = _start(execution).timestamp()
    return (False, start) if execution.close_time is None else (True, -start)


def received(given: BookingInput, reference: str, practice: Practice) -> BookingView:
    """What can honestly be said when the server has the request and no worker has answered yet."""
    request = given.request
    return BookingView(
        id=workflow_id(request.request_id),
        request_id=request.request_id,
        reference=reference,
        status=Status.RECEIVED,
        location=request.location,
        service=request.service,
        start=request.start.astimezone(_clock(practice, request.location)),
        updated_at=datetime.now(UTC),
    )


async def reference_in(execution: WorkflowExecution, given: BookingInput) -> str:
    """Of the booking that was started, it may be by an earlier sending of the same request."""
    return await execution.memo_value(REFERENCE, given.reference, type_hint=str)


async def digest_in(execution: WorkflowExecution, given: BookingInput) -> str:
    """Of the request with which it was started."""
    return await execution.memo_value(DIGEST, given.digest, type_hint=str)


def _start(execution: WorkflowExecution) -> datetime:
    return execution.typed_search_attributes.get(APPOINTMENT_START) or execution.start_time


def _clock(practice: Practice, location: str) -> tzinfo:
    """The location's own; UTC where the practice file does not know it any more."""
    try:
        return practice.location(location).tz
    except UnknownName:
        return UTC
