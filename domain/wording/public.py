"""What a patient may read about the status of a booking.

The text gives a reason only if that reason does not depend on who asks. Otherwise a stranger who types somebody
else's name and birth date would learn whether that person is a patient here.
"""

from domain.booking import Reason, Status


def public_status(status: Status, reason: Reason | None, language: str = "en") -> str:
    """The sentences for a status and its reason."""
    texts = _TEXTS[language]
    return texts.get((status, reason), texts[status, None])


_NOT_AVAILABLE = "This time is no longer available. Choose another time, or we will contact you."
_NO_DISPONIBLE = "Este horario ya no está disponible. Elija otro, o le contactaremos."
_TEXTS: dict[str, dict[tuple[Status, Reason | None], str]] = {
    "en": {
        (Status.RECEIVED, None): "We have your request.",
        (Status.RECEIVED, Reason.OFFICE_OFFLINE): "Our office system is offline right now. Your time is requested but "
        "not booked yet. We will contact you when it is booked.",
        (Status.NEEDS_STAFF, None): "We have your request and will contact you.",
        (Status.NEEDS_STAFF, Reason.SLOT_TAKEN): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.DAY_FULL): _NOT_AVAILABLE,
        (Status.HELD, None): "This time is held for you. The office will confirm it.",
        (Status.CONFIRMED, None): "Your appointment is confirmed.",
        (Status.COMPLETED, None): "This visit is over.",
        (Status.NO_SHOW, None): "This visit is over.",
        (Status.CANCELLED, None): "This request is cancelled.",
        (Status.DECLINED, None): "We could not book this request.",
        (Status.DECLINED, Reason.CALL_ONLY): "This service can only be booked by phone. Please call us.",
        (Status.DECLINED, Reason.OUTSIDE_RULES): "This time cannot be booked online. Choose another time.",
    },
    "es": {
        (Status.RECEIVED, None): "Recibimos su solicitud.",
        (Status.RECEIVED, Reason.OFFICE_OFFLINE): "El sistema de nuestro consultorio no está disponible en este "
        "momento. Su cita está solicitada, pero aún no está reservada. Le avisaremos cuando esté reservada.",
        (Status.NEEDS_STAFF, None): "Recibimos su solicitud y le contactaremos.",
        (Status.NEEDS_STAFF, Reason.SLOT_TAKEN): _NO_DISPONIBLE,
        (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED): _NO_DISPONIBLE,
        (Status.NEEDS_STAFF, Reason.DAY_FULL): _NO_DISPONIBLE,
        (Status.HELD, None): "Le apartamos este horario. El consultorio lo confirmará.",
        (Status.CONFIRMED, None): "Su cita está confirmada.",
        (Status.COMPLETED, None): "Esta cita ya pasó.",
        (Status.NO_SHOW, None): "Esta cita ya pasó.",
        (Status.CANCELLED, None): "Esta solicitud está cancelada.",
        (Status.DECLINED, None): "No pudimos agendar esta solicitud.",
        (Status.DECLINED, Reason.CALL_ONLY): "Este servicio solo se reserva por teléfono. Por favor llámenos.",
        (Status.DECLINED, Reason.OUTSIDE_RULES): "Este horario no se puede reservar en línea. Elija otro.",
    },
}
