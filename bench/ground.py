"""One server, one sandbox, the booking's workers and the floor's, and a client of each."""

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
from bench.bare import VARIANTS, BareWorkflow, bare_client
from bench.clinic import Clinic, Place, Somebody, practice_file, request
from client.bookings import BookingClient
from demo.stack import Part, Stack, free_port, worker
from demo.world import Control
from domain.booking import BookingView, Status
from runtime.client import connect
from settings import load_settings
from workflows.booking.messages import workflow_id

PAYLOAD = "x" * 1000
"""About as long as a booking's request."""
PATIENCE = 300


@dataclass
class Ground:
    stack: Stack
    client: Client
    bookings: BookingClient
    bare: dict[str, Client]
    clinic: Clinic

    async def book(self, place: Place, somebody: Somebody, **changes: object) -> BookingView:
        """Submit, and ask again while it is honestly "received", until there is a decision."""
        wanted = request(place, somebody, **changes)
        view = await self.bookings.submit(wanted)
        if view.status is Status.RECEIVED:
            view = await self.bookings.wait(wanted.request_id, PATIENCE)
        return view

    async def book_to_confirmed(self, place: Place, somebody: Somebody) -> BookingView:
        view = await self.book(place, somebody)
        if view.status is not Status.CONFIRMED:
            raise RuntimeError(f"a booking that nothing stands against is {view.status}: {view.reason}")
        return view

    async def run_bare(self, variant: str) -> None:
        start = WithStartWorkflowOperation(
            BareWorkflow.run,
            PAYLOAD,
            id=f"{variant}-{uuid4().hex}",
            task_queue=variant,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )
        await self.bare[variant].execute_update_with_start_workflow(
            BareWorkflow.wait_for_decision, start_workflow_operation=start
        )

    def bookings_to_confirm(
        self, number: int, location: str | None = None
    ) -> list[Callable[[], Awaitable[BookingView]]]:
        """So many bookings of known patients for free starts, charts and all prepared beforehand."""
        pairs = [(self.clinic.place(location), self.clinic.patient()) for _ in range(number)]
        return [lambda p=place, s=somebody: self.book_to_confirmed(p, s) for place, somebody in pairs]  # type: ignore[misc]

    async def events(self, request_id: str) -> list[HistoryEvent]:
        history = await self.client.get_workflow_handle(workflow_id(request_id)).fetch_history()
        return list(history.events)

    def messages_sent(self) -> int:
        calls = self.clinic.control.calls()
        return sum(calls["sendgrid"].values()) + sum(calls["twilio"].values())

    def processes(self) -> dict[str, list[int]]:
        """Process ids by what they are."""
        found: dict[str, list[int]] = {"client": [os.getpid()]}
        for part in self.stack.parts:
            if part.process is not None:
                found.setdefault(part.name.partition("-")[0], []).append(part.process.pid)
        return found


@asynccontextmanager
async def ground(folder: Path, say: Callable[[str], None]) -> AsyncIterator[Ground]:
    file = folder / "practice.toml"
    file.write_text(practice_file())
    os.environ |= {"PRACTICE_FILE": str(file), "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO")}
    with Stack(folder, say, ports=(0, 0, 0, 0, 0), with_web=False) as stack:
        stack.add(bare_worker("bare"))
        settings = load_settings()
        client = await connect(settings)
        yield Ground(
            stack=stack,
            client=client,
            bookings=BookingClient(client, read_practice(file), settings.booking_task_queue),
            bare={variant: await bare_client(variant) for variant in VARIANTS},
            clinic=Clinic(Control(stack.sandbox_url)),
        )


def bare_worker(name: str) -> Part:
    return Part(name, [sys.executable, "-m", "bench.bare"], lambda: True)


def booking_worker(name: str) -> Part:
    return worker(name, free_port(0))
