"""American English texts to patients."""

from domain.wording.messages import MessageKind
from domain.wording.texts import PatientTexts

ENGLISH = PatientTexts(
    weekdays=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    day_halves=("AM", "PM"),
    start_format="{weekday} {month} {day}, {hour}:{minute:02} {half}",
    sms={
        MessageKind.RECEIVED: "we have your request for {when}. It is not booked yet; we will contact you. "
        "Questions? {phone}",
        MessageKind.REQUESTED: "{when} is requested but not booked yet. Our system is offline. "
        "We will text you when it is booked. {phone}",
        MessageKind.HELD: "{when} is held for you. It is not final until we confirm it. Questions? {phone}",
        MessageKind.CONFIRMED: "your appointment is {when}. To change it, call {phone}. "
        "Reply STOP to opt out of texts.",
        MessageKind.DECLINED: "we could not book your request. Please call us: {phone}",
        MessageKind.CANCELLED: "your request for {when} is cancelled. Questions? {phone}",
        MessageKind.EXPIRED: "we could not hold {when} any longer, so it is not booked. Please call us: {phone}",
    },
    email_subject="An update on your request",
    email_update="There is an update on your request.",
    email_details={
        MessageKind.REQUESTED: "Our office system is offline right now. {when} is requested but not booked yet. "
        "We will let you know when it is booked.",
        MessageKind.HELD: "{when} is held for you. It is not final until we confirm it.",
        MessageKind.CONFIRMED: "Your appointment is {when}.",
        MessageKind.CANCELLED: "Your request for {when} is cancelled.",
    },
    email_link="See your request: {link}",
    email_contact="Questions? Call us: {phone}",
    email_unexpected="If you did not make this request, please call us.",
)
