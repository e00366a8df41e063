"""The port to a practice system, and the values that cross it."""

from adapters.practice_system.port import (
    AppointmentWriter,
    CalendarReader,
    Diagnostics,
    PatientRecords,
    PracticeSystem,
)
from adapters.practice_system.values import (
    NOWHERE,
    Capabilities,
    Hold,
    Inactive,
    LocationRecord,
    NewChart,
    OperatoryRecord,
    PatientQuery,
    ProviderRecord,
    ReferenceData,
    ReleaseOutcome,
    SendPermit,
    UnreadableRow,
)

__all__ = [
    "NOWHERE",
    "AppointmentWriter",
    "CalendarReader",
    "Capabilities",
    "Diagnostics",
    "Hold",
    "Inactive",
    "LocationRecord",
    "NewChart",
    "OperatoryRecord",
    "PatientQuery",
    "PatientRecords",
    "PracticeSystem",
    "ProviderRecord",
    "ReferenceData",
    "ReleaseOutcome",
    "SendPermit",
    "UnreadableRow",
]
