"""What an endpoint handler receives, and the declaration of an endpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.nexhealth.envelope import Reply, missing_parameter
from sandbox.nexhealth.parameters import Parameters
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row


@dataclass(frozen=True)
class ApiCall:
    params: Parameters
    path_ids: dict[str, int]
    body: Row
    authorization: str
    """The header."""
    optional_institution: Row | None
    """The institution that the ``subdomain`` parameter names."""
    optional_location: Row | None
    """The location that the ``location_id`` parameter names."""

    @property
    def institution(self) -> Row:
        """Only for endpoints that require ``subdomain``."""
        assert self.optional_institution is not None
        return self.optional_institution

    @property
    def location(self) -> Row:
        """Only for endpoints that require ``subdomain`` and ``location_id``."""
        assert self.optional_location is not None
        return self.optional_location

    def body_part(self, name: str) -> Row:
        """An object in the body, such as ``appt``. Raises ErrorResponse 400 if it is missing."""
        part = self.body.get(name)
        if not isinstance(part, dict):
            raise missing_parameter(name)
        return part


@dataclass(frozen=True)
class Endpoint:
    """Query parameters that are neither required nor optional are ignored, and the answer says so."""

    method: str
    path: str
    handler: Callable[[NexHealth, ApiCall], Reply]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    needs_token: bool = True


def check_required(fields: Row, names: tuple[str, ...], prefix: str) -> None:
    """Raises ErrorResponse 400 for the first field that is missing or blank. ``prefix`` is the object's name."""
    for name in names:
        if fields.get(name) in (None, ""):
            raise missing_parameter(f"{prefix}[{name}]")


def parse_id(value: Any) -> int:
    """An id in a request body. Raises ValueError if it cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("id")
    return int(value)
