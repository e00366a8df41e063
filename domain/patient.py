"""Addresses and charts of patients."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from domain.base import Value
from domain.text import validate_one_line


def _validate_one_line_or_blank(text: str) -> str:
    return validate_one_line(text) if text.strip() else text


Line = Annotated[str, AfterValidator(validate_one_line)]


class Address(Value):
    """A postal address in the United States."""

    line1: Line = Field(max_length=100)
    line2: Annotated[str, AfterValidator(_validate_one_line_or_blank)] | None = Field(default=None, max_length=100)
    city: Line = Field(max_length=60)
    state: str = Field(pattern=r"^[A-Z]{2}$")
    postal_code: str = Field(pattern=r"^\d{5}(-\d{4})?$")


class ChartStatus(StrEnum):
    """What the practice system says about a chart."""

    ACTIVE = "active"
    NEW = "new"
    INACTIVE = "inactive"
    NON_PATIENT = "non_patient"
    DUPLICATE = "duplicate"
    """The chart was merged into another chart."""


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
    """As the practice system stores them, in any format."""
    status: ChartStatus = ChartStatus.ACTIVE
    location: str | None = None
    """The practice system's id of the preferred location."""
    duplicate_of: str | None = None
    """The id of the chart into which this one was merged."""
