"""A provider works at two locations of one connection: what keeps her at one keeps her from the other."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.connections import Connections
from adapters.ledger import Ledger
from domain.practice import Practice
from domain.schedule import Facts, conflicts
from domain.slot import Cause, Slot
from tests.support.practice_systems import NINE, Bench, bench
from tests.support.practices import location, practice_of
from tests.support.sandbox import SandboxControl

HOUR = timedelta(hours=1)
PLACES = {
    "ascend": (("7000000000101", "12000000000301"), ("7000000000102", "12000000000311"), "9000000000202"),
    "nexhealth dentrix": (("101", "301"), ("102", "311"), "201"),
}
"""Two locations with a chair each, and who works at both."""


def practice_on(connection: str) -> Practice:
    *places, provider = PLACES[connection]
    given = {"providers": {"maple": provider}, "hours": {"tuesday": ["08:00-17:00"]}, "horizon": "900d"}
    locations = [
        location(name, practice_system_id=place, operatories={"op1": chair}, **given)
        for name, (place, chair) in zip(("here", "there"), places, strict=True)
    ]
    return practice_of(*locations, system=connection.rpartition(" ")[2])


async def in_the_way(at: Bench, folder: Path) -> list[Cause]:
    """Of the provider's visit at nine, here."""
    (_, chair), _, provider = PLACES[at.connection]
    practice, ledger = practice_on(at.connection), Ledger(f"sqlite:///{folder}/ledger.db")
    site = Connections(practice=practice, systems={"main": at.system}, ledger=ledger).site("here")
    rule = practice.rule("here", "cleaning")
    facts = Facts(rule=rule, calendar=await site.live_day(NINE, rule), now=NINE - 72 * HOUR)
    slot = Slot(time={"start": NINE, "end": NINE + HOUR}, provider=provider, operatory=chair)
    return [conflict.cause for conflict in conflicts(slot, facts)]


@pytest.mark.parametrize("keeps", ["an absence", "a visit"])
@pytest.mark.parametrize("connection", PLACES)
async def test_what_keeps_a_provider_elsewhere_keeps_her_from_here(
    sandbox: SandboxControl, tmp_path: Path, connection: str, keeps: str
) -> None:
    _, (there, chair_there), provider = PLACES[connection]
    with bench(sandbox, connection) as at:
        if keeps == "an absence":
            end = (NINE + HOUR).isoformat()
            at.desk(do="block", location=there, provider=provider, start=NINE.isoformat(), end=end)
        else:
            visit = {"operatory": chair_there, "provider": provider, "patient": at.patient, "duration": 60}
            at.desk(do="book", start=NINE.isoformat(), **visit)
        found = await in_the_way(at, tmp_path)
        assert found == [Cause.BLOCK if keeps == "an absence" else Cause.PROVIDER_ELSEWHERE]
        await at.system.close()


async def test_what_closes_the_other_location_or_its_chair_does_not_close_this_one(
    sandbox: SandboxControl, tmp_path: Path
) -> None:
    _, (there, chair_there), _ = PLACES["ascend"]
    with bench(sandbox, "ascend") as at:
        closed = {"location": there, "start": NINE.isoformat(), "end": (NINE + HOUR).isoformat()}
        at.desk(do="block", **closed)
        at.desk(do="block", operatory=chair_there, **closed)
        assert await in_the_way(at, tmp_path) == []
        await at.system.close()
