"""The morning's cast. All invented; each has contact details of their own, by which messages are counted."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cast:
    first: str
    last: str
    born: str
    email: str
    phone: str
    """Ten digits, from the range that is kept for fiction."""

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.first, self.last, self.born

    def person(self) -> dict[str, Any]:
        return {
            "first_name": self.first,
            "last_name": self.last,
            "date_of_birth": self.born,
            "email": self.email,
            "mobile": f"+1{self.phone}",
        }


def cast(first: str, last: str, born: str, number: int, email: str | None = None) -> Cast:
    address = email or f"{first.lower()}.{last.lower()}@patients.example"
    return Cast(first, last, born, address, f"51055501{number:02}")


REGULAR = cast("Tessa", "Regularly", "1980-01-15", 11)
NOVA = cast("Nova", "Newcomer", "1991-04-02", 21)
RIVAL_ONE = cast("Reed", "Rivalston", "1975-06-30", 12)
RIVAL_TWO = cast("Sage", "Contendly", "1990-09-09", 13)
LATECOMER = cast("Linus", "Tardywick", "1984-02-29", 14)
TWIN = cast("Lark", "Mirrorton", "2015-05-05", 15, "mirrorton@patients.example")
OTHER_TWIN = cast("Lyle", "Mirrorton", "2015-05-05", 15, "mirrorton@patients.example")
STRANGER = cast("Mira", "Nowhereson", "1969-07-20", 16)
FATHER = cast("Rufus", "Housely", "1982-02-02", 17, "housely@patients.example")
DAUGHTER = cast("Robin", "Housely", "2012-12-12", 17, "housely@patients.example")
NOTED = cast("Odette", "Notewell", "1977-11-11", 18)
CALLER = cast("Ring", "Dialston", "1993-03-03", 19)
EARLY = cast("Dawn", "Earlybird", "1986-06-06", 20)
TWICE = cast("Echo", "Repeatley", "1995-05-15", 22)
STORMY = cast("Gale", "Stormfield", "1979-09-19", 32)
HANGING = cast("Mina", "Hangwright", "1983-08-13", 24)
EXAMINEE = cast("Iris", "Examwood", "1988-12-24", 25)
EVERYWHERE = cast("Skye", "Fourways", "1992-08-18", 27)
REFUSED = cast("Ruby", "Turnaway", "1981-03-30", 28)
TIMED_OUT = cast("Toby", "Waitwell", "1974-10-04", 29)
NIGHT_OWL = cast("Olga", "Nightingley", "1989-01-21", 30)
OVERTAKEN = cast("Otto", "Secondsworth", "1996-07-07", 31)
LOST = cast("Atlas", "Lostham", "1990-10-10", 26)

KNOWN = {
    "oakland": (REGULAR, LATECOMER, TWIN, OTHER_TWIN, NOTED, EXAMINEE, CALLER, EARLY),
    "denver": (RIVAL_ONE, STORMY, HANGING),
    "brooklyn": (RIVAL_TWO, FATHER),
}
"""Who has a chart before the morning begins."""
