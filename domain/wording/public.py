"""What a patient may read about the status of a booking.

The text gives a reason only if that reason does not depend on who asks. Otherwise a stranger who types somebody
else's name and birth date would learn whether that person is a patient here.
"""

from domain.booking import Reason, Status


def public_status(status: Status, reason: Reason | None) -> str:
    """The sentences for a status and its reason."""
    return _WITH_REASON.get((status, reason), _STATUS_ONLY[status])


_NOT_AVAILABLE = "This time is no longer available. Choose another time, or we will contact you."
_WITH_REASON: dict[tuple[Status, Reason | None], str] = {
    (Status.NEEDS_STAFF, Reason.SLOT_TAKEN): _NOT_AVAILABLE,
    (Status.NEEDS_STAFF, Reason.SLOT_BLOCKED): _NOT_AVAILABLE,
    (Status.NEEDS_STAFF, Reason.DAY_FULL): _NOT_AVAILABLE,
    (Status.DECLINED, Reason.CALL_ONLY): "This service can only be booked by phone. Please call us.",
    (Status.DECLINED, Reason.OUTSIDE_RULES): "This time cannot be booked online. Choose another time.",
    (Status.RECEIVED, Reason.OFFICE_OFFLINE): "Our office system is offline right now. Your time is requested but not "
    "booked yet. We will contact you when it is booked.",
}
_STATUS_ONLY = {
    Status.RECEIVED: "We have your request.",
    Status.NEEDS_STAFF: "We have your request and will contact you.",
    Status.HELD: "This time is held for you. The office will confirm it.",
    Status.CONFIRMED: "Your appointment is confirmed.",
    Status.COMPLETED: "This visit is over.",
    Status.NO_SHOW: "This visit is over.",
    Status.CANCELLED: "This request is cancelled.",
    Status.DECLINED: "We could not book this request.",
}
