"""Route an event of NexHealth to the booking it is about."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from adapters.errors import NotFound, Unreadable
from adapters.ledger import Ledger
from adapters.practice_system import PracticeSystem
from domain.calendar import CalendarEvent, EventKind, OfficeOnline
from workflows.booking.contracts import AppointmentEvent

log = structlog.get_logger("webhooks")

SignalBooking = Callable[[str, AppointmentEvent], Awaitable[bool]]
"""Signals the booking with this workflow id; returns whether it is still open."""
SignalOfficeOnline = Callable[[Collection[str]], Awaitable[int]]
"""Signals the bookings that wait for these offices (practice-system ids; none means all); returns how many."""


class EventRouter:
    """Forwards each event once. A second time would do no harm, because a booking looks before it acts."""

    def __init__(
        self,
        account: str,
        systems: Mapping[str, PracticeSystem],
        ledger: Ledger,
        signal_booking: SignalBooking,
        signal_office_online: SignalOfficeOnline,
    ) -> None:
        """``account``: NexHealth's subdomain. ``systems``: those at this account, by connection name."""
        self._account = account
        self._systems = systems
        self._events = ledger.events
        self._signal_booking = signal_booking
        self._signal_office_online = signal_office_online

    async def route(self, event: CalendarEvent | OfficeOnline) -> None:
        """Raises the errors of ``adapters.errors``. Then the event is not remembered, and must be delivered again."""
        if event.account != self._account or await self._events.was_forwarded(event.key):
            return
        if isinstance(event, OfficeOnline):
            log.info("office_online_forwarded", bookings=await self._signal_office_online(event.locations))
        else:
            await self._forward(event)
        await self._events.mark_forwarded(event.key, datetime.now(UTC))

    async def _forward(self, event: CalendarEvent) -> None:
        workflow_id = await self._find_booking(event)
        if workflow_id is not None:
            signal = AppointmentEvent(kind=event.kind, appointment_id=event.appointment_id, landing=event.landing)
            is_open = await self._signal_booking(workflow_id, signal)
            log.info("calendar_event_forwarded", kind=event.kind, booking=workflow_id, booking_is_open=is_open)

    async def _find_booking(self, event: CalendarEvent) -> str | None:
        """Workflow id of the booking that wrote the appointment."""
        if event.reference is not None:
            return await self._events.find_booking_by_reference(event.reference)
        workflow_id = await self._events.find_booking_by_appointment(list(self._systems), event.appointment_id)
        if (
            workflow_id is not None
            or event.is_foreign
            or event.kind not in (EventKind.LANDING, EventKind.CHANGE_FAILED)
        ):
            return workflow_id
        reference = await self._read_reference(event.appointment_id)
        return await self._events.find_booking_by_reference(reference) if reference is not None else None

    async def _read_reference(self, appointment_id: str) -> str | None:
        """Our reference in the appointment's note.

        An event may arrive before the worker has recorded the appointment's id. Then only the note says whose it is.
        """
        for system in self._systems.values():
            with suppress(NotFound):
                reference = await _read_reference_in(system, appointment_id)
                if reference is not None:
                    return reference
        return None


async def _read_reference_in(system: PracticeSystem, appointment_id: str) -> str | None:
    """Also of an appointment whose other fields are unreadable. Another delivery would not make them readable."""
    try:
        return (await system.get_appointment(appointment_id)).reference
    except Unreadable as error:
        log.warning("appointment_unreadable", field=error.field, ours=error.reference is not None)
        return error.reference
