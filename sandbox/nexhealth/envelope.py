"""The JSON envelope around every answer of NexHealth, and the texts of its errors."""

from dataclasses import dataclass
from typing import Any

from sandbox.errors import ErrorResponse
from sandbox.store import Row

AUTHENTICATION_EXPIRED = "Invalid token or token has expired"
NO_ACCESS = "You don't have access to perform this action."
NOT_SYNCED = "Cannot update appointment because it is not synced with the PMS and/or a live client"
ALREADY_CANCELLED = "Cannot update already cancelled appointment"
SLOT_TAKEN = "this time is no longer available"
TYPE_NOT_CONFIGURED = "appointment_type_id was not found to be configured for the requested slot"


@dataclass(frozen=True)
class Reply:
    """A successful answer. Lists that are read by cursor have ``page_info`` instead of a ``count``."""

    data: Any
    status: int = 200
    page_info: Row | None = None
    description: str | None = None

    def body(self, ignored_parameters: list[str]) -> Row:
        description = self.description
        if ignored_parameters:
            description = f"Note that following parameters are ignored: {', '.join(ignored_parameters)}."
        body = {"code": True, "description": description, "error": None, "data": self.data}
        if self.page_info is not None:
            return {**body, "page_info": self.page_info}
        return {**body, "count": len(self.data) if isinstance(self.data, list) else 1}


def api_error(status: int, text: str) -> ErrorResponse:
    return ErrorResponse(status, {"code": False, "description": None, "error": [text], "data": None})


def missing_parameter(name: str) -> ErrorResponse:
    return api_error(400, f"Missing parameter {name}")


def invalid_parameter(name: str) -> ErrorResponse:
    return api_error(400, f"{name} is invalid")


def not_found(resource: str) -> ErrorResponse:
    return api_error(404, f"{resource} not found")


def public_fields(row: Row) -> Row:
    """The row without the sandbox's own fields, whose names start with an underscore."""
    return {key: value for key, value in row.items() if not key.startswith("_")}
