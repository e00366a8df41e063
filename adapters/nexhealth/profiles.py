"""What each practice system can do through NexHealth: the vendor's own support table, as data.

Where the table does not say, or says that a thing works in part, we act as if it did not work.
"""

from enum import StrEnum

from adapters.practice_system import Capabilities
from domain.base import Value

SENDS_AT_MOST = 2
"""What was lost may be sent again once."""


class Support(StrEnum):
    YES = "yes"
    NO = "no"
    PARTLY = "partly"
    UNKNOWN = "unknown"


class Profile(Value):
    """One column of the table."""

    system: str
    name: str
    versions: str
    reported_as: frozenset[str]
    """What NexHealth calls the system, in small letters and digits only; Enterprise has no name of its own."""
    books: Support
    cancels: Support
    confirms: Support
    moves: Support
    """Start, end, operatory and note can be changed in place; never the provider or the patient."""
    tells_landing: Support
    """Where it does not, looking shows it; we look everywhere, since news may be lost."""
    syncs_hours: Support
    lunch_blocks: Support
    """Where they are not seen, the practice file's hours must leave lunch out; so with holidays."""
    holidays: Support
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
            sends_at_most=SENDS_AT_MOST,
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
    "tells_landing": (_YES, _NO, _YES, _YES, _YES),
    "syncs_hours": (_NO, _YES, _NO, _YES, _YES),
    "lunch_blocks": (_YES, _UNKNOWN, _NO, _YES, _YES),
    "holidays": (_YES, _YES, _NO, _YES, _YES),
    "closed_operatories": (_NO, _YES, _NO, _YES, _NO),
    "reads_notes": (_YES, _YES, _NO, _YES, _YES),
    "descriptors": (_YES, _YES, _PARTLY, _YES, _YES),
    "recalls": (_YES, _YES, _YES, _YES, _YES),
}

PROFILES = {
    system: Profile(
        system=system,
        name=name,
        versions=versions,
        reported_as=reported_as,
        **{row: cells[column] for row, cells in _TABLE.items()},
    )
    for column, (system, name, versions, reported_as) in enumerate(_SYSTEMS)
}
