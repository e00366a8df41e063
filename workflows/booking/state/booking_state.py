"""The whole state of a booking: its seven parts, and what changes several of them at once."""

from datetime import datetime

from activities.visitors import VisitorInput
from domain.booking import MessageState, Reason, Status
from domain.calendar import Appointment
from domain.matching import identity_key
from domain.policy import VisitLimits
from domain.rules import Confirmation
from workflows.booking.contracts import AppointmentEvent, BookingInput, RequestedTime
from workflows.booking.state.desk_exception import DeskException
from workflows.booking.state.inbox import Inbox
from workflows.booking.state.leftovers import Leftovers
from workflows.booking.state.lifecycle import Lifecycle
from workflows.booking.state.office import OfficeState, is_about_our_write
from workflows.booking.state.patient_match import PatientMatch
from workflows.booking.state.polling import poll_interval
from workflows.booking.state.reservation import Reservation


class BookingState:
    """Each part writes its own fields; everybody else calls its verbs. A test holds that."""

    def __init__(self, booking: BookingInput, *, started_at: datetime, now: datetime) -> None:
        self.booking = booking
        self.lifecycle = Lifecycle(patient_acted_at=started_at, updated_at=now)
        self.patient = PatientMatch()
        self.reservation = Reservation(RequestedTime(start=booking.request.start, provider=booking.provider))
        self.leftovers = Leftovers()
        self.office = OfficeState()
        self.exception = DeskException()
        self.inbox = Inbox()
        self.messages: list[MessageState] = []

    # What the parts say together.

    @property
    def is_confirmation_blocked_by_office(self) -> bool:
        """Everything is done except the confirmation, because the office system is offline."""
        return self.reservation.is_hold_landed and self.office.is_offline and not self.reservation.is_confirmed

    @property
    def has_decision(self) -> bool:
        """The booking is settled, or the desk has it."""
        return self.lifecycle.is_confirmed_or_final or self.exception.is_open

    @property
    def has_answer(self) -> bool:
        """There is something to tell the patient, and nothing more to expect soon."""
        is_landing = self.reservation.is_landing and not self.reservation.is_moving
        return self.has_decision or is_landing or self.is_confirmation_blocked_by_office

    @property
    def has_desk_wait_ended(self) -> bool:
        """The desk answered, the patient cancelled, or the exception has settled itself."""
        return self.exception.resolution is not None or self.lifecycle.is_cancelled or self._can_confirmation_be_retried

    @property
    def _can_confirmation_be_retried(self) -> bool:
        """The office system was the only obstacle, and it is online again."""
        return self.exception.reason is Reason.NOT_CONFIRMED and not self.office.is_offline

    @property
    def approval_reason(self) -> Reason | None:
        """Why the desk must approve the visit, or ``None``."""
        if self.exception.is_approved:
            return None
        if self.booking.request.note:
            return Reason.SPECIAL_REQUEST
        return Reason.APPROVAL if self.booking.policy.confirmation is Confirmation.STAFF else None

    def is_chart_stale(self, now: datetime) -> bool:
        """Whether the matched chart may have been merged or set inactive since it was read."""
        read_at = self.patient.read_at
        return read_at is not None and now - read_at >= self.booking.policy.chart_max_age

    @property
    def pending_event(self) -> AppointmentEvent | None:
        """An event about the hold that was not looked into yet."""
        appointment = self.reservation.appointment
        return self.office.events.get(appointment.id) if appointment is not None else None

    @property
    def hold_expires_at(self) -> datetime | None:
        """When the hold must be released: after its term, or when the visit would begin if it was approved."""
        term_began_at, start = self.reservation.term_began_at, self.reservation.start
        if self.reservation.appointment is None or term_began_at is None or self.lifecycle.status is Status.CONFIRMED:
            return None
        has_term = not (self.exception.is_approved or self.reservation.may_be_confirmed)
        expires_at = min(self.booking.policy.hold_deadline(term_began_at), start) if has_term else start
        return expires_at if term_began_at < expires_at else None

    @property
    def has_unused_chart(self) -> bool:
        """We created a chart, and no appointment that stays in the calendar can be for it."""
        return self.patient.created_chart is not None and not self.leftovers.left_to_desk

    @property
    def visitor(self) -> VisitorInput:
        """Whose visit it is."""
        request = self.booking.request
        reached = request.message_recipient
        contacts = (contact for contact in (reached.mobile, reached.email) if contact)
        return VisitorInput(person=identity_key(request.patient), contacts=tuple(contacts))

    @property
    def limits(self) -> VisitLimits | None:
        """How many open visits the visitor may have, or ``None`` if the desk has decided that."""
        return None if self.exception.is_limit_waived else self.booking.policy.limits

    # What changes several parts.

    def record_hold(self, appointment: Appointment, now: datetime) -> None:
        """The hold as it was last read."""
        self.reservation.record(appointment, now)
        self.leftovers.end_release()
        if self.reservation.is_landing:
            self.leftovers.expect_queued_writes()
            self.plan_landing_check(now)
            if appointment.id in self.office.events:
                self.office.plan_check(now)

    def plan_landing_check(self, now: datetime) -> None:
        self.office.plan_check(now + poll_interval(self.office.checks, self.booking.policy.landing.check_after))

    def record_offline(self, now: datetime, *, checked_since: datetime | None) -> None:
        """The office system is offline.

        ``checked_since``: when it was last reported online before it was asked. A newer report overrules the answer.
        """
        if self.office.online_since != checked_since:
            return
        self.office.go_offline(now)
        if self.pending_event is None:
            self.office.plan_check(now + self.booking.policy.landing.check_while_offline)

    def record_online(self, now: datetime) -> None:
        """It will have our writes soon; a check before that would be wasted."""
        self.office.go_online(now)
        if self.pending_event is None:
            self.plan_landing_check(now)

    def record_event(self, event: AppointmentEvent, now: datetime) -> None:
        """A practice system told something about an appointment of ours: a hint to look now."""
        if not is_about_our_write(event):
            return
        self.office.add_event(event)
        appointment = self.reservation.appointment
        if appointment is not None and event.appointment_id == appointment.id:
            self.office.plan_check(now)
        elif event.appointment_id in self.leftovers.released and self.leftovers.next_check_at is not None:
            self.leftovers.plan_check_now(now)

    def record_released_ids(self, *ids: str, now: datetime) -> None:
        """We released these. In a queued system they may come back, so they are looked for."""
        self.leftovers.add_released(*ids)
        if ids:
            self.restart_leftover_checks(now)
        if any(i in self.office.events for i in ids):
            self.leftovers.plan_check_now(now)

    def restart_leftover_checks(self, now: datetime) -> None:
        self.leftovers.restart_checks(
            now, self.booking.policy.landing.check_after, self.reservation.latest_written_start(default=now)
        )

    def plan_next_leftover_check(self, now: datetime) -> None:
        self.leftovers.plan_next_check(
            now, self.booking.policy.landing.check_after, self.reservation.latest_written_start(default=now)
        )

    def lose_hold(self, now: datetime) -> None:
        """The hold is not there any more. It may land yet, or its release may be refused."""
        self.restart_leftover_checks(now)
        self.reservation.fall_back(now)

    def add_message(self, message: MessageState) -> None:
        self.messages.append(message)
