"""What may be asked of a running booking, and told to it: queries, updates and signals.

All of it comes from outside, and anybody with access to Temporal may send anything. Nothing that comes in may fail a
workflow task: an update that cannot be read is refused, and such a signal is set aside. See docs/decisions/0024.

An update that changes anything lets earlier events reach the workflow first, and is then validated again. See
docs/decisions/0010.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.booking import SLOT_REASONS, BookingView, Contacts, Reason, SetAsideCause, Status
    from domain.wording import MessageKind
    from workflows.booking.contracts import (
        ANSWER_GRACE,
        ANSWER_TIMEOUT,
        BY_PATIENT,
        MAX_WAIT,
        MAX_WAITS,
        MAX_YEARS_AHEAD,
        NOT_ALLOWED,
        OTHER_BOOKING,
        Answer,
        AppointmentEvent,
        PlainResolution,
        RequestedTime,
        Resolution,
        ResolutionKind,
        SignalName,
        WaitOptions,
    )
    from workflows.booking.notifications import Notifications
    from workflows.booking.resolutions import allowed_resolutions
    from workflows.booking.state.booking_state import BookingState
    from workflows.booking.view import build_view
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.inbound import Message, accepts_plain_decisions, read_message
    from workflows.shared.timers import apply_pending_events_first, wait_until

MAX_RESCHEDULED_EXCEPTIONS = 50
"""A booking with so many exceptions takes no further time from the patient. The desk may go on."""


class BookingHandlers:
    def __init__(self, state: BookingState, runner: ActivityRunner, notifications: Notifications) -> None:
        self._state = state
        self._runner = runner
        self._notifications = notifications

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
        self._state.inbox.count_wait()
        await self._wait_for_answer()
        return self._give_answer(ANSWER_TIMEOUT)

    @wait_for_decision.validator
    def _check_wait(self) -> None:
        self._check_room_for_wait()

    @workflow.update
    async def wait_until_decided(self, options: WaitOptions) -> Answer:
        """The decision, or where the booking stands after the time given."""
        self._state.inbox.count_wait()
        await self._wait_for_answer(lambda: self._state.has_decision, max_wait=options.timeout)
        return self._give_answer(options.timeout)

    @wait_until_decided.validator
    def _check_wait_until_decided(self, options: WaitOptions) -> None:
        self._check_room_for_wait()
        if not timedelta(0) <= options.timeout <= MAX_WAIT:
            raise ApplicationError(f"A wait lasts {MAX_WAIT.seconds} seconds at most.", type=NOT_ALLOWED)

    def _check_room_for_wait(self) -> None:
        if self._state.inbox.waits >= MAX_WAITS:
            raise ApplicationError("Too many waits for this booking. Query its view instead.", type=NOT_ALLOWED)

    @workflow.update
    async def resolve_exception(self, resolution: Resolution) -> BookingView:
        """The desk's answer to the open exception. Returns where the booking stands after it."""
        await apply_pending_events_first()
        self._check_resolution(resolution)
        return await self._apply(resolution)

    @resolve_exception.validator
    def _check_resolve_exception(self, resolution: Resolution) -> None:
        self._check_resolution(resolution)
        # The setting may change during a booking's life. Only this validator may ask for it: it never replays.
        if not accepts_plain_decisions() and not self._is_bound(resolution):
            raise ApplicationError(
                "A resolution must name the booking (request_id) and the exception (exception_number) that it decides.",
                type=NOT_ALLOWED,
            )

    def _is_bound(self, resolution: Resolution) -> bool:
        return bool(resolution.request_id) and resolution.exception_number is not None

    def _check_resolution(self, resolution: Resolution) -> None:
        state, exception = self._state, self._state.exception
        self._check_booking(resolution.request_id)
        if not exception.is_open or exception.resolution is not None:
            raise ApplicationError(_nothing_to_resolve(_status(state)), type=NOT_ALLOWED)
        if resolution.exception_number not in (None, exception.number):
            raise _exception_changed()
        if resolution.kind not in allowed_resolutions(state):
            allowed = ", ".join(allowed_resolutions(state))
            raise ApplicationError(f"{resolution.kind} is not possible here; allowed: {allowed}.", type=NOT_ALLOWED)
        _check_future(resolution.start)

    @workflow.signal(dynamic=True)
    def receive_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Every signal comes in here. One that cannot be read or accepted is set aside, and the desk is told once."""
        number = self._state.inbox.receive()
        message = self._read_signal(name, args)
        cause = message.cause
        # Keys and settings may change during a booking's life. The history says how the signal was read at first.
        if (cause is not None or workflow.unsafe.is_replaying()) and workflow.patched(f"signal-{number}-set-aside"):
            self._set_aside(name, cause or SetAsideCause.UNREADABLE)
        elif cause is None:
            self._carry_out_signal(name, message)
        else:
            raise RuntimeError(f"signal {number} ({cause}) was read before, and cannot be read now: is a key missing?")

    def _read_signal(self, name: str, args: Sequence[RawValue]) -> Message:
        match name:
            case SignalName.RESOLVE:
                is_accepted = accepts_plain_decisions()
                message = read_message(args, Resolution, PlainResolution if is_accepted else None)
                if isinstance(message.value, PlainResolution):
                    return message._replace(value=message.value.as_resolution())
                if message.cause is None and not is_accepted and not self._is_bound(message.value):
                    return Message(cause=SetAsideCause.NOT_BOUND)
                return message
            case SignalName.SCHEDULE_CHANGED:
                return read_message(args, AppointmentEvent)
            case SignalName.OFFICE_CAME_ONLINE:
                return read_message(args, None)
            case _:
                return Message(cause=SetAsideCause.UNKNOWN_NAME)

    def _carry_out_signal(self, name: str, message: Message) -> None:
        match name:
            case SignalName.RESOLVE:
                self._resolve(message.value, is_plain=message.is_plain)
            case SignalName.SCHEDULE_CHANGED:
                self._state.record_event(message.value, workflow.now())
            case SignalName.OFFICE_CAME_ONLINE:
                self._state.record_online(workflow.now())

    def _resolve(self, resolution: Resolution, *, is_plain: bool) -> None:
        """A resolution that came as a signal: from Temporal's own UI or command line."""
        try:
            self._check_resolution(resolution)
        except ApplicationError as refusal:
            is_other = refusal.type == OTHER_BOOKING
            self._set_aside(SignalName.RESOLVE, SetAsideCause.OTHER_BOOKING if is_other else SetAsideCause.NOT_ALLOWED)
        else:
            self._state.exception.answer(resolution, workflow.now(), is_plain=is_plain)

    def _set_aside(self, name: str, cause: SetAsideCause) -> None:
        """Change nothing, count it, and tell the desk of the first one."""
        inbox = self._state.inbox
        inbox.put_aside(cause)
        known_name = name if name in list(SignalName) else "unknown"  # the name may be any text
        workflow.logger.warning("signal_set_aside", extra={"signal": known_name, "cause": cause})
        workflow.metric_meter().create_counter(
            "holdfast_signals_set_aside", "Signals that a booking could not read or accept"
        ).add(1, {"signal": known_name, "cause": cause})
        if inbox.set_aside == 1:
            self._notifications.notify_desk(MessageKind.DESK_SET_ASIDE, Reason.MESSAGE_SET_ASIDE, is_separate=True)

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
        self._check_booking(time.request_id)
        _check_future(time.start)
        exception = self._state.exception
        if exception.number >= MAX_RESCHEDULED_EXCEPTIONS:
            raise ApplicationError("Too many times were tried. Please call the practice.", type=NOT_ALLOWED)
        is_waiting = exception.reason in SLOT_REASONS and exception.resolution is None
        if not is_waiting or self._state.lifecycle.is_confirmed_or_final:
            raise ApplicationError(
                "Another time can be picked only while the first one could not be had; "
                f"the booking is {_status(self._state)}. {_how_to_move(_status(self._state))}",
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

    def _check_booking(self, request_id: str) -> None:
        """A sealed message can be copied to another booking by somebody without keys."""
        if request_id not in ("", self._state.booking.request.request_id):
            raise ApplicationError("It is about another booking.", type=OTHER_BOOKING)

    def _has_visit_begun(self) -> bool:
        is_confirmed = self._state.lifecycle.status is Status.CONFIRMED
        return is_confirmed and workflow.now() >= self._state.reservation.start

    async def _apply(self, resolution: Resolution) -> BookingView:
        exception = self._state.exception
        exception.answer(resolution, workflow.now())
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


def _nothing_to_resolve(status: Status) -> str:
    hint = f" {_how_to_move(status)}" if status is Status.CONFIRMED else ""
    return f"There is no open exception; the booking is {status}.{hint}"


def _how_to_move(status: Status) -> str:
    if status is Status.CONFIRMED:
        return "To move the visit, the desk moves the appointment in the practice's calendar; the booking follows it."
    return "To move it, cancel it and submit a new request."


def _exception_changed() -> ApplicationError:
    return ApplicationError("The open exception has changed. Reload it and decide again.", type=NOT_ALLOWED)


def _check_future(start: datetime | None) -> None:
    if start is not None and start <= workflow.now():
        raise ApplicationError("That time is in the past. Pick a future time.", type=NOT_ALLOWED)
    # A time near the year 9999 could not even be shown in another zone.
    if start is not None and start.year > workflow.now().year + MAX_YEARS_AHEAD:
        raise ApplicationError(f"That time is more than {MAX_YEARS_AHEAD} years ahead.", type=NOT_ALLOWED)
