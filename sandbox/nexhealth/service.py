"""NexHealth as one object: its shared state, Synchronizer, webhooks and authentication."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sandbox.faults import Faults
from sandbox.nexhealth import offices, seed, state
from sandbox.nexhealth.auth import Authenticator
from sandbox.nexhealth.clock import Clock
from sandbox.nexhealth.rate_limits import RateLimits
from sandbox.nexhealth.state import NexHealthState, Switches
from sandbox.nexhealth.synchronizer import Synchronizer
from sandbox.nexhealth.webhooks import Webhooks
from sandbox.store import Row, Store

_LOOP_INTERVAL_SECONDS = 0.1
_ROW_KINDS = (
    *("institutions", "locations", "providers", "operatories", "appointment_types", "working_hours", "patients"),
    *("appointments", "queue", "endpoints", "subscriptions", "outbox", "deliveries"),
)


class NexHealth:
    def __init__(self, database: Path, faults: Faults) -> None:
        clock = Clock()
        synced_copy = Store(database.with_suffix(".nexhealth.db"), state.FIRST_ID)
        office_store = Store(database.with_suffix(".offices.db"), offices.FIRST_ID)
        self.state = NexHealthState(synced_copy, offices.Offices(office_store, clock), clock, faults)
        if synced_copy.is_empty:
            seed.seed(self.state)
        self.state.link_offices()
        self.webhooks = Webhooks(self.state)
        self.synchronizer = Synchronizer(self.state, self.webhooks)
        self.auth = Authenticator(seed.API_KEY, clock)
        self.rate_limits = RateLimits()
        self._read_all_offices()

    def reset(self, *, keep_subscriptions: bool = False) -> None:
        """Go back to the seed data, with a new clock and default switches."""
        kept_kinds = ("endpoints", "subscriptions") if keep_subscriptions else ()
        kept_rows = {kind: self.state.synced_copy.all(kind) for kind in kept_kinds}
        self.state.synced_copy.clear()
        self.state.offices.store.clear()
        self.state.readings.clear()
        self.state.clock = self.state.offices.clock = self.auth.clock = Clock()
        self.state.switches = Switches()
        seed.seed(self.state)
        self.state.link_offices()
        for kind, rows in kept_rows.items():
            for row in rows:
                self.state.synced_copy.put(kind, row)
        self.auth.tokens.clear()
        self.rate_limits.clear()
        self._read_all_offices()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run cycles and send webhooks in the background whenever they are due."""
        tasks = [asyncio.create_task(loop()) for loop in (self._cycle_loop, self._delivery_loop)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def _cycle_loop(self) -> None:
        while True:
            self.synchronizer.run_due_cycles()
            await asyncio.sleep(_LOOP_INTERVAL_SECONDS)

    async def _delivery_loop(self) -> None:
        while True:
            await self.webhooks.send_due_deliveries()
            await asyncio.sleep(_LOOP_INTERVAL_SECONDS)

    async def settle(self) -> None:
        """Run a write cycle and a read cycle at every office now, and send the webhooks that follow."""
        for location_id in self.state.links:
            self.synchronizer.run_write_cycle(location_id)
            self.synchronizer.run_read_cycle(location_id)
        await self.webhooks.send_due_deliveries()

    def state_rows(self) -> Row:
        """NexHealth's part of ``GET /_control/state``."""
        rows: dict[str, Any] = {kind: self.state.synced_copy.all(kind) for kind in _ROW_KINDS}
        office_store = self.state.offices.store
        office_rows: dict[str, Any] = {kind: office_store.all(kind) for kind in ("appointments", "patients")}
        return rows | {
            "office": office_rows | {"log": office_store.log_entries()},
            "readings": list(self.state.readings),
            "settings": vars(self.state.switches),
            "clock": {"now": self.state.clock.timestamp(), "paused": self.state.clock.is_paused},
        }

    def _read_all_offices(self) -> None:
        for location_id in self.state.links:
            self.synchronizer.run_read_cycle(location_id)
