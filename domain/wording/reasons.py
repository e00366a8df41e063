"""One plain sentence or two for each reason, as the desk reads it: what happened, and what to do."""

import re

from domain.booking import Reason, SetAsideCause


def reason_sentence(reason: Reason, refusal: str = "") -> str:
    """What the desk reads about a reason. It has no patient data.

    ``refusal``: what the practice system said when it refused, as our adapter reports it.
    """
    said = _said(refusal)
    return _SENTENCES[reason] + (f" It said: {said}." if said else "")


def _said(refusal: str) -> str:
    """The words of a refusal without the call's method, path and number, which tell the desk nothing."""
    words = re.sub(r"^[A-Z]+ /\S*:? *\d*:? *", "", refusal)
    return words.replace("_", " ") if re.fullmatch(r"[a-z_]+", words) else words


def set_aside_sentence(cause: SetAsideCause) -> str:
    """What the desk reads about a signal that was set aside: why, and what to do instead."""
    return f"{_SET_ASIDE[cause]} Nothing was changed. {_SET_ASIDE_REMEDY}"


_SENTENCES = {
    Reason.PATIENT_AMBIGUOUS: "More than one chart may belong to this patient, or one chart is only a near match. "
    "Compare name, birth date, and phone, then choose the chart.",
    Reason.PATIENT_NOT_FOUND: "The patient says they have been here before, but no chart matches. Look for a former "
    "name or a misspelling, then choose the chart or create a new one.",
    Reason.PATIENT_EXISTS: "The patient says they are new, but a chart matches. If it is the same person, choose the "
    "chart.",
    Reason.CONTACT_MISMATCH: "A chart matches the name and birth date, but not the phone or email. Call to make sure "
    "it is the same person before you choose the chart.",
    Reason.CHART_INACTIVE: "The patient's chart is not active, or it is gone. Reactivate it, or choose another chart.",
    Reason.SPECIAL_REQUEST: "The patient wrote a note. Read it before you approve.",
    Reason.APPROVAL: "The office confirms every booking of this service. Approve or decline it.",
    Reason.SLOT_TAKEN: "The requested time is taken. Choose another time.",
    Reason.SLOT_BLOCKED: "The office blocked the requested time. Choose another time.",
    Reason.NOT_ACTIVE: "The provider or the operatory is no longer active in the practice system. Choose another "
    "time, with another provider or operatory.",
    Reason.DAY_FULL: "The daily limit for this service is reached. Choose another day.",
    Reason.HOLD_CHANGED: "Somebody changed or removed the appointment in the calendar. Check the calendar, then "
    "approve the appointment as it stands or choose another time.",
    Reason.HOLD_EXPIRED: "Nobody decided in time, so the held appointment was released. The request is still open: "
    "choose a time, or decline it.",
    Reason.NOT_LANDED: "The practice system did not answer in time, and the appointment may not be in the calendar. "
    "Retry, or choose another time.",
    Reason.REFUSED_BY_SYSTEM: "The practice system refused the change, perhaps because the chart is missing there. "
    "Check the chart, then retry, or book it by hand.",
    Reason.NOT_AUTHORIZED: "The practice system no longer accepts our credentials. Nothing is lost. Tell whoever runs "
    "Holdfast, and retry when it is mended.",
    Reason.REFUSED_BY_OFFICE: "The office system refused the appointment without giving a reason. Something else may "
    "be booked at that time. Choose another time, or book it by hand.",
    Reason.LANDING_UNCLEAR: "The office system may or may not have the appointment. Check there, then approve it or "
    "choose another time.",
    Reason.TOO_MANY_OPEN: "This phone number or email already has as many requests and visits as one contact may "
    "have. Approve this one as an exception, or decline it.",
    Reason.TOO_MANY_VISITS: "This patient already has as many requests and visits as one patient may have. Approve "
    "this one as an exception, or decline it.",
    Reason.VISIT_OVERLAPS: "This patient already has a request or a visit at an overlapping time. Choose another "
    "time, or decline it.",
    Reason.SAME_SERVICE: "This patient already has an upcoming request or visit for the same service, so this may be "
    "meant as a change. Call to ask. Approve it to book both, or cancel the other one first.",
    Reason.NOT_REACHED: "We could not tell the patient what happened to the booking. Please call them.",
    Reason.NOT_RELEASED: "A cancelled appointment may still be in the calendar. Remove it if you see it; we keep "
    "retrying.",
    Reason.CHART_LEFT: "We created a chart for a new patient, and then the booking ended without a visit. Keep the "
    "chart, or make it inactive.",
    Reason.NO_ANSWER: "The practice system has not answered for a while. Please check the calendar; we keep retrying.",
    Reason.NOT_FOR_NEW_PATIENTS: "This service is for existing patients only, and no chart matches. Choose the chart "
    "if there is one; otherwise decline the request.",
    Reason.NOT_FOR_EXISTING_PATIENTS: "This service is for new patients only, and a chart matches. Approve it as an "
    "exception, or decline it.",
    Reason.NOT_CONFIRMED: "The appointment is approved and in the calendar, but the office system was offline too "
    "long to mark it as confirmed. Mark it there, then approve once more so that we know.",
    Reason.MESSAGE_SET_ASIDE: "Somebody sent this booking a decision or a message through Temporal, and the booking "
    "could not read or accept it. Nothing was changed. If you decided something there, look at the booking and decide "
    "again with starter.py resolve.",
    Reason.AWAITING_OFFICE: "The appointment is on its way to the office system. Nothing to do now.",
    Reason.OFFICE_OFFLINE: "The office system is offline. The appointment will arrive there when the system is back "
    "online. Nothing to do now.",
    Reason.AWAITING_CONFIRMATION: "The appointment is approved and in the calendar. It will be confirmed when the "
    "office system is back online. Nothing to do now.",
    Reason.CALL_ONLY: "This service can only be booked by phone.",
    Reason.OUTSIDE_RULES: "The requested time is outside what the office offers online. Choose another time.",
    Reason.DECLINED_BY_STAFF: "The office declined the request.",
    Reason.CANCELLED_BY_PATIENT: "The patient cancelled the request.",
    Reason.EXPIRED: "Nobody decided before the visit was due to start. Call the patient to offer another time.",
}
_SET_ASIDE = {
    SetAsideCause.UNREADABLE: "A message to this booking could not be decrypted.",
    SetAsideCause.NOT_ENCRYPTED: "A message to this booking was not encrypted, and that is not allowed here.",
    SetAsideCause.WRONG_SHAPE: "A message to this booking was incomplete or had fields that do not belong there.",
    SetAsideCause.TOO_LARGE: "A message to this booking was too large.",
    SetAsideCause.UNKNOWN_NAME: "A message to this booking had a name that the booking does not know.",
    SetAsideCause.NOT_BOUND: "A decision did not say which booking and which exception it is about.",
    SetAsideCause.OTHER_BOOKING: "A decision about another booking was sent to this one.",
    SetAsideCause.NOT_ALLOWED: "A decision came too late, or it was not one of those that are possible now.",
}
_SET_ASIDE_REMEDY = "If you sent it, look at the booking and decide again with starter.py resolve."
