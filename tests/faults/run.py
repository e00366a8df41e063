"""One seed, from an empty folder to a verdict. ``python -m tests.faults.run SEED FOLDER`` is one such process."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from temporalio.client import Client

from adapters.practice_file import read_practice
from client.bookings import BookingClient
from runtime.codec import Keyring
from runtime.plugin import holdfast_plugin
from tests.faults import checker, practice
from tests.faults.checker import Evidence, Violation, judge
from tests.faults.clients import Clients, Person
from tests.faults.evidence import gathered, settled
from tests.faults.history import History
from tests.faults.nemesis import Nemesis
from tests.faults.plan import PEOPLE, Plan, plan
from tests.faults.stack import HERE, WORKER, FaultStack
from tests.faults.troubles import AMBIGUOUS
from tests.faults.unguarded import UNGUARDED, control_plan

TROUBLE_LASTS = 14.0


@dataclass
class Result:
    seed: int
    requests: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    fired: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    duplicate_messages: int = 0
    ambiguous_outcomes: int = 0
    """Writes and sends whose answer was lost."""
    adopted: int = 0
    """Bookings whose lost write was found again."""
    written_again: int = 0
    """Bookings whose lost write had not been carried out, and was written again."""
    overtaken: int = 0
    settle_seconds: float = 0.0
    failure: str = ""
    """The harness itself broke down."""


async def play(seed: int, folder: Path, guard_off: str = "") -> Result:
    """Play a seed; ``guard_off`` names a guard that the workers are to run without."""
    dealt = control_plan(seed, guard_off) if guard_off else plan(seed)
    worker = (*UNGUARDED, guard_off) if guard_off else WORKER
    stack = FaultStack(folder, dealt.workers, worker)
    (folder / "plan.json").write_text(json.dumps(asdict(dealt), indent=1))
    history = History(folder / "history.jsonl")
    async with stack.running():
        client, bookings = await _clients(stack)
        people = [Person(number) for number in range(PEOPLE)]
        for number in dealt.known:
            person = people[number]
            chart = {"first": person.first, "last": person.last, "born": person.born, "location": practice.LOCATION}
            await stack.control("desk", do="patient", email=person.email, phone=person.phone, **chart)
        clients = Clients(bookings, history, _day())
        nemesis = Nemesis(stack, clients, bookings, clients.at(practice.ELSEWHERE))
        wishes = [asyncio.create_task(clients.wish(wish)) for wish in dealt.wishes]
        await nemesis.torment(dealt.troubles, TROUBLE_LASTS)
        begun = time.monotonic()
        await stack.all_up()
        await asyncio.gather(*wishes)
        unsettled = await settled(client, [wish.request_id for wish in dealt.wishes])
        seconds = time.monotonic() - begun
        evidence = await gathered(stack, bookings, history.events, unsettled, people, nemesis.windows)
        state = await stack.control("state")
        (folder / "calendar.json").write_text(json.dumps(state, indent=1))
    return _result(dealt, evidence, nemesis, state["hits"], seconds)


def _result(dealt: Plan, evidence: Evidence, nemesis: Nemesis, hits: list[practice.Row], seconds: float) -> Result:
    adopted, written_again = practice.recovered(hits, evidence.changes)
    lost_writes = sum(hit["system"] == "ascend" and hit["kind"] in AMBIGUOUS and hit["method"] != "GET" for hit in hits)
    return Result(
        seed=dealt.seed,
        requests=len(dealt.wishes),
        outcomes=dict(Counter(booking.status for booking in evidence.bookings)),
        fired=dict(nemesis.fired),
        violations=judge(evidence),
        duplicate_messages=checker.duplicate_messages(evidence),
        ambiguous_outcomes=lost_writes + evidence.unknown_sends,
        adopted=adopted,
        written_again=written_again,
        overtaken=checker.overtaken(evidence),
        settle_seconds=round(seconds, 1),
    )


def _day() -> date:
    """A working day far enough ahead for every rule."""
    day = datetime.now(UTC).date() + timedelta(days=3)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return day


async def _clients(stack: FaultStack) -> tuple[Client, BookingClient]:
    keys = Keyring({"test": b"holdfast tests, not a secret key"})
    connecting = Client.connect(stack.environment["TEMPORAL_ADDRESS"], plugins=[holdfast_plugin(keys, "default")])
    client = await asyncio.wait_for(connecting, 30)
    return client, BookingClient(client, read_practice(HERE / "practice.toml"), "bookings")


def main() -> None:
    seed, folder, *guard_off = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        result = asyncio.run(play(int(seed), Path(folder), *guard_off))
    except Exception as broken:
        result = Result(seed=int(seed), failure=f"{type(broken).__name__}: {broken}")
        if "--raise" in os.environ.get("FAULTS_DEBUG", ""):
            raise
    Path(folder, "result.json").write_text(json.dumps(asdict(result)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads may crash an orderly interpreter exit


if __name__ == "__main__":
    main()
