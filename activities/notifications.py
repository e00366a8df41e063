"""Telling the patient and the desk, each thing at most once a channel."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.connections import Connections, utc_now
from adapters.errors import OutcomeUnknown, OutsideError, Refused, Undeliverable
from adapters.ledger import AT_PROVIDER, Action, Attempt, MessageId
from adapters.messenger import Channel, Messenger, OutgoingMessage
from domain.base import Value
from domain.booking import MessageState, Reason
from domain.keyed_hash import KeyedHash
from domain.matching import contact_key
from domain.practice import Location
from domain.wording import MessageFacts, MessageKind, compose_message

MOST_A_DAY = 12
"""Messages a patient's address may get in 24 hours from all bookings together; the desk hears of everything."""
RESTS_FOR = timedelta(seconds=5)
"""So long after the ledger was asked a message may leave: a worker that slept asks again, for by then the booking may
have given it up and sent a later word."""
STILL_UP = timedelta(minutes=15)
"""Who did something so short a while ago is waiting for the answer, at whatever hour."""
OVERDUE = frozenset({MessageKind.DESK_ESCALATION, MessageKind.DESK_EXPIRED})
OPTED_OUT_AT_PROVIDER = "21610"
NOT_NOW = {
    Action.ALREADY: "accepted",
    Action.GIVE_UP: "uncertain",
    Action.OPTED_OUT: "opted_out",
    Action.TOO_MANY: "daily_limit",
    Action.OVERTAKEN: "overtaken",
}
"""Nothing is to be sent: how the message stands."""


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
    asked_at: AwareDatetime | None = None
    """When the patient last did something about it."""


class DeskNotice(Value):
    """One message to the front desk about a booking that needs a person."""

    booking: str
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
        hashed: KeyedHash,
        public_base_url: str | None,
        ambiguous_wait: timedelta = timedelta(seconds=20),
    ) -> None:
        self._connections = connections
        self._messengers = messengers
        self._hashed = hashed
        self._public_base_url = public_base_url
        self._ambiguous_wait = ambiguous_wait

    @activity.defn
    async def notify(self, notice: PatientNotice) -> MessageState:
        """Send one message to a patient, unless that was done, or the person opted out, or is not to be woken now."""
        location = self._connections.practice.location(notice.location)
        about = {"kind": notice.kind, "channel": notice.channel, "version": notice.version}
        quiet_until = _quiet_until(notice, location)
        if quiet_until is not None:
            return MessageState(**about, state="quiet_hours", not_before=quiet_until)
        facts = self._facts(location, notice.start)
        text = compose_message(notice.kind, notice.channel, notice.language, facts, location.email_content)
        identity = MessageId(
            reference=notice.reference,
            kind=notice.kind,
            version=notice.version,
            channel=notice.channel,
        )
        state = await self._once(identity, notice.to, text.subject, text.text, notice.start, at_most=MOST_A_DAY)
        return MessageState(**about, state=state)

    @activity.defn
    async def route_exception(self, notice: DeskNotice) -> MessageState:
        """Tell the desk that a booking waits for a person, without saying whose."""
        location = self._connections.practice.location(notice.location)
        to = location.desk_email
        if notice.kind in OVERDUE and location.escalation_email:
            to = location.escalation_email
        state = "no_address"
        if to:
            facts = self._facts(location, notice.start).model_copy(
                update={"booking": notice.booking, "reference": notice.reference, "reason": notice.reason}
            )
            text = compose_message(notice.kind, Channel.EMAIL, "en", facts, location.email_content)
            identity = MessageId(
                reference=notice.reference,
                kind=notice.kind,
                version=notice.version,
                channel=Channel.EMAIL,
            )
            state = await self._once(identity, to, text.subject, text.text, None)
        return MessageState(kind=notice.kind, channel=Channel.EMAIL, version=notice.version, state=state)

    def _facts(self, location: Location, start: AwareDatetime) -> MessageFacts:
        return MessageFacts(
            practice_name=location.name,
            practice_phone=location.phone,
            zone=location.time_zone,
            start=start,
            link=self._public_base_url,
        )

    async def _once(
        self,
        identity: MessageId,
        to: str,
        subject: str,
        text: str,
        deliver_before: AwareDatetime | None,
        at_most: int | None = None,
    ) -> str:
        messenger = self._messengers.get(Channel(identity.channel))
        if messenger is None:
            return "channel_off"
        ledger = self._connections.ledger
        addresses = self._hashed.all_keys("address", f"{identity.channel}:{contact_key(to)}")
        asked = utc_now()
        attempt = await ledger.messages.begin(identity, addresses, asked, at_most)
        if attempt.action in NOT_NOW:
            return NOT_NOW[attempt.action]
        message = OutgoingMessage(
            key=attempt.key,
            to=to,
            subject=subject,
            text=text,
            send_before=asked + RESTS_FOR,
            deliver_before=deliver_before,
        )
        if attempt.action is Action.RECONCILE:
            if await self._was_sent(messenger, identity, message, attempt):
                return "accepted"
            asked = utc_now()
            again = await ledger.messages.resend(identity, addresses, asked)
            if again in NOT_NOW:
                return NOT_NOW[again]
            message = message.model_copy(update={"send_before": asked + RESTS_FOR})
        return await self._send(messenger, identity, addresses[0], message)

    async def _was_sent(
        self, messenger: Messenger, identity: MessageId, message: OutgoingMessage, attempt: Attempt
    ) -> bool:
        """An earlier attempt may have gone out: ask the provider."""
        await asyncio.sleep(self._ambiguous_wait.total_seconds())
        sent = await messenger.find_sent(message, attempt.first_started_at)
        return await self._connections.ledger.messages.recognise(identity, sent, utc_now())

    async def _send(self, messenger: Messenger, identity: MessageId, address: str, message: OutgoingMessage) -> str:
        ledger = self._connections.ledger
        try:
            provider_id = await messenger.send(message)
        except OutcomeUnknown:
            await ledger.messages.uncertain(identity, utc_now())
            raise
        except Undeliverable as refusal:
            if refusal.code == OPTED_OUT_AT_PROVIDER:
                await ledger.consent.opt_out(address, identity.channel, AT_PROVIDER, utc_now())
            await ledger.messages.failed(identity, refusal.code or "undeliverable", utc_now())
            return "undeliverable"
        except Refused as refusal:
            await ledger.messages.failed(identity, refusal.code or "refused", utc_now())
            raise
        except OutsideError:
            await ledger.messages.not_sent(identity, utc_now())
            raise
        await ledger.messages.accepted(identity, provider_id, utc_now())
        return "accepted"


def _quiet_until(notice: PatientNotice, location: Location) -> AwareDatetime | None:
    """When a text may be sent that is not to be now; what would come after the visit has begun does not wait."""
    now = utc_now()
    ends = location.quiet_hours.end_after(now, location.tz)
    waits_for_it = notice.asked_at is not None and now - notice.asked_at < STILL_UP
    if ends is None or notice.channel is not Channel.SMS or waits_for_it or ends >= notice.start:
        return None
    return ends
