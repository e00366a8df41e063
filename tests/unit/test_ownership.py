"""Who owns an appointment that a booking wrote: the truth table of desk edits."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from domain.calendar import Appointment, AppointmentStatus
from domain.interval import span
from domain.ownership import Owner, has_other_patient, owner_for_cancel, owner_for_change, owner_for_release
from domain.slot import Slot

OUR_REFERENCE, OTHER_REFERENCE = "bk_" + "a" * 26, "bk_" + "b" * 26
OUR_PATIENT, NEW_CHART, OTHER_PATIENT, NO_PATIENT = "301", "302", "304", ""
NINE = datetime(2027, 1, 12, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOT = Slot(time=span(NINE, 60), provider="201", operatory="11")
EARLIER_SLOT = SLOT.model_copy(update={"time": span(NINE - 2 * HOUR, 60)})
OTHER_TIME = SLOT.model_copy(update={"time": span(NINE + HOUR, 60)})
OTHER_LENGTH = SLOT.model_copy(update={"time": span(NINE, 30)})
OTHER_PROVIDER = SLOT.model_copy(update={"provider": "202"})
OTHER_OPERATORY = SLOT.model_copy(update={"operatory": "12"})

BOOKING, DESK, NOBODY = Owner.BOOKING, Owner.DESK, Owner.NOBODY
TENTATIVE, CONFIRMED = AppointmentStatus.TENTATIVE, AppointmentStatus.CONFIRMED
ARRIVED, COMPLETED = AppointmentStatus.ARRIVED, AppointmentStatus.COMPLETED
BROKEN, NO_SHOW = AppointmentStatus.BROKEN, AppointmentStatus.NO_SHOW


class Row(NamedTuple):
    name: str
    appointment: Appointment
    release: Owner
    cancel: Owner
    change: Owner
    written_slots: tuple[Slot, ...] = (SLOT,)
    written_patients: tuple[str, ...] = (OUR_PATIENT,)
    is_status_known: bool = True
    is_patient_uncertain: bool = False


def our_hold(**edits: Any) -> Appointment:
    """Our hold as we wrote it, except for what the desk has changed."""
    slot: Slot = edits.pop("slot", SLOT)
    fields = {"id": "1", "patient": OUR_PATIENT, "status": TENTATIVE, "reference": OUR_REFERENCE, **edits}
    return Appointment(time=slot.time, provider=slot.provider, operatory=slot.operatory, **fields)


TRUTH_TABLE = [
    # What the desk did                    The appointment now                 release  cancel   confirm or move
    Row("nothing",                         our_hold(),                         BOOKING, BOOKING, BOOKING),
    # The reference in the note
    Row("removed our reference",           our_hold(reference=None),           DESK,    DESK,    DESK),
    Row("put another reference in",        our_hold(reference=OTHER_REFERENCE), DESK,   DESK,    DESK),
    # The status
    Row("confirmed it",                    our_hold(status=CONFIRMED),         DESK,    BOOKING, BOOKING),
    Row("received the patient",            our_hold(status=ARRIVED),           DESK,    DESK,    BOOKING),
    Row("completed the visit",             our_hold(status=COMPLETED),         DESK,    DESK,    BOOKING),
    Row("broke it",                        our_hold(status=BROKEN),            NOBODY,  NOBODY,  NOBODY),
    Row("marked it as a no-show",          our_hold(status=NO_SHOW),           NOBODY,  NOBODY,  NOBODY),
    Row("set an unknown status",           our_hold(),                         DESK,    DESK,    BOOKING,
        is_status_known=False),
    Row("set an unknown status, as confirmed", our_hold(status=CONFIRMED),     DESK,    DESK,    BOOKING,
        is_status_known=False),
    # Status and reference
    Row("broke it, removed the reference", our_hold(status=BROKEN, reference=None), NOBODY, NOBODY, DESK),
    Row("no-show, removed the reference",  our_hold(status=NO_SHOW, reference=None), NOBODY, NOBODY, DESK),
    Row("confirmed it, removed the reference", our_hold(status=CONFIRMED, reference=None), DESK, DESK, DESK),
    Row("completed it, other reference",   our_hold(status=COMPLETED, reference=OTHER_REFERENCE), DESK, DESK, DESK),
    # The slot
    Row("moved it to another time",        our_hold(slot=OTHER_TIME),          DESK,    BOOKING, BOOKING),
    Row("shortened it",                    our_hold(slot=OTHER_LENGTH),        DESK,    BOOKING, BOOKING),
    Row("moved it to another provider",    our_hold(slot=OTHER_PROVIDER),      DESK,    BOOKING, BOOKING),
    Row("moved it to another operatory",   our_hold(slot=OTHER_OPERATORY),     DESK,    BOOKING, BOOKING),
    Row("moved and confirmed it",          our_hold(slot=OTHER_TIME, status=CONFIRMED), DESK, BOOKING, BOOKING),
    Row("moved and broke it",              our_hold(slot=OTHER_TIME, status=BROKEN), NOBODY, NOBODY, NOBODY),
    Row("nothing; we wrote two slots",     our_hold(slot=EARLIER_SLOT),        BOOKING, BOOKING, BOOKING,
        written_slots=(SLOT, EARLIER_SLOT)),
    Row("moved it; we wrote two slots",    our_hold(slot=OTHER_TIME),          DESK,    BOOKING, BOOKING,
        written_slots=(SLOT, EARLIER_SLOT)),
    Row("moved it; slots are not compared", our_hold(slot=OTHER_TIME),         BOOKING, BOOKING, BOOKING,
        written_slots=()),
    # The patient
    Row("gave it to another patient",      our_hold(patient=OTHER_PATIENT),    DESK,    BOOKING, BOOKING),
    Row("removed the patient",             our_hold(patient=NO_PATIENT),       DESK,    BOOKING, BOOKING),
    Row("gave it to another patient, confirmed it", our_hold(patient=OTHER_PATIENT, status=CONFIRMED), DESK, BOOKING,
        BOOKING),
    Row("gave it to another patient, broke it", our_hold(patient=OTHER_PATIENT, status=BROKEN), NOBODY, NOBODY, NOBODY),
    Row("nothing; no patient is shown",    our_hold(patient=NO_PATIENT),       BOOKING, BOOKING, BOOKING,
        is_patient_uncertain=True),
    Row("nothing; the chart got a new id", our_hold(patient=NEW_CHART),        BOOKING, BOOKING, BOOKING,
        is_patient_uncertain=True),
    Row("nothing; we wrote both charts",   our_hold(patient=NEW_CHART),        BOOKING, BOOKING, BOOKING,
        written_patients=(OUR_PATIENT, NEW_CHART)),
    Row("another patient; patients are not compared", our_hold(patient=OTHER_PATIENT), BOOKING, BOOKING, BOOKING,
        written_patients=()),
    # An uncertain patient excuses nothing else
    Row("moved it; the chart got a new id", our_hold(patient=NEW_CHART, slot=OTHER_TIME), DESK, BOOKING, BOOKING,
        is_patient_uncertain=True),
    Row("confirmed it; the chart got a new id", our_hold(patient=NEW_CHART, status=CONFIRMED), DESK, BOOKING, BOOKING,
        is_patient_uncertain=True),
    Row("removed our reference; the chart got a new id", our_hold(patient=NEW_CHART, reference=None), DESK, DESK, DESK,
        is_patient_uncertain=True),
]  # fmt: skip


@pytest.mark.parametrize("row", TRUTH_TABLE, ids=lambda row: row.name)
def test_truth_table_of_desk_edits(row: Row) -> None:
    release = owner_for_release(
        row.appointment,
        OUR_REFERENCE,
        written_slots=row.written_slots,
        written_patients=row.written_patients,
        is_status_known=row.is_status_known,
        is_patient_uncertain=row.is_patient_uncertain,
    )
    cancel = owner_for_cancel(row.appointment, OUR_REFERENCE, is_status_known=row.is_status_known)
    change = owner_for_change(row.appointment, OUR_REFERENCE)
    assert (release, cancel, change) == (row.release, row.cancel, row.change)


def test_every_status_is_in_the_truth_table() -> None:
    assert {row.appointment.status for row in TRUTH_TABLE} == set(AppointmentStatus)


@pytest.mark.parametrize(
    ("patient", "written", "is_uncertain", "is_other"),
    [
        (OUR_PATIENT, (OUR_PATIENT,), False, False),
        (OTHER_PATIENT, (OUR_PATIENT,), False, True),
        (OTHER_PATIENT, (OUR_PATIENT,), True, False),
        (OTHER_PATIENT, (OUR_PATIENT, OTHER_PATIENT), False, False),
        (OTHER_PATIENT, (), False, False),
        (NO_PATIENT, (OUR_PATIENT,), False, True),
        (NO_PATIENT, (OUR_PATIENT,), True, False),
    ],
)
def test_another_patient_is_one_for_whom_we_never_wrote(
    patient: str, written: tuple[str, ...], is_uncertain: bool, is_other: bool
) -> None:
    appointment = our_hold(patient=patient)
    assert has_other_patient(appointment, written, is_patient_uncertain=is_uncertain) is is_other
