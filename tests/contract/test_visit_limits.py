"""How many open visits one person may have, counted by the ledger on SQLite and, if installed, PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.ledger import Claim, Ledger, Visitor, VisitRefused
from domain.booking import Reason
from domain.interval import span
from domain.policy import VisitLimits
from domain.slot import Slot

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
VISIT = NOW + timedelta(days=7)
LIMITS = VisitLimits()


@pytest.fixture(params=["sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    sqlite = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres")))
    await ledger.migrate()
    yield ledger
    await ledger.close()


def key() -> str:
    return os.urandom(8).hex()


class Someone:
    """A person, who may share a contact with others."""

    def __init__(self, ledger: Ledger, *contacts: str) -> None:
        self._ledger = ledger
        self.visitor = Visitor(person=(key(),), contacts=tuple((contact,) for contact in contacts))
        self.chart = (key(),)

    def claim(self, minute: int = 0, service: str = "cleaning", reference: str | None = None) -> Claim:
        slot = Slot(time=span(VISIT + timedelta(minutes=minute), 30), provider=key(), operatory=key())
        return Claim(
            reference=reference or f"bk_{key()}",
            connection="limits",
            location=f"place-{key()}",
            service=service,
            local_day=date(2026, 12, 8),
            slot=slot,
            expires_at=NOW + timedelta(hours=1),
            visitor=self.visitor,
        )

    async def book(self, claim: Claim, now: datetime = NOW, limits: VisitLimits | None = LIMITS) -> Reason | None:
        try:
            await self._ledger.claims.acquire(claim, now, limits)
        except VisitRefused as refusal:
            return refusal.reason
        return None


async def test_third_visit_of_one_patient_goes_to_the_desk(ledger: Ledger) -> None:
    someone = Someone(ledger)
    assert await someone.book(someone.claim(0, "cleaning")) is None
    assert await someone.book(someone.claim(60, "exam")) is None
    assert await someone.book(someone.claim(120, "whitening")) is Reason.TOO_MANY_VISITS
    assert await someone.book(someone.claim(120, "whitening"), limits=VisitLimits(per_patient=3)) is None


async def test_simultaneous_requests_cannot_slip_past_the_limit(ledger: Ledger) -> None:
    someone = Someone(ledger, key())
    claims = [someone.claim(60 * number, f"service-{number}") for number in range(30)]
    answers = await asyncio.gather(*(someone.book(claim) for claim in claims))
    assert answers.count(None) == LIMITS.per_patient


async def test_simultaneous_requests_for_one_instant_give_one_visit(ledger: Ledger) -> None:
    someone = Someone(ledger)
    answers = await asyncio.gather(*(someone.book(someone.claim(0, f"service-{n}")) for n in range(20)))
    assert sorted(map(str, answers)) == ["None"] + ["visit_overlaps"] * 19


async def test_second_visit_of_the_same_service_may_be_a_change(ledger: Ledger) -> None:
    someone = Someone(ledger)
    await someone.book(someone.claim(0))
    assert await someone.book(someone.claim(24 * 60)) is Reason.SAME_SERVICE


async def test_family_may_share_one_phone(ledger: Ledger) -> None:
    phone = key()
    children = [Someone(ledger, phone) for _ in range(LIMITS.per_contact + 1)]
    answers = [await child.book(child.claim()) for child in children]  # siblings may come at the same time
    assert answers == [None] * LIMITS.per_contact + [Reason.TOO_MANY_OPEN]


async def test_simultaneous_requests_of_one_contact_cannot_slip_past_the_limit(ledger: Ledger) -> None:
    phone, email = key(), key()
    everybody = [Someone(ledger, *((phone, key()) if number % 2 else (email, phone))) for number in range(30)]
    answers = await asyncio.gather(*(each.book(each.claim()) for each in everybody))
    assert answers.count(None) == LIMITS.per_contact


async def test_contact_is_counted_whether_it_came_first_or_second(ledger: Ledger) -> None:
    email = key()
    one, two = Someone(ledger, key(), email), Someone(ledger, email)
    assert await one.book(one.claim()) is None
    assert await two.book(two.claim(), limits=VisitLimits(per_contact=1)) is Reason.TOO_MANY_OPEN


async def test_own_claim_never_counts(ledger: Ledger) -> None:
    someone = Someone(ledger)
    claim = someone.claim()
    for _ in range(3):
        assert await someone.book(claim, limits=VisitLimits(per_patient=1)) is None


async def test_moved_visit_may_not_overlap_another_of_the_patient(ledger: Ledger) -> None:
    someone = Someone(ledger)
    first, second = someone.claim(0), someone.claim(60, "exam")
    await someone.book(first)
    await someone.book(second)
    assert await someone.book(someone.claim(75, reference=first.reference)) is Reason.VISIT_OVERLAPS
    assert await someone.book(someone.claim(120, reference=first.reference)) is None


async def test_released_expired_and_past_visits_do_not_count(ledger: Ledger) -> None:
    someone = Someone(ledger)
    cancelled, expired = someone.claim(0), someone.claim(60)
    await someone.book(cancelled)
    await ledger.claims.release(cancelled.reference)
    assert await someone.book(expired) is None
    after_expiry = NOW + timedelta(hours=2)
    later = someone.claim(120).model_copy(update={"expires_at": after_expiry + timedelta(hours=1)})
    assert await someone.book(later, after_expiry) is None
    await ledger.claims.mark_landed(later)
    after_visit = VISIT + timedelta(days=1)
    assert await someone.book(someone.claim(3 * 24 * 60), VISIT) is Reason.SAME_SERVICE
    assert await someone.book(someone.claim(3 * 24 * 60), after_visit) is None


async def test_confirmed_visit_counts_after_its_claim_has_expired(ledger: Ledger) -> None:
    someone = Someone(ledger)
    claim = someone.claim()
    await someone.book(claim)
    await ledger.claims.mark_landed(claim)
    assert await someone.book(someone.claim(60), NOW + timedelta(days=1)) is Reason.SAME_SERVICE


async def test_visit_counts_that_the_desk_confirmed_after_its_claim_was_released(ledger: Ledger) -> None:
    someone = Someone(ledger)
    await ledger.claims.mark_landed(someone.claim())
    assert await someone.book(someone.claim(60)) is Reason.SAME_SERVICE


async def test_visit_that_the_desk_moved_counts_at_its_new_time(ledger: Ledger) -> None:
    someone = Someone(ledger)
    claim = someone.claim()
    await someone.book(claim)
    moved = claim.model_copy(update={"slot": someone.claim(120).slot})
    await ledger.claims.mark_landed(moved)
    assert await someone.book(someone.claim(120, "exam")) is Reason.VISIT_OVERLAPS
    assert await someone.book(someone.claim(0, "exam")) is None


async def test_visits_under_an_earlier_secret_are_found(ledger: Ledger) -> None:
    someone = Someone(ledger)
    await someone.book(someone.claim())
    someone.visitor = Visitor(person=(key(), *someone.visitor.person))
    assert await someone.book(someone.claim(60)) is Reason.SAME_SERVICE


async def test_one_chart_is_one_patient_whatever_name_was_typed(ledger: Ledger) -> None:
    chart = (key(),)
    spellings = [Someone(ledger) for _ in range(10)]
    claims = [one.claim(60 * number, f"service-{number}") for number, one in enumerate(spellings)]
    for one, claim in zip(spellings, claims, strict=True):
        assert await one.book(claim) is None

    async def write(claim: Claim) -> bool:
        try:
            await ledger.claims.renew(claim.reference, NOW, chart, LIMITS)
        except VisitRefused:
            return False
        return True

    written = await asyncio.gather(*(write(claim) for claim in claims))
    assert written.count(True) == LIMITS.per_patient
    assert await write(claims[written.index(True)])  # its own never counts
