"""The keys of a practice file, as written: every one optional where it can be inherited."""

import re
from datetime import date, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, EmailStr, Field

from domain.patient import Address
from domain.phone import printed
from domain.policy import EmailContent, LandingPolicy
from domain.quiet_hours import NEVER, QuietHours
from domain.request import Key
from domain.rules import Confirmation, HoursSpan

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _duration(value: Any) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('give a length of time as "45m", "2h" or "60d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _from_to(value: Any) -> tuple[str, str]:
    found = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    return found[1], found[2]


def _hours_span(value: Any) -> HoursSpan:
    try:
        begins, ends = _from_to(value)
        opens = time.fromisoformat(begins)
        closes = time(0) if ends == "24:00" else time.fromisoformat(ends)
    except ValueError:
        raise ValueError('give opening hours as "08:00-12:00"; midnight is "24:00"') from None
    if closes != time(0) and closes <= opens:
        raise ValueError("opening hours end after they begin")
    return HoursSpan(open=opens, close=closes)


def _quiet_hours(value: Any) -> QuietHours:
    if value == "none":
        return NEVER
    try:
        begin, end = (time.fromisoformat(at) for at in _from_to(value))
        return QuietHours(begin=begin, end=end)
    except ValueError:
        raise ValueError('give quiet hours as "20:00-08:00", or "none"') from None


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('not a time zone; give its IANA name, as in "America/Los_Angeles"') from None
    return value


def _system_id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise ValueError("give the practice system's id in quotes")
    return str(value)


def _on_the_clock(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError('give a time of day on the location\'s clock, as in "12:00"')
    return value


def _not_zero(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Length = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_not_zero)]
Quiet = Annotated[QuietHours, BeforeValidator(_quiet_hours)]
Opening = Annotated[HoursSpan, BeforeValidator(_hours_span)]
SystemId = Annotated[str, BeforeValidator(_system_id)]
Cutoff = Annotated[time, AfterValidator(_on_the_clock)]


class Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class WeekHours(Keys):
    """Opening hours by weekday; a day left out is closed."""

    monday: tuple[Opening, ...] = ()
    tuesday: tuple[Opening, ...] = ()
    wednesday: tuple[Opening, ...] = ()
    thursday: tuple[Opening, ...] = ()
    friday: tuple[Opening, ...] = ()
    saturday: tuple[Opening, ...] = ()
    sunday: tuple[Opening, ...] = ()


class RuleKeys(Keys):
    """May stand in ``[defaults]``, in a location and in a service; the nearest wins, whole."""

    duration: Length | None = None
    duration_by_provider: dict[Key, Length] | None = None
    hours: WeekHours | None = None
    closed_on: tuple[date, ...] | None = None
    buffer_before: Duration | None = None
    buffer_after: Duration | None = None
    minimum_notice: Duration | None = None
    horizon: Length | None = None
    same_day_cutoff: Cutoff | None = None
    daily_cap: Annotated[int, Field(ge=1)] | None = None
    slot_step: Length | None = None
    only_in_windows: bool | None = None
    new_patients: bool | None = None
    existing_patients: bool | None = None
    call_only: bool | None = None
    confirmation: Confirmation | None = None
    hold_expiry: Length | None = None
    staff_deadline: Length | None = None


class ServiceKeys(RuleKeys):
    id: Key
    label: Annotated[str, Field(min_length=1, max_length=60)]
    offered_by: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    offered_in: Annotated[tuple[Key, ...], Field(min_length=1)] | None = None
    reason: SystemId | None = None
    procedures: tuple[SystemId, ...] = ()


class LocationKeys(RuleKeys):
    id: Key
    name: Annotated[str, Field(min_length=1, max_length=80)]
    connection: Key
    practice_system_id: SystemId
    time_zone: Annotated[str, AfterValidator(_zone)]
    address: Address
    phone: Annotated[str, AfterValidator(printed)]
    desk_email: EmailStr | None = None
    escalation_email: EmailStr | None = None
    placeholder_patient: SystemId | None = None
    quiet_hours: Quiet | None = None
    providers: Annotated[dict[Key, SystemId], Field(min_length=1)]
    operatories: Annotated[dict[Key, SystemId], Field(min_length=1)]
    services: Annotated[tuple[ServiceKeys, ...], Field(min_length=1)]


class ConnectionKeys(Keys):
    name: Key
    system: Literal["ascend", "dentrix", "dentrix-enterprise", "eaglesoft", "open-dental"]
    kind: Literal["ascend", "nexhealth"] | None = None
    confirmed_status: Literal["CONFIRMED", "UNCONFIRMED"] = "CONFIRMED"
    requests_per_second: Annotated[float, Field(gt=0, le=1000)] = 8
    page_size: Annotated[int, Field(ge=1, le=500)] = 500
    longest_appointment: Length = timedelta(hours=12)
    consistency_delay: Duration = timedelta(seconds=3)
    resend_after: Duration | None = None
    late_commit: Duration = timedelta(seconds=60)
    check_after: Annotated[tuple[Length, ...], Field(min_length=1)] = LandingPolicy().check_after
    check_while_offline: Length = LandingPolicy().check_while_offline
    notify_patient_after: Duration = LandingPolicy().notify_patient_after
    landing_max_wait: Length = LandingPolicy().max_wait
    landing_lead_time: Duration = LandingPolicy().lead_time

    @property
    def reached_by(self) -> str:
        """Ascend by its own API unless said otherwise; the others through NexHealth."""
        return self.kind or ("ascend" if self.system == "ascend" else "nexhealth")

    @property
    def resends_after(self) -> timedelta:
        """NexHealth may hear of what the office has taken in a good while later."""
        if self.resend_after is not None:
            return self.resend_after
        return self.consistency_delay if self.reached_by == "ascend" else timedelta(minutes=2)


class MessageKeys(Keys):
    email_content: EmailContent = EmailContent.NOTICE
    baa_on_file: bool = False
    quiet_hours: Quiet = QuietHours(begin=time(20), end=time(8))


class PracticeKeys(Keys):
    name: Annotated[str, Field(min_length=1, max_length=80)]
    messages: MessageKeys = MessageKeys()
    connections: Annotated[tuple[ConnectionKeys, ...], Field(min_length=1)]
    defaults: RuleKeys = RuleKeys()
    locations: Annotated[tuple[LocationKeys, ...], Field(min_length=1)]
