"""What the Synchronizer can do with each practice system, as the vendor's support table has it."""

from dataclasses import dataclass

BLOCKS = ("block", "lunch", "holiday", "closed")
"""Why time in the office's calendar is blocked: by hand, for lunch, for a holiday, a closed operatory column."""


@dataclass(frozen=True)
class System:
    """``overlap``: whether the program itself lets two visits share an operatory; NexHealth documents this for none."""

    name: str
    display: str
    kind: str = "onprem"
    reschedules: bool = True
    insertion_webhook: bool = True
    synced_hours: bool = True
    reads_blocks: frozenset[str] = frozenset(BLOCKS)
    reads_notes: bool = True
    descriptors: bool = True
    overlap: bool = True


SYSTEMS = {
    system.name: system
    for system in (
        System("dentrix", "Dentrix", synced_hours=False, reads_blocks=frozenset(["block", "lunch", "holiday"])),
        System(
            "dentrixenterprise",
            "Dentrix Enterprise",
            insertion_webhook=False,
            reads_blocks=frozenset(["block", "holiday", "closed"]),
        ),
        System("eaglesoft", "Eaglesoft", overlap=False),
        System(
            "dentrixascend",
            "Dentrix Ascend",
            kind="cloud",
            reschedules=False,
            synced_hours=False,
            reads_blocks=frozenset(["block"]),
            reads_notes=False,
            descriptors=False,
        ),
        System("opendental", "Open Dental", reads_blocks=frozenset(["block", "lunch", "holiday"])),
    )
}
