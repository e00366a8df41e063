"""Latin American Spanish texts to patients.

No period follows ``{when}``: it ends with "a. m." or "p. m.", whose period also ends the sentence.
"""

from domain.booking import Reason, Status
from domain.wording.messages import MessageKind
from domain.wording.texts import PageTexts, PatientTexts

_NOT_AVAILABLE = "Este horario ya no está disponible. Elija otro horario, o le contactaremos."

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
        MessageKind.CONFIRMED: "su cita está confirmada: {when} Para cambiarla, llame al {phone}. "
        "Responda STOP para no recibir mensajes.",
        MessageKind.DECLINED: "no pudimos agendar su cita. Por favor llámenos: {phone}",
        MessageKind.CANCELLED: "su solicitud para el {when} quedó cancelada. ¿Preguntas? {phone}",
        MessageKind.VISIT_CANCELLED: "su cita del {when} quedó cancelada. ¿Preguntas? {phone}",
        MessageKind.EXPIRED: "ya no pudimos guardarle la cita del {when} No está reservada. Llámenos: {phone}",
    },
    sms_link=" Estado: {link}",
    email_subjects={
        MessageKind.RECEIVED: "Recibimos su solicitud",
        MessageKind.REQUESTED: "Su cita aún no está reservada",
        MessageKind.HELD: "Le apartamos un horario",
        MessageKind.CONFIRMED: "Su cita está confirmada",
        MessageKind.DECLINED: "No pudimos agendar su cita",
        MessageKind.CANCELLED: "Su solicitud quedó cancelada",
        MessageKind.VISIT_CANCELLED: "Su cita quedó cancelada",
        MessageKind.EXPIRED: "No pudimos guardarle el horario",
    },
    email_notices={
        MessageKind.RECEIVED: "Recibimos su solicitud. Aún no está reservada. Le contactaremos.",
        MessageKind.REQUESTED: "El sistema de nuestro consultorio no está disponible en este momento. Su cita está "
        "solicitada, pero aún no está reservada. Le avisaremos cuando esté reservada.",
        MessageKind.HELD: "Le apartamos un horario. No es definitivo hasta que lo confirmemos.",
        MessageKind.CONFIRMED: "Su cita está confirmada.",
        MessageKind.DECLINED: "No pudimos agendar su cita. Por favor llámenos.",
        MessageKind.CANCELLED: "Su solicitud quedó cancelada.",
        MessageKind.VISIT_CANCELLED: "Su cita quedó cancelada.",
        MessageKind.EXPIRED: "Ya no pudimos guardarle el horario, así que no está reservado. Por favor llámenos.",
    },
    email_details={
        MessageKind.RECEIVED: "Recibimos su solicitud para el {when} Aún no está reservada. Le contactaremos.",
        MessageKind.REQUESTED: "El sistema de nuestro consultorio no está disponible en este momento. Su cita del "
        "{when} está solicitada, pero aún no está reservada. Le avisaremos cuando esté reservada.",
        MessageKind.HELD: "Le apartamos una cita el {when} No es definitiva hasta que la confirmemos.",
        MessageKind.CONFIRMED: "Su cita está confirmada: {when}",
        MessageKind.CANCELLED: "Su solicitud para el {when} quedó cancelada.",
        MessageKind.VISIT_CANCELLED: "Su cita del {when} quedó cancelada.",
        MessageKind.EXPIRED: "Ya no pudimos guardarle la cita del {when} No está reservada. Por favor llámenos.",
    },
    email_link="Vea los detalles: {link}",
    email_contact="¿Preguntas? Llámenos: {phone}",
    email_unexpected="Si usted no hizo esta solicitud, por favor llámenos.",
    statuses={
        (Status.RECEIVED, None): "Recibimos su solicitud. Aún no está reservada.",
        (Status.RECEIVED, Reason.OFFICE_OFFLINE): "El sistema de nuestro consultorio no está disponible en este "
        "momento. Su cita está solicitada, pero aún no está reservada. Le avisaremos cuando esté reservada.",
        (Status.NEEDS_STAFF, None): "Recibimos su solicitud y le contactaremos. Aún no está reservada.",
        (Status.NEEDS_STAFF, Reason.SLOT_TAKEN): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.NOT_ACTIVE): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.DAY_FULL): _NOT_AVAILABLE,
        (Status.HELD, None): "Le apartamos este horario. No es definitivo hasta que lo confirmemos.",
        (Status.CONFIRMED, None): "Su cita está confirmada.",
        (Status.COMPLETED, None): "Esta cita ya pasó.",
        (Status.NO_SHOW, None): "Esta cita ya pasó.",
        (Status.CANCELLED, None): "Quedó cancelada. Usted no tiene cita a esta hora.",
        (Status.DECLINED, None): "No pudimos agendar su cita. Por favor llámenos.",
        (Status.DECLINED, Reason.CALL_ONLY): "Este servicio solo se puede agendar por teléfono. Por favor llámenos.",
        (Status.DECLINED, Reason.OUTSIDE_RULES): "Este horario no se puede agendar en línea. Elija otro horario.",
    },
    page=PageTexts(
        language_name="Español",
        title="El estado de su solicitud",
        headings={
            Status.RECEIVED: "Solicitada",
            Status.NEEDS_STAFF: "Solicitada",
            Status.HELD: "Apartada para usted",
            Status.CONFIRMED: "Confirmada",
            Status.COMPLETED: "Ya pasó",
            Status.NO_SHOW: "Ya pasó",
            Status.CANCELLED: "Cancelada",
            Status.DECLINED: "No reservada",
        },
        when="Fecha y hora",
        when_requested="Fecha y hora solicitadas",
        where="Consultorio",
        call_to_change="Para cambiar o cancelar, llámenos.",
        call_for_help="¿Preguntas? Llámenos.",
        invalid_heading="Este enlace no funciona",
        invalid="Puede ser muy antiguo, o le falta una parte. Pruebe el enlace de nuestro mensaje más reciente, "
        "o llámenos.",
        busy_heading="No podemos consultarlo ahora",
        busy="Pruebe este enlace otra vez en unos minutos, o llámenos. Su solicitud no ha cambiado.",
    ),
)
