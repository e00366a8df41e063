"""One seed, from an empty folder to a verdict; ``python -m tests.faults.run SEED FOLDER CONNECTION`` plays one."""

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
from client.bookings import BookingClient
from runtime.codec import Keyring
from runtime.plugin import holdfast_plugin
from tests.faults.ascend import Ascend
from tests.faults.checker import judge
from tests.faults.clients import Clients, Person
from tests.faults.desk_rules import overtaken
from tests.faults.drowsy import DROWSY
from tests.faults.evidence import drained, gathered, settled, unreplayed
from tests.faults.facts import Evidence, Violation
from tests.faults.history import OK, History
from tests.faults.ledger import is_postgres
from tests.faults.message_rules import duplicate_messages
from tests.faults.nemesis import Nemesis
from tests.faults.nexhealth import NexHealth
from tests.faults.plan import Plan, plan
from tests.faults.practice import Practice, Row, recovered
from tests.faults.stack import WORKER, FaultStack
from tests.faults.troubles import AMBIGUOUS
from tests.faults.unguarded import UNGUARDED, control_plan
from workflows.booking.workflow import BookingWorkflow

PLUGIN = holdfast_plugin(Keyring({"test": b"holdfast tests, not a secret key"}), "default")


@dataclass
class Result:
    seed: int
    connection: str = ""
    requests: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    fired: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    on_postgres: int = 0
    """One where the ledger was PostgreSQL."""
    duplicate_messages: int = 0
    unknown_sends: int = 0
    """Messages whose answer was lost: as many may be doubled."""
    ambiguous_outcomes: int = 0
    """Writes and sends whose answer was lost."""
    adopted: int = 0
    """Bookings whose lost write was found again."""
    written_again: int = 0
    """Bookings whose lost write had not been carried out, and was written again."""
    overtaken: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    """What matters for this kind of connection, and how often it happened."""
    settle_seconds: float = 0.0
    failure: str = ""
    """The harness itself broke down."""


async def play(seed: int, folder: Path, connection: str = "", guard_off: str = "") -> Result:
    """Play a seed; ``guard_off`` names a guard that the workers are to run without."""
    dealt = control_plan(seed, connection, guard_off) if guard_off else plan(seed, connection)
    practice: Practice = NexHealth(seed) if dealt.connection == "nexhealth" else Ascend()
    worker = (*UNGUARDED, guard_off) if guard_off else DROWSY if dealt.sleepers else WORKER
    stack = FaultStack(folder, practice, dealt.workers, worker, postgres=dealt.postgres)
    (folder / "plan.json").write_text(json.dumps(asdict(dealt), indent=1))
    history = History(folder / "history.jsonl")
    replayer = Replayer(workflows=[BookingWorkflow], plugins=[PLUGIN])
    async with stack.running():
        client, bookings = await _clients(stack)
        for person in map(Person, dealt.known):
            chart = {"first": person.first, "last": person.last, "born": person.born, "location": practice.place.id}
            chart |= {"email": person.email, "phone": person.phone}
            await stack.control("desk", **practice.desk(do="patient", **chart))
        await stack.control("clock", settle=True)
        if dealt.switches:
            await stack.control("nexhealth", **dealt.switches)
        clients = Clients(bookings, history, practice.place, _day(), dealt.mute)
        nemesis = Nemesis(stack, clients)
        await asyncio.gather(*(nemesis.opt_out(stop) for stop in dealt.stops if not stop.at))
        later = [nemesis.opt_out(stop) for stop in dealt.stops if stop.at]
        wishes = asyncio.gather(*(clients.wish(wish) for wish in dealt.wishes), *later)
        await nemesis.torment(dealt.troubles, wishes)
        begun = time.monotonic()
        await stack.all_up()
        await wishes
        await drained(stack)
        unsettled = await settled(stack, client, bookings, [wish.request_id for wish in dealt.wishes])
        seconds = time.monotonic() - begun
        unrepeatable = await unreplayed(client, replayer, [wish.request_id for wish in dealt.wishes])
        evidence = await gathered(
            stack, bookings, history.events, unsettled, unrepeatable, dealt, clients, nemesis.opt_outs, nemesis.windows
        )
        state = await stack.control("state")
        (folder / "calendar.json").write_text(json.dumps(state, indent=1))
    result = _result(dealt, evidence, nemesis, practice, state, seconds)
    return replace(result, on_postgres=int(is_postgres(stack.ledger_url)))


def _result(
    dealt: Plan, evidence: Evidence, nemesis: Nemesis, practice: Practice, state: Row, seconds: float
) -> Result:
    hits = state["hits"]
    adopted, written_again = recovered(practice.calls["write"], hits, evidence.changes)
    lost_writes = sum(
        hit["system"] == practice.vendor and hit["kind"] in AMBIGUOUS and hit["method"] != "GET" for hit in hits
    )
    return Result(
        seed=dealt.seed,
        connection=dealt.connection,
        requests=len(dealt.wishes),
        outcomes=dict(Counter(booking.status for booking in evidence.bookings)),
        fired=dict(nemesis.fired),
        violations=judge(evidence),
        duplicate_messages=duplicate_messages(evidence),
        unknown_sends=evidence.unknown_sends,
        ambiguous_outcomes=lost_writes + evidence.unknown_sends,
        adopted=adopted,
        written_again=written_again,
        overtaken=overtaken(evidence),
        seen=dict(practice.seen(state, _ended(evidence))),
        settle_seconds=round(seconds, 1),
    )


def _ended(evidence: Evidence) -> dict[str, datetime]:
    """When a booking was ended by the patient or the desk, by reference."""
    references = {booking.request_id: booking.reference for booking in evidence.bookings}
    return {
        references[event.request_id]: datetime.fromtimestamp(event.at, UTC)
        for event in reversed(evidence.history)
        if event.call in ("cancel", "resolve:decline") and event.outcome == OK and event.request_id in references
    }


def _day() -> date:
    """A working day far enough ahead for every rule."""
    day = datetime.now(UTC).date() + timedelta(days=3)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return day


async def _clients(stack: FaultStack) -> tuple[Client, BookingClient]:
    connecting = Client.connect(stack.environment["TEMPORAL_ADDRESS"], plugins=[PLUGIN])
    client = await asyncio.wait_for(connecting, 30)
    return client, BookingClient(client, read_practice(stack.practice.rules), "bookings")


def main() -> None:
    seed, folder, connection, *guard_off = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        result = asyncio.run(play(int(seed), Path(folder), connection, *guard_off))
    except Exception as broken:
        result = Result(seed=int(seed), connection=connection, failure=f"{type(broken).__name__}: {broken}")
        if "--raise" in os.environ.get("FAULTS_DEBUG", ""):
            raise
    Path(folder, "result.json").write_text(json.dumps(asdict(result)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads may crash an orderly interpreter exit


if __name__ == "__main__":
    main()
