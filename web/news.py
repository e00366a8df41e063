"""From a delivery of NexHealth's to the booking that it concerns."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from adapters.errors import NotFound, Unreadable
from adapters.ledger import Ledger
from adapters.practice_system import PracticeSystem
from domain.calendar import CalendarEvent, EventKind, OfficeOnline
from workflows.booking.messages import AppointmentEvent

log = structlog.get_logger("news")

Tell = Callable[[str, AppointmentEvent], Awaitable[bool]]
Wake = Callable[[Collection[str]], Awaitable[int]]


class NewsDesk:
    """Passes each piece of news on once. Twice does no harm: a booking looks before it acts."""

    def __init__(
        self, account: str, systems: Mapping[str, PracticeSystem], ledger: Ledger, tell: Tell, wake: Wake
    ) -> None:
        """``systems``: those at this account, by connection name; ``tell``: whether the booking is still open.

        ``wake``: the bookings that wait for these offices (practice-system ids; none: for any); how many.
        """
        self._account = account
        self._systems = systems
        self._news = ledger.events
        self._tell = tell
        self._wake = wake

    async def pass_on(self, event: CalendarEvent | OfficeOnline) -> None:
        """Raises the errors of the adapters where it must come again: then nothing is remembered of it."""
        if event.account != self._account or await self._news.was_forwarded(event.key):
            return
        if isinstance(event, OfficeOnline):
            log.info("an office is back", bookings=await self._wake(event.locations))
        else:
            await self._pass_on(event)
        await self._news.mark_forwarded(event.key, datetime.now(UTC))

    async def _pass_on(self, event: CalendarEvent) -> None:
        booking = await self._booking(event)
        if booking is not None:
            news = AppointmentEvent(kind=event.kind, appointment_id=event.appointment_id, landing=event.landing)
            is_open = await self._tell(booking, news)
            log.info("news", kind=event.kind, booking=booking, booking_is_open=is_open)

    async def _booking(self, event: CalendarEvent) -> str | None:
        if event.reference is not None:
            return await self._news.find_booking_by_reference(event.reference)
        known = await self._news.find_booking_by_appointment(list(self._systems), event.appointment_id)
        if known is not None or event.kind not in (EventKind.LANDING, EventKind.CHANGE_FAILED):
            return known
        reference = await self._look_up(event.appointment_id)
        return await self._news.find_booking_by_reference(reference) if reference is not None else None

    async def _look_up(self, appointment_id: str) -> str | None:
        """Our reference on an appointment of which there is news before the answer to its write was noted."""
        for system in self._systems.values():
            with suppress(NotFound):
                reference = await _reference_on(system, appointment_id)
                if reference is not None:
                    return reference
        return None


async def _reference_on(system: PracticeSystem, appointment_id: str) -> str | None:
    """Our marker, also where the rest cannot be read: told again, it could be read as little."""
    try:
        return (await system.get_appointment(appointment_id)).reference
    except Unreadable as unclear:
        log.warning("an appointment cannot be read", field=unclear.field, ours=unclear.reference is not None)
        return unclear.reference
