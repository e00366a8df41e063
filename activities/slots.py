"""Checks whether a slot is really free: our claim on it first, then the practice system's live calendar."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pydantic import AwareDatetime
from temporalio import activity

from activities.connections import Connections, Site
from activities.shared_calendars import SharedCalendars
from activities.visitors import VisitorInput
from adapters.ledger import Claim, Grant, SlotClaimed, Visitor, VisitRefused
from domain.base import Value
from domain.booking import Reason
from domain.calendar import Calendar
from domain.interval import Interval
from domain.keyed_hash import KeyedHash
from domain.local_time import local_day
from domain.policy import VisitLimits
from domain.rules import ServiceRule
from domain.schedule import Facts, alternatives, candidate_slots, conflicts
from domain.slot import Cause, Conflict, Slot

MAX_ALTERNATIVES = 3
ALTERNATIVES_HORIZON = timedelta(days=7)


class SlotRequest(Value):
    reference: str
    location: str
    service: str
    start: AwareDatetime
    provider: str | None = None
    """Practice-system id, or ``None`` for any provider."""
    operatory: str | None = None
    visitor: VisitorInput | None = None
    """Whose visit it is."""
    limits: VisitLimits | None = None
    """How many open visits the visitor may have. ``None``: the desk has decided that."""
    claim_expires_at: AwareDatetime
    asked_at: AwareDatetime | None = None
    """When the patient asked. The notice period is judged at this instant, however late we are."""
    staff_override: bool = False
    """Staff want this slot although the rules are against it."""


class SlotCheck(Value):
    slot: Slot | None = None
    """The slot, claimed and free. ``None``: it is not available, for the reasons in ``conflicts``."""
    conflicts: tuple[Conflict, ...] = ()
    alternatives: tuple[Slot, ...] = ()
    refused_for: Reason | None = None
    """Why the desk must see it first, whatever is free: the visitor has other open visits."""


class SlotActivities:
    def __init__(self, connections: Connections, keyed_hash: KeyedHash) -> None:
        self._connections = connections
        self._keyed_hash = keyed_hash
        self._shared_calendars = SharedCalendars()

    @activity.defn
    async def claim_slot(self, request: SlotRequest) -> bool:
        """Claim the slot before anything is read. Asks only the ledger, so it runs on the workflows' own queue.

        Returns whether it is claimed. ``recheck_slot`` claims it too: whoever loses the claim here need not look the
        patient up meanwhile.
        """
        site = self._connections.site(request.location)
        rule = self._connections.practice.rule(request.location, request.service)
        candidates = candidate_slots(request.start, rule, request.provider, request.operatory)
        options, _ = _filter_by_rules(candidates, rule, request, site.clock.now())
        for slot in options:
            try:
                await self._acquire_claim(site, request, slot, keeps_own_claim=True)
            except SlotClaimed:
                continue
            except VisitRefused:
                return False
            return True
        return False

    @activity.defn
    async def recheck_slot(self, request: SlotRequest) -> SlotCheck:
        """Claim the slot, then read the live day and check it for conflicts. With any provider, try each in turn.

        The reading that says "free" is always newer than the claim under which it is read, so of two bookings that
        want the same time at most one is told that it is free. Only closed time may have been read some minutes ago:
        it rarely changes, and the read-back after the write reads it again.
        """
        site = self._connections.site(request.location)
        rule = self._connections.practice.rule(request.location, request.service)
        options, conflicts_by_option = _filter_by_rules(
            candidate_slots(request.start, rule, request.provider, request.operatory), rule, request, site.clock.now()
        )
        while options:
            slot = options.pop(0)
            try:
                grant = await self._acquire_claim(site, request, slot)
            except SlotClaimed:
                conflicts_by_option.append((Conflict(cause=Cause.CLAIM, time=slot.time),))
                continue
            except VisitRefused as refusal:
                return SlotCheck(refused_for=refusal.reason)
            # The claim must come before this reading: see above.
            facts = await self._slot_facts(site, rule, slot, grant, request)
            checked = [(o, conflicts(o, facts, ignoring_reference=request.reference)) for o in (slot, *options)]
            if not checked[0][1]:
                return SlotCheck(slot=slot)
            conflicts_by_option += [option_conflicts for _, option_conflicts in checked if option_conflicts]
            options = [option for option, option_conflicts in checked if not option_conflicts]
        await self._connections.ledger.claims.release(request.reference)
        return SlotCheck(
            conflicts=min(conflicts_by_option, key=_has_standing_conflict),
            alternatives=await self._alternatives(site, rule, request, MAX_ALTERNATIVES),
        )

    @activity.defn
    async def find_alternatives(self, request: SlotRequest) -> SlotCheck:
        """Find alternatives, where this slot is not available for a reason that the calendar does not show."""
        site = self._connections.site(request.location)
        rule = self._connections.practice.rule(request.location, request.service)
        slots = await self._alternatives(site, rule, request, MAX_ALTERNATIVES + 1)
        other_slots = tuple(slot for slot in slots if slot.time.start != request.start)
        return SlotCheck(alternatives=other_slots[:MAX_ALTERNATIVES])

    @activity.defn
    async def release_claim(self, reference: str) -> None:
        await self._connections.ledger.claims.release(reference)

    async def _acquire_claim(
        self, site: Site, request: SlotRequest, slot: Slot, *, keeps_own_claim: bool = False
    ) -> Grant:
        now = site.clock.now()
        claim = Claim(
            reference=request.reference,
            connection=site.location.connection,
            location=site.location.id,
            service=request.service,
            local_day=site.day_of(slot.time.start),
            slot=slot,
            expires_at=request.claim_expires_at,
            visitor=self._visitor(request),
        )
        return await self._connections.ledger.claims.acquire(
            claim, now, request.limits, keeps_own_claim=keeps_own_claim
        )

    def _visitor(self, request: SlotRequest) -> Visitor | None:
        if request.visitor is None:
            return None
        return request.visitor.hashed(self._keyed_hash, self._connections.practice.contacts)

    async def _slot_facts(self, site: Site, rule: ServiceRule, slot: Slot, grant: Grant, request: SlotRequest) -> Facts:
        day = site.day_of(slot.time.start)
        return Facts(
            rule=rule,
            calendar=await site.read_day(slot.time.start, rule, allow_stale_blocks=True),
            claims=grant.earlier,
            now=site.clock.now(),
            asked_at=request.asked_at,
            staff_override=request.staff_override,
            booked={day: grant.booked},
        )

    async def _alternatives(self, site: Site, rule: ServiceRule, request: SlotRequest, count: int) -> tuple[Slot, ...]:
        """Openings near the requested time. Of many who ask at once, the first reads the calendar for all."""
        begin = max(request.start, site.clock.now())
        first, last = site.day_of(begin - timedelta(days=1)), site.day_of(begin + ALTERNATIVES_HORIZON)
        key = (site.location.id, rule.service, first, last)
        span = Interval(start=local_day(first, rule.tz).start, end=local_day(last, rule.tz).end)
        calendar = await self._shared_calendars.get(key, lambda: site.read_calendar(span, rule))
        facts = await _facts(self._connections, site, rule, span, calendar)
        # Whoever asked for a provider who is not active any more gets one who is.
        provider = None if request.provider in facts.calendar.inactive_providers else request.provider
        return alternatives(begin, facts, provider=provider, count=count)


def _filter_by_rules(
    options: Sequence[Slot], rule: ServiceRule, request: SlotRequest, now: datetime
) -> tuple[list[Slot], list[tuple[Conflict, ...]]]:
    """The options that the rules allow, and the conflicts of each of the others.

    Needs no claim and no calendar, so it runs before anything is claimed or read. Windows are left for later.
    """
    if not options:
        return [], [(Conflict(cause=Cause.RULE),)]
    rules_only = Facts(
        rule=rule,
        calendar=Calendar(span=options[0].time),
        now=now,
        asked_at=request.asked_at,
        staff_override=request.staff_override,
    )
    conflicts_by_option = [
        tuple(conflict for conflict in conflicts(slot, rules_only) if conflict.cause is not Cause.WINDOW)
        for slot in options
    ]
    pairs = zip(options, conflicts_by_option, strict=True)
    allowed = [slot for slot, option_conflicts in pairs if not option_conflicts]
    return allowed, [option_conflicts for option_conflicts in conflicts_by_option if option_conflicts]


def _has_standing_conflict(option_conflicts: tuple[Conflict, ...]) -> bool:
    """Sorts first the options that were possible: if one of those was lost, the rules are not the reason."""
    return any(conflict.cause.is_rule or conflict.cause is Cause.INACTIVE for conflict in option_conflicts)


async def openings_facts(
    connections: Connections, site: Site, rule: ServiceRule, begin: datetime, end: datetime
) -> Facts:
    """Read the facts from which openings between two instants are computed."""
    now = site.clock.now()
    span = Interval(start=max(begin, now - timedelta(days=1)), end=max(end, now))
    return await _facts(connections, site, rule, span, await site.read_calendar(span, rule))


async def _facts(connections: Connections, site: Site, rule: ServiceRule, span: Interval, calendar: Calendar) -> Facts:
    """What we know ourselves is always read anew, also where the calendar is some seconds old."""
    now = site.clock.now()
    claims: Sequence[Slot] = await connections.ledger.claims.find_live(site.location.connection, span, now)
    booked: dict[date, int] = await connections.ledger.claims.count_booked(
        site.location.id, rule.service, site.day_of(span.start), site.day_of(span.end), now
    )
    return Facts(rule=rule, calendar=calendar, claims=tuple(claims), now=now, booked=booked)
