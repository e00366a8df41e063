"""Addresses and charts of patients."""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from domain.base import Value
from domain.text import validate_one_line

_STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA "
    "RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI AA AE AP"
)
STATES = frozenset(_STATES.split())
"""The abbreviations of the United States Postal Service: states, the District, territories and the armed forces."""


def _validate_state(text: str) -> str:
    if text not in STATES:
        raise ValueError('must be the two capital letters of a state, such as "CA"')
    return text


def _validate_postal_code(text: str) -> str:
    if re.fullmatch(r"[0-9]{5}(-[0-9]{4})?", text) is None:
        raise ValueError('must be a ZIP code in digits, such as "94601" or "94601-1234"')
    return text


def _validate_one_line_or_blank(text: str) -> str:
    return validate_one_line(text) if text.strip() else text


Line = Annotated[str, AfterValidator(validate_one_line)]


class Address(Value):
    """A postal address in the United States."""

    line1: Line = Field(max_length=100)
    line2: Annotated[str, AfterValidator(_validate_one_line_or_blank)] | None = Field(default=None, max_length=100)
    city: Line = Field(max_length=60)
    state: Annotated[str, AfterValidator(_validate_state)]
    postal_code: Annotated[str, AfterValidator(_validate_postal_code)]


class ChartStatus(StrEnum):
    """What the practice system says about a chart."""

    ACTIVE = "active"
    NEW = "new"
    INACTIVE = "inactive"
    NON_PATIENT = "non_patient"
    DUPLICATE = "duplicate"
    """The chart was merged into another chart."""


UNREADABLE_CHART = "unreadable"
"""Stands for the id of a chart whose id is unreadable."""


UNBOOKABLE = frozenset({ChartStatus.INACTIVE, ChartStatus.NON_PATIENT, ChartStatus.DUPLICATE})
"""Nobody is booked on a chart with one of these statuses, unless staff say so."""


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
    unreadable: str | None = None
    """The practice system's name of a field that cannot be read. Such a chart may be anybody's."""
