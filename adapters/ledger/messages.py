"""What was sent to whom, so that nothing is sent twice without need, and nothing after an opt-out."""

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from adapters.ledger.database import Database, one_at_a_time
from adapters.ledger.schema import messages, opt_outs
from domain.base import Value
from domain.wording import NEVER_SUPERSEDED

A_DAY = timedelta(days=1)
DAILY_LIMIT = "daily_limit"
AT_PROVIDER = "provider"
"""Where an opt-out was made of which the provider tells by refusing. Who takes it back there tells only the provider:
so the address is tried again after a day, which the provider refuses where the opt-out still stands."""


class State(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class Action(StrEnum):
    SEND = "send"
    ALREADY = "already"
    RECONCILE = "reconcile"
    """An earlier attempt may have gone out: find out, then at most once send again."""
    GIVE_UP = "give_up"
    """Uncertain even after the second send: a third would be worse than none."""
    OPTED_OUT = "opted_out"
    TOO_MANY = "too_many"
    """This address has got as many within a day as one may."""
    OVERTAKEN = "overtaken"
    """A later word of this booking to this address has begun: who slept on the older one keeps it to himself."""


class MessageId(Value):
    reference: str
    kind: str
    version: int
    channel: str


class Attempt(Value):
    action: Action
    key: str
    first_started_at: AwareDatetime


class MessageLedger:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, identity: MessageId, addresses: Sequence[str], now: datetime, at_most: int | None = None
    ) -> Attempt:
        """What to do about this message, recorded before it is done.

        ``addresses``: hashes of one address, under each key that has been in use, the present one first.
        ``at_most``: so many messages may go to it within a day.
        """
        return await self._database.run(lambda c: _begin(c, identity, addresses, now.timestamp(), at_most))

    async def accepted(self, identity: MessageId, provider_id: str, now: datetime) -> None:
        await self._set(identity, now, **_accepted(provider_id))

    async def recognise(self, identity: MessageId, provider_ids: Collection[str], now: datetime) -> bool:
        """Whether one of these sent messages must be this one, whose outcome is unknown; then it is accepted.

        It must, where each message to this address that is in doubt has one that no other message is known to be.
        """
        return await self._database.run(lambda c: _recognise(c, identity, provider_ids, now.timestamp()))

    async def failed(self, identity: MessageId, code: str, now: datetime) -> None:
        await self._set(identity, now, state=State.FAILED, code=code[:40])

    async def not_sent(self, identity: MessageId, now: datetime) -> None:
        """Certainly nothing went out."""
        await self._set(identity, now, state=State.PENDING)

    async def uncertain(self, identity: MessageId, now: datetime) -> None:
        await self._set(identity, now, state=State.UNCERTAIN)

    async def resend(self, identity: MessageId, addresses: Sequence[str], now: datetime) -> Action:
        """It was not found to have gone out: whether it may be sent once more, recorded before it is.

        Since the doubt began the address may have opted out, or a later word have begun.
        """
        return await self._database.run(lambda c: _resend(c, identity, addresses, now.timestamp()))

    async def _set(self, identity: MessageId, now: datetime, **values: Any) -> None:
        await self._database.run(lambda c: _change(c, identity, now.timestamp(), **values))


class OptOuts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def opt_out(self, address_hash: str, channel: str, source: str, now: datetime) -> None:
        def work(c: Connection) -> None:
            known = opt_outs.c.address_hash == address_hash, opt_outs.c.channel == channel
            c.execute(delete(opt_outs).where(*known))
            row = {"address_hash": address_hash, "channel": channel, "source": source, "since": now.timestamp()}
            c.execute(insert(opt_outs).values(**row))

        await self._database.run(work)


def _is(identity: MessageId) -> dict[str, str | int]:
    """Parameters of ``_THIS``. Under a column's own name an update would set it."""
    return {f"this_{name}": value for name, value in dict(identity).items()}


# Statements are put together once: building one anew takes as long as having it done.
_THIS = and_(*(messages.c[name] == bindparam(f"this_{name}") for name in MessageId.model_fields))
_FOUND = select(messages).where(_THIS)
_CHANGE = update(messages).where(_THIS)
_OPTED_OUT = select(opt_outs.c.since).where(
    opt_outs.c.address_hash.in_(bindparam("addresses", expanding=True)),
    opt_outs.c.channel == bindparam("channel"),
    or_(opt_outs.c.source != AT_PROVIDER, opt_outs.c.since > bindparam("a_day_ago")),
)
_SENT_SINCE = select(func.count()).where(
    messages.c.address_hash == bindparam("address"),
    messages.c.updated_at >= bindparam("since"),
    messages.c.state.in_([State.SENDING, State.ACCEPTED, State.UNCERTAIN]),
    ~_THIS,
)
_LATER = select(messages.c.id).where(
    *(messages.c[name] == bindparam(name) for name in ("reference", "channel", "address_hash")),
    messages.c.first_started_at > bindparam("first"),
)


def _change(c: Connection, identity: MessageId, now: float, **values: Any) -> None:
    c.execute(_CHANGE, {**_is(identity), **values, "updated_at": now})


def _begin(c: Connection, identity: MessageId, addresses: Sequence[str], now: float, at_most: int | None) -> Attempt:
    one_at_a_time(c, f"messages to {addresses[0]}")
    if _is_opted_out(c, identity, addresses, now):
        return Attempt(action=Action.OPTED_OUT, key="", first_started_at=datetime.fromtimestamp(now, UTC))
    row = c.execute(_FOUND, _is(identity)).first()
    if row is None:
        key = secrets.token_hex(16)
        begun = {"key": key, "address_hash": addresses[0], "state": State.SENDING, "attempts": 1, "resent": False}
        c.execute(insert(messages), {**dict(identity), **begun, "first_started_at": now, "updated_at": now})
        action, first = Action.SEND, now
    else:
        key, first, action = row.key, row.first_started_at, _next(State(row.state), row.resent)
        if action in (Action.SEND, Action.RECONCILE) and _is_overtaken(c, row):
            action = Action.OVERTAKEN
        if action is Action.SEND:
            _change(c, identity, now, state=State.SENDING, attempts=row.attempts + 1)
    if action in (Action.SEND, Action.RECONCILE) and at_most is not None:
        today = {"address": addresses[0], "since": now - A_DAY.total_seconds()}
        if c.execute(_SENT_SINCE, {**today, **_is(identity)}).scalar_one() >= at_most:
            _change(c, identity, now, state=State.FAILED, code=DAILY_LIMIT)
            action = Action.TOO_MANY
    return Attempt(action=action, key=key, first_started_at=datetime.fromtimestamp(first, UTC))


def _resend(c: Connection, identity: MessageId, addresses: Sequence[str], now: float) -> Action:
    one_at_a_time(c, f"messages to {addresses[0]}")
    if _is_opted_out(c, identity, addresses, now):
        return Action.OPTED_OUT
    if _is_overtaken(c, c.execute(_FOUND, _is(identity)).one()):
        return Action.OVERTAKEN
    _change(c, identity, now, state=State.SENDING, resent=True)
    return Action.SEND


def _is_opted_out(c: Connection, identity: MessageId, addresses: Sequence[str], now: float) -> bool:
    asked = {"addresses": list(addresses), "channel": identity.channel, "a_day_ago": now - A_DAY.total_seconds()}
    return c.execute(_OPTED_OUT, asked).first() is not None


def _is_overtaken(c: Connection, row: Any) -> bool:
    if row.kind in NEVER_SUPERSEDED:
        return False
    here = {name: getattr(row, name) for name in ("reference", "channel", "address_hash")}
    return c.execute(_LATER, {**here, "first": row.first_started_at}).first() is not None


def _next(state: State, resent: bool) -> Action:
    if state is State.ACCEPTED:
        return Action.ALREADY
    if state in (State.PENDING, State.FAILED):
        return Action.SEND
    return Action.GIVE_UP if resent else Action.RECONCILE


def _recognise(c: Connection, identity: MessageId, provider_ids: Collection[str], now: float) -> bool:
    mine = c.execute(_FOUND, _is(identity)).one()
    one_at_a_time(c, f"messages to {mine.address_hash}")
    taken = set(c.execute(select(messages.c.provider_id).where(messages.c.provider_id.in_(provider_ids))).scalars())
    free = [provider_id for provider_id in provider_ids if provider_id not in taken]
    in_doubt = select(func.count()).where(
        messages.c.address_hash == mine.address_hash,
        messages.c.state.in_([State.SENDING, State.UNCERTAIN]),
        messages.c.updated_at >= mine.first_started_at,
    )
    if len(free) < c.execute(in_doubt).scalar_one():
        return False
    _change(c, identity, now, **_accepted(free[0]))
    return True


def _accepted(provider_id: str) -> dict[str, Any]:
    return {"state": State.ACCEPTED, "provider_id": provider_id}
