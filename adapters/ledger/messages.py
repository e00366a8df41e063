"""What was sent to whom, so that nothing is sent twice without need, and nothing after an opt-out."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from adapters.ledger.database import Database, one_at_a_time
from adapters.ledger.schema import messages, opt_outs
from domain.base import Value


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

    async def begin(self, identity: MessageId, address_hash: str, now: datetime) -> Attempt:
        """What to do about this message, recorded before it is done."""
        return await self._database.run(lambda c: _begin(c, identity, address_hash, now.timestamp()))

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

    async def mark_resent(self, identity: MessageId, now: datetime) -> None:
        await self._set(identity, now, state=State.SENDING, resent=True)

    async def sent_today(self, address_hash: str, since: datetime) -> int:
        """Messages to one address that went out, or may have, since then."""
        count = select(func.count()).where(
            messages.c.address_hash == address_hash,
            messages.c.updated_at >= since.timestamp(),
            messages.c.state.in_([State.ACCEPTED, State.UNCERTAIN]),
        )
        return int(await self._database.run(lambda c: c.execute(count).scalar_one()))

    async def _set(self, identity: MessageId, now: datetime, **values: Any) -> None:
        change = update(messages).where(_is(identity)).values(**values, updated_at=now.timestamp())
        await self._database.run(lambda c: c.execute(change))


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

    async def is_opted_out(self, address_hashes: Collection[str], channel: str) -> bool:
        """``address_hashes``: of one address, under each key that has been in use."""
        found = select(opt_outs.c.since).where(
            opt_outs.c.address_hash.in_(address_hashes), opt_outs.c.channel == channel
        )
        return await self._database.run(lambda c: c.execute(found).first() is not None)


def _is(identity: MessageId) -> Any:
    return and_(*(messages.c[name] == value for name, value in dict(identity).items()))


def _begin(c: Connection, identity: MessageId, address_hash: str, now: float) -> Attempt:
    row = c.execute(select(messages).where(_is(identity))).first()
    if row is None:
        key = secrets.token_hex(16)
        c.execute(
            insert(messages).values(
                **dict(identity),
                key=key,
                address_hash=address_hash,
                state=State.SENDING,
                attempts=1,
                resent=False,
                first_started_at=now,
                updated_at=now,
            )
        )
        return Attempt(action=Action.SEND, key=key, first_started_at=datetime.fromtimestamp(now, UTC))
    action = _next(State(row.state), row.resent)
    if action is Action.SEND:
        values = {"state": State.SENDING, "attempts": row.attempts + 1, "updated_at": now}
        c.execute(update(messages).where(_is(identity)).values(**values))
    return Attempt(action=action, key=row.key, first_started_at=datetime.fromtimestamp(row.first_started_at, UTC))


def _next(state: State, resent: bool) -> Action:
    if state is State.ACCEPTED:
        return Action.ALREADY
    if state in (State.PENDING, State.FAILED):
        return Action.SEND
    return Action.GIVE_UP if resent else Action.RECONCILE


def _recognise(c: Connection, identity: MessageId, provider_ids: Collection[str], now: float) -> bool:
    mine = c.execute(select(messages).where(_is(identity))).one()
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
    c.execute(update(messages).where(_is(identity)).values(**_accepted(free[0]), updated_at=now))
    return True


def _accepted(provider_id: str) -> dict[str, Any]:
    return {"state": State.ACCEPTED, "provider_id": provider_id}
