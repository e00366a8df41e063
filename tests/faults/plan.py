"""A seed's plan: who requests what and when, and which faults occur. A seed always gets the same plan."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.fault_catalog import CATALOGS, Fault, FaultTemplate

CONNECTIONS = tuple(CATALOGS)
START_TIMES = ("08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00", "11:30")
SERVICES = ("consult", "consult", "cleaning", "cleaning", "exam", "exam", "brief")
FOLLOW_UPS = ("", "", "cancel", "approve", "approve", "decline", "start", "retry", "reschedule")
PERSON_COUNT = 18
REQUEST_PERIOD = 10.0
"""Seconds over which requests are sent."""
FAULTS_IN_TURN, FAULTS_BY_CHANCE = 5, 2
UNDOCUMENTED_BEHAVIOR: dict[str, tuple[Any, ...]] = {
    "cancel_before_sync": ("dropped", "written"),
    "placeholders": ("replaced", "adopted"),
    "failed_rows": ("kept", "cancelled"),
    "provider_overlap": (False, True),
    "signature_in_lines": (False, True),
}
"""Switches of the sandbox for what NexHealth's documentation leaves open."""


@dataclass(frozen=True)
class PlannedRequest:
    """One request, and what its sender or the desk does about it later."""

    request_id: str
    start_after: float
    """Seconds after the start."""
    service: str
    start_time: str
    """The requested local time."""
    person: int
    with_note: bool = False
    copies: int = 1
    """Sent this many times at once, as by a double click."""
    resent_with_other_content: bool = False
    retried_until_answered: bool = True
    follow_up: str = ""
    """``cancel``, ``reschedule``, or a resolution by the desk: ``approve``, ``decline``, ``start``, ``retry``."""
    follow_up_delay: float = 0.0


@dataclass(frozen=True)
class PlannedOptOut:
    person: int
    channel: str
    start_after: float
    """Seconds after the start; zero for an opt-out that precedes all requests."""


@dataclass(frozen=True)
class Plan:
    seed: int
    connection: str
    worker_count: int
    people_with_chart: tuple[int, ...]
    requests: tuple[PlannedRequest, ...]
    faults: tuple[Fault, ...]
    people_without_consent: tuple[int, ...] = ()
    """They agree to no message."""
    opt_outs: tuple[PlannedOptOut, ...] = ()
    on_postgres: bool = False
    """The ledger is on PostgreSQL if a server is installed, otherwise on SQLite."""
    sandbox_switches: dict[str, Any] = field(default_factory=dict)

    @property
    def suspends_workers(self) -> bool:
        return any(fault.action.startswith("suspend_") for fault in self.faults)


def make_plan(seed: int, connection: str = "", request_count: int = 18) -> Plan:
    """Draw a seed's plan. Without ``connection`` they take turns by seed.

    A plan must stay the same for its seed, so keep the order of all draws.
    """
    connection = connection or CONNECTIONS[(seed + 1) % len(CONNECTIONS)]
    rng = random.Random(seed)
    contact_rng = random.Random(f"wary {seed}")  # independent of the draws above; the text is part of every plan
    shy_people = contact_rng.sample(range(PERSON_COUNT), 3)
    plan = Plan(
        seed=seed,
        connection=connection,
        worker_count=rng.choice((1, 3)),
        people_with_chart=tuple(sorted(rng.sample(range(PERSON_COUNT), PERSON_COUNT // 2))),
        requests=tuple(_draw_request(rng, seed, number) for number in range(request_count)),
        faults=_draw_faults(rng, seed // len(CONNECTIONS), CATALOGS[connection]),
        people_without_consent=(shy_people[0],) if seed % 3 == 0 else (),
        opt_outs=tuple(_draw_opt_out(contact_rng, person) for person in shy_people[1:]),
        on_postgres=seed % 5 in (0, 4),
        sandbox_switches=_draw_switches(rng) if connection == "nexhealth" else {},
    )
    return replace(plan, worker_count=3) if plan.suspends_workers else plan  # other workers must go on


def _draw_request(rng: random.Random, seed: int, number: int) -> PlannedRequest:
    return PlannedRequest(
        request_id=f"s{seed}-{number}",
        start_after=round(rng.uniform(0, REQUEST_PERIOD), 2),
        service=rng.choice(SERVICES),
        start_time=rng.choice(START_TIMES),
        person=rng.randrange(PERSON_COUNT),
        with_note=rng.random() < 0.1,
        copies=rng.choice((1, 1, 1, 2, 3)),
        resent_with_other_content=rng.random() < 0.15,
        retried_until_answered=rng.random() < 0.8,
        follow_up=rng.choice(FOLLOW_UPS),
        follow_up_delay=round(rng.uniform(0, 6), 2),
    )


def _draw_opt_out(rng: random.Random, person: int) -> PlannedOptOut:
    channel = rng.choice(("email", "sms"))
    return PlannedOptOut(person, channel, rng.choice((0.0, round(rng.uniform(1, REQUEST_PERIOD), 2))))


def _draw_switches(rng: random.Random) -> dict[str, Any]:
    return {name: rng.choice(choices) for name, choices in UNDOCUMENTED_BEHAVIOR.items()}


def _draw_faults(rng: random.Random, turn: int, catalog: Mapping[str, FaultTemplate]) -> tuple[Fault, ...]:
    """Every fault has its turn as seeds go by; some more come by chance."""
    names = list(catalog)
    random.Random(0).shuffle(names)
    first = (turn * FAULTS_IN_TURN) % len(names)
    drawn = [names[(first + i) % len(names)] for i in range(FAULTS_IN_TURN)]
    drawn += rng.sample(names, FAULTS_BY_CHANCE)
    return tuple(catalog[name].draw(rng) for name in drawn)
