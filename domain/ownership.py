"""Who owns an appointment that a booking wrote: the booking, or the front desk.

Staff edits always win. The appointment belongs to the booking only while it carries the booking's reference and
nobody at the practice has made it their own: by confirming it, by moving it, or by giving it to another patient.
Whoever wants to remove or change such an appointment asks here first.
"""

from collections.abc import Collection
from enum import StrEnum

from domain.calendar import Appointment, AppointmentStatus
from domain.slot import Slot

_BEFORE_VISIT = (AppointmentStatus.TENTATIVE, AppointmentStatus.CONFIRMED)


class Owner(StrEnum):
    BOOKING = "booking"
    """The appointment is still as the booking wrote it. The booking may remove or change it."""
    DESK = "desk"
    """The desk has made the appointment its own. It stays as it is."""
    NOBODY = "nobody"
    """The appointment is broken or missed. It occupies no operatory, so there is nothing left to remove or change."""


def owner_for_release(
    appointment: Appointment,
    reference: str,
    *,
    written_slots: Collection[Slot] = (),
    written_patients: Collection[str] = (),
    is_status_known: bool = True,
    is_patient_uncertain: bool = False,
) -> Owner:
    """Whose hold this is when the booking wants to release it.

    ``written_slots`` and ``written_patients`` are every slot and every patient that the booking ever wrote for this
    reference. If one of them is empty, it is not compared.
    ``is_status_known``: False if the practice system shows a status that we do not know. Staff may have set it.
    ``is_patient_uncertain``: see ``has_other_patient``.
    """
    if not appointment.status.occupies_time:
        return Owner.NOBODY
    is_ours = (
        appointment.reference == reference
        and is_status_known
        and appointment.status is AppointmentStatus.TENTATIVE
        and not _has_moved(appointment, written_slots)
        and not has_other_patient(appointment, written_patients, is_patient_uncertain=is_patient_uncertain)
    )
    return Owner.BOOKING if is_ours else Owner.DESK


def owner_for_cancel(appointment: Appointment, reference: str, *, is_status_known: bool = True) -> Owner:
    """Whose appointment this is when the patient or the desk cancels the visit.

    The desk may have confirmed it or moved it: it is cancelled all the same. Once the visit has begun, it stays.
    ``is_status_known``: as for ``owner_for_release``.
    """
    if not appointment.status.occupies_time:
        return Owner.NOBODY
    is_ours = appointment.reference == reference and is_status_known and appointment.status in _BEFORE_VISIT
    return Owner.BOOKING if is_ours else Owner.DESK


def owner_for_change(appointment: Appointment, reference: str) -> Owner:
    """Whose appointment this is when the booking wants to confirm or move it.

    The reference is compared first: a broken appointment without our reference is the desk's.
    """
    if appointment.reference != reference:
        return Owner.DESK
    return Owner.BOOKING if appointment.status.occupies_time else Owner.NOBODY


def has_other_patient(
    appointment: Appointment, written_patients: Collection[str], *, is_patient_uncertain: bool = False
) -> bool:
    """Whether the desk gave the appointment to somebody for whom we never wrote it.

    ``is_patient_uncertain``: True if the appointment may still be for a written patient although it names another
    chart, or none. A practice system may show no patient, or give a new patient's chart another id.
    """
    return bool(written_patients) and appointment.patient not in written_patients and not is_patient_uncertain


def _has_moved(appointment: Appointment, written_slots: Collection[Slot]) -> bool:
    return bool(written_slots) and appointment.slot not in written_slots
