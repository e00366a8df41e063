"""One booking, from the patient's request until the visit is over."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.booking import BookingView, Contacts, Reason, Status
    from domain.messages import Kind
    from workflows.booking.decisions import SLOT_REASONS, allowed
    from workflows.booking.desk import Desk
    from workflows.booking.interruptions import Declined, GivenBack, NeedsStaff, OnItsWay, Withdrawn
    from workflows.booking.landing import Landing
    from workflows.booking.listing import Listing
    from workflows.booking.messages import (
        ANSWER_GRACE,
        ANSWER_TIMEOUT,
        BY_PATIENT,
        NOT_ALLOWED,
        Answer,
        AppointmentEvent,
        BookingInput,
        NewTime,
        Resolution,
        ResolutionKind,
        WaitOptions,
    )
    from workflows.booking.notices import Notices
    from workflows.booking.office import Office
    from workflows.booking.state import BookingState
    from workflows.booking.taking_back import TakingBack
    from workflows.booking.undoing import Undoing
    from workflows.booking.view import view_of
    from workflows.booking.visit import Visit
    from workflows.shared.activity_runner import PracticeSteps
    from workflows.shared.timers import beside, caught_up, happens_before


@workflow.defn
class BookingWorkflow:
    @workflow.init
    def __init__(self, given: BookingInput) -> None:
        self._given = given
        self._state = BookingState(given, asked_at=workflow.info().workflow_start_time, updated_at=workflow.now())
        self._listing = Listing(self._state)
        self._notices = Notices(self._state)
        self._steps = PracticeSteps(
            given.policy.connection, given.policy.location, lambda reason: self._desk.knows(reason)
        )
        self._taking_back = TakingBack(given, self._state, self._steps)
        self._landing = Landing(given, self._state, self._steps, self._taking_back)
        self._office = Office(
            given.policy.landing, self._state, self._landing, self._taking_back, self._notices, self._listing
        )
        self._desk = Desk(self._state, self._landing, self._taking_back, self._office, self._notices, self._listing)
        self._visit = Visit(self._state, self._steps, self._landing, self._desk, self._notices, self._listing)
        self._undoing = Undoing(self._state, self._taking_back, self._desk)
        self._last_word: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, given: BookingInput) -> BookingView:
        try:
            await self._see_it_through()
            await self._finish()
        except (asyncio.CancelledError, ActivityError) as stopped:
            if not is_cancelled_exception(stopped):
                raise
            self._stop()
            if self._state.given_up:
                await self._see_it_through()
            await self._finish()
            raise
        return view_of(self._state)

    async def _see_it_through(self) -> None:
        """Whatever a person must settle on the way, no booking ends without an owner."""
        while True:
            try:
                await self._settle()
                if self._state.status is Status.CONFIRMED:
                    await self._follow_visit()
                if self._state.given_up:
                    await self._undoing.all_is_taken_back()
                return
            except NeedsStaff as need:
                await self._desk.asked(need)

    async def _settle(self) -> None:
        """Until it is confirmed, declined or withdrawn, and that has been said."""
        state = self._state
        while not state.settled:
            try:
                if state.withdrawn:
                    raise Withdrawn
                if state.need is not None:
                    await self._desk.decides(state.need)
                if state.on_its_way and not state.moving:
                    await self._office.takes_it()
                elif state.awaits_confirmation:
                    await self._office.is_back()
                    if state.withdrawn:
                        raise Withdrawn
                await self._landing.book()
                if state.withdrawn:
                    raise Withdrawn
                self._listing.become(Status.CONFIRMED)
            except OnItsWay:
                continue
            except GivenBack:
                state.close_exception()
            except NeedsStaff as need:
                state.need = need
            except Declined as no:
                state.alternatives = no.alternatives
                self._give_up(Status.DECLINED, no.reason, Kind.DECLINED)
            except Withdrawn:
                self._give_up(Status.CANCELLED, Reason.CANCELLED_BY_PATIENT, Kind.CANCELLED)

    async def _follow_visit(self) -> None:
        """Stay open for a withdrawal, then record how the visit went."""
        async with beside(self._visit.is_told(), self._undoing.nothing_comes_back(), self._visit.is_in_the_office()):
            outcome = await self._visit.is_over()
            if outcome is None:
                self._give_up(Status.CANCELLED, Reason.CANCELLED_BY_PATIENT, Kind.CANCELLED)
        if outcome is not None:
            self._listing.become(outcome)

    def _give_up(self, status: Status, reason: Reason, kind: Kind) -> None:
        """Say so first; what was written is taken back after that."""
        self._state.given_up = True
        self._state.close_exception()
        self._listing.become(status, reason)
        self._last_word = asyncio.create_task(self._is_heard(self._notices.tell_patient(kind)))

    async def _is_heard(self, told: asyncio.Task[bool]) -> None:
        """A patient who neither ended it, nor has it as an answer, nor could be sent it, is called by the desk."""
        if await told or self._state.withdrawn:
            return
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._state.answered_no:
            await self._desk.asked(NeedsStaff(Reason.NOT_REACHED))

    def _stop(self) -> None:
        """Temporal's own cancel: as if the patient had withdrawn, where that is still possible."""
        waiting = asyncio.current_task()
        if waiting is not None:
            waiting.uncancel()
        if not self._state.status.is_final and not self._visit_has_begun():
            self._give_up(Status.CANCELLED, Reason.CANCELLED_BY_PATIENT, Kind.CANCELLED)

    def _visit_has_begun(self) -> bool:
        return self._state.status is Status.CONFIRMED and workflow.now() >= self._state.start

    async def _finish(self) -> None:
        if self._last_word is not None:
            await asyncio.shield(self._last_word)
        await self._notices.finished()
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.query
    def view(self) -> BookingView:
        return view_of(self._state)

    @workflow.query
    def contacts(self) -> Contacts:
        return Contacts(patient=self._given.request.patient, guardian=self._given.request.guardian)

    @workflow.update
    async def wait_for_decision(self) -> Answer:
        """The answer in one round trip: the decision, or honestly "received" when it takes longer."""
        await self._decided()
        return self._answer(ANSWER_TIMEOUT)

    @workflow.update
    async def wait_for_decision_within(self, options: WaitOptions) -> Answer:
        """The decision, or where the booking stands when patience ends."""
        await self._decided(lambda: self._state.decided, within=options.timeout)
        return self._answer(options.timeout)

    @workflow.update
    async def resolve_exception(self, decision: Resolution) -> BookingView:
        """A person's decision; returns where the booking stands after it."""
        await caught_up()
        self._may_resolve(decision)
        return await self._acted_on(decision)

    @resolve_exception.validator
    def _may_resolve(self, decision: Resolution) -> None:
        state = self._state
        if state.need is None or state.resolution is not None:
            raise ApplicationError(f"nothing to decide: the booking is {state.status}", type=NOT_ALLOWED)
        if decision.exception_number not in (None, state.questions):
            raise _something_else()
        if decision.kind not in allowed(state):
            possible = ", ".join(allowed(state))
            raise ApplicationError(f"{decision.kind} is not possible here; allowed: {possible}", type=NOT_ALLOWED)
        _is_to_come(decision.start)

    @workflow.signal
    def resolve(self, decision: Resolution) -> None:
        """The same by signal, for Temporal's own UI and command line; what is not allowed is ignored."""
        try:
            self._may_resolve(decision)
        except ApplicationError as refusal:
            workflow.logger.warning("resolution ignored", extra={"cause": refusal.message})
            return
        self._state.resolution = decision

    @workflow.signal
    def schedule_changed(self, news: AppointmentEvent) -> None:
        """The practice system says that something happened to an appointment of this booking."""
        self._state.hear(news, workflow.now())

    @workflow.signal
    def office_came_online(self) -> None:
        """The practice's own system takes in again what waits for it."""
        self._state.office_is_back(workflow.now())

    @workflow.update
    async def reschedule(self, time: NewTime) -> BookingView:
        """The patient picks another time while the first could not be had."""
        await caught_up()
        self._may_reschedule(time)
        self._state.asked_at = workflow.now()
        picked = Resolution(
            kind=ResolutionKind.START,
            by=BY_PATIENT,
            start=time.start,
            provider=time.provider,
            operatory=time.operatory,
        )
        return await self._acted_on(picked)

    @reschedule.validator
    def _may_reschedule(self, time: NewTime) -> None:
        _is_to_come(time.start)
        need = self._state.need
        if need is None or need.reason not in SLOT_REASONS or self._state.settled or self._state.resolution is not None:
            raise ApplicationError(
                f"another time can be picked only while the first could not be had; the booking is "
                f"{self._state.status}",
                type=NOT_ALLOWED,
            )

    @workflow.update
    async def cancel(self) -> BookingView:
        """The patient takes the request or the visit back."""
        await caught_up()
        self._may_cancel()
        self._state.asked_at = workflow.now()
        self._state.withdrawn = True
        self._steps.stop()
        await self._decided(lambda: self._state.status.is_final)
        return view_of(self._state)

    @cancel.validator
    def _may_cancel(self) -> None:
        if self._state.status.is_final:
            raise ApplicationError(f"the booking is already {self._state.status}", type=NOT_ALLOWED)
        if self._visit_has_begun():
            raise ApplicationError("the visit has begun: only the practice can change it now", type=NOT_ALLOWED)

    async def _acted_on(self, decision: Resolution) -> BookingView:
        self._state.resolution = decision
        await self._decided()
        if self._state.overtaken is decision:
            raise _something_else()
        return view_of(self._state)

    def _answer(self, within: timedelta) -> Answer:
        is_heard = workflow.now() <= self._state.asked_at + within + ANSWER_GRACE
        self._state.answered_no |= is_heard and self._state.status.is_final
        return Answer(view=view_of(self._state), digest=self._given.digest)

    async def _decided(self, when: Callable[[], bool] | None = None, within: timedelta = ANSWER_TIMEOUT) -> None:
        state = self._state
        decided = when or (lambda: state.resolution is None and state.answered)
        await happens_before(workflow.now() + within, decided, "Answer by then")


def _something_else() -> ApplicationError:
    return ApplicationError("something else is to be decided by now: look again", type=NOT_ALLOWED)


def _is_to_come(start: datetime | None) -> None:
    if start is not None and start <= workflow.now():
        raise ApplicationError("that time has gone by: pick one to come", type=NOT_ALLOWED)
