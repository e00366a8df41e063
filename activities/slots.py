"""Whether the slot is really free: our claim on it first, then the practice system's live calendar."""

from collections.abc import Sequence
from datetime import date, timedelta

from pydantic import AwareDatetime
from temporalio import activity

from activities.connections import Connections, Site, utc_now
from adapters.ledger import Claim, Grant, SlotClaimed, TooManyClaims
from domain.base import Value
from domain.calendar import Calendar
from domain.interval import Interval
from domain.keyed_hash import KeyedHash
from domain.matching import contact_key
from domain.rules import ServiceRule
from domain.schedule import Facts, alternatives, candidate_slots, conflicts
from domain.slot import Cause, Conflict, Slot

ALTERNATIVES = 3
ALTERNATIVES_WITHIN = timedelta(days=7)


class SlotRequest(Value):
    reference: str
    location: str
    service: str
    start: AwareDatetime
    provider: str | None = None
    """Practice-system id, or ``None`` for anybody."""
    operatory: str | None = None
    contact: str | None = None
    """Phone or email by which open claims are bounded."""
    claim_expires_at: AwareDatetime
    asked_at: AwareDatetime | None = None
    """When the patient asked: whether that was in time is judged then, however late we are."""
    staff_override: bool = False
    """A person of the practice wants it so."""


class SlotCheck(Value):
    slot: Slot | None = None
    """Claimed and free; ``None``: not to be had, for the causes given."""
    conflicts: tuple[Conflict, ...] = ()
    alternatives: tuple[Slot, ...] = ()
    too_many_open: bool = False
    """This contact already has as many open requests as one may."""


class SlotActivities:
    def __init__(self, connections: Connections, hashed: KeyedHash) -> None:
        self._connections = connections
        self._hashed = hashed

    @activity.defn
    async def recheck_slot(self, wanted: SlotRequest) -> SlotCheck:
        """Claim, then read the live day and ask the conflict engine; with "any provider" try each in turn.

        The reading that says "free" is always younger than the claim it is read under, so of two bookings
        that want the same chair at most one can be told so. Only closed time may have been read some minutes
        ago: it seldom changes, and the look after the write reads it anew.
        """
        site = self._connections.site(wanted.location)
        rule = self._connections.practice.rule(wanted.location, wanted.service)
        options, against = _by_the_rules(
            candidate_slots(wanted.start, rule, wanted.provider, wanted.operatory), rule, wanted
        )
        while options:
            slot = options.pop(0)
            try:
                grant = await self._claim(site, wanted, slot)
            except SlotClaimed:
                against.append((Conflict(cause=Cause.CLAIM, time=slot.time),))
                continue
            except TooManyClaims:
                return SlotCheck(too_many_open=True)
            facts = await self._facts(site, rule, slot, grant, wanted)
            judged = [(o, conflicts(o, facts, ignoring_reference=wanted.reference)) for o in (slot, *options)]
            if not judged[0][1]:
                return SlotCheck(slot=slot)
            against += [problems for _, problems in judged if problems]
            options = [option for option, problems in judged if not problems]
        await self._connections.ledger.claims.release(wanted.reference)
        return SlotCheck(
            conflicts=min(against, key=_is_by_rule), alternatives=await self._alternatives(site, rule, wanted)
        )

    @activity.defn
    async def find_alternatives(self, wanted: SlotRequest) -> SlotCheck:
        """Other times, where this one can't be had for a reason that the calendar does not show."""
        site = self._connections.site(wanted.location)
        rule = self._connections.practice.rule(wanted.location, wanted.service)
        found = await self._alternatives(site, rule, wanted, besides=1)
        others = tuple(slot for slot in found if slot.time.start != wanted.start)
        return SlotCheck(alternatives=others[:ALTERNATIVES])

    @activity.defn
    async def release_claim(self, reference: str) -> None:
        await self._connections.ledger.claims.release(reference)

    async def _claim(self, site: Site, wanted: SlotRequest, slot: Slot) -> Grant:
        now = utc_now()
        claim = Claim(
            reference=wanted.reference,
            connection=site.location.connection,
            location=site.location.id,
            service=wanted.service,
            local_day=site.day_of(slot.time.start),
            slot=slot,
            expires_at=wanted.claim_expires_at,
            contact=self._hashed("contact", contact_key(wanted.contact)) if wanted.contact else None,
        )
        return await self._connections.ledger.claims.take(claim, now)

    async def _facts(self, site: Site, rule: ServiceRule, slot: Slot, grant: Grant, wanted: SlotRequest) -> Facts:
        day = site.day_of(slot.time.start)
        return Facts(
            rule=rule,
            calendar=await site.live_day(slot.time.start, rule, recent_blocks=True),
            claims=grant.earlier,
            now=utc_now(),
            asked_at=wanted.asked_at,
            staff_override=wanted.staff_override,
            booked={day: grant.booked},
        )

    async def _alternatives(
        self, site: Site, rule: ServiceRule, wanted: SlotRequest, besides: int = 0
    ) -> tuple[Slot, ...]:
        begin = max(wanted.start, utc_now())
        facts = await outlook(self._connections, site, rule, begin - timedelta(days=1), begin + ALTERNATIVES_WITHIN)
        return alternatives(begin, facts, provider=wanted.provider, count=ALTERNATIVES + besides)


def _by_the_rules(
    options: Sequence[Slot], rule: ServiceRule, wanted: SlotRequest
) -> tuple[list[Slot], list[tuple[Conflict, ...]]]:
    """Which of them the rules allow, and what they say against the rest, before anything is claimed or read."""
    if not options:
        return [], [(Conflict(cause=Cause.RULE),)]
    nothing_known = Facts(
        rule=rule,
        calendar=Calendar(span=options[0].time),
        now=utc_now(),
        asked_at=wanted.asked_at,
        staff_override=wanted.staff_override,
    )
    found = [conflicts(slot, nothing_known) for slot in options]
    against = [tuple(c for c in these if c.cause is not Cause.WINDOW) for these in found]
    allowed = [slot for slot, problems in zip(options, against, strict=True) if not problems]
    return allowed, [problems for problems in against if problems]


def _is_by_rule(problems: tuple[Conflict, ...]) -> bool:
    """A time that one provider or chair could have had was lost, whatever the rules say of the others."""
    return any(conflict.cause.is_rule for conflict in problems)


async def outlook(
    connections: Connections, site: Site, rule: ServiceRule, begin: AwareDatetime, end: AwareDatetime
) -> Facts:
    """The facts from which openings are offered between two instants, read now."""
    now = utc_now()
    stretch = Interval(start=max(begin, now - timedelta(days=1)), end=max(end, now))
    claims: Sequence[Slot] = await connections.ledger.claims.live(site.location.connection, stretch, now)
    booked: dict[date, int] = await connections.ledger.claims.booked(
        site.location.id, rule.service, site.day_of(stretch.start), site.day_of(stretch.end), now
    )
    return Facts(
        rule=rule,
        calendar=await site.live(stretch, rule),
        claims=tuple(claims),
        now=now,
        booked=booked,
    )
