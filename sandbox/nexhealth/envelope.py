"""How every answer is wrapped, and the texts of refusal."""

from dataclasses import dataclass
from typing import Any

from sandbox.ascend import Answer
from sandbox.store import Row

EXPIRED = "Invalid token or token has expired"
NO_ACCESS = "You don't have access to perform this action."
NOT_SYNCED = "Cannot update appointment because it is not synced with the PMS and/or a live client"
ALREADY_CANCELLED = "Cannot update already cancelled appointment"
TAKEN = "this time is no longer available"
WRONG_TYPE = "appointment_type_id was not found to be configured for the requested slot"


@dataclass(frozen=True)
class Reply:
    """``page`` stands in place of ``count`` on lists that are read by cursor."""

    data: Any
    status: int = 200
    page: Row | None = None
    description: str | None = None

    def body(self, ignored: list[str]) -> Row:
        note = f"Note that following parameters are ignored: {', '.join(ignored)}." if ignored else self.description
        wrapped = {"code": True, "description": note, "error": None, "data": self.data}
        if self.page is not None:
            return {**wrapped, "page_info": self.page}
        return {**wrapped, "count": len(self.data) if isinstance(self.data, list) else 1}


def refusal(status: int, text: str) -> Answer:
    return Answer(status, {"code": False, "description": None, "error": [text], "data": None})


def missing(name: str) -> Answer:
    return refusal(400, f"Missing parameter {name}")


def invalid(name: str) -> Answer:
    return refusal(400, f"{name} is invalid")


def not_found(what: str) -> Answer:
    return refusal(404, f"{what} not found")


def shown(row: Row) -> Row:
    """Without what only the sandbox knows."""
    return {key: value for key, value in row.items() if not key.startswith("_")}
