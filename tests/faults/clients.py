"""Patients and the desk, as clients: they ask, they hear or do not hear, and keep a history."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.service import RPCError

from client.bookings import BookingClient, NoSuchBooking, NotPossible
from client.edge import BadRequest, request_from
from domain.booking import BookingView, Reason, Status
from tests.faults.history import INVOKED, OK, REFUSED, UNKNOWN, History
from tests.faults.plan import Wish
from tests.faults.practice import Place
from workflows.booking.messages import NewTime, Resolution, ResolutionKind

PERSISTS_FOR = 40.0
NOTE = "Please ring for Tansywhistle before."
"""What some patients write: the words are a canary too."""
BOTH = ("email", "sms")


@dataclass(frozen=True)
class Person:
    """Invented; every trace of one is a canary."""

    number: int

    @property
    def first(self) -> str:
        return "Larkspurrina"

    @property
    def last(self) -> str:
        return "Yellowfeather" + chr(ord("a") + self.number)

    @property
    def born(self) -> str:
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
        return self.first, self.last, self.born, self.email, self.phone, NOTE


class Clients:
    def __init__(
        self, bookings: BookingClient, history: History, place: Place, day: date, mute: Collection[int] = ()
    ) -> None:
        """``mute``: people who agree to no message."""
        self._bookings = bookings
        self._history = history
        self._place = place
        self._day = day
        self._mute = mute
        self._references: dict[str, str] = {}
        self.starts: defaultdict[str, set[datetime]] = defaultdict(set)
        """Every time that somebody asked for, by request."""

    async def request_of(self, reference: str | None) -> str | None:
        """Whose reference it is; a booking that nobody has heard of yet is asked itself."""
        for request_id in {event.request_id for event in self._history.events} - set(self._references.values()):
            with contextlib.suppress(NoSuchBooking, RPCError):
                self._references[(await self._bookings.show(request_id)).reference] = request_id
        return self._references.get(reference or "")

    def at(self, clock: str) -> datetime:
        return datetime.combine(self._day, time.fromisoformat(clock), ZoneInfo(self._place.zone))

    async def wish(self, wish: Wish) -> None:
        """One request's life as its sender and the desk lead it."""
        await asyncio.sleep(wish.at)
        await asyncio.gather(*(self._submit(wish) for _ in range(wish.copies)))
        if wish.other_content:
            await self._call(wish.request_id, "submit_other", lambda: self._bookings.submit(self._request(wish, True)))
        if wish.then:
            await asyncio.sleep(wish.after)
            await self._then(wish)

    async def cancel(self, request_id: str) -> None:
        await self._call(request_id, "cancel", lambda: self._bookings.cancel(request_id))

    async def _submit(self, wish: Wish) -> None:
        request = self._request(wish)
        end = asyncio.get_running_loop().time() + PERSISTS_FOR
        while not await self._call(wish.request_id, "submit", lambda: self._bookings.submit(request)):
            if not wish.persistent or asyncio.get_running_loop().time() > end:
                return
            await asyncio.sleep(0.5)

    async def _then(self, wish: Wish) -> None:
        if wish.then == "cancel":
            return await self.cancel(wish.request_id)
        view = await self._undecided(wish.request_id)
        if view is None:
            return
        free = view.alternatives[0].time.start if view.alternatives else self.at("14:00")
        if wish.then in ("reschedule", "start"):
            self.starts[wish.request_id].add(free)
        if wish.then == "reschedule":
            time = NewTime(start=free)
            await self._call(wish.request_id, "reschedule", lambda: self._bookings.reschedule(wish.request_id, time))
            return
        kind = ResolutionKind(wish.then)
        if view.reason is Reason.LANDING_UNCLEAR and kind in (ResolutionKind.APPROVE, ResolutionKind.RETRY):
            kind = ResolutionKind.DECLINE  # the desk vouches for nothing that it has not seen
        await self.resolve(wish.request_id, Resolution(kind=kind, start=free if kind is ResolutionKind.START else None))

    async def resolve(self, request_id: str, decision: Resolution) -> None:
        await self._call(request_id, f"resolve:{decision.kind}", lambda: self._bookings.resolve(request_id, decision))

    def agreed(self, person: Person) -> dict[str, str]:
        """Where they may be written to, by channel."""
        return {} if person.number in self._mute else person.addresses

    async def is_asked(self, request_id: str, status: Status, within: float = 0.0) -> bool:
        """Whether the desk is asked about it while it has this status."""
        end = asyncio.get_running_loop().time() + within
        while True:
            with contextlib.suppress(Exception):
                view = await self._bookings.show(request_id)
                if view.status is status and view.resolutions:
                    return True
            if asyncio.get_running_loop().time() >= end:
                return False
            await asyncio.sleep(0.3)

    async def _undecided(self, request_id: str) -> BookingView | None:
        """The booking once it waits for a person; ``None`` where it goes on without one, or nobody can say."""
        end = asyncio.get_running_loop().time() + 10
        while asyncio.get_running_loop().time() < end:
            try:
                view = await self._bookings.show(request_id)
            except Exception:
                view = None
            if view is not None and view.resolutions:
                return view
            if view is not None and view.status is not Status.RECEIVED:
                return None
            await asyncio.sleep(0.3)
        return None

    async def _call(self, request_id: str, call: str, work: Callable[[], Awaitable[BookingView]]) -> bool:
        """True once somebody answered, yes or no; an error that proves nothing is an unknown outcome."""
        self._history.note(request_id, call, INVOKED)
        try:
            view = await work()
        except (BadRequest, NotPossible, NoSuchBooking) as refused:
            self._history.note(request_id, call, REFUSED, type(refused).__name__)
            return True
        except Exception as unclear:
            self._history.note(request_id, call, UNKNOWN, type(unclear).__name__)
            return False
        self._references[view.reference] = request_id
        self._history.note(request_id, call, OK, view.status)
        return True

    def _request(self, wish: Wish, other: bool = False) -> Any:
        person = Person(wish.person)
        self.starts[wish.request_id].add(self.at(wish.clock))
        agreed = self.agreed(person)
        return request_from(
            {
                "request_id": wish.request_id,
                "location": self._place.location,
                "service": wish.service,
                "start": self.at(wish.clock).isoformat(),
                "patient": {
                    "first_name": person.first,
                    "last_name": person.last,
                    "date_of_birth": person.born,
                    "email": person.email,
                    "mobile": f"+1{person.phone}",
                },
                "consent": {channel: channel in agreed for channel in BOTH},
                "note": NOTE if wish.note else "",
                "language": "es" if other else "en",
            }
        )
