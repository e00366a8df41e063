"""What the probe reads from the sandbox's state of an office behind NexHealth, and what counts as a data leak."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Person
from tests.faults.evidence_collector import find_leaking_files
from tests.faults.nexhealth_probe import LATE_LANDING_RELEASED, NexHealthProbe

REFERENCE = "bk_" + "a" * 26
RUN_START = datetime(2026, 11, 24, 12, tzinfo=UTC)
NINE = RUN_START + timedelta(days=7)


def at(second: float) -> str:
    return (RUN_START + timedelta(seconds=second)).isoformat()


def appointment_row(number: int, **fields: Any) -> dict[str, Any]:
    ids = {"id": number, "location": 101, "provider": 201, "operatory": 301, "patient": 1, "block": None}
    times = {"start": NINE.isoformat(), "end": (NINE + timedelta(minutes=30)).isoformat()}
    flags = {"cancelled": False, "missed": False}
    return {**ids, **times, **flags, "nex_id": None, "note": "", **fields}


OURS, DESKS = appointment_row(2, nex_id=1_000_002, note=f"ref:{REFERENCE}"), appointment_row(1)


def sandbox_state(
    copied_at: float, ours: dict[str, Any] = OURS, our_reads: tuple[float, ...] = (3, 4)
) -> dict[str, Any]:
    """The desk books at second 1, and our write lands at second 2.

    We check the landing and read the calendar back at ``our_reads``. NexHealth copies the office at ``copied_at``.
    """
    log = [
        {"at": at(1), "clientName": "desk", "operation": "SAVE", "kind": "appointments", "payload": DESKS},
        {"at": at(2), "clientName": "nexhealth", "operation": "SAVE", "kind": "appointments", "payload": ours},
    ]
    reads = [("item", 1_000_002), ("list", 101)]
    readings = [{"at": at(copied_at), "what": "cycle", "id": 101}]
    readings += [{"at": at(t), "what": what, "id": n} for t, (what, n) in zip(our_reads, reads, strict=False)]
    office = {"appointments": [DESKS, ours], "log": log}
    nexhealth = {"office": office, "readings": readings, "appointments": [], "queue": [], "deliveries": []}
    return {"nexhealth": nexhealth, "hits": []}


@pytest.mark.parametrize(
    ("state", "unseen"),
    [
        (sandbox_state(copied_at=5), True),
        (sandbox_state(copied_at=3.5), False),
        (sandbox_state(copied_at=5, our_reads=()), False),
        (sandbox_state(copied_at=5, ours=OURS | {"operatory": 302, "provider": 202}), False),
    ],
    ids=["copied after our read-back", "copied before our read-back", "never read back", "no conflict"],
)
def test_desk_edit_is_unseen_only_if_no_read_could_show_it(state: dict[str, Any], unseen: bool) -> None:
    assert [change.over_unseen_edit for change in NexHealthProbe(0).changes(state)] == [False, unseen]


def test_update_without_a_read_of_the_desks_edit_is_over_an_unseen_edit() -> None:
    state = sandbox_state(copied_at=3.5)
    log = state["nexhealth"]["office"]["log"]
    log += [
        {"at": at(second), "clientName": author, "operation": "SAVE", "kind": "appointments", "payload": OURS | fields}
        for second, author, fields in ((5, "desk", {"operatory": 302}), (20, "nexhealth", {"cancelled": True}))
    ]
    assert NexHealthProbe(0).changes(state)[-1].over_unseen_edit
    state["nexhealth"]["readings"] += [
        {"at": at(6), "what": "cycle", "id": 101},
        {"at": at(7), "what": "item", "id": 1_000_002},
    ]
    assert not NexHealthProbe(0).changes(state)[-1].over_unseen_edit


def test_released_landing_after_the_end_of_its_booking_is_counted() -> None:
    state = sandbox_state(copied_at=5, ours=OURS | {"cancelled": True})
    ended_before, ended_after = ({REFERENCE: RUN_START + timedelta(seconds=second)} for second in (1, 3))
    assert NexHealthProbe(0).count_coverage(state, ended_before)[LATE_LANDING_RELEASED] == 1
    assert NexHealthProbe(0).count_coverage(state, ended_after)[LATE_LANDING_RELEASED] == 0


def test_write_that_has_not_landed_is_in_flight_unless_cancelled() -> None:
    state = sandbox_state(copied_at=5)
    not_landed = {"id": 1_000_003, "note": f"ref:{REFERENCE}", "foreign_id": None, "cancelled": False}
    state["nexhealth"]["appointments"] = [not_landed]
    assert NexHealthProbe(0).in_flight_references(state) == [REFERENCE]
    state["nexhealth"]["appointments"] = [not_landed | {"cancelled": True}]
    assert NexHealthProbe(0).in_flight_references(state) == []


@pytest.mark.parametrize("canary", Person(3).canaries)
def test_canary_is_found_in_every_file_but_the_sandboxs(canary: str, tmp_path: Path) -> None:
    (tmp_path / "worker0.log").write_text(f'{{"event": "booked for {canary}"}}')
    (tmp_path / "temporal.db").write_bytes(b"nothing")
    (tmp_path / "sandbox.db").write_text(canary)
    assert list(find_leaking_files(tmp_path, [Person(3)])) == ["worker0.log"]
