"""Charts in Ascend: which phone numbers are written, and charts that were merged."""

from datetime import date

import pytest

from adapters.ascend import AscendSystem
from adapters.practice_system import NewChart, PatientQuery
from domain.booking import Reason
from domain.matching import match
from domain.patient import Address
from domain.request import Person
from tests.contract.test_ascend import HYGIENIST, OAKLAND
from tests.support.practice_systems import unlimited_permit
from tests.support.sandbox import SandboxControl

ADDRESS = Address(line1="1 Main St", city="Oakland", state="CA", postal_code="94601")
TANSY = Person(
    first_name="Tansy", last_name="Mergeford", date_of_birth=date(1985, 5, 6), email="tansy@patients.example"
)


@pytest.mark.parametrize(
    ("mobile", "written_numbers", "contact_method"),
    [
        ("+15105550121", ["5105550121"], "TEXT ME"),
        ("+442079460000", [], "EMAIL ME"),
        ("+4915112345678", [], "EMAIL ME"),
    ],
)
async def test_only_a_north_american_number_is_written(
    sandbox: SandboxControl, ascend: AscendSystem, mobile: str, written_numbers: list[str], contact_method: str
) -> None:
    person = TANSY.model_copy(update={"mobile": mobile})
    chart = await ascend.create_patient(
        NewChart(person=person, location=OAKLAND, address=ADDRESS, language="en", provider=HYGIENIST), unlimited_permit
    )
    row = next(row for row in sandbox.state()["patients"] if row["id"] == chart.id)
    numbers = [phone["number"] for phone in row.get("phones", [])]
    assert (numbers, row["contactMethod"]) == (written_numbers, contact_method)


async def test_chart_merged_into_one_with_another_birth_date_needs_a_person(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    names = {"first": "Tansy", "last": "Mergeford", "email": TANSY.email, "location": OAKLAND}
    original = sandbox.desk(do="patient", born="1985-06-05", **names)["id"]
    between = sandbox.desk(do="patient", born="1985-06-06", **names, duplicate_of=original)["id"]
    sandbox.desk(do="patient", born="1985-05-06", **names, duplicate_of=between)
    query = PatientQuery(location=OAKLAND, last_name="Mergeford", first_name="Tansy", date_of_birth=TANSY.date_of_birth)
    decision = match(TANSY, None, await ascend.find_patients(query))
    assert (decision.reason, decision.candidates) == (Reason.PATIENT_AMBIGUOUS, (original,))
