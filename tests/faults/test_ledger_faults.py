"""Ledger faults take effect and end, and opt-outs use the workers' own key."""

from datetime import UTC, datetime

import pytest

from adapters.ledger import Action, Ledger, LedgerUnavailable, MessageId
from domain.keyed_hash import KeyedHash
from tests.faults.ledger_faults import LINK_SECRET, opt_out, read_only_postgres

PHONE = "+15105550199"


async def test_opt_out_stops_the_next_message_to_the_address(postgres: str) -> None:
    ledger = Ledger(postgres)
    await ledger.migrate()
    address = KeyedHash(LINK_SECRET)("address", f"sms:{PHONE}")
    before, after = (MessageId(reference="bk_stop", kind="held", version=n, channel="sms") for n in (1, 2))
    assert (await ledger.messages.begin_attempt(before, [address], datetime.now(UTC))).action is Action.SEND
    await opt_out(postgres, "sms", PHONE)
    assert (await ledger.messages.begin_attempt(after, [address], datetime.now(UTC))).action is Action.OPTED_OUT
    await ledger.close()


async def test_read_only_postgres_refuses_writes_until_the_fault_ends(postgres: str) -> None:
    ledger = Ledger(postgres)
    await ledger.migrate()
    async with read_only_postgres(postgres):
        with pytest.raises(LedgerUnavailable):
            await ledger.opt_outs.record("a", "sms", "stop", datetime.now(UTC))
    await ledger.opt_outs.record("a", "sms", "stop", datetime.now(UTC))
    await ledger.close()
