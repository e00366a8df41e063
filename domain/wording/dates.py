"""Dates and times as people read them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from domain.wording.languages import LANGUAGES
from domain.wording.texts import PatientTexts


def format_start(start: datetime, zone: str, language: str) -> str:
    """The start of a visit on the clock of ``zone``: ``Tue Dec 1, 9:00 AM`` or ``mar 1 dic, 9:00 a. m.``."""
    return format_local_start(start.astimezone(ZoneInfo(zone)), LANGUAGES[language])


def format_local_start(start: datetime, texts: PatientTexts) -> str:
    """The same for a start in the location's zone."""
    return texts.start_format.format(
        weekday=texts.weekdays[start.weekday()],
        month=texts.months[start.month - 1],
        day=start.day,
        hour=(start.hour - 1) % 12 + 1,
        minute=start.minute,
        half=texts.day_halves[start.hour >= 12],
    )
