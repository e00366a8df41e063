"""The search attributes by which bookings are listed. Temporal stores them in clear, so they name nobody."""

from temporalio.common import SearchAttributeKey

BOOKING_STATUS = SearchAttributeKey.for_keyword("BookingStatus")
BOOKING_LOCATION = SearchAttributeKey.for_keyword("BookingLocation")
BOOKING_SERVICE = SearchAttributeKey.for_keyword("BookingService")
EXCEPTION_REASON = SearchAttributeKey.for_keyword("ExceptionReason")
APPOINTMENT_START = SearchAttributeKey.for_datetime("AppointmentStart")

ALL = (BOOKING_STATUS, BOOKING_LOCATION, BOOKING_SERVICE, EXCEPTION_REASON, APPOINTMENT_START)
