"""Dates and times as they arrive from outside: ISO text, and nothing that pydantic would read as a number."""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(rf"{_DATE.pattern}[T ][0-9:.]+(Z|[+-][0-9:]+)?", re.IGNORECASE)


def _validate_date(value: object) -> object:
    """Pydantic also takes 0, "0.00" and "1796112000.0", as seconds since 1970, and a datetime at midnight."""
    is_date = isinstance(value, date) and not isinstance(value, datetime)
    if not is_date and not (isinstance(value, str) and _DATE.fullmatch(value)):
        raise ValueError("must be a date, such as 1988-04-02")
    return value


def _validate_date_time(value: object) -> object:
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE_TIME.fullmatch(value)):
        raise ValueError("must be a date and time with UTC offset, such as 2026-12-01T09:00:00-08:00")
    return value


Day = Annotated[date, BeforeValidator(_validate_date)]
Instant = Annotated[AwareDatetime, BeforeValidator(_validate_date_time)]
