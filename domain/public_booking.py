"""A booking as the patient may see it. It never says why, names no chart, and tells of nobody else's visit."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from domain.base import Value
from domain.booking import SLOT_REASONS, BookingView, Status
from domain.slot import Slot
from domain.wording import public_status

_HAS_TIME = frozenset({Status.HELD, Status.CONFIRMED, Status.COMPLETED, Status.NO_SHOW})
"""The time in the calendar is this patient's, so they may know whose it is."""


class PatientAction(StrEnum):
    """What a patient may do about a booking now. Each is named like the call that does it."""

    CANCEL = "cancel"
    RESCHEDULE = "reschedule"


class PublicSlot(Value):
    """A time that can be booked instead, in the location's time zone."""

    start: AwareDatetime
    end: AwareDatetime
    provider: str | None
    """The provider's name in the practice file."""


class PublicBooking(Value):
    """What a web backend may pass on to whoever sent the request."""

    id: str
    request_id: str
    status: Status
    message: str
    """One or two sentences in the patient's language."""
    actions: tuple[PatientAction, ...] = ()
    """What the patient may do now."""
    location: str
    service: str
    start: AwareDatetime
    """The requested time, or the time of the visit, in the location's time zone."""
    end: AwareDatetime | None = None
    provider: str | None = None
    """The provider's name in the practice file, once the time is held or confirmed."""
    held_until: AwareDatetime | None = None
    """Only with ``held``: when the time is released if the practice has not confirmed it by then."""
    alternatives: tuple[PublicSlot, ...] = ()
    """Openings to choose from, where the requested time could not be had."""


def to_public(
    view: BookingView, provider_names: Mapping[str, str], now: datetime, language: str | None = None
) -> PublicBooking:
    """The public part of the staff's view.

    ``provider_names``: by practice-system id. ``language`` of the message, if not the request's.
    """
    actions = _actions(view, now)
    is_declined_time = view.status is Status.DECLINED and view.reason in SLOT_REASONS
    offers_alternatives = PatientAction.RESCHEDULE in actions or is_declined_time
    return PublicBooking(
        id=view.id,
        request_id=view.request_id,
        status=view.status,
        message=public_status(view.status, view.reason, language or view.language),
        actions=actions,
        location=view.location,
        service=view.service,
        start=view.start,
        end=view.end,
        provider=provider_names.get(view.provider or "") if view.status in _HAS_TIME else None,
        held_until=view.held_until if view.status is Status.HELD else None,
        alternatives=tuple(_slot(each, provider_names) for each in view.alternatives) if offers_alternatives else (),
    )


def _actions(view: BookingView, now: datetime) -> tuple[PatientAction, ...]:
    """The workflow decides in the end: it may refuse what was possible a moment ago."""
    has_begun = view.status is Status.CONFIRMED and view.start <= now
    if view.status.is_final or has_begun:
        return ()
    can_pick = view.status is Status.NEEDS_STAFF and view.reason in SLOT_REASONS and bool(view.resolutions)
    return (PatientAction.RESCHEDULE, PatientAction.CANCEL) if can_pick else (PatientAction.CANCEL,)


def _slot(slot: Slot, provider_names: Mapping[str, str]) -> PublicSlot:
    return PublicSlot(start=slot.time.start, end=slot.time.end, provider=provider_names.get(slot.provider))
