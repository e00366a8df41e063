"""What was sent to whom: no message is sent twice without need, and none after an opt-out."""

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from adapters.ledger.database import Database, serialize_on
from adapters.ledger.schema import messages, opt_outs
from domain.base import Value
from domain.wording import NEVER_SUPERSEDED

ONE_DAY = timedelta(days=1)
MAX_CODE_LENGTH = 40
DAILY_LIMIT_CODE = "daily_limit"
OPT_OUT_SOURCE_PROVIDER = "provider"
"""Source of an opt-out that we know only because the provider refused a message.

A person who opts in again tells only the provider. So we try the address again after a day, and the provider refuses
it again if the opt-out still stands.
"""


class State(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class Action(StrEnum):
    """What to do about a message now."""

    SEND = "send"
    ALREADY_ACCEPTED = "already_accepted"
    RECONCILE = "reconcile"
    """An earlier attempt may have sent it: ask the provider, then send at most once more."""
    REMAINS_UNCERTAIN = "remains_uncertain"
    """Uncertain even after the second send. A third send would be worse than none."""
    OPTED_OUT = "opted_out"
    DAILY_LIMIT = "daily_limit"
    """This address has received the maximum number of messages within a day."""
    OVERTAKEN = "overtaken"
    """A newer message of this booking to this address has begun, so this older one is not sent any more."""


class MessageId(Value):
    """Identifies one message of one booking. ``reference`` is the booking's."""

    reference: str
    kind: str
    version: int
    channel: str


class Attempt(Value):
    action: Action
    key: str
    first_started_at: AwareDatetime
    """When the first attempt to send this message began."""


class MessageLedger:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_attempt(
        self, identity: MessageId, addresses: Sequence[str], now: datetime, daily_limit: int | None = None
    ) -> Attempt:
        """Decide what to do about this message, and record it before it is done.

        ``addresses``: keyed hashes of one address, under every secret that has been in use, the current one first.
        ``daily_limit``: maximum number of messages to this address within a day.
        """
        return await self._database.run(lambda c: _begin_attempt(c, identity, addresses, now.timestamp(), daily_limit))

    async def begin_resend(self, identity: MessageId, addresses: Sequence[str], now: datetime) -> Action:
        """Decide, when no sent message was found, whether to send once more, and record it before it is done.

        Since the first attempt the address may have opted out, or a newer message may have begun.
        """
        return await self._database.run(lambda c: _begin_resend(c, identity, addresses, now.timestamp()))

    async def accept_if_recognized(self, identity: MessageId, provider_ids: Collection[str], now: datetime) -> bool:
        """Mark an uncertain message as accepted if one of these sent messages must be it.

        It must be if there are as many sent messages that belong to no other known message as there are uncertain
        messages to this address. Returns whether that was so.
        """
        return await self._database.run(lambda c: _accept_if_recognized(c, identity, provider_ids, now.timestamp()))

    async def mark_accepted(self, identity: MessageId, provider_id: str, now: datetime) -> None:
        await self._set(identity, now, **_accepted_values(provider_id))

    async def mark_failed(self, identity: MessageId, code: str, now: datetime) -> None:
        await self._set(identity, now, state=State.FAILED, code=code[:MAX_CODE_LENGTH])

    async def mark_not_sent(self, identity: MessageId, now: datetime) -> None:
        """Certainly nothing was sent."""
        await self._set(identity, now, state=State.PENDING)

    async def mark_uncertain(self, identity: MessageId, now: datetime) -> None:
        await self._set(identity, now, state=State.UNCERTAIN)

    async def _set(self, identity: MessageId, now: datetime, **values: Any) -> None:
        await self._database.run(lambda c: _update(c, identity, now.timestamp(), **values))


class OptOuts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, address_hash: str, channel: str, source: str, now: datetime) -> None:
        """Record that this address wants no messages on this channel. Replaces an earlier record."""

        def work(c: Connection) -> None:
            same_address = opt_outs.c.address_hash == address_hash, opt_outs.c.channel == channel
            c.execute(delete(opt_outs).where(*same_address))
            row = {"address_hash": address_hash, "channel": channel, "source": source, "since": now.timestamp()}
            c.execute(insert(opt_outs).values(**row))

        await self._database.run(work)


def _bind(identity: MessageId) -> dict[str, str | int]:
    """Parameters of ``_IS_THIS_MESSAGE``. Prefixed, because an update would set a column of the same name."""
    return {f"this_{name}": value for name, value in dict(identity).items()}


# Statements are built once, because building one takes as long as executing it.
_IS_THIS_MESSAGE = and_(*(messages.c[name] == bindparam(f"this_{name}") for name in MessageId.model_fields))
_SELECT_THIS = select(messages).where(_IS_THIS_MESSAGE)
_UPDATE_THIS = update(messages).where(_IS_THIS_MESSAGE)
_SELECT_OPT_OUT = select(opt_outs.c.since).where(
    opt_outs.c.address_hash.in_(bindparam("addresses", expanding=True)),
    opt_outs.c.channel == bindparam("channel"),
    or_(opt_outs.c.source != OPT_OUT_SOURCE_PROVIDER, opt_outs.c.since > bindparam("a_day_ago")),
)
_COUNT_OTHER_MESSAGES_SENT_SINCE = select(func.count()).where(
    messages.c.address_hash == bindparam("address"),
    messages.c.updated_at >= bindparam("since"),
    messages.c.state.in_([State.SENDING, State.ACCEPTED, State.UNCERTAIN]),
    ~_IS_THIS_MESSAGE,
)
_SELECT_NEWER = select(messages.c.id).where(
    *(messages.c[name] == bindparam(name) for name in ("reference", "channel", "address_hash")),
    messages.c.first_started_at > bindparam("first"),
)


def _update(c: Connection, identity: MessageId, now: float, **values: Any) -> None:
    c.execute(_UPDATE_THIS, {**_bind(identity), **values, "updated_at": now})


def _begin_attempt(
    c: Connection, identity: MessageId, addresses: Sequence[str], now: float, daily_limit: int | None
) -> Attempt:
    serialize_on(c, f"messages to {addresses[0]}")
    if _opt_out_exists(c, identity, addresses, now):
        return Attempt(action=Action.OPTED_OUT, key="", first_started_at=datetime.fromtimestamp(now, UTC))
    row = c.execute(_SELECT_THIS, _bind(identity)).first()
    if row is None:
        key = secrets.token_hex(16)
        first_attempt = {
            "key": key,
            "address_hash": addresses[0],
            "state": State.SENDING,
            "attempts": 1,
            "resent": False,
            "first_started_at": now,
            "updated_at": now,
        }
        c.execute(insert(messages), {**dict(identity), **first_attempt})
        action, first_started_at = Action.SEND, now
    else:
        key, first_started_at, action = row.key, row.first_started_at, _next_action(State(row.state), row.resent)
        if action in (Action.SEND, Action.RECONCILE) and _newer_message_exists(c, row):
            action = Action.OVERTAKEN
        if action is Action.SEND:
            _update(c, identity, now, state=State.SENDING, attempts=row.attempts + 1)
    if action in (Action.SEND, Action.RECONCILE) and daily_limit is not None:
        last_day = {"address": addresses[0], "since": now - ONE_DAY.total_seconds()}
        if c.execute(_COUNT_OTHER_MESSAGES_SENT_SINCE, {**last_day, **_bind(identity)}).scalar_one() >= daily_limit:
            _update(c, identity, now, state=State.FAILED, code=DAILY_LIMIT_CODE)
            action = Action.DAILY_LIMIT
    return Attempt(action=action, key=key, first_started_at=datetime.fromtimestamp(first_started_at, UTC))


def _begin_resend(c: Connection, identity: MessageId, addresses: Sequence[str], now: float) -> Action:
    serialize_on(c, f"messages to {addresses[0]}")
    if _opt_out_exists(c, identity, addresses, now):
        return Action.OPTED_OUT
    if _newer_message_exists(c, c.execute(_SELECT_THIS, _bind(identity)).one()):
        return Action.OVERTAKEN
    _update(c, identity, now, state=State.SENDING, resent=True)
    return Action.SEND


def _opt_out_exists(c: Connection, identity: MessageId, addresses: Sequence[str], now: float) -> bool:
    parameters = {"addresses": list(addresses), "channel": identity.channel, "a_day_ago": now - ONE_DAY.total_seconds()}
    return c.execute(_SELECT_OPT_OUT, parameters).first() is not None


def _newer_message_exists(c: Connection, row: Any) -> bool:
    if row.kind in NEVER_SUPERSEDED:
        return False
    same_recipient = {name: getattr(row, name) for name in ("reference", "channel", "address_hash")}
    return c.execute(_SELECT_NEWER, {**same_recipient, "first": row.first_started_at}).first() is not None


def _next_action(state: State, resent: bool) -> Action:
    if state is State.ACCEPTED:
        return Action.ALREADY_ACCEPTED
    if state in (State.PENDING, State.FAILED):
        return Action.SEND
    return Action.REMAINS_UNCERTAIN if resent else Action.RECONCILE


def _accept_if_recognized(c: Connection, identity: MessageId, provider_ids: Collection[str], now: float) -> bool:
    message = c.execute(_SELECT_THIS, _bind(identity)).one()
    serialize_on(c, f"messages to {message.address_hash}")
    known_ids = select(messages.c.provider_id).where(messages.c.provider_id.in_(provider_ids))
    of_other_messages = set(c.execute(known_ids).scalars())
    unassigned = [provider_id for provider_id in provider_ids if provider_id not in of_other_messages]
    count_uncertain = select(func.count()).where(
        messages.c.address_hash == message.address_hash,
        messages.c.state.in_([State.SENDING, State.UNCERTAIN]),
        messages.c.updated_at >= message.first_started_at,
    )
    if len(unassigned) < c.execute(count_uncertain).scalar_one():
        return False
    _update(c, identity, now, **_accepted_values(unassigned[0]))
    return True


def _accepted_values(provider_id: str) -> dict[str, Any]:
    return {"state": State.ACCEPTED, "provider_id": provider_id}
