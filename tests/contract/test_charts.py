"""One chart a new patient, with the real adapter, the real ledger and the sandbox."""

from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.patients import ChartToCreate, PatientActivities
from adapters.ascend import AscendSystem
from adapters.errors import OutcomeUnknown
from adapters.ledger import Ledger
from adapters.practice_file import read_practice
from demo.stack import ROOT
from domain.keyed_hash import KeyedHash
from domain.matching import Verdict
from domain.reference import new_reference
from domain.request import Person
from tests.contract.test_ascend import config
from tests.support.sandbox import SandboxControl

NOVA = Person.model_validate(
    {"first_name": "Nova", "last_name": "Newcomer", "date_of_birth": "1991-04-02", "email": "nova@patients.example"}
)


def for_booking() -> ChartToCreate:
    return ChartToCreate(reference=new_reference(), location="oakland", person=NOVA, language="en")


async def test_who_finds_the_chart_of_a_lost_answer_keeps_nobody_else_waiting(
    sandbox: SandboxControl, tmp_path: Path
) -> None:
    ledger, system = Ledger(f"sqlite:///{tmp_path}/ledger.db"), AscendSystem(config(sandbox))
    await ledger.migrate()
    practice = read_practice(ROOT / "practice.toml")
    parts = Connections(practice=practice, systems={"ascend-main": system}, ledger=ledger)
    patients, first, again = (
        PatientActivities(parts, KeyedHash(b"k" * 32)),
        ActivityEnvironment(),
        ActivityEnvironment(),
    )
    again.info = replace(again.info, attempt=2)
    sandbox.fault(system="ascend", method="POST", path="/v1/patients", kind="status_after", status=500)
    one, other = for_booking(), for_booking()
    with pytest.raises(OutcomeUnknown):
        await first.run(patients.create_chart, one)
    found = await again.run(patients.create_chart, one)
    at_once = await first.run(patients.create_chart, other)
    assert found.verdict is at_once.verdict is Verdict.MATCHED
    assert found.chart == at_once.chart
    await system.close()
