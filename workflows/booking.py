"""One booking, from the patient's request until the visit is over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.holds import AppointmentToRead, HoldActivities
    from domain.booking import BookingView, Reason, Status
    from domain.calendar import AppointmentStatus, EventKind, LandingState
    from domain.messages import Kind, plain_reason
    from workflows.contracts import (
        ANSWER_WITHIN,
        BY_PATIENT,
        Answer,
        BookingInput,
        CalendarNews,
        NewTime,
        Patience,
        Resolution,
        ResolutionKind,
    )
    from workflows.landing import Landing
    from workflows.notices import Notices
    from workflows.office import Office
    from workflows.practice_steps import PracticeSteps
    from workflows.search_attributes import APPOINTMENT_START, BOOKING_STATUS, EXCEPTION_REASON
    from workflows.state import SLOT_REASONS, BookingState, Declined, NeedsStaff, OnItsWay, Withdrawn
    from workflows.waiting import happens_before, sleep_until

LATE_COMMIT = timedelta(seconds=60)
"""A write whose outcome was unknown may still be committed for so long."""
QUEUE_DRAINS_WITHIN = timedelta(hours=24)
"""Where writes are queued: longer than an office's server is off over night."""
OUTCOME_KNOWN_AFTER = timedelta(hours=12)
"""After the visit's end the desk has so long to record how it went."""
NOT_ALLOWED = "NotAllowed"


@workflow.defn
class BookingWorkflow:
    @workflow.init
    def __init__(self, given: BookingInput) -> None:
        self._given = given
        self._state = BookingState(given, updated_at=workflow.now())
        self._steps = PracticeSteps(given.policy.connection, given.policy.location)
        self._landing = Landing(given, self._state, self._steps)
        self._notices = Notices(self._state)
        self._office = Office(
            given.policy.landing, self._state, self._landing, self._notices, ended=lambda: self._withdrawn
        )
        self._resolution: Resolution | None = None
        self._withdrawn = False
        self._published: tuple[Status, Reason | None, datetime] | None = None

    @workflow.run
    async def run(self, given: BookingInput) -> BookingView:
        try:
            await self._settle()
            if self._state.status is Status.CONFIRMED:
                await self._until_visit_is_over()
        except (asyncio.CancelledError, ActivityError) as stopped:
            if not is_cancelled_exception(stopped):
                raise
            await self._end(Status.CANCELLED, Reason.WITHDRAWN, Kind.CANCELLED)
            await self._finish()
            raise
        await self._finish()
        return self._state.view()

    async def _finish(self) -> None:
        await self._notices.finished()
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _settle(self) -> None:
        while not self._state.settled:
            try:
                if self._state.need is not None:
                    await self._wait_for_person(self._state.need)
                if self._state.on_its_way and not self._state.moving:
                    self._become(Status.RECEIVED, Reason.AWAITING_OFFICE)
                    await self._office.takes_it()
                if self._withdrawn:
                    raise Withdrawn
                await self._landing.book()
                self._become(Status.CONFIRMED, None)
            except OnItsWay:
                continue
            except NeedsStaff as need:
                self._state.need = need
            except Declined as no:
                self._state.alternatives = no.alternatives
                await self._end(Status.DECLINED, no.reason, Kind.DECLINED)
            except Withdrawn:
                await self._end(Status.CANCELLED, Reason.WITHDRAWN, Kind.CANCELLED)

    async def _wait_for_person(self, need: NeedsStaff) -> None:
        """Put it in the queue, keep the time claimed, escalate while nobody acts, then apply the decision."""
        state = self._state
        state.alternatives = need.alternatives
        self._become(Status.HELD if need.reason is Reason.APPROVAL else Status.NEEDS_STAFF, need.reason)
        self._notices.tell_desk(Kind.DESK_EXCEPTION, need.reason)
        self._notices.tell_patient(Kind.HELD if state.appointment and not state.on_its_way else Kind.RECEIVED)
        async with self._late_commits_undone():
            await self._until_somebody_acts(need)
        if self._withdrawn:
            raise Withdrawn
        if self._resolution is None:
            return state.close_exception()
        state.apply(self._take_resolution())

    async def _until_somebody_acts(self, need: NeedsStaff) -> None:
        """Returns also when there is nothing left to act on: the hold has landed after all."""
        state = self._state
        escalate_at = workflow.now() + self._given.policy.staff_deadline
        while self._resolution is None and not self._withdrawn:
            expires = state.hold_expires()
            state.deadline = min(escalate_at, state.start, expires or escalate_at)
            look_at = state.look_at if state.on_its_way and state.look_at is not None else state.deadline
            if await self._somebody_acts_before(min(state.deadline, look_at), "Waiting for a person"):
                break
            if self._office.look_is_due():
                await self._landing.look()
                if not state.on_its_way:
                    return
                continue
            if workflow.now() >= state.start:
                raise Declined(Reason.EXPIRED)
            if expires is not None and workflow.now() >= expires:
                await self._expire_hold()
            else:
                self._notices.tell_desk(Kind.DESK_ESCALATION, state.reason or need.reason)
                escalate_at = workflow.now() + self._given.policy.staff_deadline

    @asynccontextmanager
    async def _late_commits_undone(self) -> AsyncIterator[None]:
        """Beside what is done meanwhile, take back what a lost write may add once it is carried out."""
        undoing = asyncio.create_task(self._undo_late_commits())
        try:
            yield
        finally:
            undoing.cancel()
            await asyncio.gather(undoing, return_exceptions=True)

    async def _undo_late_commits(self) -> None:
        state = self._state
        if state.late_until is None:
            return
        await sleep_until(state.late_until, "A late twin would show by now")
        try:
            await self._landing.sweep_twins()
        except NeedsStaff as need:
            self._notices.tell_desk(Kind.DESK_EXCEPTION, need.reason)
        state.late_until = None

    async def _somebody_acts_before(self, deadline: datetime, summary: str) -> bool:
        def acted() -> bool:
            return self._resolution is not None or self._withdrawn

        await happens_before(deadline, lambda: acted() or self._office.look_is_due(), summary)
        return acted()

    async def _expire_hold(self) -> None:
        await self._landing.withdraw()
        self._state.need = NeedsStaff(Reason.HOLD_EXPIRED)
        self._become(Status.NEEDS_STAFF, Reason.HOLD_EXPIRED)
        self._notices.tell_patient(Kind.EXPIRED)
        self._notices.tell_desk(Kind.DESK_EXCEPTION, Reason.HOLD_EXPIRED)

    def _take_resolution(self) -> Resolution:
        assert self._resolution is not None
        resolution, self._resolution = self._resolution, None
        return resolution

    async def _until_visit_is_over(self) -> None:
        """Stay open for a withdrawal, then record how the visit went."""
        async with self._late_commits_undone():
            await self._follow_visit()

    async def _follow_visit(self) -> None:
        state = self._state
        if self._withdrawn:
            return await self._end(Status.CANCELLED, Reason.WITHDRAWN, Kind.CANCELLED)
        told = self._notices.tell_patient(Kind.CONFIRMED)
        if not await told:
            state.need = NeedsStaff(Reason.NOT_REACHED)
            self._become(Status.CONFIRMED, Reason.NOT_REACHED)
            self._notices.tell_desk(Kind.DESK_EXCEPTION, Reason.NOT_REACHED)
        assert state.appointment is not None
        over = state.appointment.time.end + OUTCOME_KNOWN_AFTER
        while await self._somebody_acts_before(over, "Until the visit is over"):
            if self._withdrawn:
                return await self._end(Status.CANCELLED, Reason.WITHDRAWN, Kind.CANCELLED)
            self._take_resolution()
            state.close_exception()
            self._become(Status.CONFIRMED, None)
        outcome = await self._steps.cleanup(
            HoldActivities.read_outcome,
            AppointmentToRead(location=self._given.policy.location, appointment_id=state.appointment.id),
            "How did the visit go?",
        )
        self._become(_OUTCOMES.get(outcome, Status.COMPLETED), None)

    async def _end(self, status: Status, reason: Reason, kind: Kind) -> None:
        """Say so first, then take back whatever was written, however long the office is away."""
        state = self._state
        state.close_exception()
        self._become(status, reason)
        self._notices.tell_patient(kind)
        if state.write_begun:
            await self._take_back()
            if state.late_until is not None and workflow.now() < state.late_until:
                await sleep_until(state.late_until, "A late commit would show by now")
                await self._take_back()
            if state.queued:
                await self._watch_the_queue()
        elif state.slot is not None:
            await self._landing.release_claim()

    async def _watch_the_queue(self) -> None:
        """What was taken back may land yet, and the taking back be refused by the practice's own system.

        Both are told by news, which may be lost: so look as often as for a landing, and once more in the end.
        """
        state, end = self._state, workflow.now() + QUEUE_DRAINS_WITHIN
        for wait in (*self._given.policy.landing.look_after, QUEUE_DRAINS_WITHIN):
            look_at = min(workflow.now() + wait, end)
            while await happens_before(look_at, lambda: state.news is not None, "Until nothing can land any more"):
                news, state.news = state.news, None
                if news is not None and news.kind is EventKind.CHANGE_FAILED:
                    await self._ask_to_remove(Reason.REFUSED_BY_SYSTEM)
                elif news is not None and news.landing is LandingState.LANDED:
                    await self._take_back()
            await self._take_back()

    async def _take_back(self) -> None:
        """However long the office is away; where it refuses, a person removes it and says so."""
        while True:
            try:
                return await self._landing.withdraw()
            except NeedsStaff as need:
                if await self._ask_to_remove(need.reason) is ResolutionKind.APPROVE:
                    return self._landing.forget_hold()

    async def _ask_to_remove(self, reason: Reason) -> ResolutionKind:
        """A person takes the appointment out of the calendar by hand, or has us try again."""
        self._state.need = NeedsStaff(reason)
        self._become(self._state.status, reason)
        self._notices.tell_desk(Kind.DESK_EXCEPTION, reason)
        await workflow.wait_condition(lambda: self._resolution is not None)
        self._state.close_exception()
        return self._take_resolution().kind

    def _become(self, status: Status, reason: Reason | None) -> None:
        """Take a status, and publish it where bookings are listed."""
        state = self._state
        state.status, state.reason, state.updated_at = status, reason, workflow.now()
        exception = state.need.reason if state.need is not None else None
        published = (status, exception, state.start)
        if published == self._published:
            return
        self._published = published
        workflow.upsert_search_attributes(
            [
                BOOKING_STATUS.value_set(status),
                EXCEPTION_REASON.value_set(exception) if exception else EXCEPTION_REASON.value_unset(),
                APPOINTMENT_START.value_set(state.start),
            ]
        )
        workflow.set_current_details(f"{status}: {plain_reason(reason)}" if reason else status.value)

    @workflow.query
    def view(self) -> BookingView:
        return self._state.view()

    @workflow.query
    def digest(self) -> str:
        """Of the request this booking was started with."""
        return self._given.digest

    @workflow.update
    async def wait_for_decision(self) -> Answer:
        """The answer in one round trip: the decision, or honestly "received" when it takes longer."""
        await self._decided()
        return Answer(view=self._state.view(), digest=self._given.digest)

    @workflow.update
    async def wait_longer(self, patience: Patience) -> Answer:
        """The decision, or where the booking stands when patience ends."""
        await self._decided(lambda: self._state.decided, within=patience.within)
        return Answer(view=self._state.view(), digest=self._given.digest)

    @workflow.update
    async def resolve_exception(self, decision: Resolution) -> BookingView:
        """A person's decision; returns where the booking stands after it."""
        self._resolution = decision
        await self._decided()
        return self._state.view()

    @resolve_exception.validator
    def _may_resolve(self, decision: Resolution) -> None:
        state = self._state
        if state.need is None or self._resolution is not None:
            raise ApplicationError(f"nothing to decide: the booking is {state.status}", type=NOT_ALLOWED)
        if decision.kind not in state.resolutions():
            allowed = ", ".join(state.resolutions())
            raise ApplicationError(f"{decision.kind} is not possible here; allowed: {allowed}", type=NOT_ALLOWED)

    @workflow.signal
    def resolve(self, decision: Resolution) -> None:
        """The same by signal, for Temporal's own UI and command line; what is not allowed is ignored."""
        try:
            self._may_resolve(decision)
        except ApplicationError as refusal:
            workflow.logger.warning("resolution ignored", extra={"cause": refusal.message})
            return
        self._resolution = decision

    @workflow.signal
    def schedule_changed(self, news: CalendarNews) -> None:
        """The practice system says that something happened to an appointment of this booking."""
        if self._state.status is not Status.CONFIRMED:
            self._state.news = news

    @workflow.update
    async def reschedule(self, time: NewTime) -> BookingView:
        """The patient picks another time while the first could not be had."""
        self._state.asked_at = workflow.now()
        self._resolution = Resolution(
            kind=ResolutionKind.START,
            by=BY_PATIENT,
            start=time.start,
            provider=time.provider,
            operatory=time.operatory,
        )
        await self._decided()
        return self._state.view()

    @reschedule.validator
    def _may_reschedule(self, time: NewTime) -> None:
        need = self._state.need
        if need is None or need.reason not in SLOT_REASONS or self._resolution is not None:
            raise ApplicationError(
                f"another time can be picked only while the first could not be had; the booking is "
                f"{self._state.status}",
                type=NOT_ALLOWED,
            )

    @workflow.update
    async def cancel(self) -> BookingView:
        """The patient takes the request or the visit back."""
        self._state.asked_at = workflow.now()
        self._withdrawn = True
        self._steps.stop()
        await self._decided(lambda: self._state.status.is_final)
        return self._state.view()

    @cancel.validator
    def _may_cancel(self) -> None:
        if self._state.status.is_final:
            raise ApplicationError(f"the booking is already {self._state.status}", type=NOT_ALLOWED)

    async def _decided(self, when: Callable[[], bool] | None = None, within: timedelta = ANSWER_WITHIN) -> None:
        decided = when or (lambda: self._resolution is None and self._state.answered)
        await happens_before(workflow.now() + within, decided, "Answer by then")


_OUTCOMES = {
    AppointmentStatus.NO_SHOW: Status.NO_SHOW,
    AppointmentStatus.BROKEN: Status.CANCELLED,
}
