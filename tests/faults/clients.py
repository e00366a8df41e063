"""Patients and the desk as clients in Jepsen's sense: they send requests and record what they learn in a history."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.service import RPCError

from client import BadRequest, DeskClient, NoSuchBooking, NotPossible, validate_request
from domain.booking import BookingView, Reason, Status
from tests.faults.history import INVOKED, OK, REFUSED, UNKNOWN, History
from tests.faults.plan import PlannedRequest
from tests.faults.practice_probe import Location
from workflows.booking.contracts import RequestedTime, Resolution, ResolutionKind

RETRY_TIMEOUT = 40.0
"""Seconds for which a client repeats a request that got no answer."""
RETRY_DELAY = 0.5
EXCEPTION_TIMEOUT = 10.0
"""Seconds that the desk or the patient waits for an open exception before the follow-up."""
POLL_INTERVAL = 0.3
PATIENT_NOTE = "Please ring for Tansywhistle before."
"""Some requests have this note. Its words are a canary too."""
FREE_START_TIME = "14:00"
"""Local time that no plan asks for."""
CHANNELS = ("email", "sms")


@dataclass(frozen=True)
class Person:
    """An invented patient. All data of theirs are canaries: nobody may find them in plain text."""

    number: int

    @property
    def first_name(self) -> str:
        return "Larkspurrina"

    @property
    def last_name(self) -> str:
        return "Yellowfeather" + chr(ord("a") + self.number)

    @property
    def date_of_birth(self) -> str:
        return f"1961-03-{self.number + 1:02}"

    @property
    def email(self) -> str:
        return f"canary.{self.number}@yellowfeather.example.com"

    @property
    def phone(self) -> str:
        return f"51055501{self.number + 10:02}"

    @property
    def addresses(self) -> dict[str, str]:
        """By channel."""
        return {"email": self.email, "sms": f"+1{self.phone}"}

    @property
    def canaries(self) -> tuple[str, ...]:
        return self.first_name, self.last_name, self.date_of_birth, self.email, self.phone, PATIENT_NOTE


class Clients:
    def __init__(
        self,
        bookings: DeskClient,
        history: History,
        location: Location,
        day: date,
        people_without_consent: Collection[int] = (),
    ) -> None:
        self._bookings = bookings
        self._history = history
        self._location = location
        self._day = day
        self._people_without_consent = people_without_consent
        self._request_ids: dict[str, str] = {}
        """By reference, as far as known."""
        self.requested_starts: defaultdict[str, set[datetime]] = defaultdict(set)
        """By request id: every time that the patient or the desk asked for."""

    async def find_request_id(self, reference: str | None) -> str | None:
        """The request with this reference. Looks at bookings whose answers did not say their reference yet."""
        for request_id in {entry.request_id for entry in self._history.entries} - set(self._request_ids.values()):
            with contextlib.suppress(NoSuchBooking, RPCError):
                self._request_ids[(await self._bookings.show(request_id)).reference] = request_id
        return self._request_ids.get(reference or "")

    def at(self, local_time: str) -> datetime:
        """The instant of a local time on the day under test."""
        return datetime.combine(self._day, time.fromisoformat(local_time), ZoneInfo(self._location.time_zone))

    async def run_request(self, request: PlannedRequest) -> None:
        """Send one request as planned, with its copies and its follow-up."""
        await asyncio.sleep(request.start_after)
        await asyncio.gather(*(self._submit(request) for _ in range(request.copies)))
        if request.resent_with_other_content:
            await self._call(
                request.request_id,
                "submit_other",
                lambda: self._bookings.submit(self._booking_request(request, other_content=True)),
            )
        if request.follow_up:
            await asyncio.sleep(request.follow_up_delay)
            await self._follow_up(request)

    async def cancel(self, request_id: str) -> None:
        await self._call(request_id, "cancel", lambda: self._bookings.cancel(request_id))

    async def resolve(self, request_id: str, resolution: Resolution) -> None:
        operation = f"resolve:{resolution.kind}"
        await self._call(request_id, operation, lambda: self._bookings.resolve(request_id, resolution))

    def consented_addresses(self, person: Person) -> dict[str, str]:
        """By channel, the addresses that the person agreed to be written to."""
        return {} if person.number in self._people_without_consent else person.addresses

    async def wait_for_exception(self, request_id: str, status: Status, timeout: float = 0.0) -> bool:
        """Whether the booking gets this status with an open exception within ``timeout`` seconds."""
        end = asyncio.get_running_loop().time() + timeout
        while True:
            with contextlib.suppress(Exception):
                view = await self._bookings.show(request_id)
                if view.status is status and view.resolutions:
                    return True
            if asyncio.get_running_loop().time() >= end:
                return False
            await asyncio.sleep(POLL_INTERVAL)

    async def _submit(self, request: PlannedRequest) -> None:
        body = self._booking_request(request)
        end = asyncio.get_running_loop().time() + RETRY_TIMEOUT
        while not await self._call(request.request_id, "submit", lambda: self._bookings.submit(body)):
            if not request.retried_until_answered or asyncio.get_running_loop().time() > end:
                return
            await asyncio.sleep(RETRY_DELAY)

    async def _follow_up(self, request: PlannedRequest) -> None:
        if request.follow_up == "cancel":
            return await self.cancel(request.request_id)
        view = await self._wait_for_any_exception(request.request_id)
        if view is None:
            return
        new_start = view.alternatives[0].time.start if view.alternatives else self.at(FREE_START_TIME)
        if request.follow_up in ("reschedule", "start"):
            self.requested_starts[request.request_id].add(new_start)
        if request.follow_up == "reschedule":
            new_time = RequestedTime(start=new_start)
            await self._call(
                request.request_id, "reschedule", lambda: self._bookings.reschedule(request.request_id, new_time)
            )
            return
        kind = ResolutionKind(request.follow_up)
        if view.reason is Reason.LANDING_UNCLEAR and kind in (ResolutionKind.APPROVE, ResolutionKind.RETRY):
            kind = ResolutionKind.DECLINE  # the desk does not confirm an appointment that it has not seen
        start = new_start if kind is ResolutionKind.START else None
        await self.resolve(request.request_id, Resolution(kind=kind, start=start))

    async def _wait_for_any_exception(self, request_id: str) -> BookingView | None:
        """The booking with its open exception; ``None`` if it went on without one, or nobody could tell in time."""
        end = asyncio.get_running_loop().time() + EXCEPTION_TIMEOUT
        while asyncio.get_running_loop().time() < end:
            try:
                view = await self._bookings.show(request_id)
            except Exception:
                view = None
            if view is not None and view.resolutions:
                return view
            if view is not None and view.status is not Status.RECEIVED:
                return None
            await asyncio.sleep(POLL_INTERVAL)
        return None

    async def _call(self, request_id: str, operation: str, work: Callable[[], Awaitable[BookingView]]) -> bool:
        """Call and record. True if an answer came, also a refusal. Any other error leaves an unknown outcome."""
        self._history.record(request_id, operation, INVOKED)
        try:
            view = await work()
        except (BadRequest, NotPossible, NoSuchBooking) as refusal:
            self._history.record(request_id, operation, REFUSED, type(refusal).__name__)
            return True
        except Exception as error:
            self._history.record(request_id, operation, UNKNOWN, type(error).__name__)
            return False
        self._request_ids[view.reference] = request_id
        self._history.record(request_id, operation, OK, view.status)
        return True

    def _booking_request(self, request: PlannedRequest, *, other_content: bool = False) -> Any:
        person, start = Person(request.person), self.at(request.start_time)
        self.requested_starts[request.request_id].add(start)
        consented = self.consented_addresses(person)
        return validate_request(
            {
                "request_id": request.request_id,
                "location": self._location.key,
                "service": request.service,
                "start": start.isoformat(),
                "patient": {
                    "first_name": person.first_name,
                    "last_name": person.last_name,
                    "date_of_birth": person.date_of_birth,
                    "email": person.email,
                    "mobile": f"+1{person.phone}",
                },
                "consent": {channel: channel in consented for channel in CHANNELS},
                "note": PATIENT_NOTE if request.with_note else "",
                "language": "es" if other_content else "en",
            }
        )
