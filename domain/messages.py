"""What we say to whom. Email tells nothing by default; a text message at most the practice and the time."""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.booking import Reason, Status
from domain.policy import EmailContent

SMS_LENGTH = 160


class Kind(StrEnum):
    RECEIVED = "received"
    REQUESTED = "requested"
    HELD = "held"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DESK_EXCEPTION = "desk_exception"
    DESK_ESCALATION = "desk_escalation"
    DESK_EXPIRED = "desk_expired"


LAST_WORDS = frozenset({Kind.DESK_EXPIRED})
"""What else is said after them does not make them needless."""


class Text(Value):
    subject: str
    text: str


class MessageFacts(Value):
    practice_name: str
    practice_phone: str
    zone: str
    """IANA name; times are told on its clock."""
    start: datetime
    link: str | None = None
    booking: str | None = None
    """Its id, by which the desk finds it."""
    reference: str | None = None
    """As the practice system's own note has it."""
    reason: Reason | None = None


def compose(kind: Kind, channel: str, language: str, facts: MessageFacts, content: EmailContent) -> Text:
    """One message. Holds nothing the patient typed, no name, no service, and in email by default no time."""
    if kind in _DESK:
        return _for_desk(kind, facts)
    if channel == "sms":
        return Text(subject="", text=_sms(kind, language, facts))
    return _email(kind, language, facts, content)


def when(start: datetime, zone: str, language: str) -> str:
    """A time for people: ``Tue Dec 1, 9:00 AM``, ``mar 1 dic, 9:00``."""
    local = start.astimezone(ZoneInfo(zone))
    if language == "es":
        return f"{_DAYS_ES[local.weekday()]} {local.day} {_MONTHS_ES[local.month - 1]}, {local.hour}:{local.minute:02}"
    day, month = _DAYS_EN[local.weekday()], _MONTHS_EN[local.month - 1]
    half = "AM" if local.hour < 12 else "PM"
    return f"{day} {month} {local.day}, {(local.hour - 1) % 12 + 1}:{local.minute:02} {half}"


def plain_reason(reason: Reason) -> str:
    """One sentence that a receptionist understands."""
    return _REASONS[reason]


def _sms(kind: Kind, language: str, facts: MessageFacts) -> str:
    text = _SMS[language][kind].format(
        practice="{practice}", phone=facts.practice_phone, when=when(facts.start, facts.zone, language)
    )
    room = SMS_LENGTH - len(text) + len("{practice}")
    return text.replace("{practice}", _plain_text(facts.practice_name)[: max(room, 0)].strip())


def _email(kind: Kind, language: str, facts: MessageFacts, content: EmailContent) -> Text:
    subject, lines = _EMAIL[language]
    body = []
    if content is EmailContent.DETAILED and kind in _DETAILS[language]:
        body.append(_DETAILS[language][kind].format(when=when(facts.start, facts.zone, language)))
    else:
        body.append(lines["update"])
    if facts.link:
        body.append(lines["open"].format(link=facts.link))
    body.append(lines["call"].format(phone=facts.practice_phone))
    body.append(lines["ignore"])
    return Text(subject=_one_line(subject), text="\n\n".join(body))


def _for_desk(kind: Kind, facts: MessageFacts) -> Text:
    subject = _DESK[kind]
    why = plain_reason(facts.reason) if facts.reason else ""
    place = _one_line(facts.practice_name)
    found_by = f"Booking: {facts.booking}\nReference in the calendar: {facts.reference}"
    return Text(subject=subject, text=f"{subject} at {place}.\n\n{why}\n\n{found_by}")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _plain_text(text: str) -> str:
    """Letters of the basic SMS alphabet only: any other would halve the room in a message."""
    return _one_line("".join(_in_gsm(c) for c in text)) or "Dental office"


def _in_gsm(letter: str) -> str:
    """The nearest there is: a letter without its accent, a plain quote or dash."""
    if letter in _GSM or letter.isspace():
        return letter
    plain = unicodedata.normalize("NFKD", letter.translate(_TYPED))
    return "".join(c for c in plain if c in _GSM)


_GSM = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;!?'\"()&%+-/=*#@$£¥èéùìòÇØøÅåÄÖÑÜäöñüà"
)
_TYPED = str.maketrans("‘’“”–—", "''\"\"--")
_DAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS_ES = ("lun", "mar", "mie", "jue", "vie", "sab", "dom")
_MONTHS_ES = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")

_SMS = {
    "en": {
        Kind.RECEIVED: "{practice}: we have your request for {when}. We will contact you. Questions? {phone}",
        Kind.REQUESTED: "{practice}: {when} is requested, not booked yet: our office system is offline. "
        "We will tell you when it is in. {phone}",
        Kind.HELD: "{practice}: {when} is held for you; we will confirm it soon. Questions? {phone}",
        Kind.CONFIRMED: "{practice}: your appointment is {when}. Questions? {phone}. Reply STOP to opt out",
        Kind.DECLINED: "{practice}: we could not book your request. Please call us: {phone}",
        Kind.CANCELLED: "{practice}: your request for {when} is cancelled. Questions? {phone}",
        Kind.EXPIRED: "{practice}: we could not hold {when} any longer. Please call us: {phone}",
    },
    "es": {
        Kind.RECEIVED: "{practice}: tenemos su solicitud para {when}. Le contactaremos. Preguntas: {phone}",
        Kind.REQUESTED: "{practice}: {when} solicitado, aun no reservado: nuestro sistema no responde. "
        "Le avisaremos cuando se reserve. {phone}",
        Kind.HELD: "{practice}: {when} queda reservado; pronto lo confirmaremos. Preguntas: {phone}",
        Kind.CONFIRMED: "{practice}: su cita es {when}. Preguntas: {phone}. Responda STOP para no recibir mas",
        Kind.DECLINED: "{practice}: no pudimos reservar su solicitud. Por favor llame: {phone}",
        Kind.CANCELLED: "{practice}: su solicitud para {when} queda anulada. Preguntas: {phone}",
        Kind.EXPIRED: "{practice}: no pudimos guardar {when} por mas tiempo. Por favor llame: {phone}",
    },
}
_EMAIL = {
    "en": (
        "An update on your request",
        {
            "update": "There is an update on your request.",
            "open": "Open: {link}",
            "call": "Questions? Call us: {phone}",
            "ignore": "If you did not ask for this, you can ignore this message.",
        },
    ),
    "es": (
        "Novedades sobre su solicitud",
        {
            "update": "Hay novedades sobre su solicitud.",
            "open": "Abrir: {link}",
            "call": "¿Preguntas? Llámenos: {phone}",
            "ignore": "Si usted no la pidió, puede ignorar este mensaje.",
        },
    ),
}
_DETAILS = {
    "en": {
        Kind.REQUESTED: "Our office's system cannot be reached right now. {when} is requested, but not booked yet; "
        "you will hear from us as soon as it is in.",
        Kind.CONFIRMED: "Your appointment is {when}.",
        Kind.HELD: "{when} is held for you; we will confirm it soon.",
        Kind.CANCELLED: "Your request for {when} is cancelled.",
    },
    "es": {
        Kind.REQUESTED: "El sistema de nuestra oficina no responde en este momento. {when} queda solicitado, pero "
        "aún no reservado; le avisaremos en cuanto lo esté.",
        Kind.CONFIRMED: "Su cita es {when}.",
        Kind.HELD: "{when} queda reservado; pronto lo confirmaremos.",
        Kind.CANCELLED: "Su solicitud para {when} queda anulada.",
    },
}
_DESK = {
    Kind.DESK_EXCEPTION: "A booking needs a decision",
    Kind.DESK_ESCALATION: "A booking still waits for a decision",
    Kind.DESK_EXPIRED: "A booking ended without a decision",
}
_REASONS = {
    Reason.PATIENT_AMBIGUOUS: "More than one chart may be this patient's, or one fits only nearly: pick the right one.",
    Reason.PATIENT_NOT_FOUND: "The patient says to have been here before, but no chart fits.",
    Reason.PATIENT_EXISTS: "The patient says to be new, but a chart fits.",
    Reason.CONTACT_MISMATCH: "Name and birth date fit a chart, but phone and email do not.",
    Reason.CHART_INACTIVE: "The chart that fits is inactive.",
    Reason.SPECIAL_REQUEST: "The patient wrote a note: read it before you approve.",
    Reason.APPROVAL: "This service is confirmed by the office.",
    Reason.SLOT_TAKEN: "The time was taken.",
    Reason.SLOT_BLOCKED: "The office blocked the time.",
    Reason.DAY_FULL: "The day has as many of this service as the office takes.",
    Reason.HOLD_CHANGED: "Somebody changed or removed the appointment in the calendar: look there.",
    Reason.HOLD_EXPIRED: "Nobody decided in time, so the held appointment was taken back.",
    Reason.NOT_LANDED: "The practice system could not be reached in time; the appointment may not be in the calendar.",
    Reason.REFUSED_BY_SYSTEM: "The practice system refused the appointment; the chart may not be there.",
    Reason.REFUSED_BY_OFFICE: "The office's own system did not take the appointment and does not say why: "
    "something may be in its place. Pick another time, or book it by hand.",
    Reason.LANDING_UNCLEAR: "The office's own system may or may not have the appointment: look there, then "
    "approve it or pick another time.",
    Reason.AWAITING_OFFICE: "Sent to the office's own system, which has not taken it in yet; nothing to do now.",
    Reason.OFFICE_OFFLINE: "The office's own system is off; it takes the appointment in when it is back. "
    "Nothing to do.",
    Reason.AWAITING_CONFIRMATION: "Approved and in the calendar. The office's own system is off; the appointment is "
    "confirmed when it is back. Nothing to do now.",
    Reason.NOT_CONFIRMED: "Approved and in the calendar, but the office's own system has been off, so that it could "
    "not be marked as confirmed. Mark it there, then approve.",
    Reason.TOO_MANY_OPEN: "This contact already has several open requests.",
    Reason.NOT_REACHED: "The patient could not be told what became of the booking: please call.",
    Reason.NOT_RELEASED: "What was called off may still be in the calendar: look there. We go on trying.",
    Reason.NO_ANSWER: "The practice system has not answered for a while: look into the calendar. We go on trying.",
    Reason.CALL_ONLY: "This service is booked by phone.",
    Reason.OUTSIDE_RULES: "The time is outside what the office offers online.",
    Reason.NOT_FOR_NEW_PATIENTS: "This service is for patients of the office, and no chart fits.",
    Reason.NOT_FOR_EXISTING_PATIENTS: "This service is for new patients, and a chart fits.",
    Reason.DECLINED_BY_STAFF: "The office declined the request.",
    Reason.CANCELLED_BY_PATIENT: "The patient took it back.",
    Reason.EXPIRED: "Nobody decided before the visit would have begun.",
}


def public_status(status: Status, reason: Reason | None) -> str:
    """What the patient may read: a reason only where it does not depend on who asks."""
    if status is Status.NEEDS_STAFF and reason in (Reason.SLOT_TAKEN, Reason.SLOT_BLOCKED, Reason.DAY_FULL):
        return "This time is no longer free. Pick another, or we will contact you."
    if status is Status.DECLINED and reason in (Reason.CALL_ONLY, Reason.OUTSIDE_RULES):
        return plain_reason(reason)
    if status is Status.RECEIVED and reason is Reason.OFFICE_OFFLINE:
        return (
            "The practice's own system cannot be reached right now. Your time is requested, but not booked yet; "
            "you will hear from us as soon as it is in."
        )
    return _PUBLIC[status]


_PUBLIC = {
    Status.RECEIVED: "We have your request.",
    Status.NEEDS_STAFF: "We have your request and will contact you.",
    Status.HELD: "The time is held for you; the office will confirm it.",
    Status.CONFIRMED: "Your appointment is confirmed.",
    Status.COMPLETED: "This visit is over.",
    Status.NO_SHOW: "This visit is over.",
    Status.CANCELLED: "This request is cancelled.",
    Status.DECLINED: "We could not book this request.",
}
