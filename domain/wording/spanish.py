"""Latin American Spanish texts to patients.

No period follows ``{when}``: it ends with "a. m." or "p. m.", whose period also ends the sentence.
"""

from domain.wording.messages import MessageKind
from domain.wording.texts import PatientTexts

SPANISH = PatientTexts(
    weekdays=("lun", "mar", "mié", "jue", "vie", "sáb", "dom"),
    months=("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
    day_halves=("a. m.", "p. m."),
    start_format="{weekday} {day} {month}, {hour}:{minute:02} {half}",
    sms={
        MessageKind.RECEIVED: "recibimos su solicitud para el {when} Aún no está reservada; le contactaremos. "
        "¿Preguntas? {phone}",
        MessageKind.REQUESTED: "su cita del {when} aún no está reservada. Nuestro sistema no responde. "
        "Le avisaremos al reservarla. {phone}",
        MessageKind.HELD: "le apartamos una cita el {when} No es definitiva hasta que la confirmemos. "
        "¿Preguntas? {phone}",
        MessageKind.CONFIRMED: "su cita es el {when} Para cambiarla, llame al {phone}. "
        "Responda STOP para no recibir más mensajes.",
        MessageKind.DECLINED: "no pudimos agendar su cita. Por favor llámenos: {phone}",
        MessageKind.CANCELLED: "su solicitud para el {when} quedó cancelada. ¿Preguntas? {phone}",
        MessageKind.EXPIRED: "ya no pudimos apartar la cita del {when} No está reservada. Por favor llámenos: {phone}",
    },
    email_subject="Novedades sobre su solicitud",
    email_update="Hay novedades sobre su solicitud.",
    email_details={
        MessageKind.REQUESTED: "El sistema de nuestro consultorio no está disponible en este momento. Su cita del "
        "{when} está solicitada, pero aún no está reservada. Le avisaremos cuando esté reservada.",
        MessageKind.HELD: "Le apartamos una cita el {when} No es definitiva hasta que la confirmemos.",
        MessageKind.CONFIRMED: "Su cita es el {when}",
        MessageKind.CANCELLED: "Su solicitud para el {when} quedó cancelada.",
    },
    email_link="Vea su solicitud: {link}",
    email_contact="¿Preguntas? Llámenos: {phone}",
    email_unexpected="Si usted no hizo esta solicitud, por favor llámenos.",
)
