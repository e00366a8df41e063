"""The hold protocol under every disorder its environment allows, on both ledgers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete
from temporalio import workflow

from activities import holds, slots
from activities.connections import Connections, Site
from activities.holds import HoldActivities, HoldToWrite
from activities.slots import SlotActivities
from activities.withdrawals import WithdrawalActivities
from adapters.ledger import Ledger
from adapters.ledger.schema import claims
from domain.calendar import Appointment
from domain.interval import Interval, span
from domain.keyed_hash import KeyedHash
from domain.slot import Conflict, Slot
from tests.model.bookings import HOLD_EXPIRY, OPERATORIES, PROVIDERS, Booking, StagedLedger, practice, request
from tests.model.calendar import DELAY, MemoryCalendar
from tests.model.stage import Fate, Stage, Turn

Result = TypeVar("Result")
NOW = datetime(2026, 12, 1, 7, tzinfo=UTC)
FIRST_START = datetime(2026, 12, 8, 8, tzinfo=UTC)
SENT_WITHIN = timedelta(seconds=30)
"""How long an attempt may sleep between the fence and its write: what the sweep after ``late_commit`` relies on."""

starts = st.integers(0, 2).map(lambda n: FIRST_START + timedelta(minutes=30 * n))
picks = st.integers(0, 4)
providers = st.sampled_from(PROVIDERS)
chairs = st.builds(
    Slot, time=starts.map(lambda start: span(start, 60)), provider=providers, operatory=st.sampled_from(OPERATORIES)
)
fates = st.sampled_from([Fate.WELL] * 3 + list(Fate))
troubles = st.sampled_from([None, None, None, "give_up", "give_up", "run_out_of_time", "withdraw"])


async def no_claims(ledger: Ledger) -> None:
    await ledger._database.run(lambda c: c.execute(delete(claims)))


class HoldProtocol(RuleBasedStateMachine):
    ledger: ClassVar[Ledger]
    loop: ClassVar[asyncio.AbstractEventLoop]
    activities: ClassVar[type[HoldActivities]] = HoldActivities
    fenced: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(NOW)
        self.calendar = MemoryCalendar(self.stage)
        self.bookings: list[Booking] = []
        self._do(no_claims(self.ledger))
        staged = StagedLedger(self.ledger.claims, self.stage, fenced=self.fenced)
        connections = Connections(practice=practice(), systems={"memory": self.calendar}, ledger=staged)
        self._activities = {
            "HoldActivities": self.activities(connections),
            "SlotActivities": SlotActivities(connections, KeyedHash(b"model")),
            "WithdrawalActivities": WithdrawalActivities(connections),
        }
        self._patch = pytest.MonkeyPatch()
        for module in (holds, slots):
            self._patch.setattr(module, "utc_now", lambda: self.stage.now)
        self._patch.setattr(holds, "asyncio", SimpleNamespace(sleep=self.stage.sleep))
        self._patch.setattr(workflow, "now", lambda: self.stage.now)
        self._patch.setattr(workflow, "sleep", lambda time, summary: self.stage.sleep(time.total_seconds()))
        self._patch.setattr(workflow, "wait_condition", self._in_vain)

    async def _in_vain(self, _: Callable[[], bool], *, timeout: timedelta, timeout_summary: str) -> None:
        """Nobody brings news here: what is waited for until a deadline does not happen."""
        await self.stage.sleep(timeout.total_seconds())
        raise TimeoutError

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    # What happens.

    @initialize(start=starts, provider=st.none() | providers, retried=st.booleans())
    def first(self, start: datetime, provider: str | None, retried: bool) -> None:
        self.submit(start, provider, retried)

    @precondition(lambda self: len(self.bookings) < 4)
    @rule(start=starts, provider=st.none() | providers, retried=st.booleans())
    def submit(self, start: datetime, provider: str | None, retried: bool) -> None:
        async def begin() -> None:
            given = request(len(self.bookings), start, provider)
            self.bookings.append(Booking(self.stage, self._activities, given, retried))
            await self.stage.quiet()

        self._do(begin())

    @precondition(lambda self: self._awake())
    @rule(pick=picks, fate=fates, then=st.integers(0, 8), trouble=troubles)
    def go_on(self, pick: int, fate: Fate, then: int, trouble: str | None) -> None:
        """Somebody goes on for some turns; then, perhaps, its booking is in trouble just where it stands."""
        ready = sorted(self._awake(), key=lambda turn: turn.who.zombie)
        turn = ready[pick % len(ready)]
        who = turn.who.booking, turn.who.zombie
        self._do(self.stage.play(turn, fate))
        for _ in range(then):
            for next_turn in [t for t in self._awake() if (t.who.booking, t.who.zombie) == who][:1]:
                self._do(self.stage.play(next_turn))
        if trouble is not None:
            self._do(self._strike(turn.who.booking, trouble))

    @precondition(lambda self: self._awake())
    @rule(pick=picks, then=st.integers(0, 6))
    def fall_asleep(self, pick: int, then: int) -> None:
        """All goes well for some turns, and then nobody hears of it any more, or much later."""
        self.go_on(pick, Fate.WELL, then, "give_up")

    def _awake(self) -> list[Turn]:
        return [turn for turn in self._not_lost() if turn.at <= self.stage.now]

    def _not_lost(self) -> list[Turn]:
        """All but re-checks that sleep beyond their booking's end: should one wake, it claims for nobody.

        Its claim lapses by itself; only where a sleeping write wakes under it, too, that would write an orphan.
        """
        over = {booking.reference for booking in self.bookings if booking.life.done()}
        return [t for t in self.stage.waiting if t.who.step != "recheck_slot" or t.who.booking not in over]

    async def _strike(self, reference: str, trouble: str) -> None:
        for booking in self.bookings:
            if booking.reference == reference:
                getattr(booking, trouble)()
        await self.stage.quiet()

    @rule(seconds=st.sampled_from([1, 3, 70, 700]))
    def time_passes(self, seconds: int) -> None:
        self._wait_until(self.stage.now + timedelta(seconds=seconds))

    @rule(what=st.sampled_from(["books", "moves", "deletes", "blocks"]), pick=picks, slot=chairs)
    def desk(self, what: str, pick: int, slot: Slot) -> None:
        there = list(self.calendar.appointments.values())
        if what == "books":
            self.calendar.desk_books(slot)
        elif what == "blocks":
            self.calendar.desk_blocks(slot.time, slot.operatory)
        elif there and what == "moves":
            self.calendar.desk_moves(there[pick % len(there)], slot)
        elif there:
            self.calendar.desk_deletes(there[pick % len(there)])

    # How it ends.

    def teardown(self) -> None:
        try:
            self._settle(zombies=False)
            self._judge()
            if not self.stage.claimed_in_sleep:
                self._no_claim_is_left_after(4 * DELAY)
            self._settle(zombies=True)
            self._judge()
            self._no_claim_is_left_after(HOLD_EXPIRY)  # a sleeper that woke may have claimed anew: it lapses by itself
        finally:
            self._do(self._clear())
            self._patch.undo()

    def _settle(self, *, zombies: bool) -> None:
        """No more trouble: everybody goes on until all is said and done."""
        while turns := [turn for turn in self._not_lost() if zombies or not turn.who.zombie]:
            first = min(turns, key=lambda turn: turn.at)
            self._wait_until(first.at)
            if first in self.stage.waiting:
                self._finish(first)

    def _wait_until(self, moment: datetime) -> None:
        for turn in list(self.stage.waiting):
            if turn.who.writing_since is not None and turn.who.writing_since + SENT_WITHIN < moment:
                self._finish(turn)
        self.stage.pass_time(moment)

    def _finish(self, turn: Turn) -> None:
        """A sleeper that wakes to write dies of it: nobody looks after what it wrote."""
        dies = turn.who.zombie and turn.who.writing_since is not None
        self._do(self.stage.play(turn, Fate.ANSWER_LOST if dies else Fate.WELL))

    def _judge(self) -> None:
        assert not self.calendar.written_twice, "an unknown outcome was treated as a failure"
        assert {k: a for k, a in self.calendar.appointments.items() if k in self.calendar.desk} == self.calendar.desk
        for booking in self.bookings:
            booking.life.result()
            mine = [a.id for a in self.calendar.of(booking.reference)]
            assert len(mine) <= 1, "twins"
            kept = booking.state.appointment
            if booking.confirmed:
                assert kept is not None
                assert mine == [kept.id] or kept.id in self.calendar.removed_by_desk, "a confirmed visit is not there"
            else:
                assert not mine, "an orphan"
            for appointment in self.calendar.of(booking.reference):
                self._nothing_was_there_before(appointment)

    def _nothing_was_there_before(self, ours: Appointment) -> None:
        placed = self.calendar.placements[ours.id]
        for other in self.calendar.appointments.values():
            shared = other.operatory == ours.operatory or other.provider == ours.provider
            if other.id == ours.id or not shared or not other.status.occupies_chair:
                continue
            if other.time.overlaps(ours.time):
                later = max(placed, self.calendar.placements[other.id], key=lambda placement: placement.order)
                assert later.by_desk, "we double-booked"
        for block in self.calendar.blocks:
            if block.operatory == ours.operatory and block.time.overlaps(ours.time):
                assert placed.by_desk or self.calendar.block_order[block] > placed.order, "we booked over a block"

    def _no_claim_is_left_after(self, time: timedelta) -> None:
        now = self.stage.now + time
        day = Interval(start=FIRST_START - timedelta(days=1), end=FIRST_START + timedelta(days=1))
        assert not self._do(self.ledger.claims.live("memory", "here", day, now)), "a claim is left"

    async def _clear(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class NeverLooks(HoldActivities):
    async def _find_ours(self, site: Site, given: HoldToWrite) -> Appointment | None:
        return None


class NeverReadsBack(HoldActivities):
    async def _read_back(
        self, site: Site, given: HoldToWrite, placed: Appointment
    ) -> tuple[Appointment, tuple[Conflict, ...]]:
        return placed, ()


class WithoutTheLook(HoldProtocol):
    activities = NeverLooks


class WithoutTheReadBack(HoldProtocol):
    activities = NeverReadsBack


class WithoutTheFence(HoldProtocol):
    fenced = False


@contextmanager
def on(url: str, kind: type[HoldProtocol] = HoldProtocol) -> Iterator[type[HoldProtocol]]:
    """The machine with a ledger and an event loop to run on."""
    loop = asyncio.new_event_loop()
    ledger = Ledger(url)
    loop.run_until_complete(ledger.migrate())
    try:
        yield type(kind.__name__, (kind,), {"ledger": ledger, "loop": loop})
    finally:
        loop.run_until_complete(no_claims(ledger))
        loop.run_until_complete(ledger.close())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def play(url: str, kind: type[HoldProtocol] = HoldProtocol, **more: Any) -> None:
    given = {"deadline": None, "stateful_step_count": 15, "suppress_health_check": list(HealthCheck), **more}
    with on(url, kind) as machine:
        run_state_machine_as_test(machine, settings=settings(**given))


def test_the_protocol_holds_on_sqlite(tmp_path: Path) -> None:
    play(f"sqlite:///{tmp_path}/ledger.db", max_examples=150)


def test_the_protocol_holds_on_postgresql(postgres: str) -> None:
    play(postgres, max_examples=60)


@pytest.mark.parametrize("kind", [WithoutTheLook, WithoutTheReadBack, WithoutTheFence])
def test_the_model_sees_what_each_guard_is_for(kind: type[HoldProtocol], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"unknown outcome|twins|booked|orphan"):
        play(
            f"sqlite:///{tmp_path}/ledger.db",
            kind,
            max_examples=1000,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
        )


def run(state: HoldProtocol, scenario: Callable[[HoldProtocol], None]) -> None:
    scenario(state)
    state.teardown()


def sleeps_after_its_look(state: HoldProtocol) -> None:
    """The first attempt fails, the second sleeps between its look and its write, and the third writes."""
    state.submit(FIRST_START, None, False)
    state.go_on(0, Fate.WELL, 2, None)
    state.go_on(0, Fate.NOTHING_DONE, 0, None)
    state.go_on(0, Fate.WELL, 1, None)
    state.time_passes(3)
    state.fall_asleep(0, 1)


def sleeps_before_its_write(state: HoldProtocol) -> None:
    """The first attempt has a fence and sleeps; the second one writes."""
    state.submit(FIRST_START, None, False)
    state.fall_asleep(0, 3)


@pytest.mark.parametrize("scenario", [sleeps_after_its_look, sleeps_before_its_write])
def test_an_attempt_that_slept_finds_its_fence_outdated(
    scenario: Callable[[HoldProtocol], None], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with on(url) as machine:
        run(machine(), scenario)
    with on(url, WithoutTheFence) as machine, pytest.raises(AssertionError, match="twins"):
        run(machine(), scenario)


def test_a_claim_is_freed_though_its_booking_never_learnt_of_it(tmp_path: Path) -> None:
    """The re-check claims; before its answer arrives, its time is over."""
    with on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.go_on(0, Fate.WELL, 0, "run_out_of_time")
        state.teardown()


def test_a_write_left_at_a_lost_time_is_not_taken_for_the_desks_move(tmp_path: Path) -> None:
    """Its answer is lost and the office stays away; meanwhile the desk had booked that chair; then a person retries."""
    with on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, True)
        state.go_on(0, Fate.WELL, 4, None)
        state.desk("books", 0, Slot(time=span(FIRST_START, 60), provider="p1", operatory="o1"))
        state.go_on(0, Fate.ANSWER_LOST, 0, "run_out_of_time")
        state.teardown()


def test_what_a_sleeper_confirmed_at_a_lost_time_is_the_visit(tmp_path: Path) -> None:
    """Written and then confirmed by an attempt that was given up; the desk books over it; then a person retries."""
    with on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, True)
        state.fall_asleep(0, 6)
        state.go_on(1, Fate.WELL, 0, "run_out_of_time")
        state.go_on(1, Fate.WELL, 0, None)
        state.desk("books", 0, Slot(time=span(FIRST_START, 60), provider="p1", operatory="o1"))
        state.teardown()
