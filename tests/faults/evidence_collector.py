"""Collects the evidence of a seed when everything is at rest."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Replayer

from client import DeskClient, NoSuchBooking
from domain.booking import BookingView
from domain.wording import format_start
from tests.faults.clients import PATIENT_NOTE, Clients, Person
from tests.faults.evidence import Evidence, ObservedBooking, OptOut, RequestIntent, TimeWindow
from tests.faults.fault_catalog import AMBIGUOUS_KINDS
from tests.faults.history import HistoryEntry
from tests.faults.message_records import read_deliveries, read_ledger_messages, uncross_texts
from tests.faults.plan import PERSON_COUNT, Plan, PlannedRequest
from tests.faults.practice_probe import Row, count_late_chart_writes, unanswered_write_references
from tests.faults.quiescence import wait_until_drained
from tests.faults.stack import MESSAGE_PROVIDERS, FaultStack
from workflows.booking.contracts import workflow_id


async def collect_evidence(
    stack: FaultStack,
    bookings: DeskClient,
    plan: Plan,
    clients: Clients,
    *,
    history: Sequence[HistoryEntry],
    opt_outs: Sequence[OptOut],
    disruptions: Sequence[TimeWindow],
    unsettled: Sequence[str],
    unreplayable: Sequence[str],
) -> Evidence:
    state, probe = await wait_until_drained(stack), stack.probe
    people = [Person(number) for number in range(PERSON_COUNT)]
    views = await _show_all(bookings, {entry.request_id for entry in history})
    desk_queue = {view.request_id for view in (await bookings.find(open_exceptions=True)).views}
    observed = [_observe(view, desk_queue, stack, state) for view in views]
    deliveries = uncross_texts(list(read_deliveries(state, stack.ledger_url)), observed)
    unknown_sends = sum(
        1 for hit in state["hits"] if hit["system"] in MESSAGE_PROVIDERS and hit["kind"] in AMBIGUOUS_KINDS
    )
    unknown_sends += sum(any(begin <= delivery.at <= end for begin, end in disruptions) for delivery in deliveries)
    return Evidence(
        history=history,
        bookings=observed,
        intents={
            request.request_id: _intent(request, clients, probe.chart_ids(state, Person(request.person).last_name))
            for request in plan.requests
        },
        time_zone=probe.location.time_zone,
        changes=probe.changes(state),
        appointments=probe.appointments(state),
        unreported_references=probe.unreported_references(state),
        in_flight_references=probe.in_flight_references(state),
        blocks=probe.blocks(state),
        unanswered_write_references=unanswered_write_references(probe.calls["write"], state["hits"]),
        max_read_lag=probe.max_read_lag,
        deliveries=deliveries,
        ledger_messages=list(read_ledger_messages(state, stack.ledger_url)),
        unknown_sends=unknown_sends,
        opt_outs=opt_outs,
        disruptions=disruptions,
        unsettled_requests=unsettled,
        unreplayable_requests=unreplayable,
        leaking_files=list(find_leaking_files(stack.folder, people)),
        charts_per_person=Counter(
            {person.last_name: len(probe.chart_ids(state, person.last_name)) for person in people}
        ),
        call_times=state["called"],
        allowed_rates={probe.system: stack.allowed_calls_per_second},
        late_chart_writes=count_late_chart_writes(state),
    )


async def find_unreplayable(client: Client, replayer: Replayer, request_ids: Iterable[str]) -> list[str]:
    """The request ids of bookings whose workflow history does not replay."""
    unreplayable = []
    for request_id in request_ids:
        handle = client.get_workflow_handle(workflow_id(request_id))
        try:
            await replayer.replay_workflow(await handle.fetch_history())
        except RPCError:
            continue  # no such workflow
        except Exception:
            unreplayable.append(request_id)
    return unreplayable


async def _show_all(bookings: DeskClient, request_ids: Iterable[str]) -> list[BookingView]:
    views = []
    for request_id in sorted(request_ids):
        try:
            views.append(await bookings.show(request_id))
        except NoSuchBooking:
            continue
    return views


def _intent(request: PlannedRequest, clients: Clients, chart_ids: frozenset[str]) -> RequestIntent:
    return RequestIntent(
        starts=frozenset(clients.requested_starts[request.request_id]),
        chart_ids=chart_ids,
        note=PATIENT_NOTE if request.with_note else "",
        addresses=clients.consented_addresses(Person(request.person)),
    )


def _observe(view: BookingView, desk_queue: set[str], stack: FaultStack, state: Row) -> ObservedBooking:
    return ObservedBooking(
        request_id=view.request_id,
        reference=view.reference,
        status=view.status,
        reason=view.reason,
        appointment_id=view.appointment_id and stack.probe.calendar_id(view.appointment_id, state),
        has_open_exception=bool(view.resolutions),
        in_desk_queue=view.request_id in desk_queue,
        start_text=format_start(view.start, stack.probe.location.time_zone, "en"),
    )


def find_leaking_files(folder: Path, people: Sequence[Person]) -> Iterator[str]:
    """Files with a person's data or a secret in plain text. The sandbox's own files may hold them."""
    canaries = [text.encode() for person in people for text in person.canaries] + [
        b"sandbox-secret",
        b"dateOfBirth==",
        b"date_of_birth=1",
    ]
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("sandbox"):
            content = path.read_bytes()
            yield from (path.name for canary in canaries if canary in content)
