"""What may be asked of a running booking, and told to it: queries, updates and signals.

An update that changes anything lets earlier events reach the workflow first, and is then validated again. See
docs/decisions/0010.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.booking import SLOT_REASONS, BookingView, Contacts, Status
    from workflows.booking.contracts import (
        ANSWER_GRACE,
        ANSWER_TIMEOUT,
        BY_PATIENT,
        NOT_ALLOWED,
        Answer,
        AppointmentEvent,
        RequestedTime,
        Resolution,
        ResolutionKind,
        WaitOptions,
    )
    from workflows.booking.resolutions import allowed_resolutions
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.view import build_view
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.timers import apply_pending_events_first, wait_until


class BookingHandlers:
    def __init__(self, state: BookingState, runner: ActivityRunner) -> None:
        self._state = state
        self._runner = runner

    @workflow.query
    def view(self) -> BookingView:
        return build_view(self._state)

    @workflow.query
    def contacts(self) -> Contacts:
        """Whom to call: for the practice's staff only."""
        request = self._state.booking.request
        return Contacts(patient=request.patient, guardian=request.guardian)

    @workflow.update
    async def wait_for_decision(self) -> Answer:
        """The decision in one round trip, or honestly ``received`` if it takes longer than three seconds."""
        await self._wait_for_answer()
        return self._give_answer(ANSWER_TIMEOUT)

    @workflow.update
    async def wait_until_decided(self, options: WaitOptions) -> Answer:
        """The decision, or where the booking stands after the time given."""
        await self._wait_for_answer(lambda: self._state.has_decision, max_wait=options.timeout)
        return self._give_answer(options.timeout)

    @workflow.update
    async def resolve_exception(self, resolution: Resolution) -> BookingView:
        """The desk's answer to the open exception. Returns where the booking stands after it."""
        await apply_pending_events_first()
        self._check_resolution(resolution)
        return await self._apply(resolution)

    @resolve_exception.validator
    def _check_resolution(self, resolution: Resolution) -> None:
        state, exception = self._state, self._state.exception
        if not exception.is_open or exception.resolution is not None:
            raise ApplicationError(f"There is no open exception; the booking is {_status(state)}.", type=NOT_ALLOWED)
        if resolution.exception_number not in (None, exception.number):
            raise _exception_changed()
        if resolution.kind not in allowed_resolutions(state):
            allowed = ", ".join(allowed_resolutions(state))
            raise ApplicationError(f"{resolution.kind} is not possible here; allowed: {allowed}.", type=NOT_ALLOWED)
        _check_future(resolution.start)

    @workflow.signal
    def resolve(self, resolution: Resolution) -> None:
        """The same as a signal, for Temporal's own UI and command line. An answer that is not allowed is ignored."""
        try:
            self._check_resolution(resolution)
        except ApplicationError as refusal:
            workflow.logger.warning("resolution_ignored", extra={"cause": refusal.message})
            return
        self._state.exception.answer(resolution)

    @workflow.signal
    def schedule_changed(self, event: AppointmentEvent) -> None:
        """The practice system reports an event about an appointment of this booking."""
        self._state.record_event(event, workflow.now())

    @workflow.signal
    def office_came_online(self) -> None:
        """The office system accepts queued writes again."""
        self._state.record_online(workflow.now())

    @workflow.update
    async def reschedule(self, time: RequestedTime) -> BookingView:
        """The patient picks another time, because the first one could not be had."""
        await apply_pending_events_first()
        self._check_reschedule(time)
        self._state.lifecycle.record_patient_action(workflow.now())
        choice = Resolution(
            kind=ResolutionKind.START,
            by=BY_PATIENT,
            start=time.start,
            provider=time.provider,
            operatory=time.operatory,
        )
        return await self._apply(choice)

    @reschedule.validator
    def _check_reschedule(self, time: RequestedTime) -> None:
        _check_future(time.start)
        exception = self._state.exception
        is_waiting = exception.reason in SLOT_REASONS and exception.resolution is None
        if not is_waiting or self._state.lifecycle.is_confirmed_or_final:
            raise ApplicationError(
                "Another time can be picked only while the first one could not be had; "
                f"the booking is {_status(self._state)}. To move it, cancel it and submit a new request.",
                type=NOT_ALLOWED,
            )

    @workflow.update
    async def cancel(self) -> BookingView:
        """The patient cancels the request or the visit."""
        await apply_pending_events_first()
        self._check_cancel()
        lifecycle = self._state.lifecycle
        lifecycle.record_patient_action(workflow.now())
        lifecycle.cancel()
        self._runner.stop_urgent()
        await self._wait_for_answer(lambda: lifecycle.status.is_final)
        return build_view(self._state)

    @cancel.validator
    def _check_cancel(self) -> None:
        if self._state.lifecycle.status.is_final:
            raise ApplicationError(f"The booking is already {_status(self._state)}.", type=NOT_ALLOWED)
        if self._has_visit_begun():
            raise ApplicationError("The visit has begun; only the practice can change it now.", type=NOT_ALLOWED)

    def _has_visit_begun(self) -> bool:
        is_confirmed = self._state.lifecycle.status is Status.CONFIRMED
        return is_confirmed and workflow.now() >= self._state.reservation.start

    async def _apply(self, resolution: Resolution) -> BookingView:
        exception = self._state.exception
        exception.answer(resolution)
        await self._wait_for_answer()
        if exception.discarded_resolution is resolution:
            raise _exception_changed()
        return build_view(self._state)

    def _give_answer(self, timeout: timedelta) -> Answer:
        """The caller stops listening a little after its timeout. A later answer reaches nobody."""
        lifecycle = self._state.lifecycle
        is_heard = workflow.now() <= lifecycle.patient_acted_at + timeout + ANSWER_GRACE
        if is_heard and lifecycle.status.is_final:
            lifecycle.record_final_answer()
        return Answer(view=build_view(self._state), digest=self._state.booking.digest)

    async def _wait_for_answer(
        self, condition: Callable[[], bool] | None = None, max_wait: timedelta = ANSWER_TIMEOUT
    ) -> None:
        """Without ``condition``: until every resolution is applied and there is something to tell."""
        state = self._state
        is_answered = condition or (lambda: state.exception.resolution is None and state.has_answer)
        await wait_until(workflow.now() + max_wait, is_answered, "Answer deadline")


def _status(state: BookingState) -> Status:
    return state.lifecycle.status


def _exception_changed() -> ApplicationError:
    return ApplicationError("The open exception has changed. Reload it and decide again.", type=NOT_ALLOWED)


def _check_future(start: datetime | None) -> None:
    if start is not None and start <= workflow.now():
        raise ApplicationError("That time is in the past. Pick a future time.", type=NOT_ALLOWED)
