"""What befalls the ledger of a seed really does befall it, and is over when it is over."""

from datetime import UTC, datetime

import pytest

from adapters.ledger import Action, Ledger, LedgerUnavailable, MessageId
from domain.keyed_hash import KeyedHash
from domain.reference import new_reference
from tests.faults.ledger import SECRET, opt_out, read_only

TO = "+15105550199"


async def test_a_stop_is_found_under_the_workers_own_key(postgres: str) -> None:
    ledger = Ledger(postgres)
    await ledger.migrate()
    address = KeyedHash(SECRET)("address", f"sms:{TO}")
    text = MessageId(reference=new_reference(), kind="confirmed", version=1, channel="sms")
    assert (await ledger.messages.begin(text, [address], datetime.now(UTC))).action is Action.SEND
    await opt_out(postgres, "sms", TO)
    assert (await ledger.messages.begin(text, [address], datetime.now(UTC))).action is Action.OPTED_OUT
    await ledger.close()


async def test_a_server_that_takes_nothing_in_refuses_until_it_is_over(postgres: str) -> None:
    ledger = Ledger(postgres)
    await ledger.migrate()
    async with read_only(postgres):
        with pytest.raises(LedgerUnavailable):
            await ledger.consent.opt_out("a", "sms", "stop", datetime.now(UTC))
    await ledger.consent.opt_out("a", "sms", "stop", datetime.now(UTC))
    await ledger.close()
