"""People, as the request gives them and as the practice system's charts hold them."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from domain.base import Value
from domain.text import one_line


def _if_any(text: str) -> str:
    return one_line(text) if text.strip() else text


Line = Annotated[str, AfterValidator(one_line)]


class Address(Value):
    line1: Line = Field(max_length=100)
    line2: Annotated[str, AfterValidator(_if_any)] | None = Field(default=None, max_length=100)
    city: Line = Field(max_length=60)
    state: str = Field(pattern=r"^[A-Z]{2}$")
    postal_code: str = Field(pattern=r"^\d{5}(-\d{4})?$")


class ChartStatus(StrEnum):
    ACTIVE = "active"
    NEW = "new"
    INACTIVE = "inactive"
    NON_PATIENT = "non_patient"
    DUPLICATE = "duplicate"


class Chart(Value):
    """One patient record in the practice system."""

    id: str
    first_name: str = Field(repr=False)
    last_name: str = Field(repr=False)
    preferred_name: str | None = Field(default=None, repr=False)
    name_suffix: str | None = Field(default=None, repr=False)
    date_of_birth: date | None = Field(default=None, repr=False)
    email: str | None = Field(default=None, repr=False)
    phones: tuple[str, ...] = Field(default=(), repr=False)
    """As stored, in any form."""
    status: ChartStatus = ChartStatus.ACTIVE
    location: str | None = None
    """Preferred location, practice-system id."""
    duplicate_of: str | None = None
