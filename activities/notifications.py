"""Sends messages to the patient and the desk, each at most once per channel."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.connections import Connections
from activities.status_links import StatusLinks
from activities.unreadable_rows import Report
from adapters.errors import OutcomeUnknown, OutsideError, Refused, Undeliverable
from adapters.ledger import OPT_OUT_SOURCE_PROVIDER, Action, Attempt, MessageId
from adapters.messenger import Channel, Messenger, OutgoingMessage
from domain.base import Value
from domain.booking import MessageState, Reason
from domain.contacts import contact_key
from domain.keyed_hash import KeyedHash
from domain.practice import Location
from domain.wording import MessageFacts, MessageKind, compose_message, write_unreadable_rows_email

MAX_PATIENT_MESSAGES_PER_DAY = 12
"""Messages that one patient address may receive in 24 hours from all bookings. The desk has no such limit."""
SEND_WITHIN = timedelta(seconds=5)
"""The longest time between asking the ledger and sending.

A worker that slept longer asks again: by then the booking may have stopped waiting and sent a newer message.
"""
AWAKE_AFTER_ACTION = timedelta(minutes=15)
"""A patient who did something so recently is awake and waits for the answer, at whatever hour."""
ESCALATION_KINDS = frozenset({MessageKind.DESK_ESCALATION, MessageKind.DESK_EXPIRED})
"""Messages that go to the location's escalation address, if it has one."""
UNREADABLE_ROWS_KIND = "desk_unreadable_rows"
TWILIO_OPTED_OUT_CODE = "21610"
STATE_WHEN_NOT_SENT = {
    Action.ALREADY_ACCEPTED: "accepted",
    Action.REMAINS_UNCERTAIN: "uncertain",
    Action.OPTED_OUT: "opted_out",
    Action.DAILY_LIMIT: "daily_limit",
    Action.OVERTAKEN: "overtaken",
}
"""The message state for every action that sends nothing."""


class PatientNotice(Value):
    """One message to a patient."""

    reference: str
    location: str
    kind: MessageKind
    version: int
    channel: Channel
    to: str = Field(repr=False)
    language: str
    start: AwareDatetime
    """Start of the visit."""
    asked_at: AwareDatetime | None = None
    """When the patient last did something about the booking."""
    booking: str = ""
    """Workflow id of the booking. Notices from before it was added have none, and then the message has no link."""


class DeskNotice(Value):
    """One message to the desk about a booking that needs a person."""

    booking: str
    """Workflow id of the booking."""
    reference: str
    location: str
    kind: MessageKind
    version: int
    reason: Reason
    start: AwareDatetime


class NotificationActivities:
    def __init__(
        self,
        connections: Connections,
        messengers: Mapping[Channel, Messenger],
        keyed_hash: KeyedHash,
        status_links: StatusLinks,
        reconcile_delay: timedelta = timedelta(seconds=20),
    ) -> None:
        """``reconcile_delay``: how long a provider may take to list a message whose answer we lost."""
        self._connections = connections
        self._clock = connections.clock
        self._messengers = messengers
        self._keyed_hash = keyed_hash
        self._status_links = status_links
        self._reconcile_delay = reconcile_delay

    @activity.defn
    async def notify(self, notice: PatientNotice) -> MessageState:
        """Send one message to a patient, unless it was sent, the patient opted out, or it is quiet hours."""
        location = self._connections.practice.location(notice.location)
        about = {"kind": notice.kind, "channel": notice.channel, "version": notice.version}
        quiet_until = _quiet_until(notice, location, self._clock.now())
        if quiet_until is not None:
            return MessageState(**about, state="quiet_hours", not_before=quiet_until)
        link = await self._status_links.create(
            notice.booking, notice.reference, notice.language, notice.start, self._clock.now()
        )
        facts = _facts(location, notice.start).model_copy(update={"link": link})
        text = compose_message(notice.kind, notice.channel, notice.language, facts, location.email_content)
        identity = MessageId(
            reference=notice.reference,
            kind=notice.kind,
            version=notice.version,
            channel=notice.channel,
        )
        state = await self._send_once(
            identity, notice.to, text.subject, text.text, notice.start, daily_limit=MAX_PATIENT_MESSAGES_PER_DAY
        )
        return MessageState(**about, state=state)

    @activity.defn
    async def route_exception(self, notice: DeskNotice) -> MessageState:
        """Tell the desk that a booking waits for a person. The message does not say whose booking it is."""
        location = self._connections.practice.location(notice.location)
        to = location.desk_email
        if notice.kind in ESCALATION_KINDS and location.escalation_email:
            to = location.escalation_email
        state = "no_address"
        if to:
            facts = _facts(location, notice.start).model_copy(
                update={"booking": notice.booking, "reference": notice.reference, "reason": notice.reason}
            )
            text = compose_message(notice.kind, Channel.EMAIL, "en", facts, location.email_content)
            identity = MessageId(
                reference=notice.reference,
                kind=notice.kind,
                version=notice.version,
                channel=Channel.EMAIL,
            )
            state = await self._send_once(identity, to, text.subject, text.text, None)
        return MessageState(kind=notice.kind, channel=Channel.EMAIL, version=notice.version, state=state)

    async def report_unreadable_rows(self, report: Report) -> None:
        """Tell a location's desk which rows of the practice system cannot be read. Not an activity."""
        if report.location.desk_email is None:
            return
        text = write_unreadable_rows_email(
            report.location.name, [(row.kind, row.id, row.field) for row in report.rows_by_key.values()]
        )
        report_key = self._keyed_hash("report", ",".join(sorted(report.rows_by_key)))
        identity = MessageId(
            reference=f"rows_{report_key[:32]}", kind=UNREADABLE_ROWS_KIND, version=1, channel=Channel.EMAIL
        )
        await self._send_once(identity, report.location.desk_email, text.subject, text.text, None)

    async def _send_once(
        self,
        identity: MessageId,
        to: str,
        subject: str,
        text: str,
        deliver_before: AwareDatetime | None,
        daily_limit: int | None = None,
    ) -> str:
        """Send the message unless the ledger says not to. Returns the message's state."""
        messenger = self._messengers.get(Channel(identity.channel))
        if messenger is None:
            return "channel_off"
        ledger = self._connections.ledger
        addresses = self._keyed_hash.all_keys("address", f"{identity.channel}:{contact_key(to)}")
        # Read the clock before the ledger: if we sleep in between, ``send_before`` comes earlier, not later.
        now = self._clock.now()
        attempt = await ledger.messages.begin_attempt(identity, addresses, now, daily_limit)
        if attempt.action in STATE_WHEN_NOT_SENT:
            return STATE_WHEN_NOT_SENT[attempt.action]
        message = OutgoingMessage(
            key=attempt.key,
            to=to,
            subject=subject,
            text=text,
            send_before=now + SEND_WITHIN,
            deliver_before=deliver_before,
        )
        if attempt.action is Action.RECONCILE:
            if await self._reconcile(messenger, identity, message, attempt):
                return "accepted"
            now = self._clock.now()
            action = await ledger.messages.begin_resend(identity, addresses, now)
            if action in STATE_WHEN_NOT_SENT:
                return STATE_WHEN_NOT_SENT[action]
            message = message.model_copy(update={"send_before": now + SEND_WITHIN})
        return await self._send(messenger, identity, addresses[0], message)

    async def _reconcile(
        self, messenger: Messenger, identity: MessageId, message: OutgoingMessage, attempt: Attempt
    ) -> bool:
        """Ask the provider whether an earlier attempt has sent the message, and record it if so."""
        await self._clock.sleep(self._reconcile_delay)
        provider_ids = await messenger.find_sent(message, attempt.first_started_at)
        return await self._connections.ledger.messages.accept_if_recognized(identity, provider_ids, self._clock.now())

    async def _send(self, messenger: Messenger, identity: MessageId, address: str, message: OutgoingMessage) -> str:
        """Send the message and record what happened. ``address``: the keyed hash of the address."""
        ledger = self._connections.ledger
        try:
            provider_id = await messenger.send(message)
        except OutcomeUnknown:
            await ledger.messages.mark_uncertain(identity, self._clock.now())
            raise
        except Undeliverable as refusal:
            now = self._clock.now()
            if refusal.code == TWILIO_OPTED_OUT_CODE:
                await ledger.opt_outs.record(address, identity.channel, OPT_OUT_SOURCE_PROVIDER, now)
            await ledger.messages.mark_failed(identity, refusal.code or "undeliverable", now)
            return "undeliverable"
        except Refused as refusal:
            await ledger.messages.mark_failed(identity, refusal.code or "refused", self._clock.now())
            raise
        except OutsideError:
            await ledger.messages.mark_not_sent(identity, self._clock.now())
            raise
        await ledger.messages.mark_accepted(identity, provider_id, self._clock.now())
        return "accepted"


def _facts(location: Location, start: AwareDatetime) -> MessageFacts:
    return MessageFacts(
        practice_name=location.name,
        practice_phone=location.phone,
        zone=location.time_zone,
        start=start,
    )


def _quiet_until(notice: PatientNotice, location: Location, now: datetime) -> AwareDatetime | None:
    """When a text may be sent that may not be sent now. A text that would come after the visit's start is sent now."""
    quiet_hours_end = location.quiet_hours.end_after(now, location.tz)
    is_awaited = notice.asked_at is not None and now - notice.asked_at < AWAKE_AFTER_ACTION
    if quiet_hours_end is None or notice.channel is not Channel.SMS or is_awaited or quiet_hours_end >= notice.start:
        return None
    return quiet_hours_end
