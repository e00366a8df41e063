"""What Temporal's visibility store keeps of a booking: search attributes in clear and an encrypted memo.

It answers for a booking while no worker does.
"""

from datetime import UTC, datetime, tzinfo
from typing import Any

from temporalio.client import WorkflowExecution
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from domain.booking import BookingView, Reason, Status
from domain.practice import Practice, UnknownName
from runtime.codec import DecryptionError
from workflows.booking.contracts import BookingInput, request_id_of, workflow_id
from workflows.shared.search_attributes import (
    APPOINTMENT_START,
    BOOKING_LOCATION,
    BOOKING_SERVICE,
    BOOKING_STATUS,
    EXCEPTION_REASON,
)

REFERENCE, DIGEST = "reference", "digest"


def initial_memo(booking: BookingInput) -> dict[str, str]:
    return {REFERENCE: booking.reference, DIGEST: booking.digest}


def initial_search_attributes(booking: BookingInput) -> TypedSearchAttributes:
    """The search attributes of a booking before its workflow has run."""
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BOOKING_STATUS, Status.RECEIVED.value),
        SearchAttributePair(BOOKING_LOCATION, booking.request.location),
        SearchAttributePair(BOOKING_SERVICE, booking.request.service),
        SearchAttributePair(APPOINTMENT_START, booking.request.start),
    ]
    return TypedSearchAttributes(attributes)


async def view_from_visibility(execution: WorkflowExecution, practice: Practice) -> BookingView:
    """A booking as far as Temporal knows it without a worker.

    A booking that was encrypted with other keys is shown without its reference, so that it does not fail a whole list.
    """
    attributes = execution.typed_search_attributes
    reason, location = attributes.get(EXCEPTION_REASON), attributes.get(BOOKING_LOCATION) or ""
    detail, is_readable = "The booking does not answer.", True
    try:
        reference = await execution.memo_value(REFERENCE, "", type_hint=str)
    except DecryptionError as error:
        reference, detail, is_readable = "", f"The booking cannot be read: {error}.", False
    return BookingView(
        id=execution.id,
        request_id=request_id_of(execution.id),
        reference=reference,
        status=Status(attributes.get(BOOKING_STATUS) or Status.RECEIVED),
        reason=Reason(reason) if reason else None,
        detail=detail,
        is_readable=is_readable,
        location=location,
        service=attributes.get(BOOKING_SERVICE) or "",
        start=_start(execution).astimezone(_time_zone(practice, location)),
        updated_at=datetime.now(UTC),
    )


def list_order(execution: WorkflowExecution) -> tuple[bool, float]:
    """Sort key: open bookings first, the soonest visit first; then closed ones, the latest visit first."""
    start = _start(execution).timestamp()
    return (False, start) if execution.close_time is None else (True, -start)


def received_view(booking: BookingInput, reference: str, practice: Practice) -> BookingView:
    """A booking that the server has accepted and for which no worker has answered yet."""
    request = booking.request
    return BookingView(
        id=workflow_id(request.request_id),
        request_id=request.request_id,
        reference=reference,
        status=Status.RECEIVED,
        location=request.location,
        service=request.service,
        start=request.start.astimezone(_time_zone(practice, request.location)),
        language=request.language,
        updated_at=datetime.now(UTC),
    )


async def started_reference(execution: WorkflowExecution, booking: BookingInput) -> str:
    """The reference of the booking that runs. An earlier submission of the same request may have started it."""
    return await execution.memo_value(REFERENCE, booking.reference, type_hint=str)


async def started_digest(execution: WorkflowExecution, booking: BookingInput) -> str:
    """The digest of the request that started the booking that runs."""
    return await execution.memo_value(DIGEST, booking.digest, type_hint=str)


def _start(execution: WorkflowExecution) -> datetime:
    return execution.typed_search_attributes.get(APPOINTMENT_START) or execution.start_time


def _time_zone(practice: Practice, location: str) -> tzinfo:
    """The location's time zone; UTC when the practice file no longer has the location."""
    try:
        return practice.location(location).tz
    except UnknownName:
        return UTC
