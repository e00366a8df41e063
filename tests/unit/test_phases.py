"""The phases of a booking: the table of transitions, what it refuses, and its diagram in the docs."""

import pytest

from devstack import ROOT
from workflows.booking.phases import NEXT, ImpossibleTransition, Phase, check_transition, diagram

BEGIN, END = "<!-- phases:begin -->", "<!-- phases:end -->"


def test_every_phase_has_a_row_and_can_be_reached() -> None:
    assert set(NEXT) == set(Phase)
    reached, new = {Phase.RESERVING}, {Phase.RESERVING}
    while new:
        new = {after for before in new for after in NEXT[before]} - reached
        reached |= new
    assert reached == set(Phase)


def test_every_phase_leads_to_the_end() -> None:
    ending = {Phase.CLOSED}
    while more := {before for before, afters in NEXT.items() if ending & set(afters)} - ending:
        ending |= more
    assert ending == set(Phase)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, Phase.CONFIRMED),
        (Phase.RESERVING, Phase.CONFIRMED),
        (Phase.CONFIRMED, Phase.RESERVING),
        (Phase.CLEANING_UP, Phase.CONFIRMED),
        (Phase.CLOSED, Phase.CLEANING_UP),
    ],
)
def test_transition_outside_the_table_is_refused(before: Phase | None, after: Phase) -> None:
    with pytest.raises(ImpossibleTransition, match=f"-> {after}"):
        check_transition(before, after)


def test_transitions_of_the_table_are_allowed() -> None:
    check_transition(None, Phase.RESERVING)
    for before, afters in NEXT.items():
        for after in afters:
            check_transition(before, after)


def test_diagram_in_the_docs_is_the_table() -> None:
    """If this fails, paste the output of ``python -m workflows.booking.phases`` between the markers."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert section.strip() == f"```mermaid\n{diagram()}\n```"
