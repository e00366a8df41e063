"""An office's working hours as the windows that they open."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from adapters.errors import Unreadable
from adapters.nexhealth.wire import Row, optional_id
from adapters.rows import as_row, parse_date, readable_id
from domain.calendar import Window
from domain.interval import Interval
from domain.local_time import instant

MAX_LIST_LENGTH = 200
"""Entries that a list in a row may have."""
MALFORMED_ROW_ERRORS = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""What reading a row may raise if it is not as NexHealth documents it."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def check(row: Row) -> None:
    """Raises Unreadable if the hours cannot be read."""
    for field in ("provider_id", "operatory_id"):
        optional_id(row, field)
    for field in ("appointment_types", "days"):
        entries = row.get(field) or []
        if not isinstance(entries, list) or len(entries) > MAX_LIST_LENGTH:
            raise Unreadable(field)
    if None in _appointment_types(row):
        raise Unreadable("appointment_types")
    for field in ("begin_time", "end_time"):
        try:
            _instant(date(2000, 1, 1), str(row.get(field)), ZoneInfo("UTC"))
        except ValueError:
            raise Unreadable(field) from None
    if row.get("specific_date") and parse_date(row["specific_date"]) is None:
        raise Unreadable("specific_date")
    try:
        _recurs_on(date(2000, 1, 1), row)
    except MALFORMED_ROW_ERRORS:
        raise Unreadable("custom_recurrence") from None


def _is_readable(row: Row) -> bool:
    try:
        check(row)
    except Unreadable:
        return False
    return True


def windows(rows: Sequence[Row], around: Interval, tz: ZoneInfo, operatories: Sequence[str]) -> list[Window]:
    """The windows that working hours open within a span, on the location's clock.

    Hours without an operatory open all ``operatories``. Unreadable hours open nothing. If a provider has hours for a
    specific date, only those count on that date.
    """
    opened: list[Window] = []
    readable_rows = [row for row in rows if _is_readable(row)]
    day = around.start.astimezone(tz).date()
    while day <= around.end.astimezone(tz).date():
        rows_today = [row for row in readable_rows if row.get("active") is not False and _applies_on(day, row)]
        providers_with_date = {row.get("provider_id") for row in rows_today if row.get("specific_date")}
        for row in rows_today:
            if row.get("specific_date") or row.get("provider_id") not in providers_with_date:
                with suppress(*MALFORMED_ROW_ERRORS):
                    opened += list(_windows_on(day, row, tz, operatories))
        day += timedelta(days=1)
    return opened


def _windows_on(day: date, row: Row, tz: ZoneInfo, operatories: Sequence[str]) -> Iterator[Window]:
    span = Interval(start=_instant(day, str(row["begin_time"]), tz), end=_instant(day, str(row["end_time"]), tz))
    own_operatory, provider = optional_id(row, "operatory_id"), optional_id(row, "provider_id")
    for operatory in operatories if own_operatory is None else (own_operatory,):
        yield Window(
            time=span,
            operatory=operatory,
            providers=() if provider is None else (provider,),
            reasons=tuple(filter(None, _appointment_types(row))),
        )


def _appointment_types(row: Row) -> list[str | None]:
    """The visit reasons that the hours are for. ``None`` stands for one that is unreadable."""
    return [readable_id(as_row(entry).get("id")) for entry in row.get("appointment_types") or ()]


def _instant(day: date, text: str, tz: ZoneInfo) -> datetime:
    """A time of day on the location's clock. Midnight at the end of a day is "24:00"."""
    if text.startswith("24:00"):
        return instant(day + timedelta(days=1), time(0), tz)
    return instant(day, time.fromisoformat(text), tz)


def _applies_on(day: date, row: Row) -> bool:
    try:
        return _recurs_on(day, row)
    except MALFORMED_ROW_ERRORS:
        return False


def _recurs_on(day: date, row: Row) -> bool:
    """NexHealth gives hours by weekdays, for one specific date, or by an interval of days, weeks or months."""
    if row.get("specific_date"):
        return parse_date(row["specific_date"]) == day
    recurrence = row.get("custom_recurrence")
    if not recurrence:
        return _WEEKDAYS[day.weekday()] in (row.get("days") or ())
    first_day, interval = parse_date(recurrence.get("ref")), int(recurrence.get("num") or 1)
    if first_day is None or day < first_day:
        return False
    if recurrence.get("unit") == "month":
        months = (day.year - first_day.year) * 12 + day.month - first_day.month
        return day.day == first_day.day and months % interval == 0
    return (day - first_day).days % (interval * (7 if recurrence.get("unit") == "week" else 1)) == 0
