"""What is read out of the sandbox's state of an office behind NexHealth, before anybody judges it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Person
from tests.faults.evidence import leaks
from tests.faults.nexhealth import SIGHTINGS, NexHealth

REF = "bk_" + "a" * 26
BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)
NINE = BEGIN + timedelta(days=7)


def at(second: float) -> str:
    return (BEGIN + timedelta(seconds=second)).isoformat()


def row(number: int, **more: Any) -> dict[str, Any]:
    plain = {"id": number, "location": 101, "provider": 201, "operatory": 301, "patient": 1, "block": None}
    times = {"start": NINE.isoformat(), "end": (NINE + timedelta(minutes=30)).isoformat()}
    gone = {"cancelled": False, "missed": False}
    return {**plain, **times, **gone, "nex_id": None, "note": "", **more}


OURS, THEIRS = row(2, nex_id=1_000_002, note=f"ref:{REF}"), row(1)


def office(cycle: float, ours: dict[str, Any] = OURS, looked: tuple[float, ...] = (3, 4)) -> dict[str, Any]:
    """The desk books at 1, ours lands at 2; we look at it and read the day back at ``looked``; the copy is read at
    ``cycle``."""
    log = [
        {"at": at(1), "clientName": "desk", "operation": "SAVE", "kind": "appointments", "payload": THEIRS},
        {"at": at(2), "clientName": "nexhealth", "operation": "SAVE", "kind": "appointments", "payload": ours},
    ]
    reads = [("item", 1_000_002), ("list", 101)]
    readings = [{"at": at(cycle), "what": "cycle", "id": 101}]
    readings += [{"at": at(t), "what": what, "id": n} for t, (what, n) in zip(looked, reads, strict=False)]
    rows = {"appointments": [THEIRS, ours], "log": log}
    nex = {"office": rows, "readings": readings, "appointments": [], "queue": [], "deliveries": []}
    return {"nexhealth": nex, "hits": []}


@pytest.mark.parametrize(
    ("state", "unseen"),
    [
        (office(cycle=5), True),
        (office(cycle=3.5), False),
        (office(cycle=5, looked=()), False),
        (office(cycle=5, ours=OURS | {"operatory": 302, "provider": 202}), False),
    ],
    ids=["copied after we read", "copied before we read", "never read back", "not in the way"],
)
def test_only_what_no_reading_could_show_counts_as_unseen(state: dict[str, Any], unseen: bool) -> None:
    assert [change.unseen for change in NexHealth(0).changes(state)] == [False, unseen]


def test_a_change_that_followed_no_reading_of_the_desks_is_unseen() -> None:
    state = office(cycle=3.5)
    log = state["nexhealth"]["office"]["log"]
    log += [
        {"at": at(second), "clientName": who, "operation": "SAVE", "kind": "appointments", "payload": OURS | changed}
        for second, who, changed in ((5, "desk", {"operatory": 302}), (20, "nexhealth", {"cancelled": True}))
    ]
    assert NexHealth(0).changes(state)[-1].unseen
    state["nexhealth"]["readings"] += [
        {"at": at(6), "what": "cycle", "id": 101},
        {"at": at(7), "what": "item", "id": 1_000_002},
    ]
    assert not NexHealth(0).changes(state)[-1].unseen


def test_a_landing_after_the_end_that_was_taken_back_is_counted() -> None:
    state = office(cycle=5, ours=OURS | {"cancelled": True})
    late, early = ({REF: BEGIN + timedelta(seconds=second)} for second in (1, 3))
    assert NexHealth(0).seen(state, late)[SIGHTINGS[3]] == 1
    assert NexHealth(0).seen(state, early)[SIGHTINGS[3]] == 0


def test_what_waits_at_the_partner_is_on_its_way() -> None:
    state = office(cycle=5)
    waiting = {"id": 1_000_003, "note": f"ref:{REF}", "foreign_id": None, "cancelled": False}
    state["nexhealth"]["appointments"] = [waiting]
    assert NexHealth(0).on_its_way(state) == [REF]
    state["nexhealth"]["appointments"] = [waiting | {"cancelled": True}]
    assert NexHealth(0).on_its_way(state) == []


@pytest.mark.parametrize("trace", Person(3).canaries)
def test_every_trace_of_a_person_is_found_wherever_it_is_written(trace: str, tmp_path: Path) -> None:
    (tmp_path / "worker0.log").write_text(f'{{"event": "booked for {trace}"}}')
    (tmp_path / "temporal.db").write_bytes(b"nothing")
    (tmp_path / "sandbox.db").write_text(trace)
    assert list(leaks(tmp_path, [Person(3)])) == ["worker0.log"]
