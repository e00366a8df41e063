"""A provider or operatory that the practice set inactive in its own system is neither offered nor booked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.slots import SlotActivities, SlotCheck, SlotRequest, openings_facts
from adapters.ledger import Ledger
from domain.keyed_hash import KeyedHash
from domain.reference import new_reference
from domain.schedule import openings
from domain.slot import Cause, Slot
from tests.support.practice_systems import NINE, TUESDAY, PracticeUnderTest
from tests.support.practices import location, practice_of


class Office:
    """A location with both providers and both operatories of the practice under test."""

    def __init__(self, practice: PracticeUnderTest, ledger: Ledger) -> None:
        content = location(
            "here",
            practice_system_id=practice.location,
            providers={"one": practice.providers[0], "two": practice.providers[1]},
            operatories={"op1": practice.operatories[0], "op2": practice.operatories[1]},
            horizon="900d",
        )
        self.practice = practice
        self._connections = Connections(
            practice=practice_of(content, system=practice.connection.rpartition(" ")[2]),
            systems={"main": practice.system},
            ledger=ledger,
        )

    async def openings(self) -> list[Slot]:
        rule, site = self._connections.practice.rule("here", "cleaning"), self._connections.site("here")
        facts = await openings_facts(
            self._connections, site, rule, NINE - timedelta(hours=1), NINE + timedelta(hours=3)
        )
        return list(openings(facts, TUESDAY, 1))

    async def recheck(self, **changes: Any) -> SlotCheck:
        request = SlotRequest(
            reference=new_reference(),
            location="here",
            service="cleaning",
            start=NINE + timedelta(hours=1),
            claim_expires_at=datetime.now(UTC) + timedelta(hours=1),
            **changes,
        )
        activities = SlotActivities(self._connections, KeyedHash(b"k" * 32))
        return await ActivityEnvironment().run(activities.recheck_slot, request)


@pytest.fixture
def office(practice: PracticeUnderTest, ledger: Ledger) -> Office:
    return Office(practice, ledger)


async def test_inactive_provider_is_not_offered(office: Office) -> None:
    gone, stays = office.practice.providers
    office.practice.desk(do="set_provider", id=gone, active=False)
    assert {slot.provider for slot in await office.openings()} == {stays}


async def test_inactive_operatory_is_not_offered(office: Office) -> None:
    gone, stays = office.practice.operatories
    office.practice.desk(do="set_operatory", id=gone, active=False)
    assert {slot.operatory for slot in await office.openings()} == {stays}


async def test_request_for_an_inactive_provider_is_not_booked_and_has_substitutes(office: Office) -> None:
    gone, stays = office.practice.providers
    office.practice.desk(do="set_provider", id=gone, active=False)
    check = await office.recheck(provider=gone)
    assert (check.slot, {conflict.cause for conflict in check.conflicts}) == (None, {Cause.INACTIVE})
    assert {slot.provider for slot in check.alternatives} == {stays}


async def test_request_for_any_provider_goes_to_an_active_one(office: Office) -> None:
    gone, stays = office.practice.providers
    office.practice.desk(do="set_provider", id=gone, active=False)
    check = await office.recheck()
    assert check.slot is not None
    assert check.slot.provider == stays


async def test_practice_whose_reference_data_may_not_be_read_is_booked_all_the_same(office: Office) -> None:
    office.practice.sandbox.fault(
        system=office.practice.sandbox_system, path="/providers|/operatories", kind="forbidden", times=None
    )
    assert {slot.provider for slot in await office.openings()} == set(office.practice.providers)
