"""Bookings that run the real hold protocol: the workflow's own code, the activities and the ledger."""

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
from tests.model.scheduler import Actor, Outcome, Scheduler, current_actor
from workflows.booking.background import BackgroundRunner
from workflows.booking.cleanup import Cleanup
from workflows.booking.compensation import Compensation
from workflows.booking.contracts import BookingInput, Resolution, ResolutionKind
from workflows.booking.desk_queue import DeskQueue
from workflows.booking.hold import HoldSteps
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


class ScheduledClaims:
    """The real claims, where each call waits for the model."""

    def __init__(self, claims: Claims, scheduler: Scheduler, fenced: bool) -> None:
        self._claims = claims
        self._scheduler = scheduler
        self._fenced = fenced

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **options: Any) -> Any:
            called_at = self._scheduler.time
            if await self._scheduler.pause() is Outcome.NOT_DONE:
                raise LedgerUnavailable("not reached")
            # An actor that slept reads the clock again.
            arguments = tuple(self._scheduler.time if it is called_at else it for it in arguments)
            try:
                result = await self._scheduler.run_real(getattr(self._claims, name)(*arguments, **options))
            except ClaimLost:
                if self._fenced or name != "begin_write":
                    raise
                result = None
            self._scheduler.zombie_acquired_claim |= name == "acquire" and current_actor.get().zombie
            return result

        return call


class ScheduledLedger(Ledger):
    def __init__(self, claims: Claims, scheduler: Scheduler, *, fenced: bool) -> None:
        self.claims = ScheduledClaims(claims, scheduler, fenced)  # type: ignore[assignment]


class AttemptTimedOut(Exception):
    """The attempt timed out. It may still do something, but nobody waits for it."""


class ModelRunner(ActivityRunner):
    """Runs attempts as Temporal does: again after a failure or a timeout, and only the latest one counts."""

    def __init__(self, booking: str, scheduler: Scheduler, activities: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__("memory", "here")
        self._booking = booking
        self._scheduler = scheduler
        self._activities = activities
        self._outcome: asyncio.Future[Any] | None = None
        self._attempt: asyncio.Task[None] | None = None
        self.can_be_ended = False
        """An activity on the way to the answer is running."""

    def fail(self, error: Exception) -> bool:
        if self._outcome is None or self._outcome.done():
            return False
        self._outcome.set_exception(error)
        return True

    def stop_urgent(self) -> None:
        self._is_stopped = True
        if self.can_be_ended and self._attempt is not None:
            self._attempt.cancel()
            self.fail(Cancelled())

    async def run_urgent(self, activity: Callable[..., Any], request: Any, summary: str) -> Any:
        if self._is_stopped:
            raise Cancelled
        self.can_be_ended = True
        try:
            return await self.run_patiently(activity, request, summary)
        finally:
            self.can_be_ended = False

    async def run_once(self, activity: Callable[..., Any], request: Any, summary: str) -> None:
        """It did not answer. The model plays the claim of the re-check."""

    async def run_patiently(
        self, activity: Callable[..., Any], request: Any, summary: str, *, max_duration: timedelta | None = None
    ) -> Any:
        create_activities = self._activities[activity.__qualname__.split(".")[0]]
        heartbeat_details: list[Any] = []
        for number in itertools.count(1):
            actor = Actor(self._booking, activity.__name__, self._scheduler.steps)
            self._outcome = asyncio.get_running_loop().create_future()
            self._attempt = asyncio.create_task(
                self._run(
                    actor,
                    getattr(create_activities(), activity.__name__),
                    request,
                    number,
                    heartbeat_details,
                    self._outcome,
                )
            )
            try:
                return await self._outcome
            except Refused:
                raise NeedsStaff(Reason.REFUSED_BY_SYSTEM) from None
            except ApplicationError as failure:
                if failure.non_retryable:
                    raise NeedsStaff(Reason.NOT_LANDED) from None
                wait = failure.next_retry_delay
            except (AttemptTimedOut, OutsideError) as failure:
                actor.had_trouble |= isinstance(failure, AttemptTimedOut)
                wait = None
            finally:
                actor.zombie = True
            if wait is not None:
                await self._scheduler.sleep(wait)

    async def _run(
        self,
        actor: Actor,
        run: Callable[[Any], Any],
        activity_input: Any,
        number: int,
        heartbeat_details: list[Any],
        outcome: "asyncio.Future[Any]",
    ) -> None:
        def record_heartbeat(*details: Any) -> None:
            if not outcome.done():
                heartbeat_details[:] = details

        current_actor.set(actor)
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=number, heartbeat_details=tuple(heartbeat_details))
        environment.on_heartbeat = record_heartbeat
        try:
            result = await environment.run(run, activity_input)
            await self._scheduler.pause()  # its result is on the way
        except (OutsideError, ApplicationError) as failure:
            if not outcome.done():
                outcome.set_exception(failure)
        else:
            if not outcome.done():
                outcome.set_result(result)


def booking_input(number: int, start: datetime, provider: str | None) -> BookingInput:
    booking_request = BookingRequest(
        request_id=f"request-{number}",
        location="here",
        service="cleaning",
        start=start,
        patient=Person(first_name="Ana", last_name=f"Example {number}", date_of_birth=date(1988, 4, 2)),
    )
    # The model has no charts to read again.
    policy = practice().policy("here", "cleaning").model_copy(update={"chart_max_age": timedelta(days=365)})
    return BookingInput(request=booking_request, reference=new_reference(), policy=policy, provider=provider, digest="")


class FrontDesk(DeskQueue):
    """Removes by hand whatever we may not release, except the visit itself, and says so."""

    def __init__(self, scheduler: Scheduler, calendar: MemoryCalendar, state: BookingState) -> None:
        self._scheduler = scheduler
        self._calendar = calendar
        self._state = state

    async def ask(self, problem: NeedsStaff) -> ResolutionKind:
        await self._scheduler.pause()
        visit = self._state.reservation.appointment if not self._state.lifecycle.status.is_final else None
        for appointment in self._calendar.with_reference(self._state.booking.reference):
            if visit is None or appointment.id != visit.id:
                self._calendar.desk_deletes(appointment)
        return ResolutionKind.APPROVE


class Booking:
    """What the workflow does around the hold protocol: attempts, staff decisions, compensation."""

    def __init__(
        self,
        scheduler: Scheduler,
        calendar: MemoryCalendar,
        activities: Mapping[str, Callable[[], Any]],
        booking: BookingInput,
        staff_retry: bool,
    ) -> None:
        self.reference = booking.reference
        self.state = BookingState(booking, started_at=scheduler.time, now=scheduler.time)
        patient_match = Match(verdict=Verdict.MATCHED, chart=f"patient of {booking.reference}")
        self.state.patient.record_match(patient_match, scheduler.now())
        self.confirmed = False
        self._scheduler = scheduler
        self._calendar = calendar
        self._runner = ModelRunner(booking.reference, scheduler, activities)
        desk = FrontDesk(scheduler, calendar, self.state)
        background = BackgroundRunner(self._runner, desk)
        compensation = Compensation(self.state, background)
        slots = SlotSteps(self.state, self._runner)
        holds = HoldSteps(self.state, self._runner, background, compensation, slots)
        self._reservation = ReservationSteps(self.state, PatientSteps(self.state, self._runner), slots, holds)
        self._cleanup = Cleanup(self.state, compensation, desk)
        self._staff_retry = staff_retry
        self.task = asyncio.create_task(self._run())

    def time_out_attempt(self) -> None:
        """The running attempt times out, because its worker died, or sleeps and may wake up later."""
        self._runner.fail(AttemptTimedOut())

    def time_out_activity(self) -> None:
        """The running attempt times out, and the activity is not tried again."""
        if self._runner.can_be_ended:
            self._runner.fail(NeedsStaff(Reason.NOT_LANDED))

    def cancel(self) -> None:
        """The patient cancels. What is running is cancelled where it waits now."""
        self._runner.stop_urgent()

    async def _run(self) -> None:
        current_actor.set(Actor(self.reference, "workflow", self._scheduler.steps))
        try:
            await self._book()
        except (NeedsStaff, Declined, Cancelled) as end:
            status = Status.CANCELLED if isinstance(end, Cancelled) else Status.DECLINED
            self.state.lifecycle.set_status(status, None, self._scheduler.time)
            await self._cleanup.compensate()

    async def _book(self) -> None:
        try:
            await self._reserve_and_confirm()
        except NeedsStaff:
            if not self._staff_retry:
                raise
            self._calendar.forget_earlier_writes(self.reference)
            apply_resolution(Resolution(kind=ResolutionKind.RETRY), self.state)
            await self._reserve_and_confirm()
        self.confirmed = True
        await self._cleanup.watch_for_leftovers()

    async def _reserve_and_confirm(self) -> None:
        for step in (self._reservation.reserve, self._reservation.ensure_confirmed):
            assert await step() is StepResult.DONE, "writes of the model are immediate"
