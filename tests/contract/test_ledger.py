"""The ledger on SQLite and, if a server is installed, PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from adapters.ledger import (
    OPT_OUT_SOURCE_PROVIDER,
    Action,
    Claim,
    ClaimLost,
    Ledger,
    MessageId,
    SlotClaimed,
    new_holder,
)
from domain.interval import span
from domain.slot import Slot

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def claim(reference: str, provider: str = "p1", operatory: str = "o1", minute: int = 0, **changes: object) -> Claim:
    fields = {
        "reference": reference,
        "connection": "main",
        "location": "here",
        "service": "cleaning",
        "local_day": date(2026, 12, 8),
        "slot": Slot(time=span(NOW + timedelta(days=7, minutes=minute), 30), provider=provider, operatory=operatory),
        "expires_at": NOW + timedelta(minutes=10),
        **changes,
    }
    return Claim.model_validate(fields)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    sqlite = f"sqlite:///{tmp_path}/ledger.db"
    return sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    ledger = Ledger(url)
    await ledger.migrate()
    for reference in ("a", "b", "c", *(f"r{n}" for n in range(40))):
        await ledger.claims.release(reference)
    yield ledger
    await ledger.close()


async def test_overlapping_claims_are_refused_and_other_resources_stay_free(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    for overlapping in (claim("b"), claim("b", provider="p2"), claim("b", operatory="o2"), claim("b", minute=29)):
        with pytest.raises(SlotClaimed):
            await ledger.claims.acquire(overlapping, NOW)
    grant = await ledger.claims.acquire(claim("b", "p2", "o2"), NOW)
    assert [slot.provider for slot in grant.earlier] == ["p1"]
    await ledger.claims.acquire(claim("c", minute=30), NOW)


async def test_exactly_one_of_many_concurrent_claims_succeeds(ledger: Ledger) -> None:
    async def attempt(number: int) -> bool:
        try:
            await ledger.claims.acquire(claim(f"r{number}"), NOW)
        except SlotClaimed:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(n) for n in range(40)))) == 1


async def test_expired_claim_blocks_nobody_and_is_revived_only_if_nobody_else_claims(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    later = NOW + timedelta(minutes=11)
    await ledger.claims.renew("a", later)
    much_later = later + timedelta(hours=1)
    await ledger.claims.acquire(claim("b", expires_at=much_later + timedelta(hours=1)), much_later)
    with pytest.raises(ClaimLost):
        await ledger.claims.renew("a", much_later)


async def test_attempt_without_the_newest_fence_may_not_write(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    first = await ledger.claims.renew("a", NOW)
    second = await ledger.claims.renew("a", NOW)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", first, claim("a").slot, "booking-a", NOW)
    await ledger.claims.begin_write("a", second, claim("a").slot, "booking-a", NOW)
    assert (await ledger.claims.renew("a", NOW)).written


async def test_first_claim_that_runs_late_takes_no_fence_from_the_attempt_that_writes(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    renewal = await ledger.claims.renew("a", NOW)
    await ledger.claims.acquire(claim("a"), NOW, keeps_own_claim=True)
    await ledger.claims.begin_write("a", renewal, claim("a").slot, "booking-a", NOW)


async def test_attempt_without_the_newest_fence_releases_nothing(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    stale_renewal = await ledger.claims.renew("a", NOW)
    newest = await ledger.claims.renew("a", NOW)
    await ledger.claims.release("a", stale_renewal.fence)
    await ledger.claims.begin_write("a", newest, claim("a").slot, "booking-a", NOW)
    await ledger.claims.release("a", newest.fence)
    with pytest.raises(ClaimLost):
        await ledger.claims.renew("a", NOW)


async def test_sends_are_counted_and_aborted_writes_are_not(ledger: Ledger) -> None:
    slot, later = claim("a").slot, NOW + timedelta(seconds=5)
    await ledger.claims.acquire(claim("a"), NOW)
    first = await ledger.claims.renew("a", NOW)
    for _ in range(2):  # the adapter asks again when it has a new token
        await ledger.claims.begin_write("a", first, slot, "booking-a", NOW)
    second = await ledger.claims.renew("a", later)
    assert (second.written, second.sends, second.sent_at) == (True, 1, NOW)
    await ledger.claims.begin_write("a", second, slot, "booking-a", later)
    await ledger.claims.abort_write("a", second)
    third = await ledger.claims.renew("a", later)
    assert (third.sends, third.sent_at) == (1, NOW)
    await ledger.claims.begin_write("a", third, slot, "booking-a", later)
    await ledger.claims.abort_write("a", first)
    await ledger.claims.acquire(claim("a", minute=30), later)
    after_new_claim = await ledger.claims.renew("a", later)
    assert (after_new_claim.written, after_new_claim.sends, after_new_claim.sent_at) == (True, 0, later)


async def test_attempt_of_an_earlier_claim_may_not_write_under_a_later_claim(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    stale_renewal = await ledger.claims.renew("a", NOW)
    await ledger.claims.release("a")
    new_claim = claim("a", minute=90)
    await ledger.claims.acquire(new_claim, NOW)
    newest = await ledger.claims.renew("a", NOW)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", stale_renewal, new_claim.slot, "booking-a", NOW)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", newest, claim("a").slot, "booking-a", NOW)
    await ledger.claims.begin_write("a", newest, new_claim.slot, "booking-a", NOW)


async def test_second_of_two_concurrent_claims_sees_the_first(ledger: Ledger) -> None:
    """Otherwise a daily limit of one would let two pass, and neither would see the other's buffer."""
    for round_ in range(20):
        both_claims = [
            claim(f"r{n}", f"p{n}", f"o{n}", service=f"whitening-{round_}", location=f"place-{round_}")
            for n in range(2)
        ]
        grants = await asyncio.gather(*(ledger.claims.acquire(one, NOW) for one in both_claims))
        assert sorted((grant.booked, len(grant.earlier)) for grant in grants) == [(0, 0), (1, 1)]
        for one in both_claims:
            await ledger.claims.release(one.reference)


async def test_landed_booking_counts_for_the_daily_limit_after_its_claim_expired(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    await ledger.claims.mark_landed(claim("a", expires_at=NOW + timedelta(seconds=10)))
    later = NOW + timedelta(hours=1)
    assert (await ledger.claims.acquire(claim("b", expires_at=later + timedelta(hours=1)), later)).booked == 1


async def test_landed_claim_is_not_revived_and_permits_no_other_write(ledger: Ledger) -> None:
    await ledger.claims.acquire(claim("a"), NOW)
    await ledger.claims.mark_landed(claim("a", expires_at=NOW + timedelta(seconds=10)))
    later = NOW + timedelta(minutes=1)
    renewal = await ledger.claims.renew("a", later)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", renewal, claim("a").slot, "booking-a", later)
    await ledger.claims.acquire(claim("b", expires_at=later + timedelta(hours=1)), later)


async def test_lease_has_one_holder(ledger: Ledger) -> None:
    until = NOW + timedelta(minutes=1)
    key = os.urandom(8).hex()
    assert await ledger.leases.acquire(key, "one", until, NOW)
    assert not await ledger.leases.acquire(key, "two", until, NOW)
    assert await ledger.leases.acquire(key, "one", until, NOW)
    assert await ledger.leases.acquire(key, "two", until + timedelta(minutes=5), until)


async def test_lease_is_taken_over_only_from_the_same_owner_and_the_earlier_holder_loses_it(ledger: Ledger) -> None:
    until = NOW + timedelta(minutes=1)
    key, dependent_key = os.urandom(8).hex(), os.urandom(8).hex()
    first_holder, second_holder, other_owner = new_holder("bk_one"), new_holder("bk_one"), new_holder("bkxone")
    assert await ledger.leases.take_over(key, first_holder, until, NOW)
    assert await ledger.leases.acquire(dependent_key, first_holder, until, NOW, while_holding=key)
    assert not await ledger.leases.take_over(key, other_owner, until, NOW)
    assert await ledger.leases.take_over(key, second_holder, until, NOW)
    assert not await ledger.leases.acquire(key, first_holder, until, NOW)
    assert not await ledger.leases.acquire(dependent_key, first_holder, NOW, NOW, while_holding=key)
    assert not await ledger.leases.acquire(dependent_key, second_holder, until, NOW, while_holding=key)
    assert await ledger.leases.acquire(dependent_key, second_holder, until, until, while_holding=key)


async def test_message_is_sent_once_and_after_an_unknown_outcome_at_most_once_more(ledger: Ledger) -> None:
    message = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms")
    first = await ledger.messages.begin_attempt(message, ["address"], NOW)
    assert first.action is Action.SEND
    again = await ledger.messages.begin_attempt(message, ["address"], NOW)
    assert (again.action, again.key) == (Action.RECONCILE, first.key)
    assert await ledger.messages.begin_resend(message, ["address"], NOW) is Action.SEND
    assert (await ledger.messages.begin_attempt(message, ["address"], NOW)).action is Action.REMAINS_UNCERTAIN
    await ledger.messages.mark_accepted(message, "SM1", NOW)
    assert (await ledger.messages.begin_attempt(message, ["address"], NOW)).action is Action.ALREADY_ACCEPTED


async def test_lost_message_is_recognized_only_if_it_cannot_be_another(ledger: Ledger) -> None:
    address, sent_ids = os.urandom(8).hex(), [f"SM{os.urandom(8).hex()}" for _ in range(4)]
    accepted, first, second = (
        MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms") for _ in range(3)
    )
    for message in (accepted, first, second):
        await ledger.messages.begin_attempt(message, [address], NOW)
    await ledger.messages.mark_accepted(accepted, sent_ids[0], NOW)
    await ledger.messages.mark_uncertain(first, NOW)
    for provider_ids in ((), sent_ids[:1], sent_ids[:2]):
        assert not await ledger.messages.accept_if_recognized(first, provider_ids, NOW), (
            "the other message may be the one that was sent"
        )
    both = await asyncio.gather(
        *(ledger.messages.accept_if_recognized(message, sent_ids[:3], NOW) for message in (first, second))
    )
    assert both == [True, True]
    lost = accepted.model_copy(update={"version": 2})
    await ledger.messages.begin_attempt(lost, [address], NOW + timedelta(minutes=1))
    assert not await ledger.messages.accept_if_recognized(lost, sent_ids[:3], NOW), "each belongs to another message"
    assert await ledger.messages.accept_if_recognized(lost, sent_ids, NOW)


async def test_older_message_is_not_sent_after_a_newer_one_has_begun(ledger: Ledger) -> None:
    reference, address = os.urandom(8).hex(), os.urandom(8).hex()
    held, cancelled, desk_notice = (
        MessageId(reference=reference, kind=kind, version=1, channel="email")
        for kind in ("held", "cancelled", "desk_exception")
    )
    await ledger.messages.begin_attempt(held, [address], NOW)
    await ledger.messages.mark_not_sent(held, NOW)
    await ledger.messages.begin_attempt(desk_notice, ["desk"], NOW + timedelta(seconds=1))
    assert (await ledger.messages.begin_attempt(held, [address], NOW + timedelta(seconds=2))).action is Action.SEND
    await ledger.messages.mark_uncertain(held, NOW)
    await ledger.messages.begin_attempt(cancelled, [address], NOW + timedelta(seconds=3))
    assert (await ledger.messages.begin_attempt(held, [address], NOW + timedelta(seconds=4))).action is Action.OVERTAKEN
    assert await ledger.messages.begin_resend(held, [address], NOW + timedelta(seconds=4)) is Action.OVERTAKEN
    await ledger.messages.mark_not_sent(cancelled, NOW)
    assert (await ledger.messages.begin_attempt(cancelled, [address], NOW + timedelta(seconds=5))).action is Action.SEND


async def test_desk_expired_message_is_never_overtaken(ledger: Ledger) -> None:
    reference, desk = os.urandom(8).hex(), os.urandom(8).hex()
    expired, exception = (
        MessageId(reference=reference, kind=kind, version=1, channel="email")
        for kind in ("desk_expired", "desk_exception")
    )
    await ledger.messages.begin_attempt(expired, [desk], NOW)
    await ledger.messages.mark_not_sent(expired, NOW)
    await ledger.messages.begin_attempt(exception, [desk], NOW + timedelta(seconds=1))
    assert (await ledger.messages.begin_attempt(expired, [desk], NOW + timedelta(seconds=2))).action is Action.SEND


async def test_opt_out_applies_to_one_channel(ledger: Ledger) -> None:
    address = os.urandom(8).hex()
    for _ in range(2):
        await ledger.opt_outs.record(address, "sms", "provider", NOW)

    async def action(addresses: list[str], channel: str) -> Action:
        message = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel=channel)
        return (await ledger.messages.begin_attempt(message, addresses, NOW)).action

    assert await action(["another", address], "sms") is Action.OPTED_OUT
    uncertain = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms")
    assert (await ledger.messages.begin_attempt(uncertain, ["another"], NOW)).action is Action.SEND
    assert await ledger.messages.begin_resend(uncertain, ["another", address], NOW) is Action.OPTED_OUT
    assert await action(["another"], "sms") is Action.SEND
    assert await action([address], "email") is Action.SEND


async def test_opt_out_at_the_provider_is_tried_again_after_a_day_and_opt_out_with_us_is_not(ledger: Ledger) -> None:
    at_provider, at_practice = os.urandom(8).hex(), os.urandom(8).hex()
    await ledger.opt_outs.record(at_provider, "sms", OPT_OUT_SOURCE_PROVIDER, NOW)
    await ledger.opt_outs.record(at_practice, "sms", "stop", NOW)

    async def actions(now: datetime) -> list[Action]:
        messages = [
            (MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms"), address)
            for address in (at_provider, at_practice)
        ]
        return [(await ledger.messages.begin_attempt(message, [address], now)).action for message, address in messages]

    day = timedelta(days=1)
    assert await actions(NOW + day - timedelta(seconds=1)) == [Action.OPTED_OUT, Action.OPTED_OUT]
    assert await actions(NOW + day) == [Action.SEND, Action.OPTED_OUT]
    await ledger.opt_outs.record(at_provider, "sms", OPT_OUT_SOURCE_PROVIDER, NOW + day)
    assert await actions(NOW + 2 * day - timedelta(seconds=1)) == [Action.OPTED_OUT, Action.OPTED_OUT]


async def test_address_receives_no_more_messages_than_the_daily_limit(ledger: Ledger) -> None:
    address = os.urandom(8).hex()

    async def send(now: datetime) -> Action:
        message = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms")
        attempt = await ledger.messages.begin_attempt(message, [address], now, daily_limit=2)
        if attempt.action is Action.SEND:
            await ledger.messages.mark_accepted(message, os.urandom(8).hex(), now)
        return attempt.action

    assert [await send(NOW) for _ in range(3)] == [Action.SEND, Action.SEND, Action.DAILY_LIMIT]
    assert await send(NOW + timedelta(days=1, seconds=1)) is Action.SEND


async def test_concurrent_messages_to_one_address_stay_within_the_daily_limit(ledger: Ledger) -> None:
    address = os.urandom(8).hex()

    async def action() -> Action:
        message = MessageId(reference=os.urandom(8).hex(), kind="received", version=1, channel="sms")
        return (await ledger.messages.begin_attempt(message, [address], NOW, daily_limit=3)).action

    actions = await asyncio.gather(*(action() for _ in range(12)))
    assert actions.count(Action.SEND) == 3


async def test_exactly_one_of_concurrent_attempts_of_one_message_sends(ledger: Ledger) -> None:
    for _ in range(20):
        message = MessageId(reference=os.urandom(8).hex(), kind="received", version=1, channel="sms")
        for _ in ("first attempts", "attempts after it was certainly not sent"):
            attempts = (ledger.messages.begin_attempt(message, [f"to {message.reference}"], NOW) for _ in range(4))
            actions = [attempt.action for attempt in await asyncio.gather(*attempts)]
            assert actions.count(Action.SEND) == 1
            await ledger.messages.mark_not_sent(message, NOW)


async def test_event_of_any_appointment_that_a_booking_wrote_finds_the_booking(ledger: Ledger) -> None:
    await write(ledger, "a", "booking-a", "101", "102", "102")
    for appointment in ("101", "102"):
        assert await ledger.events.find_booking_by_appointment(["main"], appointment) == "booking-a"
    assert await ledger.events.find_booking_by_appointment(["another"], "101") is None
    assert await ledger.events.find_booking_by_reference("a") == "booking-a"


async def test_writes_are_kept_by_the_migration(ledger: Ledger, url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as c:
        c.execute(text("DROP TABLE writes"))
        c.execute(text("CREATE TABLE writes (reference TEXT, connection TEXT, booking TEXT, appointment TEXT)"))
        c.execute(text("INSERT INTO writes VALUES ('b', 'main', 'booking-b', '201'), ('c', 'main', 'booking-c', NULL)"))
        c.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    engine.dispose()
    await ledger.migrate()
    assert await ledger.events.find_booking_by_appointment(["main"], "201") == "booking-b"
    await ledger.events.record_write("b", "202")
    await ledger.events.record_write("c", "203")
    bookings = [
        await ledger.events.find_booking_by_appointment(["main"], appointment) for appointment in ("201", "202", "203")
    ]
    assert bookings == ["booking-b", "booking-b", "booking-c"]


async def write(ledger: Ledger, reference: str, booking: str, *appointments: str) -> None:
    """Begin each write under the claim, and record the id from the practice system."""
    booking_claim = claim(reference)
    await ledger.claims.acquire(booking_claim, NOW)
    for appointment in appointments:
        renewal = await ledger.claims.renew(reference, NOW)
        await ledger.claims.begin_write(reference, renewal, booking_claim.slot, booking, NOW)
        await ledger.events.record_write(reference, appointment)


async def test_written_hold_counts_for_the_daily_limit_after_its_claim_expired(ledger: Ledger) -> None:
    """E.g. the office system is offline over a weekend: the write is queued, and nobody has released it."""
    own_claim = claim("a")
    await ledger.claims.acquire(own_claim, NOW)
    renewal = await ledger.claims.renew("a", NOW)
    await ledger.claims.begin_write("a", renewal, own_claim.slot, "booking-a", NOW)
    later = own_claim.expires_at + timedelta(hours=1)
    booked = await ledger.claims.count_booked(
        own_claim.location, own_claim.service, own_claim.local_day, own_claim.local_day, later
    )
    assert booked == {own_claim.local_day: 1}
