"""What each practice system can do through NexHealth: the vendor's own support table, as data.

If the table does not say, or says that something works only in part, we act as if it did not work.
"""

from enum import StrEnum

from adapters.practice_system import Capabilities
from domain.base import Value

MAX_SENDS = 2
"""A write whose answer was lost may be sent once more."""


class Support(StrEnum):
    YES = "yes"
    NO = "no"
    PARTLY = "partly"
    UNKNOWN = "unknown"


class Profile(Value):
    """One column of the support table."""

    system: str
    name: str
    versions: str
    reported_names: frozenset[str]
    """What NexHealth calls the system, in lowercase letters and digits only. It has no name of its own for Dentrix
    Enterprise."""
    books: Support
    cancels: Support
    confirms: Support
    moves: Support
    """Start, end, operatory and note can be changed in place; the provider and the patient never."""
    landing_event: Support
    """NexHealth tells us when a write has landed. Reading the appointment shows it too, and we do that everywhere,
    because events may be lost."""
    syncs_hours: Support
    """The office's working hours can be read."""
    lunch_blocks: Support
    """Lunch can be read as closed time. Otherwise the hours in the practice file must leave it out."""
    holidays: Support
    """Holidays can be read as closed time. Otherwise the practice file must list them."""
    closed_operatories: Support
    reads_notes: Support
    descriptors: Support
    """The practice system's own appointment types and procedure codes can be attached."""
    recalls: Support

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            system=self.system,
            queued_writes=True,
            moves_in_place=self.moves is Support.YES,
            moves_provider=False,
            reads_notes=self.reads_notes is Support.YES,
            syncs_hours=self.syncs_hours is Support.YES,
            attaches_procedures=self.descriptors is Support.YES,
            books_for_dependents=True,
            max_sends=MAX_SENDS,
        )


_YES, _NO, _PARTLY, _UNKNOWN = Support.YES, Support.NO, Support.PARTLY, Support.UNKNOWN
_SYSTEMS = (
    ("dentrix", "Dentrix", "server G6.2 or later", frozenset({"dentrix"})),
    ("dentrix-enterprise", "Dentrix Enterprise", "server v8.0.7 or later", frozenset({"dentrix", "dentrixenterprise"})),
    ("ascend", "Dentrix Ascend", "cloud", frozenset({"ascend", "dentrixascend"})),
    ("eaglesoft", "Eaglesoft", "server 18 or later", frozenset({"eaglesoft"})),
    ("open-dental", "Open Dental", "server only, not Open Dental Cloud", frozenset({"opendental"})),
)
_TABLE = {
    "books": (_YES, _YES, _YES, _YES, _YES),
    "cancels": (_YES, _YES, _YES, _YES, _YES),
    "confirms": (_YES, _YES, _YES, _YES, _YES),
    "moves": (_YES, _YES, _NO, _YES, _YES),
    "landing_event": (_YES, _NO, _YES, _YES, _YES),
    "syncs_hours": (_NO, _YES, _NO, _YES, _YES),
    "lunch_blocks": (_YES, _UNKNOWN, _NO, _YES, _YES),
    "holidays": (_YES, _YES, _NO, _YES, _YES),
    "closed_operatories": (_NO, _YES, _NO, _YES, _NO),
    "reads_notes": (_YES, _YES, _NO, _YES, _YES),
    "descriptors": (_YES, _YES, _PARTLY, _YES, _YES),
    "recalls": (_YES, _YES, _YES, _YES, _YES),
}
"""By row of the support table, one cell for each of ``_SYSTEMS``."""

PROFILES = {
    system: Profile(
        system=system,
        name=name,
        versions=versions,
        reported_names=reported_names,
        **{row: cells[column] for row, cells in _TABLE.items()},
    )
    for column, (system, name, versions, reported_names) in enumerate(_SYSTEMS)
}
