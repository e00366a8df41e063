"""What the benchmarks run in: a Temporal server, a sandbox, workers for bookings and bare workflows, and clients."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from adapters.practice_file import read_practice
from bench.bare import VARIANTS, BareWorkflow, connect_bare_client
from bench.practice import BenchPatient, BenchPractice, FreeSlot, booking_request, practice_toml
from client import DeskClient
from demo.sandbox_control import SandboxControl
from devstack import DevProcess, DevStack, free_port, worker_process
from domain.booking import BookingView, Status
from runtime.client import connect
from settings import load_settings
from workflows.booking.contracts import workflow_id

BARE_PAYLOAD = "x" * 1000
"""About as long as a booking's request."""
DECISION_TIMEOUT_SECONDS = 300


@dataclass
class BenchEnvironment:
    stack: DevStack
    client: Client
    bookings: DeskClient
    bare_clients: dict[str, Client]
    """By variant."""
    practice: BenchPractice

    async def book(self, slot: FreeSlot, patient: BenchPatient, **changes: object) -> BookingView:
        """Submit a booking. While its answer is only ``received``, wait for the decision."""
        request = booking_request(slot, patient, **changes)
        view = await self.bookings.submit(request)
        if view.status is Status.RECEIVED:
            view = await self.bookings.wait(request.request_id, DECISION_TIMEOUT_SECONDS)
        return view

    async def book_to_confirmed(self, slot: FreeSlot, patient: BenchPatient) -> BookingView:
        view = await self.book(slot, patient)
        if view.status is not Status.CONFIRMED:
            raise RuntimeError(f"a booking without any obstacle is {view.status}: {view.reason}")
        return view

    async def run_bare(self, variant: str) -> None:
        """Start a bare workflow and wait for its decision."""
        start = WithStartWorkflowOperation(
            BareWorkflow.run,
            BARE_PAYLOAD,
            id=f"{variant}-{uuid4().hex}",
            task_queue=variant,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )
        await self.bare_clients[variant].execute_update_with_start_workflow(
            BareWorkflow.wait_for_decision, start_workflow_operation=start
        )

    def prepare_bookings(self, number: int, location: str | None = None) -> list[Callable[[], Awaitable[BookingView]]]:
        """Bookings of known patients for free slots. Their charts exist before this returns."""
        pairs = [(self.practice.next_slot(location), self.practice.known_patient()) for _ in range(number)]
        return [lambda s=slot, p=patient: self.book_to_confirmed(s, p) for slot, patient in pairs]  # type: ignore[misc]

    async def history_events(self, request_id: str) -> list[HistoryEvent]:
        history = await self.client.get_workflow_handle(workflow_id(request_id)).fetch_history()
        return list(history.events)

    def count_message_calls(self) -> int:
        """How often SendGrid and Twilio were called so far."""
        counts = self.practice.control.call_counts()
        return sum(counts["sendgrid"].values()) + sum(counts["twilio"].values())

    def process_ids(self) -> dict[str, list[int]]:
        """By part: ``client``, ``temporal``, ``sandbox``, ``worker``, ``bare``."""
        ids: dict[str, list[int]] = {"client": [os.getpid()]}
        for part in self.stack.processes:
            if part.process is not None:
                ids.setdefault(part.name.partition("-")[0], []).append(part.process.pid)
        return ids


@asynccontextmanager
async def bench_environment(folder: Path, say: Callable[[str], None]) -> AsyncIterator[BenchEnvironment]:
    """Start everything with its state in the folder. ``say`` prints progress."""
    practice_file = folder / "practice.toml"
    practice_file.write_text(practice_toml())
    os.environ |= {"PRACTICE_FILE": str(practice_file), "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO")}
    with DevStack(folder, say, any_ports=True, with_webhooks=False) as stack:
        stack.add(bare_worker("bare"))
        settings = load_settings()
        client = await connect(settings)
        yield BenchEnvironment(
            stack=stack,
            client=client,
            bookings=DeskClient(client, read_practice(practice_file), settings.booking_task_queue),
            bare_clients={variant: await connect_bare_client(variant) for variant in VARIANTS},
            practice=BenchPractice(SandboxControl(stack.sandbox_url)),
        )


def bare_worker(name: str) -> DevProcess:
    return DevProcess(name, [sys.executable, "-m", "bench.bare"], lambda: True)


def booking_worker(name: str) -> DevProcess:
    return worker_process(name, free_port(0))
