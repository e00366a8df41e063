"""Our own short-lived reservations of provider and operatory time, so that two bookings never race."""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.ledger import news
from adapters.ledger.database import Database, one_at_a_time
from adapters.ledger.schema import claims
from domain.base import Value
from domain.interval import Interval
from domain.slot import Slot

CONTACT_LIMIT = 5
"""Live claims one contact may have, so that nobody can fill a day."""


class SlotClaimed(Exception):
    """Another booking has a live claim on the provider or the operatory."""


class TooManyClaims(Exception):
    """This contact has as many live claims as one may."""


class ClaimLost(Exception):
    """The claim is gone, was taken over, or a newer attempt holds its fence."""


class Claim(Value):
    reference: str
    connection: str
    location: str
    service: str
    local_day: date
    slot: Slot
    expires_at: AwareDatetime
    contact: str | None = None
    """Opaque key of the phone or email."""


class Grant(Value):
    fence: int
    """Of this taking alone: no other, of whatever claim, has or will have it."""
    earlier: tuple[Slot, ...]
    """Live claims at this location that were there before ours: theirs is the older right."""
    booked: int
    """Other bookings of this service on this local day that came through us."""


class Renewal(Value):
    fence: int
    written: bool
    """A write under this claim was begun before: look for it."""
    sends: int
    """So many of them since the time was claimed that may have been carried out."""
    sent_at: AwareDatetime | None
    """The latest of them, also of an earlier claim."""


class Claims:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, claim: Claim, now: datetime, contact_limit: int = CONTACT_LIMIT) -> Grant:
        """Claim provider and operatory together, or neither; the same reference replaces its own claim.

        Raises SlotClaimed, TooManyClaims, LedgerUnavailable.
        """
        try:
            return await self._database.run(lambda c: _take(c, claim, now.timestamp(), contact_limit))
        except IntegrityError:
            raise SlotClaimed from None

    async def renew(self, reference: str, now: datetime) -> Renewal:
        """A new fence for this attempt; an expired claim that nobody opposes lives again, unless it has landed.

        Raises ClaimLost.
        """
        try:
            return await self._database.run(lambda c: _renew(c, reference, now.timestamp()))
        except IntegrityError:
            raise ClaimLost from None

    async def begin_write(self, reference: str, by: Renewal, slot: Slot, booking: str, now: datetime) -> None:
        """Just before the write: record the intent, or raise ClaimLost where this attempt is not the newest,
        or the claim is on another slot by now. However often an attempt asks, it counts as one sending.

        ``booking``: workflow id, so that news of the appointment finds it.
        """
        begun = {"written": True, "sends": by.sends + 1, "sent_at": now.timestamp()}

        def work(c: Connection) -> bool:
            mine = and_(
                claims.c.reference == reference,
                claims.c.fence == by.fence,
                _is_on(slot),
                claims.c.live,
                claims.c.expires_at > now.timestamp(),
            )
            row = c.execute(update(claims).where(mine).values(begun).returning(claims.c.connection)).first()
            if row is not None:
                news.begin(c, reference, row.connection, booking)
            return row is not None

        if not await self._database.run(work):
            raise ClaimLost

    async def not_sent(self, reference: str, by: Renewal) -> None:
        """The write that this attempt had begun certainly did nothing: as if it had not begun."""
        sent_at = by.sent_at.timestamp() if by.sent_at is not None else None
        before = {"written": by.written, "sends": by.sends, "sent_at": sent_at}
        mine = claims.c.reference == reference, claims.c.fence == by.fence
        await self._database.run(lambda c: c.execute(update(claims).where(*mine).values(before)))

    async def landed(self, claim: Claim) -> None:
        """The appointment is in the calendar: the claim blocks until its end, then only counts for the cap of its day.

        One that was freed meanwhile, because the desk had made the hold its own, blocks nobody, and counts.
        """
        landed = {"landed": True, "local_day": claim.local_day, "expires_at": claim.expires_at.timestamp()}

        def work(c: Connection) -> None:
            if not c.execute(update(claims).where(claims.c.reference == claim.reference).values(**landed)).rowcount:
                freed = {"fence": _fence(), "live": False, "written": True}
                c.execute(insert(claims).values(**_row(claim) | landed | freed))

        await self._database.run(work)

    async def release(self, reference: str, fence: int | None = None) -> None:
        """Free the claim; with a fence only while that is the newest."""
        mine = [claims.c.reference == reference, *([claims.c.fence == fence] if fence is not None else [])]
        await self._database.run(lambda c: c.execute(delete(claims).where(*mine)))

    async def live(self, connection: str, span: Interval, now: datetime) -> list[Slot]:
        """Live claims that touch ``span``, at whatever location: providers may work at several."""

        def work(c: Connection) -> list[Slot]:
            rows = c.execute(
                select(claims).where(
                    claims.c.connection == connection,
                    _blocking(now.timestamp()),
                    claims.c.start_at < span.end.timestamp(),
                    claims.c.end_at > span.start.timestamp(),
                )
            )
            return [_slot(row) for row in rows]

        return await self._database.run(work)

    async def booked(self, location: str, service: str, first: date, last: date, now: datetime) -> dict[date, int]:
        """Bookings of a service through us by local day, landed or on their way."""

        def work(c: Connection) -> dict[date, int]:
            rows = c.execute(
                select(claims.c.local_day, func.count())
                .where(
                    claims.c.location == location,
                    claims.c.service == service,
                    claims.c.local_day.between(first, last),
                    _counts(now.timestamp()),
                )
                .group_by(claims.c.local_day)
            )
            return {row[0]: row[1] for row in rows}

        return await self._database.run(work)


def _blocking(now: float) -> Any:
    return and_(claims.c.live, claims.c.expires_at > now)


def _counts(now: float) -> Any:
    """For the cap: what was written stands until it is released, though its claim has run out meanwhile."""
    return or_(claims.c.landed, claims.c.written, _blocking(now))


def _fence() -> int:
    """A row that is deleted and inserted again would count from one again; chance never repeats."""
    return secrets.randbits(62)


def _is_on(slot: Slot) -> Any:
    return and_(
        claims.c.provider == slot.provider,
        claims.c.operatory == slot.operatory,
        claims.c.start_at == int(slot.time.start.timestamp()),
        claims.c.end_at == int(slot.time.end.timestamp()),
    )


def _slot(row: Any) -> Slot:
    time = Interval(start=datetime.fromtimestamp(row.start_at, UTC), end=datetime.fromtimestamp(row.end_at, UTC))
    return Slot(time=time, provider=row.provider, operatory=row.operatory)


def _opposed(row: dict[str, Any], now: float) -> Any:
    """Another reference's live claim on the same provider or operatory at an overlapping time."""
    return and_(
        claims.c.connection == row["connection"],
        claims.c.reference != row["reference"],
        or_(claims.c.provider == row["provider"], claims.c.operatory == row["operatory"]),
        claims.c.start_at < row["end_at"],
        claims.c.end_at > row["start_at"],
        _blocking(now),
    )


def _retire_expired(c: Connection, now: float) -> None:
    c.execute(update(claims).where(claims.c.live, claims.c.expires_at <= now).values(live=False))


def _row(claim: Claim) -> dict[str, Any]:
    return {
        "reference": claim.reference,
        "connection": claim.connection,
        "location": claim.location,
        "service": claim.service,
        "local_day": claim.local_day,
        "provider": claim.slot.provider,
        "operatory": claim.slot.operatory,
        "start_at": int(claim.slot.time.start.timestamp()),
        "end_at": int(claim.slot.time.end.timestamp()),
        "expires_at": claim.expires_at.timestamp(),
        "contact": claim.contact,
    }


def _take(c: Connection, claim: Claim, now: float, contact_limit: int) -> Grant:
    """What is counted here must not grow meanwhile: those at one location or of one contact take turns."""
    place = f"claims at {claim.connection} {claim.location}"
    one_at_a_time(c, place, *([f"claims of {claim.contact}"] if claim.contact else []))
    _retire_expired(c, now)
    row = _row(claim)
    if c.execute(select(claims.c.id).where(_opposed(row, now)).limit(1)).first():
        raise SlotClaimed
    before = c.execute(select(claims).where(claims.c.reference == claim.reference)).first()
    if before is None and claim.contact is not None:
        held = select(func.count()).where(claims.c.contact == claim.contact, _blocking(now), ~claims.c.landed)
        if c.execute(held).scalar_one() >= contact_limit:
            raise TooManyClaims
    fence = _fence()
    c.execute(delete(claims).where(claims.c.reference == claim.reference))
    earlier = {"written": bool(before and before.written), "sent_at": before.sent_at if before else None}
    c.execute(insert(claims).values(**row, **earlier, fence=fence, live=True, landed=False))
    return Grant(fence=fence, earlier=_earlier(c, claim, now), booked=_booked_by_others(c, claim, now))


def _earlier(c: Connection, claim: Claim, now: float) -> tuple[Slot, ...]:
    around = claim.slot.time.widened(timedelta(days=1), timedelta(days=1))
    rows = c.execute(
        select(claims).where(
            claims.c.connection == claim.connection,
            claims.c.reference != claim.reference,
            ~claims.c.landed,
            _blocking(now),
            claims.c.start_at < around.end.timestamp(),
            claims.c.end_at > around.start.timestamp(),
        )
    )
    return tuple(_slot(row) for row in rows)


def _booked_by_others(c: Connection, claim: Claim, now: float) -> int:
    count = select(func.count()).where(
        claims.c.location == claim.location,
        claims.c.service == claim.service,
        claims.c.local_day == claim.local_day,
        claims.c.reference != claim.reference,
        _counts(now),
    )
    return int(c.execute(count).scalar_one())


def _renew(c: Connection, reference: str, now: float) -> Renewal:
    _retire_expired(c, now)
    row = c.execute(select(claims).where(claims.c.reference == reference)).mappings().first()
    if row is None or c.execute(select(claims.c.id).where(_opposed(dict(row), now)).limit(1)).first():
        raise ClaimLost
    fence = _fence()
    values: dict[str, Any] = {"fence": fence}
    if not row["live"] and not row["landed"]:
        values |= {"live": True, "expires_at": now + LIVES_AGAIN_FOR.total_seconds()}
    c.execute(update(claims).where(claims.c.reference == reference).values(**values))
    sent_at = datetime.fromtimestamp(row["sent_at"], UTC) if row["sent_at"] is not None else None
    return Renewal(fence=fence, written=row["written"], sends=row["sends"], sent_at=sent_at)


LIVES_AGAIN_FOR = timedelta(minutes=10)
