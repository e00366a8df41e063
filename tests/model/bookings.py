"""Bookings that run the real hold protocol: the workflow's own steps, the activities and the ledger."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from adapters.errors import OutsideError, Refused
from adapters.ledger import ClaimLost, Claims, Ledger, LedgerUnavailable
from domain.booking import Reason, Status
from domain.matching import Match, Verdict
from domain.patient import Address
from domain.practice import Connection, Location, Practice
from domain.practice.model import Service
from domain.reference import new_reference
from domain.request import BookingRequest, Person
from domain.rules import HoursSpan, ServiceRule
from tests.model.calendar import DELAY, MemoryCalendar
from tests.model.stage import Actor, Fate, Stage, acting
from workflows.booking.background import BackgroundActivities
from workflows.booking.cleanup import Cleanup
from workflows.booking.compensation import Compensation
from workflows.booking.desk_queue import DeskQueue
from workflows.booking.hold import HoldSteps
from workflows.booking.messages import BookingInput, Resolution, ResolutionKind
from workflows.booking.patient import PatientSteps
from workflows.booking.reservation import ReservationSteps
from workflows.booking.resolutions import apply_resolution
from workflows.booking.slot import SlotSteps
from workflows.booking.state.booking_state import BookingState
from workflows.booking.step_result import StepResult
from workflows.shared.activity_runner import ActivityRunner
from workflows.shared.outcomes import Cancelled, Declined, NeedsStaff

RESEND_AFTER = timedelta(seconds=15)
HOLD_EXPIRY = timedelta(minutes=10)
PROVIDERS, OPERATORIES = ("p1", "p2"), ("o1", "o2")


def practice() -> Practice:
    address = Address(line1="1 Main St", city="Springfield", state="CA", postal_code="94601")
    rule = ServiceRule(
        location="here",
        service="cleaning",
        label="Cleaning",
        zone="UTC",
        duration=timedelta(minutes=60),
        providers=PROVIDERS,
        operatories=OPERATORIES,
        hours={n: (HoursSpan(open=time(8), close=time(12)),) for n in range(1, 8)},
        slot_step=timedelta(minutes=30),
        hold_expiry=HOLD_EXPIRY,
    )
    here = Location(
        id="here",
        name="Here",
        connection="memory",
        practice_system_id="1",
        time_zone="UTC",
        address=address,
        phone="+15105550100",
        providers={p: p for p in PROVIDERS},
        operatories={o: o for o in OPERATORIES},
    )
    return Practice(
        name="Example Dental",
        version="1",
        connections=(Connection(name="memory", system="memory", consistency_delay=DELAY, resend_after=RESEND_AFTER),),
        locations=(here,),
        services={"here": {"cleaning": Service(rule=rule, staff_deadline=timedelta(hours=4))}},
    )


class StagedClaims:
    """The real claims, each call in its turn."""

    def __init__(self, claims: Claims, stage: Stage, fenced: bool) -> None:
        self._claims = claims
        self._stage = stage
        self._fenced = fenced

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*given: Any, **more: Any) -> Any:
            asked = self._stage.now
            if await self._stage.turn() is Fate.NOTHING_DONE:
                raise LedgerUnavailable("away")
            given = tuple(self._stage.now if it is asked else it for it in given)  # who slept reads the clock anew
            try:
                result = await self._stage.real(getattr(self._claims, name)(*given, **more))
            except ClaimLost:
                if self._fenced or name != "begin_write":
                    raise
                result = None
            self._stage.claimed_in_sleep |= name == "take" and acting.get().zombie
            return result

        return call


class StagedLedger(Ledger):
    def __init__(self, claims: Claims, stage: Stage, *, fenced: bool) -> None:
        self.claims = StagedClaims(claims, stage, fenced)  # type: ignore[assignment]


class GaveUp(Exception):
    """The attempt ran out of time; whatever it still does, nobody waits for it."""


class Steps(ActivityRunner):
    """Attempts as Temporal makes them: again after a failure or a timeout, at most one that counts."""

    def __init__(self, booking: str, stage: Stage, activities: Mapping[str, Any]) -> None:
        super().__init__("memory", "here")
        self._booking = booking
        self._stage = stage
        self._activities = activities
        self._outcome: asyncio.Future[Any] | None = None
        self._attempt: asyncio.Task[None] | None = None
        self.may_end = False
        """A step on the way to the answer is under way."""

    def fail(self, why: Exception) -> bool:
        if self._outcome is None or self._outcome.done():
            return False
        self._outcome.set_exception(why)
        return True

    def stop_urgent(self) -> None:
        self._is_stopped = True
        if self.may_end and self._attempt is not None:
            self._attempt.cancel()
            self.fail(Cancelled())

    async def run_urgent(self, step: Callable[..., Any], given: Any, summary: str) -> Any:
        if self._is_stopped:
            raise Cancelled
        self.may_end = True
        try:
            return await self.run_in_background(step, given, summary)
        finally:
            self.may_end = False

    async def run_in_background(
        self, step: Callable[..., Any], given: Any, summary: str, *, max_duration: timedelta | None = None
    ) -> Any:
        run = getattr(self._activities[step.__qualname__.split(".")[0]], step.__name__)
        beats: list[Any] = []
        for number in itertools.count(1):
            actor = Actor(self._booking, step.__name__, self._stage.turns)
            self._outcome = asyncio.get_running_loop().create_future()
            self._attempt = asyncio.create_task(self._run(actor, run, given, number, beats, self._outcome))
            try:
                return await self._outcome
            except Refused:
                raise NeedsStaff(Reason.REFUSED_BY_SYSTEM) from None
            except ApplicationError as failure:
                if failure.non_retryable:
                    raise NeedsStaff(Reason.NOT_LANDED) from None
                wait = failure.next_retry_delay
            except (GaveUp, OutsideError) as failure:
                actor.troubled |= isinstance(failure, GaveUp)
                wait = None
            finally:
                actor.zombie = True
            if wait is not None:
                await self._stage.sleep(wait.total_seconds())

    async def _run(
        self,
        actor: Actor,
        run: Callable[[Any], Any],
        given: Any,
        number: int,
        beats: list[Any],
        outcome: "asyncio.Future[Any]",
    ) -> None:
        def beat(*told: Any) -> None:
            if not outcome.done():
                beats[:] = told

        acting.set(actor)
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=number, heartbeat_details=tuple(beats))
        environment.on_heartbeat = beat
        try:
            result = await environment.run(run, given)
            await self._stage.turn()  # its result is on the way
        except (OutsideError, ApplicationError) as failure:
            if not outcome.done():
                outcome.set_exception(failure)
        else:
            if not outcome.done():
                outcome.set_result(result)


def request(number: int, start: datetime, provider: str | None) -> BookingInput:
    wanted = BookingRequest(
        request_id=f"request-{number}",
        location="here",
        service="cleaning",
        start=start,
        patient=Person(first_name="Ana", last_name=f"Example {number}", date_of_birth=date(1988, 4, 2)),
    )
    policy = practice().policy("here", "cleaning")
    return BookingInput(request=wanted, reference=new_reference(), policy=policy, provider=provider, digest="")


class FrontDesk(DeskQueue):
    """Asked about what we may not take back: removes it by hand, all but the visit itself, and says so."""

    def __init__(self, stage: Stage, calendar: MemoryCalendar, state: BookingState) -> None:
        self._stage = stage
        self._calendar = calendar
        self._state = state

    async def ask(self, need: NeedsStaff) -> ResolutionKind:
        await self._stage.turn()
        visit = self._state.reservation.appointment if not self._state.lifecycle.status.is_final else None
        for left in self._calendar.of(self._state.booking.reference):
            if visit is None or left.id != visit.id:
                self._calendar.desk_deletes(left)
        return ResolutionKind.APPROVE


class Booking:
    """What the workflow does around the hold protocol: attempts, a person's decision, the way back."""

    def __init__(
        self,
        stage: Stage,
        calendar: MemoryCalendar,
        activities: Mapping[str, Any],
        given: BookingInput,
        retried: bool,
    ) -> None:
        self.reference = given.reference
        self.state = BookingState(given, started_at=stage.now, now=stage.now)
        self.state.patient.settle(Match(verdict=Verdict.MATCHED, chart=f"patient of {given.reference}"))
        self.confirmed = False
        self._stage = stage
        self._calendar = calendar
        self._steps = Steps(given.reference, stage, activities)
        desk = FrontDesk(stage, calendar, self.state)
        background = BackgroundActivities(self._steps, desk)
        compensation = Compensation(self.state, background)
        slots = SlotSteps(self.state, self._steps)
        holds = HoldSteps(self.state, self._steps, background, compensation, slots)
        self._reservation = ReservationSteps(self.state, PatientSteps(self.state, self._steps), slots, holds)
        self._cleanup = Cleanup(self.state, compensation, desk)
        self._may_retry = retried
        self.life = asyncio.create_task(self._live())

    def give_up(self) -> None:
        """The attempt under way times out: its worker died, or sleeps and may yet wake."""
        self._steps.fail(GaveUp())

    def run_out_of_time(self) -> None:
        """The same, and the step is not tried again."""
        if self._steps.may_end:
            self._steps.fail(NeedsStaff(Reason.NOT_LANDED))

    def withdraw(self) -> None:
        """The patient takes it back: what runs is cancelled at its present await."""
        self._steps.stop_urgent()

    async def _live(self) -> None:
        acting.set(Actor(self.reference, "workflow", self._stage.turns))
        try:
            await self._land()
        except (NeedsStaff, Declined, Cancelled) as end:
            status = Status.CANCELLED if isinstance(end, Cancelled) else Status.DECLINED
            self.state.lifecycle.set_status(status, None, self._stage.now)
            await self._cleanup.compensate()

    async def _land(self) -> None:
        try:
            await self._reserve_and_confirm()
        except NeedsStaff:
            if not self._may_retry:
                raise
            self._calendar.person_decides(self.reference)
            apply_resolution(Resolution(kind=ResolutionKind.RETRY), self.state)
            await self._reserve_and_confirm()
        self.confirmed = True
        await self._cleanup.watch_for_leftovers()

    async def _reserve_and_confirm(self) -> None:
        for step in (self._reservation.reserve, self._reservation.confirm):
            assert await step() is StepResult.DONE, "writes of the model are immediate"
