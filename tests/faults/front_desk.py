"""The front desk at work in its own calendar, through the sandbox."""

from datetime import datetime, timedelta
from typing import Any

from tests.faults.practice_probe import Appointment, Row
from tests.faults.stack import FaultStack

BLOCKED_RESOURCES: dict[str, tuple[str, ...]] = {
    "desk_block_operatory": ("operatory",),
    "desk_block_provider": ("provider",),
    "desk_block_office": (),
}
"""By action: whose time the desk blocks. With neither it is the whole office's."""
SLOT_ACTIONS = ("desk_book", *BLOCKED_RESOURCES)

FAR = timedelta(days=6)
"""Farther than a search near the requested time reaches."""


class FrontDesk:
    def __init__(self, stack: FaultStack, move_to: datetime) -> None:
        """``move_to``: where the desk moves the first appointment. The next ones go an hour earlier each."""
        self._stack = stack
        self._probe = stack.probe
        self._move_to = move_to

    async def edit(self, edit: str, appointment: Appointment) -> None:
        """``move``, ``move_far`` (by days), ``cancel`` or ``delete`` an appointment."""
        if not edit.startswith("move"):
            return await self._act(do=edit, id=appointment.id)
        start = self._move_to + (FAR if edit == "move_far" else timedelta(0))
        await self._act(do="move", id=appointment.id, start=start.isoformat())
        self._move_to -= timedelta(hours=1)

    async def fill_slot(self, action: str, slot: Row) -> None:
        """Book or block a slot: one of ``SLOT_ACTIONS``."""
        if action == "desk_book":
            await self._act(do="book", patient=self._probe.location.regular_patient_id, **slot)
            return
        end = datetime.fromisoformat(slot["start"]) + timedelta(minutes=slot["duration"])
        resources = {name: slot[name] for name in BLOCKED_RESOURCES[action]}
        location = self._probe.location.id
        await self._act(do="block", start=slot["start"], end=end.isoformat(), location=location, **resources)

    async def book_over(self, appointment: Appointment) -> None:
        slot = {
            "start": appointment.start.isoformat(),
            "duration": int((appointment.end - appointment.start).total_seconds() / 60),
            "provider": appointment.provider,
            "operatory": appointment.operatory,
        }
        await self.fill_slot("desk_book", slot)

    async def _act(self, **action: Any) -> None:
        await self._stack.control("desk", **self._probe.desk_action(**action))
