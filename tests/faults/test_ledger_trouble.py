"""What befalls the ledger of a seed really does befall it, and is over when it is over."""

from datetime import UTC, datetime

import pytest

from adapters.ledger import Action, Ledger, LedgerUnavailable, MessageId
from domain.keyed_hash import KeyedHash
from tests.faults.ledger import SECRET, opt_out, read_only

TO = "+15105550199"


async def test_a_stop_is_found_under_the_workers_own_key(postgres: str) -> None:
    ledger = Ledger(postgres)
    await ledger.migrate()
    address = KeyedHash(SECRET)("address", f"sms:{TO}")
    before, after = (MessageId(reference="bk_stop", kind="held", version=n, channel="sms") for n in (1, 2))
    assert (await ledger.messages.begin_attempt(before, [address], datetime.now(UTC))).action is Action.SEND
    await opt_out(postgres, "sms", TO)
    assert (await ledger.messages.begin_attempt(after, [address], datetime.now(UTC))).action is Action.OPTED_OUT
    await ledger.close()


async def test_a_server_that_takes_nothing_in_refuses_until_it_is_over(postgres: str) -> None:
    ledger = Ledger(postgres)
    await ledger.migrate()
    async with read_only(postgres):
        with pytest.raises(LedgerUnavailable):
            await ledger.opt_outs.record("a", "sms", "stop", datetime.now(UTC))
    await ledger.opt_outs.record("a", "sms", "stop", datetime.now(UTC))
    await ledger.close()
