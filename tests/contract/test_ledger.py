"""The ledger on SQLite and, where one can be started, PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from adapters.ledger import (
    AT_PROVIDER,
    Action,
    Claim,
    ClaimLost,
    Ledger,
    MessageId,
    SlotClaimed,
    TooManyClaims,
    new_holder,
)
from domain.interval import span
from domain.slot import Slot

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def claim(reference: str, provider: str = "p1", operatory: str = "o1", minute: int = 0, **more: object) -> Claim:
    given = {
        "reference": reference,
        "connection": "main",
        "location": "here",
        "service": "cleaning",
        "local_day": date(2026, 12, 8),
        "slot": Slot(time=span(NOW + timedelta(days=7, minutes=minute), 30), provider=provider, operatory=operatory),
        "expires_at": NOW + timedelta(minutes=10),
        **more,
    }
    return Claim.model_validate(given)


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


async def test_one_claim_wins_and_the_other_resources_stay_free(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    for rival in (claim("b"), claim("b", provider="p2"), claim("b", operatory="o2"), claim("b", minute=29)):
        with pytest.raises(SlotClaimed):
            await ledger.claims.take(rival, NOW)
    grant = await ledger.claims.take(claim("b", "p2", "o2"), NOW)
    assert [slot.provider for slot in grant.earlier] == ["p1"]
    await ledger.claims.take(claim("c", minute=30), NOW)


async def test_of_many_at_once_exactly_one_gets_the_slot(ledger: Ledger) -> None:
    async def attempt(number: int) -> bool:
        try:
            await ledger.claims.take(claim(f"r{number}"), NOW)
        except SlotClaimed:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(n) for n in range(40)))) == 1


async def test_an_expired_claim_blocks_nobody_and_lives_again_only_unopposed(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    later = NOW + timedelta(minutes=11)
    await ledger.claims.renew("a", later)
    much_later = later + timedelta(hours=1)
    await ledger.claims.take(claim("b", expires_at=much_later + timedelta(hours=1)), much_later)
    with pytest.raises(ClaimLost):
        await ledger.claims.renew("a", much_later)


async def test_an_attempt_that_slept_past_its_time_may_not_write(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    first = await ledger.claims.renew("a", NOW)
    second = await ledger.claims.renew("a", NOW)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", first, claim("a").slot, "booking-a", NOW)
    await ledger.claims.begin_write("a", second, claim("a").slot, "booking-a", NOW)
    assert (await ledger.claims.renew("a", NOW)).written


async def test_an_attempt_that_slept_frees_nothing_that_a_newer_one_holds(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    asleep = await ledger.claims.renew("a", NOW)
    newest = await ledger.claims.renew("a", NOW)
    await ledger.claims.release("a", asleep.fence)
    await ledger.claims.begin_write("a", newest, claim("a").slot, "booking-a", NOW)
    await ledger.claims.release("a", newest.fence)
    with pytest.raises(ClaimLost):
        await ledger.claims.renew("a", NOW)


async def test_what_was_sent_is_counted_and_what_was_not_is_not(ledger: Ledger) -> None:
    slot, later = claim("a").slot, NOW + timedelta(seconds=5)
    await ledger.claims.take(claim("a"), NOW)
    first = await ledger.claims.renew("a", NOW)
    for _ in range(2):  # with another token
        await ledger.claims.begin_write("a", first, slot, "booking-a", NOW)
    second = await ledger.claims.renew("a", later)
    assert (second.written, second.sends, second.sent_at) == (True, 1, NOW)
    await ledger.claims.begin_write("a", second, slot, "booking-a", later)
    await ledger.claims.not_sent("a", second)
    third = await ledger.claims.renew("a", later)
    assert (third.sends, third.sent_at) == (1, NOW)
    await ledger.claims.begin_write("a", third, slot, "booking-a", later)
    await ledger.claims.not_sent("a", first)
    await ledger.claims.take(claim("a", minute=30), later)
    anew = await ledger.claims.renew("a", later)
    assert (anew.written, anew.sends, anew.sent_at) == (True, 0, later)


async def test_an_attempt_of_an_earlier_claim_may_not_write_under_the_one_that_came_after(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    asleep = await ledger.claims.renew("a", NOW)
    await ledger.claims.release("a")
    other = claim("a", minute=90)
    await ledger.claims.take(other, NOW)
    newest = await ledger.claims.renew("a", NOW)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", asleep, other.slot, "booking-a", NOW)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", newest, claim("a").slot, "booking-a", NOW)
    await ledger.claims.begin_write("a", newest, other.slot, "booking-a", NOW)


async def test_of_many_at_once_one_contact_gets_no_more_than_its_share(ledger: Ledger) -> None:
    contact = os.urandom(8).hex()

    async def attempt(number: int) -> bool:
        wanted = claim(f"r{number}", minute=30 * number, contact=contact, location=f"place-{number % 3}")
        try:
            await ledger.claims.take(wanted, NOW)
        except TooManyClaims:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(n) for n in range(40)))) == 5


async def test_of_two_at_once_the_second_sees_the_first(ledger: Ledger) -> None:
    """Else a cap of one lets two pass, and each finds room for its buffer."""
    for round_ in range(20):
        wanted = [
            claim(f"r{n}", f"p{n}", f"o{n}", service=f"whitening-{round_}", location=f"place-{round_}")
            for n in range(2)
        ]
        grants = await asyncio.gather(*(ledger.claims.take(one, NOW) for one in wanted))
        assert sorted((grant.booked, len(grant.earlier)) for grant in grants) == [(0, 0), (1, 1)]
        for one in wanted:
            await ledger.claims.release(one.reference)


async def test_one_contact_cannot_fill_a_day(ledger: Ledger) -> None:
    for n in range(5):
        await ledger.claims.take(claim(f"r{n}", minute=30 * n, contact="c"), NOW)
    with pytest.raises(TooManyClaims):
        await ledger.claims.take(claim("r9", minute=300, contact="c"), NOW)


async def test_a_landed_booking_counts_for_the_cap_after_its_claim_has_ended(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    await ledger.claims.landed(claim("a", expires_at=NOW + timedelta(seconds=10)))
    later = NOW + timedelta(hours=1)
    assert (await ledger.claims.take(claim("b", expires_at=later + timedelta(hours=1)), later)).booked == 1


async def test_a_landed_claim_neither_lives_again_nor_covers_another_write(ledger: Ledger) -> None:
    await ledger.claims.take(claim("a"), NOW)
    await ledger.claims.landed(claim("a", expires_at=NOW + timedelta(seconds=10)))
    later = NOW + timedelta(minutes=1)
    renewal = await ledger.claims.renew("a", later)
    with pytest.raises(ClaimLost):
        await ledger.claims.begin_write("a", renewal, claim("a").slot, "booking-a", later)
    await ledger.claims.take(claim("b", expires_at=later + timedelta(hours=1)), later)


async def test_a_lease_has_one_holder(ledger: Ledger) -> None:
    until = NOW + timedelta(minutes=1)
    key = os.urandom(8).hex()
    assert await ledger.leases.take(key, "one", until, NOW)
    assert not await ledger.leases.take(key, "two", until, NOW)
    assert await ledger.leases.take(key, "one", until, NOW)
    assert await ledger.leases.take(key, "two", until + timedelta(minutes=5), until)


async def test_a_lease_is_taken_over_only_from_the_same_owner_and_then_nothing_rests_on_it(ledger: Ledger) -> None:
    until = NOW + timedelta(minutes=1)
    key, upon_it = os.urandom(8).hex(), os.urandom(8).hex()
    earlier, later, other = new_holder("bk_one"), new_holder("bk_one"), new_holder("bkxone")
    assert await ledger.leases.take_over(key, earlier, until, NOW)
    assert await ledger.leases.take(upon_it, earlier, until, NOW, while_holding=key)
    assert not await ledger.leases.take_over(key, other, until, NOW)
    assert await ledger.leases.take_over(key, later, until, NOW)
    assert not await ledger.leases.take(key, earlier, until, NOW)
    assert not await ledger.leases.take(upon_it, earlier, NOW, NOW, while_holding=key)
    assert not await ledger.leases.take(upon_it, later, until, NOW, while_holding=key)
    assert await ledger.leases.take(upon_it, later, until, until, while_holding=key)


async def test_a_message_is_sent_once_and_after_doubt_at_most_once_more(ledger: Ledger) -> None:
    message = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms")
    first = await ledger.messages.begin(message, ["address"], NOW)
    assert first.action is Action.SEND
    again = await ledger.messages.begin(message, ["address"], NOW)
    assert (again.action, again.key) == (Action.RECONCILE, first.key)
    assert await ledger.messages.resend(message, ["address"], NOW) is Action.SEND
    assert (await ledger.messages.begin(message, ["address"], NOW)).action is Action.GIVE_UP
    await ledger.messages.accepted(message, "SM1", NOW)
    assert (await ledger.messages.begin(message, ["address"], NOW)).action is Action.ALREADY


async def test_a_lost_message_is_recognised_only_where_no_other_can_have_been_it(ledger: Ledger) -> None:
    address, sent = os.urandom(8).hex(), [f"SM{os.urandom(8).hex()}" for _ in range(4)]
    known, one, other = (
        MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms") for _ in range(3)
    )
    for message in (known, one, other):
        await ledger.messages.begin(message, [address], NOW)
    await ledger.messages.accepted(known, sent[0], NOW)
    await ledger.messages.uncertain(one, NOW)
    for found in ((), sent[:1], sent[:2]):
        assert not await ledger.messages.recognise(one, found, NOW), "it may be the other that went out"
    both = await asyncio.gather(*(ledger.messages.recognise(message, sent[:3], NOW) for message in (one, other)))
    assert both == [True, True]
    lost = known.model_copy(update={"version": 2})
    await ledger.messages.begin(lost, [address], NOW + timedelta(minutes=1))
    assert not await ledger.messages.recognise(lost, sent[:3], NOW), "each is another message's"
    assert await ledger.messages.recognise(lost, sent, NOW)


async def test_an_older_word_is_not_said_after_a_newer_one_has_begun(ledger: Ledger) -> None:
    reference, address = os.urandom(8).hex(), os.urandom(8).hex()
    held, cancelled, to_desk = (
        MessageId(reference=reference, kind=kind, version=1, channel="email")
        for kind in ("held", "cancelled", "desk_exception")
    )
    await ledger.messages.begin(held, [address], NOW)
    await ledger.messages.not_sent(held, NOW)
    await ledger.messages.begin(to_desk, ["the desk's"], NOW + timedelta(seconds=1))
    assert (await ledger.messages.begin(held, [address], NOW + timedelta(seconds=2))).action is Action.SEND
    await ledger.messages.uncertain(held, NOW)
    await ledger.messages.begin(cancelled, [address], NOW + timedelta(seconds=3))
    assert (await ledger.messages.begin(held, [address], NOW + timedelta(seconds=4))).action is Action.OVERTAKEN
    assert await ledger.messages.resend(held, [address], NOW + timedelta(seconds=4)) is Action.OVERTAKEN
    await ledger.messages.not_sent(cancelled, NOW)
    assert (await ledger.messages.begin(cancelled, [address], NOW + timedelta(seconds=5))).action is Action.SEND


async def test_that_a_booking_ended_undecided_is_said_whatever_else_the_desk_hears(ledger: Ledger) -> None:
    reference, desk = os.urandom(8).hex(), os.urandom(8).hex()
    ended, changed = (
        MessageId(reference=reference, kind=kind, version=1, channel="email")
        for kind in ("desk_expired", "desk_exception")
    )
    await ledger.messages.begin(ended, [desk], NOW)
    await ledger.messages.not_sent(ended, NOW)
    await ledger.messages.begin(changed, [desk], NOW + timedelta(seconds=1))
    assert (await ledger.messages.begin(ended, [desk], NOW + timedelta(seconds=2))).action is Action.SEND


async def test_an_opt_out_is_kept_by_channel(ledger: Ledger) -> None:
    address = os.urandom(8).hex()
    for _ in range(2):
        await ledger.consent.opt_out(address, "sms", "provider", NOW)

    async def action(addresses: list[str], channel: str) -> Action:
        message = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel=channel)
        return (await ledger.messages.begin(message, addresses, NOW)).action

    assert await action(["another", address], "sms") is Action.OPTED_OUT
    doubtful = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms")
    assert (await ledger.messages.begin(doubtful, ["another"], NOW)).action is Action.SEND
    assert await ledger.messages.resend(doubtful, ["another", address], NOW) is Action.OPTED_OUT
    assert await action(["another"], "sms") is Action.SEND
    assert await action([address], "email") is Action.SEND


async def test_who_opted_out_at_the_provider_is_tried_again_after_a_day_and_who_told_us_is_not(ledger: Ledger) -> None:
    at_provider, here = os.urandom(8).hex(), os.urandom(8).hex()
    await ledger.consent.opt_out(at_provider, "sms", AT_PROVIDER, NOW)
    await ledger.consent.opt_out(here, "sms", "stop", NOW)

    async def actions(now: datetime) -> list[Action]:
        messages = [
            (MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms"), address)
            for address in (at_provider, here)
        ]
        return [(await ledger.messages.begin(message, [address], now)).action for message, address in messages]

    day = timedelta(days=1)
    assert await actions(NOW + day - timedelta(seconds=1)) == [Action.OPTED_OUT, Action.OPTED_OUT]
    assert await actions(NOW + day) == [Action.SEND, Action.OPTED_OUT]
    await ledger.consent.opt_out(at_provider, "sms", AT_PROVIDER, NOW + day)
    assert await actions(NOW + 2 * day - timedelta(seconds=1)) == [Action.OPTED_OUT, Action.OPTED_OUT]


async def test_an_address_gets_so_many_messages_a_day(ledger: Ledger) -> None:
    address = os.urandom(8).hex()

    async def sent(now: datetime) -> Action:
        message = MessageId(reference=os.urandom(8).hex(), kind="confirmed", version=1, channel="sms")
        attempt = await ledger.messages.begin(message, [address], now, at_most=2)
        if attempt.action is Action.SEND:
            await ledger.messages.accepted(message, os.urandom(8).hex(), now)
        return attempt.action

    assert [await sent(NOW) for _ in range(3)] == [Action.SEND, Action.SEND, Action.TOO_MANY]
    assert await sent(NOW + timedelta(days=1, seconds=1)) is Action.SEND


async def test_an_address_gets_no_more_where_all_of_them_come_at_once(ledger: Ledger) -> None:
    address = os.urandom(8).hex()

    async def action() -> Action:
        message = MessageId(reference=os.urandom(8).hex(), kind="received", version=1, channel="sms")
        return (await ledger.messages.begin(message, [address], NOW, at_most=3)).action

    actions = await asyncio.gather(*(action() for _ in range(12)))
    assert actions.count(Action.SEND) == 3


async def test_of_attempts_at_once_of_one_message_one_sends(ledger: Ledger) -> None:
    for _ in range(20):
        message = MessageId(reference=os.urandom(8).hex(), kind="received", version=1, channel="sms")
        for _ in ("a first time", "and again after it was certainly not sent"):
            at_once = (ledger.messages.begin(message, [f"to {message.reference}"], NOW) for _ in range(4))
            actions = [attempt.action for attempt in await asyncio.gather(*at_once)]
            assert actions.count(Action.SEND) == 1
            await ledger.messages.not_sent(message, NOW)


async def test_news_of_any_appointment_that_a_booking_wrote_finds_it(ledger: Ledger) -> None:
    await written(ledger, "a", "booking-a", "101", "102", "102")
    for appointment in ("101", "102"):
        assert await ledger.news.booking_of(["main"], appointment) == "booking-a"
    assert await ledger.news.booking_of(["another"], "101") is None
    assert await ledger.news.booking_with("a") == "booking-a"


async def test_what_was_written_before_is_known_after_an_upgrade(ledger: Ledger, url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as c:
        c.execute(text("DROP TABLE writes"))
        c.execute(text("CREATE TABLE writes (reference TEXT, connection TEXT, booking TEXT, appointment TEXT)"))
        c.execute(text("INSERT INTO writes VALUES ('b', 'main', 'booking-b', '201'), ('c', 'main', 'booking-c', NULL)"))
        c.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    engine.dispose()
    await ledger.migrate()
    assert await ledger.news.booking_of(["main"], "201") == "booking-b"
    await ledger.news.wrote("b", "202")
    await ledger.news.wrote("c", "203")
    found = [await ledger.news.booking_of(["main"], appointment) for appointment in ("201", "202", "203")]
    assert found == ["booking-b", "booking-b", "booking-c"]


async def written(ledger: Ledger, reference: str, booking: str, *appointments: str) -> None:
    """Each write begins under the claim and gets its id from the practice system."""
    taken = claim(reference)
    await ledger.claims.take(taken, NOW)
    for appointment in appointments:
        renewal = await ledger.claims.renew(reference, NOW)
        await ledger.claims.begin_write(reference, renewal, taken.slot, booking, NOW)
        await ledger.news.wrote(reference, appointment)


async def test_what_was_written_counts_for_the_cap_after_its_claim_has_run_out(ledger: Ledger) -> None:
    """Its office is off over a weekend: it is on its way, and nobody has taken it back."""
    one = claim("a")
    await ledger.claims.take(one, NOW)
    await ledger.claims.begin_write(one.reference, await ledger.claims.renew(one.reference, NOW), one.slot, "w", NOW)
    later = one.expires_at + timedelta(hours=1)
    booked = await ledger.claims.booked(one.location, one.service, one.local_day, one.local_day, later)
    assert booked == {one.local_day: 1}
