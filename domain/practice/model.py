"""A practice with all its rules, after inheritance."""

import difflib
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.contacts import contact_keys
from domain.desk_hours import DeskHours
from domain.patient import Address
from domain.policy import BookingPolicy, EmailContent, LandingPolicy, VisitLimits
from domain.quiet_hours import NO_QUIET_HOURS, QuietHours
from domain.rules import ServiceRule

Named = TypeVar("Named")


class UnknownName(ValueError):
    """The practice file has no such name. The error text says which field is wrong and which names are allowed."""

    def __init__(self, field: str, value: str, allowed: Collection[str]) -> None:
        close_matches = difflib.get_close_matches(value, allowed, n=1)
        hint = f"; did you mean {close_matches[0]}?" if close_matches else ""
        super().__init__(f"{field}: unknown; allowed: {', '.join(sorted(allowed)) or 'none'}{hint}")
        self.field = field


class Connection(Value):
    """One account at one practice system."""

    name: str
    system: str
    """The practice system that the office uses, such as ``dentrix``."""
    kind: str = "ascend"
    """How the system is reached: ``ascend`` (directly) or ``nexhealth``."""
    confirmed_status: str = "CONFIRMED"
    """The status that a confirmed booking gets in Ascend."""
    requests_per_second: float = 8
    page_size: int = 500
    longest_appointment: timedelta = timedelta(hours=12)
    """Ascend lists appointments by start. To see those still running, the read begins this much earlier."""
    consistency_delay: timedelta = timedelta(seconds=3)
    """How long the system may take to show a write that it accepted."""
    resend_after: timedelta = timedelta(seconds=3)
    """How long to look for a write with an unknown outcome before it is sent again."""
    landing: LandingPolicy = LandingPolicy()
    late_commit: timedelta = timedelta(seconds=60)
    """How long after an unanswered write the practice system may still commit it."""


class Location(Value):
    """One office with its own calendar and time zone."""

    id: str
    name: str
    connection: str
    practice_system_id: str
    time_zone: str
    address: Address
    phone: str
    desk_email: str | None = None
    escalation_email: str | None = None
    placeholder_patient: str | None = None
    email_content: EmailContent = EmailContent.NOTICE
    quiet_hours: QuietHours = NO_QUIET_HOURS
    """When patients get no text messages, on the location's clock. Answers to a fresh request are exempt."""
    desk_hours: DeskHours = DeskHours()
    """When somebody is at the desk, on the location's clock."""
    providers: Mapping[str, str]
    """Our name for each provider, mapped to the practice system's id."""
    operatories: Mapping[str, str]
    """Our name for each operatory, mapped to the practice system's id."""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def provider_id(self, name: str) -> str:
        return _look_up("provider", name, self.providers)

    def operatory_id(self, name: str) -> str:
        return _look_up("operatory", name, self.operatories)


class Service(Value):
    """One service at one location."""

    rule: ServiceRule
    staff_deadline: timedelta


class Practice(Value):
    """The whole practice. Lookups by name raise UnknownName."""

    name: str
    version: str
    """Short hash of the file's content. It tells under which rules a booking was made."""
    connections: tuple[Connection, ...]
    locations: tuple[Location, ...]
    services: Mapping[str, Mapping[str, Service]]
    """By location id, then by service id."""
    limits: VisitLimits = VisitLimits()

    @property
    def contacts(self) -> frozenset[str]:
        """The keys of the practice's own phone numbers and email addresses."""
        emails = (email for each in self.locations for email in (each.desk_email, each.escalation_email) if email)
        return contact_keys((each.phone for each in self.locations), emails)

    def location(self, location_id: str) -> Location:
        return _look_up("location", location_id, {location.id: location for location in self.locations})

    def connection(self, name: str) -> Connection:
        return _look_up("connection", name, {connection.name: connection for connection in self.connections})

    def service(self, location_id: str, service_id: str) -> Service:
        self.location(location_id)  # raises UnknownName for the location first
        return _look_up("service", service_id, self.services[location_id])

    def rule(self, location_id: str, service_id: str) -> ServiceRule:
        return self.service(location_id, service_id).rule

    def policy(self, location_id: str, service_id: str) -> BookingPolicy:
        """The policy that a booking of this service takes along. Raises UnknownName."""
        location, service = self.location(location_id), self.service(location_id, service_id)
        connection, rule = self.connection(location.connection), service.rule
        return BookingPolicy(
            rules_version=self.version,
            location=location.id,
            service=rule.service,
            label=rule.label,
            connection=location.connection,
            late_commit=connection.late_commit,
            zone=location.time_zone,
            duration=rule.duration,
            call_only=rule.call_only,
            confirmation=rule.confirmation,
            hold_expiry=rule.hold_expiry,
            staff_deadline=service.staff_deadline,
            desk_hours=location.desk_hours,
            limits=self.limits,
            new_patients=rule.new_patients,
            existing_patients=rule.existing_patients,
            landing=connection.landing,
            placeholder_patient=location.placeholder_patient,
        )

    def locations_sharing_providers(self, location_id: str) -> dict[str, frozenset[str]]:
        """Other locations of the same connection where this location's providers work too, with those providers.

        All ids are those of the practice system.
        """
        location = self.location(location_id)
        providers = frozenset(location.providers.values())
        return {
            other.practice_system_id: shared
            for other in self.locations
            if other.id != location.id
            and other.connection == location.connection
            and (shared := providers.intersection(other.providers.values()))
        }


def _look_up(field: str, name: str, values: Mapping[str, Named]) -> Named:
    try:
        return values[name]
    except KeyError:
        raise UnknownName(field, name, values.keys()) from None
