"""American English texts to patients."""

from domain.booking import Reason, Status
from domain.wording.messages import MessageKind
from domain.wording.texts import PageTexts, PatientTexts

_NOT_AVAILABLE = "This time is no longer available. Choose another time, or we will contact you."

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
        MessageKind.CONFIRMED: "your visit is confirmed: {when}. To change it, call {phone}. "
        "Reply STOP to opt out of texts.",
        MessageKind.DECLINED: "we could not book your request. Please call us: {phone}",
        MessageKind.CANCELLED: "your request for {when} is cancelled. Questions? {phone}",
        MessageKind.VISIT_CANCELLED: "your visit on {when} is cancelled. Questions? {phone}",
        MessageKind.EXPIRED: "we could not hold {when} any longer, so it is not booked. Please call us: {phone}",
    },
    sms_link=" Status: {link}",
    email_subjects={
        MessageKind.RECEIVED: "We have your request",
        MessageKind.REQUESTED: "Your visit is not booked yet",
        MessageKind.HELD: "A time is held for you",
        MessageKind.CONFIRMED: "Your visit is confirmed",
        MessageKind.DECLINED: "We could not book your request",
        MessageKind.CANCELLED: "Your request is cancelled",
        MessageKind.VISIT_CANCELLED: "Your visit is cancelled",
        MessageKind.EXPIRED: "We could not hold your time",
    },
    email_notices={
        MessageKind.RECEIVED: "We have your request. It is not booked yet. We will contact you.",
        MessageKind.REQUESTED: "Our office system is offline right now. Your time is requested but not booked yet. "
        "We will let you know when it is booked.",
        MessageKind.HELD: "A time is held for you. It is not final until we confirm it.",
        MessageKind.CONFIRMED: "Your visit is confirmed.",
        MessageKind.DECLINED: "We could not book your request. Please call us.",
        MessageKind.CANCELLED: "Your request is cancelled.",
        MessageKind.VISIT_CANCELLED: "Your visit is cancelled.",
        MessageKind.EXPIRED: "We could not hold the time any longer, so it is not booked. Please call us.",
    },
    email_details={
        MessageKind.RECEIVED: "We have your request for {when}. It is not booked yet. We will contact you.",
        MessageKind.REQUESTED: "Our office system is offline right now. {when} is requested but not booked yet. "
        "We will let you know when it is booked.",
        MessageKind.HELD: "{when} is held for you. It is not final until we confirm it.",
        MessageKind.CONFIRMED: "Your visit is confirmed: {when}.",
        MessageKind.CANCELLED: "Your request for {when} is cancelled.",
        MessageKind.VISIT_CANCELLED: "Your visit on {when} is cancelled.",
        MessageKind.EXPIRED: "We could not hold {when} any longer, so it is not booked. Please call us.",
    },
    email_link="See the details: {link}",
    email_contact="Questions? Call us: {phone}",
    email_unexpected="If you did not make this request, please call us.",
    statuses={
        (Status.RECEIVED, None): "We have your request. It is not booked yet.",
        (Status.RECEIVED, Reason.OFFICE_OFFLINE): "Our office system is offline right now. Your time is requested but "
        "not booked yet. We will contact you when it is booked.",
        (Status.NEEDS_STAFF, None): "We have your request and will contact you. It is not booked yet.",
        (Status.NEEDS_STAFF, Reason.SLOT_TAKEN): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.NOT_ACTIVE): _NOT_AVAILABLE,
        (Status.NEEDS_STAFF, Reason.DAY_FULL): _NOT_AVAILABLE,
        (Status.HELD, None): "This time is held for you. It is not final until we confirm it.",
        (Status.CONFIRMED, None): "Your visit is confirmed.",
        (Status.COMPLETED, None): "This visit is over.",
        (Status.NO_SHOW, None): "This visit is over.",
        (Status.CANCELLED, None): "This is cancelled. You have no visit at this time.",
        (Status.DECLINED, None): "We could not book this request. Please call us.",
        (Status.DECLINED, Reason.CALL_ONLY): "This service can only be booked by phone. Please call us.",
        (Status.DECLINED, Reason.OUTSIDE_RULES): "This time cannot be booked online. Choose another time.",
    },
    page=PageTexts(
        language_name="English",
        title="Where your request stands",
        headings={
            Status.RECEIVED: "Requested",
            Status.NEEDS_STAFF: "Requested",
            Status.HELD: "Held for you",
            Status.CONFIRMED: "Confirmed",
            Status.COMPLETED: "Over",
            Status.NO_SHOW: "Over",
            Status.CANCELLED: "Cancelled",
            Status.DECLINED: "Not booked",
        },
        when="Date and time",
        when_requested="Requested date and time",
        where="Office",
        call_to_change="To change or cancel, call us.",
        call_for_help="Questions? Call us.",
        invalid_heading="This link does not work",
        invalid="It may be too old, or part of it is missing. Try the link in our newest message to you, or call us.",
        busy_heading="We cannot look right now",
        busy="Please try this link again in a few minutes, or call us. Nothing about your request has changed.",
    ),
)
