"""A practice as its file describes it, every rule resolved."""

import difflib
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.patient import Address
from domain.policy import BookingPolicy, EmailContent, LandingPolicy
from domain.quiet_hours import NEVER, QuietHours
from domain.rules import ServiceRule

Found = TypeVar("Found")


class UnknownName(ValueError):
    """A name the practice file does not have; the text names the field and what is allowed."""

    def __init__(self, field: str, value: str, allowed: Collection[str]) -> None:
        near = difflib.get_close_matches(value, allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        super().__init__(f"{field}: unknown; allowed: {', '.join(sorted(allowed)) or 'none'}{hint}")
        self.field = field


class Connection(Value):
    """One account with a practice system."""

    name: str
    system: str
    """What runs in the office."""
    kind: str = "ascend"
    """Through whom it is reached: ``ascend`` (directly) or ``nexhealth``."""
    confirmed_status: str = "CONFIRMED"
    requests_per_second: float = 8
    page_size: int = 500
    longest_appointment: timedelta = timedelta(hours=12)
    consistency_delay: timedelta = timedelta(seconds=3)
    resend_after: timedelta = timedelta(seconds=3)
    """A write of which it is not known what became is looked for so long before it is written again."""
    landing: LandingPolicy = LandingPolicy()
    late_commit: timedelta = timedelta(seconds=60)


class Location(Value):
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
    quiet_hours: QuietHours = NEVER
    """On the location's clock: patients are sent no text message then, unless they have just asked for the answer."""
    providers: Mapping[str, str]
    """Our name → the practice system's id."""
    operatories: Mapping[str, str]

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def provider_id(self, key: str) -> str:
        return _found("provider", key, self.providers)

    def operatory_id(self, key: str) -> str:
        return _found("operatory", key, self.operatories)


class Service(Value):
    rule: ServiceRule
    staff_deadline: timedelta


class Practice(Value):
    name: str
    version: str
    """Short hash of the content: which rules a booking was offered under."""
    connections: tuple[Connection, ...]
    locations: tuple[Location, ...]
    services: Mapping[str, Mapping[str, Service]]
    """Location id → service id → service."""

    def location(self, location: str) -> Location:
        return _found("location", location, {place.id: place for place in self.locations})

    def connection(self, name: str) -> Connection:
        return _found("connection", name, {connection.name: connection for connection in self.connections})

    def service(self, location: str, service: str) -> Service:
        self.location(location)
        return _found("service", service, self.services[location])

    def rule(self, location: str, service: str) -> ServiceRule:
        return self.service(location, service).rule

    def policy(self, location: str, service: str) -> BookingPolicy:
        """What a booking of this service carries along. Raises UnknownName."""
        place, found = self.location(location), self.service(location, service)
        rule = found.rule
        return BookingPolicy(
            rules_version=self.version,
            location=place.id,
            service=rule.service,
            label=rule.label,
            connection=place.connection,
            late_commit=self.connection(place.connection).late_commit,
            zone=place.time_zone,
            duration=rule.duration,
            call_only=rule.call_only,
            confirmation=rule.confirmation,
            hold_expiry=rule.hold_expiry,
            staff_deadline=found.staff_deadline,
            new_patients=rule.new_patients,
            existing_patients=rule.existing_patients,
            landing=self.connection(place.connection).landing,
            placeholder_patient=place.placeholder_patient,
        )

    def sharing_providers(self, location: str) -> tuple[str, ...]:
        """Practice-system ids of other locations on the same connection where this location's providers work too."""
        here = self.location(location)
        ours = set(here.providers.values())
        return tuple(
            other.practice_system_id
            for other in self.locations
            if other.id != here.id and other.connection == here.connection and ours & set(other.providers.values())
        )


def _found(field: str, key: str, among: Mapping[str, Found]) -> Found:
    try:
        return among[key]
    except KeyError:
        raise UnknownName(field, key, among.keys()) from None
