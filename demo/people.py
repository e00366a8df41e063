"""The patients of the demo. All are invented, and each has own contact details, so that messages can be counted."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DemoPatient:
    first: str
    last: str
    born: str
    email: str
    phone: str
    """Ten digits, from the range of numbers that is reserved for fiction."""

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.first, self.last, self.born

    def request_fields(self) -> dict[str, Any]:
        """The ``patient`` part of a booking request."""
        return {
            "first_name": self.first,
            "last_name": self.last,
            "date_of_birth": self.born,
            "email": self.email,
            "mobile": f"+1{self.phone}",
        }


def _patient(first: str, last: str, born: str, number: int, email: str | None = None) -> DemoPatient:
    """``number`` is the end of the phone number."""
    address = email or f"{first.lower()}.{last.lower()}@patients.example"
    return DemoPatient(first, last, born, address, f"51055501{number:02}")


REGULAR = _patient("Tessa", "Regularly", "1980-01-15", 11)
NEWCOMER = _patient("Nova", "Newcomer", "1991-04-02", 21)
FIRST_COMPETITOR = _patient("Reed", "Rivalston", "1975-06-30", 12)
SECOND_COMPETITOR = _patient("Sage", "Contendly", "1990-09-09", 13)
LATECOMER = _patient("Linus", "Tardywick", "1984-02-29", 14)
TWIN = _patient("Lark", "Mirrorton", "2015-05-05", 15, "mirrorton@patients.example")
OTHER_TWIN = _patient("Lyle", "Mirrorton", "2015-05-05", 15, "mirrorton@patients.example")
WITHOUT_CHART = _patient("Mira", "Nowhereson", "1969-07-20", 16)
FATHER = _patient("Rufus", "Housely", "1982-02-02", 17, "housely@patients.example")
DAUGHTER = _patient("Robin", "Housely", "2012-12-12", 17, "housely@patients.example")
WITH_NOTE = _patient("Odette", "Notewell", "1977-11-11", 18)
FOR_CALL_ONLY = _patient("Ring", "Dialston", "1993-03-03", 19)
TOO_EARLY = _patient("Dawn", "Earlybird", "1986-06-06", 20)
DOUBLE_CLICKER = _patient("Echo", "Repeatley", "1995-05-15", 22)
DURING_OUTAGE = _patient("Gale", "Stormfield", "1979-09-19", 32)
LOST_RESPONSE = _patient("Mina", "Hangwright", "1983-08-13", 24)
FOR_EXAM = _patient("Iris", "Examwood", "1988-12-24", 25)
AT_ASCEND = _patient("Skye", "Firstway", "1992-08-18", 27)
AT_DENTRIX = _patient("Blythe", "Otherway", "1987-11-05", 40)
AT_ENTERPRISE = _patient("Cedric", "Thirdway", "1979-02-27", 41)
AT_EAGLESOFT = _patient("Daria", "Fourthway", "1994-06-12", 42)
REFUSED_BY_OFFICE = _patient("Ruby", "Turnaway", "1981-03-30", 28)
OFFICE_NOT_REACHED = _patient("Toby", "Waitwell", "1974-10-04", 29)
OFFICE_OFFLINE = _patient("Olga", "Nightingley", "1989-01-21", 30)
DESK_BOOKED_FIRST = _patient("Otto", "Secondsworth", "1996-07-07", 31)
AT_UNKNOWN_LOCATION = _patient("Atlas", "Lostham", "1990-10-10", 26)

EXISTING_PATIENTS = {
    "oakland": (REGULAR, LATECOMER, TWIN, OTHER_TWIN, WITH_NOTE, FOR_EXAM, FOR_CALL_ONLY, TOO_EARLY),
    "denver": (FIRST_COMPETITOR, DURING_OUTAGE, LOST_RESPONSE),
    "brooklyn": (SECOND_COMPETITOR, FATHER),
}
"""Who has a chart before the morning starts, by location."""
