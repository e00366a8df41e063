"""Our own short-lived claims on provider and operatory time, so that two bookings never race."""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database, serialize_on
from adapters.ledger.events import record_write_start
from adapters.ledger.schema import claims
from adapters.ledger.visits import (
    Keys,
    Visitor,
    chart_subjects,
    check_chart,
    check_new_visit,
    counts_as_open,
    to_columns,
)
from domain.base import Value
from domain.interval import Interval
from domain.policy import VisitLimits
from domain.slot import Slot

REVIVED_CLAIM_DURATION = timedelta(minutes=10)


class SlotClaimed(Exception):
    """Another booking has a live claim on the provider or the operatory."""


class ClaimLost(Exception):
    """The claim is gone, another booking has claimed the time, or a newer attempt has the newest fence."""


class Claim(Value):
    """What a booking claims."""

    reference: str
    connection: str
    location: str
    service: str
    local_day: date
    slot: Slot
    expires_at: AwareDatetime
    visitor: Visitor | None = None
    """Whose visit it is, so that one person's visits can be counted."""


class Grant(Value):
    """What we know at the moment a claim is acquired."""

    fence: int
    """Unique to this acquisition: no other claim has or will ever have it."""
    earlier: tuple[Slot, ...]
    """Live claims on this connection that existed before ours, and so have the older right."""
    booked: int
    """Bookings of this service on this local day by others, through us."""


class Renewal(Value):
    """The fence of one attempt, and what earlier attempts have sent."""

    fence: int
    written: bool
    """An earlier attempt began a write under this claim. Search for it before writing."""
    sends: int
    """Sends for the claimed slot that may have been carried out."""
    sent_at: AwareDatetime | None
    """When the latest send began, including sends under this reference's earlier claims."""


class Claims:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(
        self, claim: Claim, now: datetime, limits: VisitLimits | None = None, *, keeps_own_claim: bool = False
    ) -> Grant:
        """Claim provider and operatory together, or neither. Replaces an earlier claim of the same reference.

        ``keeps_own_claim``: leave an earlier claim of the same reference as it is, with its fence. A step that may run
        late must not take the fence from the attempt that is about to write.
        ``limits``: how many open visits the visitor may have; ``None``: the desk has decided that.
        Raises SlotClaimed, VisitRefused, LedgerUnavailable.
        """
        try:
            return await self._database.run(lambda c: _acquire(c, claim, now.timestamp(), limits, keeps_own_claim))
        except IntegrityError:
            raise SlotClaimed from None

    async def renew(
        self, reference: str, now: datetime, chart: Keys = (), limits: VisitLimits | None = None
    ) -> Renewal:
        """Give this attempt the newest fence. Revives an expired claim, unless it landed or another claim overlaps it.

        ``chart``: the patient's chart, which is known by now. Before the first write, its other visits are counted.
        Raises ClaimLost, VisitRefused.
        """
        try:
            return await self._database.run(lambda c: _renew(c, reference, now.timestamp(), chart, limits))
        except IntegrityError:
            raise ClaimLost from None

    async def begin_write(self, reference: str, renewal: Renewal, slot: Slot, booking: str, now: datetime) -> None:
        """Record, immediately before the write, that it is about to be sent.

        Raises ClaimLost when this attempt does not have the newest fence, or when the claim is for another slot now.
        Several calls by one attempt count as one send.
        ``booking``: workflow id, by which events of the appointment find the booking.
        """
        write_begun = {"written": True, "sends": renewal.sends + 1, "sent_at": now.timestamp()}

        def work(c: Connection) -> bool:
            our_claim = and_(
                claims.c.reference == reference,
                claims.c.fence == renewal.fence,
                _on_slot(slot),
                claims.c.live,
                claims.c.expires_at > now.timestamp(),
            )
            # Check and record in one statement: no newer attempt can take a fence in between.
            row = c.execute(update(claims).where(our_claim).values(write_begun).returning(claims.c.connection)).first()
            if row is not None:
                record_write_start(c, reference, row.connection, booking)
            return row is not None

        if not await self._database.run(work):
            raise ClaimLost

    async def abort_write(self, reference: str, renewal: Renewal) -> None:
        """Revert ``begin_write`` of this attempt, because the write was certainly not carried out."""
        sent_at = renewal.sent_at.timestamp() if renewal.sent_at is not None else None
        earlier_values = {"written": renewal.written, "sends": renewal.sends, "sent_at": sent_at}
        our_claim = claims.c.reference == reference, claims.c.fence == renewal.fence
        await self._database.run(lambda c: c.execute(update(claims).where(*our_claim).values(earlier_values)))

    async def mark_landed(self, claim: Claim) -> None:
        """Record that the appointment is in the calendar.

        The claim blocks the slot until it expires. After that it only counts for the daily limit.
        A claim that was released meanwhile, because the desk made the hold theirs, blocks nobody but counts too.
        """
        landed = {"landed": True, "local_day": claim.local_day, "expires_at": claim.expires_at.timestamp()}
        not_blocking = {"live": False}

        def work(c: Connection) -> None:
            our_claim = claims.c.reference == claim.reference
            is_moved = ~_on_slot(claim.slot)  # by the desk, whose appointment now blocks the time
            new_time = _to_time(claim) | landed | not_blocking
            if c.execute(update(claims).where(our_claim, is_moved).values(**new_time)).rowcount:
                return
            if not c.execute(update(claims).where(our_claim).values(**landed)).rowcount:
                c.execute(insert(claims).values(**_to_row(claim) | new_time | {"fence": _new_fence(), "written": True}))

        await self._database.run(work)

    async def was_overtaken(self, reference: str) -> bool:
        """Whether a hold that was sent to the same location after this one is in the calendar already."""
        own = select(claims).where(claims.c.reference == reference).subquery()
        later = select(claims.c.id).where(
            claims.c.connection == own.c.connection,
            claims.c.location == own.c.location,
            claims.c.landed,
            claims.c.sent_at > own.c.sent_at,
        )
        return await self._database.run(lambda c: c.execute(later.limit(1)).first() is not None)

    async def release(self, reference: str, fence: int | None = None) -> None:
        """Release the claim. With ``fence``, only while that is the newest."""
        our_claim = [claims.c.reference == reference, *([claims.c.fence == fence] if fence is not None else [])]
        await self._database.run(lambda c: c.execute(delete(claims).where(*our_claim)))

    async def find_live(self, connection: str, span: Interval, now: datetime) -> list[Slot]:
        """Live claims that touch ``span``, at every location: a provider may work at several."""

        def work(c: Connection) -> list[Slot]:
            rows = c.execute(
                select(claims).where(
                    claims.c.connection == connection,
                    _blocks_slot(now.timestamp()),
                    claims.c.start_at < span.end.timestamp(),
                    claims.c.end_at > span.start.timestamp(),
                )
            )
            return [_to_slot(row) for row in rows]

        return await self._database.run(work)

    async def count_booked(
        self, location: str, service: str, first: date, last: date, now: datetime
    ) -> dict[date, int]:
        """Bookings of a service through us by local day, landed or not yet. Days without bookings are left out."""

        def work(c: Connection) -> dict[date, int]:
            rows = c.execute(
                select(claims.c.local_day, func.count())
                .where(
                    claims.c.location == location,
                    claims.c.service == service,
                    claims.c.local_day.between(first, last),
                    counts_as_open(now.timestamp()),
                )
                .group_by(claims.c.local_day)
            )
            return {row[0]: row[1] for row in rows}

        return await self._database.run(work)


def _blocks_slot(now: float) -> Any:
    return and_(claims.c.live, claims.c.expires_at > now)


def _new_fence() -> int:
    """Random, because a counter would start again at one when a row is deleted and inserted again."""
    return secrets.randbits(62)


def _on_slot(slot: Slot) -> Any:
    return and_(
        claims.c.provider == slot.provider,
        claims.c.operatory == slot.operatory,
        claims.c.start_at == int(slot.time.start.timestamp()),
        claims.c.end_at == int(slot.time.end.timestamp()),
    )


def _to_slot(row: Any) -> Slot:
    time = Interval(start=datetime.fromtimestamp(row.start_at, UTC), end=datetime.fromtimestamp(row.end_at, UTC))
    return Slot(time=time, provider=row.provider, operatory=row.operatory)


def _opposes(row: dict[str, Any], now: float) -> Any:
    """A live claim of another reference on the same provider or operatory at an overlapping time."""
    return and_(
        claims.c.connection == row["connection"],
        claims.c.reference != row["reference"],
        or_(claims.c.provider == row["provider"], claims.c.operatory == row["operatory"]),
        claims.c.start_at < row["end_at"],
        claims.c.end_at > row["start_at"],
        _blocks_slot(now),
    )


def _retire_expired(c: Connection, now: float) -> None:
    """PostgreSQL's constraint on overlapping claims looks at ``live`` only, so expired claims must not be live."""
    c.execute(update(claims).where(claims.c.live, claims.c.expires_at <= now).values(live=False))


def _to_time(claim: Claim) -> dict[str, Any]:
    return {
        "provider": claim.slot.provider,
        "operatory": claim.slot.operatory,
        "start_at": int(claim.slot.time.start.timestamp()),
        "end_at": int(claim.slot.time.end.timestamp()),
    }


def _to_row(claim: Claim) -> dict[str, Any]:
    return _to_time(claim) | {
        "reference": claim.reference,
        "connection": claim.connection,
        "location": claim.location,
        "service": claim.service,
        "local_day": claim.local_day,
        "expires_at": claim.expires_at.timestamp(),
        **(to_columns(claim.visitor) if claim.visitor is not None else {}),
    }


def _acquire(c: Connection, claim: Claim, now: float, limits: VisitLimits | None, keeps_own_claim: bool) -> Grant:
    # What we count below must not grow meanwhile, so claims at one location or of one person run one by one.
    subjects = claim.visitor.subjects if claim.visitor is not None else ()
    serialize_on(c, f"claims at {claim.connection} {claim.location}", *subjects)
    _retire_expired(c, now)
    row = _to_row(claim)
    if c.execute(select(claims.c.id).where(_opposes(row, now)).limit(1)).first():
        raise SlotClaimed
    own_claim = c.execute(select(claims).where(claims.c.reference == claim.reference)).first()
    if own_claim is not None and keeps_own_claim:
        return Grant(fence=own_claim.fence, earlier=(), booked=0)
    if claim.visitor is not None and limits is not None:
        check_new_visit(c, row, claim.visitor, limits, now, is_counted=own_claim is not None)
    fence = _new_fence()
    c.execute(delete(claims).where(claims.c.reference == claim.reference))
    earlier_write = {
        "written": bool(own_claim and own_claim.written),
        "sent_at": own_claim.sent_at if own_claim else None,
        "chart": own_claim.chart if own_claim else None,
    }
    c.execute(insert(claims).values(**row | earlier_write, fence=fence, live=True, landed=False))
    return Grant(fence=fence, earlier=_find_earlier(c, claim, now), booked=_count_other_bookings(c, claim, now))


def _find_earlier(c: Connection, claim: Claim, now: float) -> tuple[Slot, ...]:
    around = claim.slot.time.widened(timedelta(days=1), timedelta(days=1))
    rows = c.execute(
        select(claims).where(
            claims.c.connection == claim.connection,
            claims.c.reference != claim.reference,
            ~claims.c.landed,
            _blocks_slot(now),
            claims.c.start_at < around.end.timestamp(),
            claims.c.end_at > around.start.timestamp(),
        )
    )
    return tuple(_to_slot(row) for row in rows)


def _count_other_bookings(c: Connection, claim: Claim, now: float) -> int:
    count = select(func.count()).where(
        claims.c.location == claim.location,
        claims.c.service == claim.service,
        claims.c.local_day == claim.local_day,
        claims.c.reference != claim.reference,
        counts_as_open(now),
    )
    return int(c.execute(count).scalar_one())


def _renew(c: Connection, reference: str, now: float, chart: Keys, limits: VisitLimits | None) -> Renewal:
    serialize_on(c, *chart_subjects(chart))
    _retire_expired(c, now)
    row = c.execute(select(claims).where(claims.c.reference == reference)).mappings().first()
    if row is None or c.execute(select(claims.c.id).where(_opposes(dict(row), now)).limit(1)).first():
        raise ClaimLost
    is_first_write = not row["written"] and not row["landed"]
    if chart and limits is not None and is_first_write:
        check_chart(c, dict(row), chart, limits, now)
    fence = _new_fence()
    values: dict[str, Any] = {"fence": fence, "chart": chart[0] if chart else row["chart"]}
    if not row["live"] and not row["landed"]:
        values |= {"live": True, "expires_at": now + REVIVED_CLAIM_DURATION.total_seconds()}
    c.execute(update(claims).where(claims.c.reference == reference).values(**values))
    sent_at = datetime.fromtimestamp(row["sent_at"], UTC) if row["sent_at"] is not None else None
    return Renewal(fence=fence, written=row["written"], sends=row["sends"], sent_at=sent_at)
