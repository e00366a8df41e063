"""NexHealth as one thing: its world, its Synchronizer, its webhooks and its door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sandbox.faults import Faults
from sandbox.nexhealth import office, seed, world
from sandbox.nexhealth.clock import Clock
from sandbox.nexhealth.entry import Entry
from sandbox.nexhealth.limits import Limits
from sandbox.nexhealth.sync import Sync
from sandbox.nexhealth.webhooks import Webhooks
from sandbox.nexhealth.world import Switches, World
from sandbox.store import Row, Store

_TICK = 0.1
_SHOWN = (
    *("institutions", "locations", "providers", "operatories", "appointment_types", "working_hours", "patients"),
    *("appointments", "queue", "endpoints", "subscriptions", "outbox", "deliveries"),
)


class NexHealth:
    def __init__(self, database: Path, faults: Faults) -> None:
        clock = Clock()
        copy = Store(database.with_suffix(".nexhealth.db"), world.FIRST_ID)
        offices = office.Offices(Store(database.with_suffix(".offices.db"), office.FIRST_ID), clock)
        self.world = World(copy, offices, clock, faults)
        if copy.empty:
            seed.seed(self.world)
        self.world.connect()
        self.webhooks = Webhooks(self.world)
        self.sync = Sync(self.world, self.webhooks)
        self.entry = Entry(seed.KEY, clock)
        self.limits = Limits()
        self._first_reading()

    def reset(self, *, keep_subscriptions: bool = False) -> None:
        kept = {
            kind: self.world.copy.all(kind) if keep_subscriptions else [] for kind in ("endpoints", "subscriptions")
        }
        self.world.copy.clear()
        self.world.offices.store.clear()
        self.world.readings.clear()
        self.world.clock = self.world.offices.clock = self.entry.clock = Clock()
        self.world.switches = Switches()
        seed.seed(self.world)
        self.world.connect()
        for kind, rows in kept.items():
            for row in rows:
                self.world.copy.put(kind, row)
        self.entry.tokens.clear()
        self.limits.clear()
        self._first_reading()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Cycles and deliveries as they fall due."""
        tasks = [asyncio.create_task(work()) for work in (self._cycles, self._deliveries)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def _cycles(self) -> None:
        while True:
            self.sync.tick()
            await asyncio.sleep(_TICK)

    async def _deliveries(self) -> None:
        while True:
            await self.webhooks.deliver()
            await asyncio.sleep(_TICK)

    async def settle(self) -> None:
        """A write cycle and a read cycle everywhere, and the webhooks that follow."""
        for location in self.world.lines:
            self.sync.write(location)
            self.sync.read(location)
        await self.webhooks.deliver()

    def state(self) -> Row:
        now: dict[str, Any] = {kind: self.world.copy.all(kind) for kind in _SHOWN}
        offices = self.world.offices.store
        return now | {
            "office": {kind: offices.all(kind) for kind in ("appointments", "patients")} | {"log": offices.log()},
            "readings": list(self.world.readings),
            "settings": vars(self.world.switches),
            "clock": {"now": self.world.clock.text(), "paused": self.world.clock.paused},
        }

    def _first_reading(self) -> None:
        for location in self.world.lines:
            self.sync.read(location)
