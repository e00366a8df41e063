"""The keys of a practice file, exactly as written. A key that can be inherited is optional."""

import re
from datetime import time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, EmailStr, Field, StrictBool

from domain.iso_text import Day
from domain.patient import Address
from domain.phone import display_format
from domain.policy import EmailContent, LandingPolicy, VisitLimits
from domain.quiet_hours import NO_QUIET_HOURS, QuietHours
from domain.request import Key
from domain.rules import Confirmation, HoursSpan
from domain.text import validate_one_line

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


MAX_DURATION = timedelta(days=3650)


def _parse_duration(value: Any) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", value) if isinstance(value, str) else None
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match is not None else None
    if duration is None or duration > MAX_DURATION:
        raise ValueError(f'write a length of time as "45m", "2h" or "60d", at most "{MAX_DURATION.days}d"')
    return duration


def _split_clock_range(value: Any) -> tuple[str, str]:
    match = re.fullmatch(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    return match[1], match[2]


def _parse_hours_span(value: Any) -> HoursSpan:
    try:
        open_text, close_text = _split_clock_range(value)
        opens = time.fromisoformat(open_text)
        closes = time(0) if close_text == "24:00" else time.fromisoformat(close_text)
    except ValueError:
        raise ValueError('write opening hours as "08:00-12:00"; midnight is "24:00"') from None
    if closes != time(0) and closes <= opens:
        raise ValueError("opening hours must end after they begin")
    return HoursSpan(open=opens, close=closes)


def _parse_quiet_hours(value: Any) -> QuietHours:
    if value == "none":
        return NO_QUIET_HOURS
    try:
        begin, end = (time.fromisoformat(text) for text in _split_clock_range(value))
        return QuietHours(begin=begin, end=end)
    except ValueError:
        raise ValueError('write quiet hours as "20:00-08:00", or "none"') from None


def _validate_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('not a time zone; write its IANA name, as in "America/Los_Angeles"') from None
    return value


def _parse_system_id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise ValueError("write the practice system's id in quotes")
    return str(value)


def _parse_local_time(value: Any) -> time:
    """Pydantic would also take 43200 and "43200", as seconds since midnight."""
    if isinstance(value, time) and value.tzinfo is None:
        return value  # written without quotes, which TOML reads as a time
    if not isinstance(value, str) or re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value) is None:
        raise ValueError('write a time of day on the location\'s clock, as in "12:00"')
    return time.fromisoformat(value)


def _validate_positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    return value


Duration = Annotated[timedelta, BeforeValidator(_parse_duration)]
"""Zero or longer."""
PositiveDuration = Annotated[timedelta, BeforeValidator(_parse_duration), AfterValidator(_validate_positive)]
QuietHoursText = Annotated[QuietHours, BeforeValidator(_parse_quiet_hours)]
HoursSpanText = Annotated[HoursSpan, BeforeValidator(_parse_hours_span)]
SystemId = Annotated[str, BeforeValidator(_parse_system_id)]
LocalTime = Annotated[time, BeforeValidator(_parse_local_time)]
Whole = Annotated[int, Field(strict=True)]
Line = Annotated[str, AfterValidator(validate_one_line)]
"""A text for people. Line breaks and control characters would reach messages and terminals."""


class Keys(BaseModel):
    """The base of every table in the file. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class WeekHours(Keys):
    """Opening hours by weekday. The location is closed on a missing day."""

    monday: tuple[HoursSpanText, ...] = ()
    tuesday: tuple[HoursSpanText, ...] = ()
    wednesday: tuple[HoursSpanText, ...] = ()
    thursday: tuple[HoursSpanText, ...] = ()
    friday: tuple[HoursSpanText, ...] = ()
    saturday: tuple[HoursSpanText, ...] = ()
    sunday: tuple[HoursSpanText, ...] = ()


class RuleKeys(Keys):
    """Keys that are allowed in ``[defaults]``, in a location and in a service.

    The service's value wins over the location's, and the location's over the default. Values are never merged.
    """

    duration: PositiveDuration | None = None
    duration_by_provider: dict[Key, PositiveDuration] | None = None
    hours: WeekHours | None = None
    closed_on: tuple[Day, ...] | None = None
    buffer_before: Duration | None = None
    buffer_after: Duration | None = None
    minimum_notice: Duration | None = None
    horizon: PositiveDuration | None = None
    same_day_cutoff: LocalTime | None = None
    daily_cap: Annotated[Whole, Field(ge=1)] | None = None
    slot_step: PositiveDuration | None = None
    only_in_windows: StrictBool | None = None
    new_patients: StrictBool | None = None
    existing_patients: StrictBool | None = None
    call_only: StrictBool | None = None
    confirmation: Confirmation | None = None
    hold_expiry: PositiveDuration | None = None
    staff_deadline: PositiveDuration | None = None


class ServiceKeys(RuleKeys):
    """One ``[[locations.services]]`` table."""

    id: Key
    label: Annotated[Line, Field(max_length=60)]
    offered_by: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    offered_in: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    reason: SystemId | None = None
    procedures: tuple[SystemId, ...] = ()


class LocationKeys(RuleKeys):
    """One ``[[locations]]`` table."""

    id: Key
    name: Annotated[Line, Field(max_length=80)]
    connection: Key
    practice_system_id: SystemId
    time_zone: Annotated[str, AfterValidator(_validate_zone)]
    address: Address
    phone: Annotated[str, AfterValidator(display_format)]
    desk_email: EmailStr | None = None
    escalation_email: EmailStr | None = None
    placeholder_patient: SystemId | None = None
    quiet_hours: QuietHoursText | None = None
    desk_hours: WeekHours | None = None
    providers: Annotated[dict[Key, SystemId], Field(min_length=1)]
    operatories: Annotated[dict[Key, SystemId], Field(min_length=1)]
    services: Annotated[tuple[ServiceKeys, ...], Field(min_length=1)]


class ConnectionKeys(Keys):
    """One ``[[connections]]`` table."""

    name: Key
    system: Literal["ascend", "dentrix", "dentrix-enterprise", "eaglesoft", "open-dental"]
    kind: Literal["ascend", "nexhealth"] | None = None
    confirmed_status: Literal["CONFIRMED", "UNCONFIRMED"] = "CONFIRMED"
    requests_per_second: Annotated[float, Field(strict=True, gt=0, le=1000)] = 8
    page_size: Annotated[Whole, Field(ge=1, le=500)] = 500
    longest_appointment: PositiveDuration = timedelta(hours=12)
    consistency_delay: Duration = timedelta(seconds=3)
    resend_after: Duration | None = None
    late_commit: Duration = timedelta(seconds=60)
    check_after: Annotated[tuple[PositiveDuration, ...], Field(min_length=1)] = LandingPolicy().check_after
    check_while_offline: PositiveDuration = LandingPolicy().check_while_offline
    notify_patient_after: Duration = LandingPolicy().notify_patient_after
    landing_max_wait: PositiveDuration = LandingPolicy().max_wait
    landing_lead_time: Duration = LandingPolicy().lead_time

    @property
    def effective_kind(self) -> str:
        """How the system is reached. By default Ascend through its own API, every other system through NexHealth."""
        return self.kind or ("ascend" if self.system == "ascend" else "nexhealth")

    @property
    def effective_resend_after(self) -> timedelta:
        """How long to look for a write with an unknown outcome before it is sent again.

        The default is longer for NexHealth, which may learn minutes later what the office system accepted.
        """
        if self.resend_after is not None:
            return self.resend_after
        return self.consistency_delay if self.effective_kind == "ascend" else timedelta(minutes=2)


class MessageKeys(Keys):
    """The ``[messages]`` table."""

    email_content: EmailContent = EmailContent.NOTICE
    baa_on_file: StrictBool = False
    quiet_hours: QuietHoursText = QuietHours(begin=time(20), end=time(8))


class LimitKeys(Keys):
    """The ``[limits]`` table."""

    visits_per_patient: Annotated[int, Field(ge=1)] = VisitLimits().per_patient
    visits_per_contact: Annotated[int, Field(ge=1)] = VisitLimits().per_contact


class PracticeKeys(Keys):
    """The whole file."""

    name: Annotated[Line, Field(max_length=80)]
    messages: MessageKeys = MessageKeys()
    limits: LimitKeys = LimitKeys()
    connections: Annotated[tuple[ConnectionKeys, ...], Field(min_length=1)]
    defaults: RuleKeys = RuleKeys()
    locations: Annotated[tuple[LocationKeys, ...], Field(min_length=1)]
