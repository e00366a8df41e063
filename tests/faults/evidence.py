"""After the trouble: wait until everything has come to rest, then gather what was left behind."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Replayer

from client.bookings import BookingClient, NoSuchBooking
from domain.booking import BookingView, Reason
from domain.wording import format_start
from tests.faults.clients import NOTE, Clients, Person
from tests.faults.facts import Asked, Booking, Evidence, Noted, OptOut, Sent, Window
from tests.faults.history import Event
from tests.faults.plan import PEOPLE, Plan, Wish
from tests.faults.practice import late_charts, lost_writes
from tests.faults.stack import MESSENGERS, FaultStack
from tests.faults.troubles import AMBIGUOUS
from workflows.booking.messages import workflow_id

SETTLES_WITHIN = 170.0
DRAINS_WITHIN = 45.0
"""What nobody took is told again after 30 seconds."""
SOON = timedelta(seconds=60)
"""A timer that is due so soon is still part of the work; later ones wait for people or for the visit."""
KINDS_OF_TEXT = {
    "confirmed": re.compile(r"your appointment is (?P<when>.+?)\. Questions"),
    "held": re.compile(r": (?P<when>.+?) is held for you"),
    "received": re.compile(r"we have your request for (?P<when>.+?)\. We will"),
    "requested": re.compile(r": (?P<when>.+?) is requested but not booked yet"),
    "cancelled": re.compile(r"your request for (?P<when>.+?) is cancelled"),
    "declined": re.compile(r"we could not book your request"),
    "expired": re.compile(r"we could not hold (?P<when>.+?) any longer"),
}
NOTED = "reference, kind, version, channel, state, code, key, provider_id"
Row = dict[str, Any]


async def settled(stack: FaultStack, client: Client, bookings: BookingClient, request_ids: Iterable[str]) -> list[str]:
    """Wait for rest; the request ids that did not come to it in time."""
    waiting = set(request_ids)
    end = asyncio.get_running_loop().time() + SETTLES_WITHIN
    while waiting and asyncio.get_running_loop().time() < end:
        for request_id in sorted(waiting):
            if await _at_rest(stack, client, bookings, request_id):
                waiting.discard(request_id)
        await asyncio.sleep(0.5)
    return sorted(waiting)


async def _at_rest(stack: FaultStack, client: Client, bookings: BookingClient, request_id: str) -> bool:
    """No activity runs, nothing is about to be decided or to land, and no timer is due soon; or it does not exist."""
    handle = client.get_workflow_handle(workflow_id(request_id))
    try:
        described = await handle.describe(rpc_timeout=timedelta(seconds=5))
        raw = described.raw_description
        if described.close_time is not None:
            return True
        if raw.pending_activities or raw.HasField("pending_workflow_task"):
            return False
        if await _timer_due_soon(client, request_id):
            return False
        view = await bookings.show(request_id)
        if view.reason not in (Reason.AWAITING_OFFICE, Reason.OFFICE_OFFLINE):
            return True
        return view.reference in stack.practice.untold(await stack.control("state"))
    except RPCError as error:
        return error.status.name == "NOT_FOUND"


async def _timer_due_soon(client: Client, request_id: str) -> bool:
    due: dict[str, datetime] = {}
    history = await client.get_workflow_handle(workflow_id(request_id)).fetch_history()
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            started = event.timer_started_event_attributes
            lasts = started.start_to_fire_timeout.ToTimedelta()
            due[started.timer_id] = event.event_time.ToDatetime(tzinfo=UTC) + lasts
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            due.pop(event.timer_fired_event_attributes.timer_id, None)
        elif event.event_type == EventType.EVENT_TYPE_TIMER_CANCELED:
            due.pop(event.timer_canceled_event_attributes.timer_id, None)
    return any(moment < datetime.now(UTC) + SOON for moment in due.values())


async def unreplayed(client: Client, replayer: Replayer, request_ids: Iterable[str]) -> list[str]:
    """Those whose history does not replay."""
    found = []
    for request_id in request_ids:
        handle = client.get_workflow_handle(workflow_id(request_id))
        try:
            await replayer.replay_workflow(await handle.fetch_history())
        except RPCError:
            continue  # it does not exist
        except Exception:
            found.append(request_id)
    return found


async def gathered(
    stack: FaultStack,
    bookings: BookingClient,
    history: Sequence[Event],
    unsettled: Sequence[str],
    unrepeatable: Sequence[str],
    plan: Plan,
    clients: Clients,
    opt_outs: Sequence[OptOut],
    windows: Sequence[Window],
) -> Evidence:
    state, practice = await drained(stack), stack.practice
    people = [Person(number) for number in range(PEOPLE)]
    views = await _views(bookings, {event.request_id for event in history})
    queue = {view.request_id for view in (await bookings.find(open_exceptions=True)).views}
    judged = [_booking(view, queue, stack, state) for view in views]
    sent = the_right_way_round(list(_sent(state, stack.ledger_url)), judged)
    ambiguous = sum(1 for hit in state["hits"] if hit["system"] in MESSENGERS and hit["kind"] in AMBIGUOUS)
    ambiguous += sum(any(begin <= message.at <= end for begin, end in windows) for message in sent)
    return Evidence(
        history=history,
        bookings=judged,
        asked={
            wish.request_id: _asked(wish, clients, practice.charts(state, Person(wish.person).last))
            for wish in plan.wishes
        },
        zone=practice.place.zone,
        changes=practice.changes(state),
        visits=practice.visits(state),
        untold=practice.untold(state),
        on_its_way=practice.on_its_way(state),
        blocks=practice.blocks(state),
        lost_writes=lost_writes(practice.calls["write"], state["hits"]),
        lag=practice.lag,
        sent=sent,
        noted=list(_noted(state, stack.ledger_url)),
        unknown_sends=ambiguous,
        opt_outs=opt_outs,
        windows=windows,
        unsettled=unsettled,
        unrepeatable=unrepeatable,
        leaks=list(leaks(stack.folder, people)),
        charts=Counter({person.last: len(practice.charts(state, person.last)) for person in people}),
        calls=state["called"],
        rates={practice.vendor: stack.calls_a_second},
        late_charts=late_charts(state),
    )


async def drained(stack: FaultStack) -> Row:
    """The sandbox's state once nothing is queued or still to be told, or it is clear that something stays behind."""
    end = asyncio.get_running_loop().time() + DRAINS_WITHIN
    while True:
        state = await stack.control("state")
        untold = [delivery for delivery in state["nexhealth"]["outbox"] if not delivery["forged"]]
        if not (untold or state["nexhealth"]["queue"]) or asyncio.get_running_loop().time() > end:
            return state
        await asyncio.sleep(0.5)


async def _views(bookings: BookingClient, request_ids: Iterable[str]) -> list[BookingView]:
    found = []
    for request_id in sorted(request_ids):
        try:
            found.append(await bookings.show(request_id))
        except NoSuchBooking:
            continue
    return found


def _asked(wish: Wish, clients: Clients, charts: frozenset[str]) -> Asked:
    return Asked(
        starts=frozenset(clients.starts[wish.request_id]),
        charts=charts,
        words=NOTE if wish.note else "",
        addresses=clients.agreed(Person(wish.person)),
    )


def _booking(view: BookingView, queue: set[str], stack: FaultStack, state: Row) -> Booking:
    return Booking(
        request_id=view.request_id,
        reference=view.reference,
        status=view.status,
        reason=view.reason,
        appointment_id=view.appointment_id and stack.practice.row_of(view.appointment_id, state),
        open=bool(view.resolutions),
        queued=view.request_id in queue,
        start_text=format_start(view.start, stack.practice.place.zone, "en"),
    )


def _rows(ledger: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(ledger.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def _noted(state: Row, ledger: str) -> Iterator[Noted]:
    """An email is known by the key that it carries, a text only by its provider's id."""
    there = {mail["custom_args"].get("msg_key") for mail in state["emails"]} | {text["sid"] for text in state["texts"]}
    for reference, kind, version, channel, state_now, code, key, provider_id in _rows(
        ledger, f"SELECT {NOTED} FROM messages"
    ):
        there_as = key if channel == "email" else provider_id
        yield Noted(reference, kind, version, channel, state_now, code, delivered=there_as in there)


def _sent(state: Row, ledger: str) -> Iterator[Sent]:
    """Emails carry our key; texts carry nothing, and are told apart by their provider's id, or by what they say.

    One of another kind than the ledger has it for is nobody's; see ``the_right_way_round``.
    """
    keys = {row[0]: row for row in _rows(ledger, "SELECT key, reference, kind FROM messages")}
    for mail in state["emails"]:
        key = mail["custom_args"].get("msg_key", "")
        _, reference, kind = keys.get(key, (key, None, "unknown"))
        yield Sent(datetime.fromisoformat(mail["at"]), "email", mail["to"], kind, key, reference=reference)
    sids = {
        row[0]: row
        for row in _rows(ledger, "SELECT provider_id, reference, kind, version FROM messages WHERE channel = 'sms'")
    }
    known: dict[tuple[str, str], tuple[str, str]] = {}
    texts = sorted(state["texts"], key=lambda row: row["sid"] not in sids)
    for row in texts:
        kind, told = _meaning(row["body"])
        if row["sid"] in sids and sids[row["sid"]][2] == kind:
            _, reference, _, version = sids[row["sid"]]
            known.setdefault((row["to"], row["body"]), (reference, f"{reference}:{kind}:{version}"))
            owner = reference, f"{reference}:{kind}:{version}"
        else:
            owner = known.get((row["to"], row["body"]), ("", f"{row['to'][-2:]}:{kind}:{told}"))
        yield Sent(
            datetime.fromisoformat(row["at"]), "sms", row["to"], kind, owner[1], when=told, reference=owner[0] or None
        )


def the_right_way_round(sent: Sequence[Sent], bookings: Sequence[Booking]) -> list[Sent]:
    """Of two texts to one number whose answers were both lost, the ledger may have the ids the wrong way round.

    Where two of one kind each tell the time that the other's booking has, each is the other's. So it is with one that
    is nobody's by the ledger, because its booking was given the id of a text that tells another booking's time.
    """
    has: dict[str | None, str] = {booking.reference: booking.start_text for booking in bookings}
    found = list(sent)
    for i, j in itertools.permutations(range(len(found)), 2):
        one, other = found[i], found[j]
        alike = one.channel == other.channel == "sms" and (one.to, one.kind) == (other.to, other.kind)
        times = has.values() if one.reference is None else (has.get(one.reference),)
        if alike and one.when == has.get(other.reference) != other.when and other.when in times:
            found[i] = replace(one, key=other.key, reference=other.reference)
            found[j] = replace(other, key=one.key, reference=one.reference)
    return found


def _meaning(body: str) -> tuple[str, str]:
    for kind, pattern in KINDS_OF_TEXT.items():
        found = pattern.search(body)
        if found is not None:
            return kind, found.groupdict().get("when", "")
    return "unknown", ""


def leaks(folder: Path, people: Sequence[Person]) -> Iterator[str]:
    """Files that hold a person's name, address or number, or a secret; the sandbox is the practice, and may."""
    canaries = [text.encode() for person in people for text in person.canaries] + [
        b"sandbox-secret",
        b"dateOfBirth==",
        b"date_of_birth=1",
    ]
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("sandbox"):
            content = path.read_bytes()
            yield from (path.name for canary in canaries if canary in content)
