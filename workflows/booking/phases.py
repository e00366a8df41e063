"""The phases of a booking and the only ways between them.

The diagram in docs/architecture.md is made from ``NEXT``:  ``python -m workflows.booking.phases``
"""

from enum import StrEnum


class Phase(StrEnum):
    RESERVING = "reserving"
    """Match the patient, secure a slot, and write the hold."""
    AWAITING_OFFICE = "awaiting_office"
    """The office system is to take in the hold, or to come back online for the confirmation."""
    WITH_DESK = "with_desk"
    """An exception is open at the front desk."""
    CONFIRMING = "confirming"
    """Make the hold final in the practice system."""
    CONFIRMED = "confirmed"
    """The patient has the appointment. Follow the visit to its end."""
    CLEANING_UP = "cleaning_up"
    """The booking was declined or cancelled. Release everything that it wrote."""
    CLOSED = "closed"
    """Nothing is left to do."""


NEXT: dict[Phase, tuple[Phase, ...]] = {
    Phase.RESERVING: (Phase.AWAITING_OFFICE, Phase.WITH_DESK, Phase.CONFIRMING, Phase.CLEANING_UP),
    Phase.AWAITING_OFFICE: (Phase.RESERVING, Phase.AWAITING_OFFICE, Phase.WITH_DESK, Phase.CLEANING_UP),
    Phase.WITH_DESK: (Phase.RESERVING, Phase.AWAITING_OFFICE, Phase.WITH_DESK, Phase.CLEANING_UP),
    Phase.CONFIRMING: (
        Phase.RESERVING,
        Phase.AWAITING_OFFICE,
        Phase.WITH_DESK,
        Phase.CONFIRMED,
        Phase.CLEANING_UP,
    ),
    Phase.CONFIRMED: (Phase.CONFIRMED, Phase.CLEANING_UP, Phase.CLOSED),
    Phase.CLEANING_UP: (Phase.CLEANING_UP, Phase.CLOSED),
    Phase.CLOSED: (),
}
"""A phase follows itself when it has to be tried again: another exception, a hold that is gone, a refused release."""


class ImpossibleTransition(Exception):
    """A defect in this code. The workflow task fails, and is retried until a corrected worker runs."""


def check_transition(before: Phase | None, after: Phase) -> None:
    """Raises ImpossibleTransition. ``before`` is ``None`` at the start."""
    if after not in (NEXT[before] if before is not None else (Phase.RESERVING,)):
        raise ImpossibleTransition(f"{before} -> {after}")


def diagram() -> str:
    """The phases as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> reserving"]
    lines += [f"    {before} --> {after}" for before, afters in NEXT.items() for after in afters]
    lines += [f"    {Phase.CLOSED} --> [*]"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())
