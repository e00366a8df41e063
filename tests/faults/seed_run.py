"""Plays one seed, from an empty folder to a result: ``python -m tests.faults.seed_run SEED FOLDER CONNECTION``."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Replayer

from adapters.practice_file import read_practice
from client import DeskClient
from runtime.keys import Keyring
from runtime.plugin import holdfast_plugin
from tests.faults.ascend_probe import AscendProbe
from tests.faults.checker import check
from tests.faults.clients import Clients, Person
from tests.faults.evidence import Evidence, Violation
from tests.faults.evidence_collector import collect_evidence, find_unreplayable
from tests.faults.fault_catalog import AMBIGUOUS_KINDS
from tests.faults.history import OK, History
from tests.faults.ledger_faults import is_postgres
from tests.faults.message_invariants import count_duplicate_messages
from tests.faults.negative_controls import UNGUARDED_WORKER, make_control_plan
from tests.faults.nemesis import Nemesis
from tests.faults.nexhealth_probe import NexHealthProbe
from tests.faults.plan import Plan, make_plan
from tests.faults.practice_probe import PracticeProbe, Row, count_recovered_writes
from tests.faults.quiescence import wait_until_drained, wait_until_settled
from tests.faults.stack import WORKER, FaultStack
from tests.faults.staff_edit_invariants import count_overwritten_unseen_edits
from tests.faults.suspending_worker import SUSPENDING_WORKER
from workflows.booking.workflow import BookingWorkflow

PLUGIN = holdfast_plugin(Keyring({"test": b"holdfast tests, not a secret key"}), "default")
CONNECT_TIMEOUT = 30.0
DAYS_AHEAD = 3


@dataclass
class SeedResult:
    seed: int
    connection: str = ""
    requests: int = 0
    bookings_by_status: dict[str, int] = field(default_factory=dict)
    faults_fired: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    on_postgres: int = 0
    """1 if the ledger was on PostgreSQL, otherwise 0."""
    duplicate_messages: int = 0
    unknown_sends: int = 0
    """Messages whose answer was lost. This many may be duplicated."""
    ambiguous_outcomes: int = 0
    """Writes and sends whose answer was lost."""
    unanswered_writes_found: int = 0
    """Bookings that found the write again whose answer was lost."""
    unanswered_writes_repeated: int = 0
    """Bookings whose write was lost with its answer, and that wrote again."""
    unseen_edits_overwritten: int = 0
    """Desk edits that none of our reads could have shown, and that we wrote over."""
    coverage: dict[str, int] = field(default_factory=dict)
    """How often each situation occurred that a campaign must cover on this connection."""
    settle_seconds: float = 0.0
    harness_failure: str = ""
    """Why the test harness itself failed."""


async def play_seed(seed: int, folder: Path, connection: str = "", removed_guard: str = "") -> SeedResult:
    """Play a seed. ``removed_guard`` makes it a negative control: the workers run without that guard."""
    plan = make_control_plan(seed, connection, removed_guard) if removed_guard else make_plan(seed, connection)
    probe: PracticeProbe = NexHealthProbe(seed) if plan.connection == "nexhealth" else AscendProbe()
    stack = FaultStack(
        folder, probe, plan.worker_count, _worker_command(plan, removed_guard), on_postgres=plan.on_postgres
    )
    (folder / "plan.json").write_text(json.dumps(asdict(plan), indent=1))
    history = History(folder / "history.jsonl")
    replayer = Replayer(workflows=[BookingWorkflow], plugins=[PLUGIN])
    request_ids = [request.request_id for request in plan.requests]
    async with stack.running():
        client, bookings = await _connect(stack)
        await _prepare_sandbox(stack, plan)
        clients = Clients(bookings, history, probe.location, _day_under_test(), plan.people_without_consent)
        nemesis = Nemesis(stack, clients)
        await asyncio.gather(*(nemesis.opt_out(opt_out) for opt_out in plan.opt_outs if not opt_out.start_after))
        later_opt_outs = [nemesis.opt_out(opt_out) for opt_out in plan.opt_outs if opt_out.start_after]
        requests = asyncio.gather(*(clients.run_request(request) for request in plan.requests), *later_opt_outs)
        await nemesis.run(plan.faults, requests)
        faults_ended = time.monotonic()
        await stack.wait_until_ready()
        await requests
        await wait_until_drained(stack)
        unsettled = await wait_until_settled(stack, client, bookings, request_ids)
        settle_seconds = time.monotonic() - faults_ended
        evidence = await collect_evidence(
            stack,
            bookings,
            plan,
            clients,
            history=history.entries,
            opt_outs=nemesis.opt_outs,
            disruptions=nemesis.disruptions,
            unsettled=unsettled,
            unreplayable=await find_unreplayable(client, replayer, request_ids),
        )
        state = await stack.control("state")
        (folder / "calendar.json").write_text(json.dumps(state, indent=1))
    result = _summarize(plan, evidence, nemesis, probe, state, settle_seconds)
    return replace(result, on_postgres=int(is_postgres(stack.ledger_url)))


def _worker_command(plan: Plan, removed_guard: str) -> tuple[str, ...]:
    if removed_guard:
        return *UNGUARDED_WORKER, removed_guard
    return SUSPENDING_WORKER if plan.suspends_workers else WORKER


async def _prepare_sandbox(stack: FaultStack, plan: Plan) -> None:
    """Create charts, let the partner copy them, and set the plan's switches."""
    for person in map(Person, plan.people_with_chart):
        chart = stack.probe.desk_action(
            do="patient",
            first=person.first_name,
            last=person.last_name,
            born=person.date_of_birth,
            location=stack.probe.location.id,
            email=person.email,
            phone=person.phone,
        )
        await stack.control("desk", **chart)
    await stack.control("clock", settle=True)
    if plan.sandbox_switches:
        await stack.control("nexhealth", **plan.sandbox_switches)


def _summarize(
    plan: Plan, evidence: Evidence, nemesis: Nemesis, probe: PracticeProbe, state: Row, settle_seconds: float
) -> SeedResult:
    hits = state["hits"]
    found, repeated = count_recovered_writes(probe.calls["write"], hits, evidence.changes)
    unanswered_writes = sum(
        hit["system"] == probe.system and hit["kind"] in AMBIGUOUS_KINDS and hit["method"] != "GET" for hit in hits
    )
    return SeedResult(
        seed=plan.seed,
        connection=plan.connection,
        requests=len(plan.requests),
        bookings_by_status=dict(Counter(booking.status for booking in evidence.bookings)),
        faults_fired=dict(nemesis.fired),
        violations=check(evidence),
        duplicate_messages=count_duplicate_messages(evidence),
        unknown_sends=evidence.unknown_sends,
        ambiguous_outcomes=unanswered_writes + evidence.unknown_sends,
        unanswered_writes_found=found,
        unanswered_writes_repeated=repeated,
        unseen_edits_overwritten=count_overwritten_unseen_edits(evidence),
        coverage=dict(probe.count_coverage(state, _ended_at(evidence))),
        settle_seconds=round(settle_seconds, 1),
    )


def _ended_at(evidence: Evidence) -> dict[str, datetime]:
    """By reference: when the patient cancelled or the desk declined."""
    references = {booking.request_id: booking.reference for booking in evidence.bookings}
    return {
        references[entry.request_id]: datetime.fromtimestamp(entry.at, UTC)
        for entry in reversed(evidence.history)
        if entry.operation in ("cancel", "resolve:decline") and entry.outcome == OK and entry.request_id in references
    }


def _day_under_test() -> date:
    """A weekday that lies far enough ahead for every booking rule."""
    day = datetime.now(UTC).date() + timedelta(days=DAYS_AHEAD)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return day


async def _connect(stack: FaultStack) -> tuple[Client, DeskClient]:
    connecting = Client.connect(stack.environment["TEMPORAL_ADDRESS"], plugins=[PLUGIN])
    client = await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
    return client, DeskClient(client, read_practice(stack.probe.practice_file), "bookings")


def main() -> None:
    seed, folder, connection, *removed_guard = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        result = asyncio.run(play_seed(int(seed), Path(folder), connection, *removed_guard))
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
        result = SeedResult(seed=int(seed), connection=connection, harness_failure=failure)
        if "--raise" in os.environ.get("FAULTS_DEBUG", ""):
            raise
    Path(folder, "result.json").write_text(json.dumps(asdict(result)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads may crash an orderly interpreter exit


if __name__ == "__main__":
    main()
