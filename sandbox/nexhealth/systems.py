"""What the Synchronizer supports with each practice system, from NexHealth's support table."""

from dataclasses import dataclass

BLOCK_CAUSES = ("block", "lunch", "holiday", "closed")
"""Why time in the office's calendar is blocked: by hand, for lunch, for a holiday, or a closed operatory column."""


@dataclass(frozen=True)
class PracticeSystem:
    """The fields are the ``cells`` of ``POST /_control/office``."""

    name: str
    display: str
    kind: str = "onprem"
    reschedules: bool = True
    """Whether an appointment can be moved in place."""
    insertion_webhook: bool = True
    """Whether a webhook says what became of a new appointment."""
    synced_hours: bool = True
    """Whether working hours are read from the office; else they are entered at NexHealth by hand."""
    reads_blocks: frozenset[str] = frozenset(BLOCK_CAUSES)
    reads_notes: bool = True
    descriptors: bool = True
    """Whether procedure codes and other descriptors are read."""
    overlap: bool = True
    """Whether the system lets two appointments share an operatory. NexHealth does not document this for any."""


SYSTEMS = {
    system.name: system
    for system in (
        PracticeSystem("dentrix", "Dentrix", synced_hours=False, reads_blocks=frozenset(["block", "lunch", "holiday"])),
        PracticeSystem(
            "dentrixenterprise",
            "Dentrix Enterprise",
            insertion_webhook=False,
            reads_blocks=frozenset(["block", "holiday", "closed"]),
        ),
        PracticeSystem("eaglesoft", "Eaglesoft", overlap=False),
        PracticeSystem(
            "dentrixascend",
            "Dentrix Ascend",
            kind="cloud",
            reschedules=False,
            synced_hours=False,
            reads_blocks=frozenset(["block"]),
            reads_notes=False,
            descriptors=False,
        ),
        PracticeSystem("opendental", "Open Dental", reads_blocks=frozenset(["block", "lunch", "holiday"])),
    )
}
