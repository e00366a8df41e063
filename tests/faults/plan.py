"""A seed's plan: who asks for what and when, and which troubles come. The same seed deals the same plan."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.troubles import DECKS, Card, Trouble

CONNECTIONS = tuple(DECKS)
CLOCKS = ("08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00", "11:30")
SERVICES = ("consult", "consult", "cleaning", "cleaning", "exam", "exam", "brief")
PEOPLE = 12
ASKING_FOR = 10.0
"""Seconds over which requests are sent."""
TROUBLES_AT_ONCE = 7
OPEN: dict[str, tuple[Any, ...]] = {
    "cancel_before_sync": ("dropped", "written"),
    "placeholders": ("replaced", "adopted"),
    "failed_rows": ("kept", "cancelled"),
    "provider_overlap": (False, True),
    "signature_in_lines": (False, True),
}
"""What NexHealth's documents do not say, and the sandbox can do either way."""


@dataclass(frozen=True)
class Wish:
    """One request, and what its sender or the desk does about it later."""

    request_id: str
    at: float
    """Seconds after the start."""
    service: str
    clock: str
    person: int
    note: bool = False
    copies: int = 1
    """Sent so many times at once: a double click."""
    other_content: bool = False
    """Sent once more under the same id with another body."""
    persistent: bool = True
    """Sent again until somebody answers."""
    then: str = ""
    """``cancel``, ``reschedule``, or a resolution by the desk: ``approve``, ``decline``, ``start``, ``retry``."""
    after: float = 0.0


@dataclass(frozen=True)
class Stop:
    """Somebody does not want to be written to any more."""

    person: int
    channel: str
    at: float
    """Seconds after the start; nothing: from before."""


@dataclass(frozen=True)
class Plan:
    seed: int
    connection: str
    workers: int
    known: tuple[int, ...]
    """People who have a chart already."""
    wishes: tuple[Wish, ...]
    troubles: tuple[Trouble, ...]
    mute: tuple[int, ...] = ()
    """People who agree to no message."""
    stops: tuple[Stop, ...] = ()
    postgres: bool = False
    """The ledger is PostgreSQL, where a server is installed."""
    switches: dict[str, Any] = field(default_factory=dict)
    """How the partner behaves where its documents leave it open."""

    @property
    def sleepers(self) -> bool:
        return any(trouble.deed.startswith("sleep_") for trouble in self.troubles)


def plan(seed: int, connection: str = "", requests: int = 18) -> Plan:
    """Connections take turns by seed, where none is named."""
    connection = connection or CONNECTIONS[(seed + 1) % len(CONNECTIONS)]
    rng = random.Random(seed)
    apart = random.Random(f"wary {seed}")
    wary = apart.sample(range(PEOPLE), 3)
    dealt = Plan(
        seed=seed,
        connection=connection,
        workers=rng.choice((1, 3)),
        known=tuple(sorted(rng.sample(range(PEOPLE), PEOPLE // 2))),
        wishes=tuple(_wish(rng, seed, number) for number in range(requests)),
        troubles=_troubles(rng, seed // len(CONNECTIONS), DECKS[connection]),
        mute=(wary[0],) if seed % 3 == 0 else (),
        stops=tuple(_stop(apart, person) for person in wary[1:]),
        postgres=seed % 5 in (0, 4),
        switches={name: rng.choice(ways) for name, ways in OPEN.items()} if connection == "nexhealth" else {},
    )
    return replace(dealt, workers=3) if dealt.sleepers else dealt  # somebody must be awake


def _wish(rng: random.Random, seed: int, number: int) -> Wish:
    return Wish(
        request_id=f"s{seed}-{number}",
        at=round(rng.uniform(0, ASKING_FOR), 2),
        service=rng.choice(SERVICES),
        clock=rng.choice(CLOCKS),
        person=rng.randrange(PEOPLE),
        note=rng.random() < 0.1,
        copies=rng.choice((1, 1, 1, 2, 3)),
        other_content=rng.random() < 0.15,
        persistent=rng.random() < 0.8,
        then=rng.choice(("", "", "cancel", "approve", "approve", "decline", "start", "retry", "reschedule")),
        after=round(rng.uniform(0, 6), 2),
    )


def _stop(rng: random.Random, person: int) -> Stop:
    return Stop(person, rng.choice(("email", "sms")), rng.choice((0.0, round(rng.uniform(1, ASKING_FOR), 2))))


def _troubles(rng: random.Random, turn: int, deck: Mapping[str, Card]) -> tuple[Trouble, ...]:
    """Every kind has its turn as seeds go by; a few more come by chance."""
    names = sorted(deck)
    random.Random(0).shuffle(names)
    turn = (turn * (TROUBLES_AT_ONCE - 2)) % len(names)
    dealt = [names[(turn + i) % len(names)] for i in range(TROUBLES_AT_ONCE - 2)]
    dealt += rng.sample(names, 2)
    return tuple(deck[name].dealt(rng, name) for name in dealt)
