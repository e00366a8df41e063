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

from activities import holds, read_back, slots
from activities.connections import Connections, Site
from activities.hold_contracts import WriteHoldInput
from activities.holds import HoldActivities
from activities.release import ReleaseActivities
from activities.slots import SlotActivities
from adapters.ledger import Ledger, Renewal
from adapters.ledger.schema import claims
from adapters.practice_system import Hold, Permit
from domain.calendar import Appointment
from domain.interval import Interval, span
from domain.keyed_hash import KeyedHash
from domain.slot import Conflict, Slot
from tests.model.bookings import HOLD_EXPIRY, OPERATORIES, PROVIDERS, Booking, StagedLedger, practice, request
from tests.model.calendar import DELAY, SENDS_AT_MOST, MemoryCalendar
from tests.model.stage import Fate, Stage, Turn
from workflows.shared import timers

Result = TypeVar("Result")
NOW = datetime(2026, 12, 1, 7, tzinfo=UTC)
FIRST_START = datetime(2026, 12, 8, 8, tzinfo=UTC)

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
    calendar_kind: ClassVar[type[MemoryCalendar]] = MemoryCalendar
    fenced: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(NOW)
        self.calendar = self.calendar_kind(self.stage)
        self.bookings: list[Booking] = []
        self._do(no_claims(self.ledger))
        staged = StagedLedger(self.ledger.claims, self.stage, fenced=self.fenced)
        connections = Connections(practice=practice(), systems={"memory": self.calendar}, ledger=staged)
        self._activities = {
            "HoldActivities": self.activities(connections),
            "SlotActivities": SlotActivities(connections, KeyedHash(b"model")),
            "ReleaseActivities": ReleaseActivities(connections),
        }
        self._patch = pytest.MonkeyPatch()
        for module in (holds, slots):
            self._patch.setattr(module, "utc_now", lambda: self.stage.now)
        for module in (holds, read_back):
            self._patch.setattr(module, "asyncio", SimpleNamespace(sleep=self.stage.sleep))
        self._patch.setattr(workflow, "now", lambda: self.stage.now)
        self._patch.setattr(workflow, "sleep", lambda time, summary: self.stage.sleep(time.total_seconds()))
        self._patch.setattr(workflow, "wait_condition", self._until)
        self._patch.setattr(timers, "_wait_within", self._in_vain)

    async def _in_vain(self, _: Callable[[], bool], within: timedelta, summary: str) -> bool:
        """Nobody brings news here: what is waited for until a deadline does not happen."""
        await self.stage.sleep(within.total_seconds())
        return False

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0)

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
            self.bookings.append(Booking(self.stage, self.calendar, self._activities, given, retried))
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
        self.stage.pass_time(self.stage.now + timedelta(seconds=seconds))

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
            self.stage.pass_time(first.at)
            if first in self.stage.waiting:
                # A sleeper that wakes to write dies of it: nobody looks after what it wrote.
                dies = first.who.zombie and first.who.sending
                self._do(self.stage.play(first, Fate.ANSWER_LOST if dies else Fate.WELL))

    def _judge(self) -> None:
        assert not self.calendar.written_twice, "an unknown outcome was treated as a failure"
        assert not self.calendar.written_over_desk, "what the desk took out was written again"
        assert all(sends <= SENDS_AT_MOST for sends in self.calendar.sends.values()), "sent too often"
        assert {k: a for k, a in self.calendar.appointments.items() if k in self.calendar.desk} == self.calendar.desk
        for booking in self.bookings:
            booking.life.result()
            mine = [a.id for a in self.calendar.of(booking.reference)]
            assert len(mine) <= 1, "twins"
            kept = booking.state.reservation.appointment
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
            if other.id == ours.id or not shared or not other.status.occupies_time:
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
        assert not self._do(self.ledger.claims.live("memory", day, now)), "a claim is left"

    async def _clear(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class NeverLooks(HoldActivities):
    async def _find_ours(self, site: Site, given: WriteHoldInput, renewal: Renewal | None) -> Appointment | None:
        return None


class NeverReadsBack(HoldActivities):
    async def _read_back(
        self, site: Site, given: WriteHoldInput, placed: Appointment
    ) -> tuple[Appointment, tuple[Conflict, ...]]:
        return placed, ()


class WithoutTheLook(HoldProtocol):
    activities = NeverLooks


class WithoutTheReadBack(HoldProtocol):
    activities = NeverReadsBack


class WithoutTheFence(HoldProtocol):
    fenced = False


class SendsWhenever(MemoryCalendar):
    async def place_hold(self, hold: Hold, permit: Permit) -> Appointment:
        async def for_ever() -> datetime:
            await permit()
            return datetime.max.replace(tzinfo=UTC)

        return await super().place_hold(hold, for_ever)


class WithoutTheBound(HoldProtocol):
    calendar_kind = SendsWhenever


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
    play(f"sqlite:///{tmp_path}/ledger.db", max_examples=400, derandomize=True, database=None)


def test_the_protocol_holds_on_postgresql(postgres: str) -> None:
    play(postgres, max_examples=120, derandomize=True, database=None)


@pytest.mark.parametrize("kind", [WithoutTheLook, WithoutTheReadBack, WithoutTheFence, WithoutTheBound])
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


def sleeps_at_its_write(state: HoldProtocol) -> None:
    """The first attempt has passed the fence and sleeps; the second one writes, and all is swept."""
    state.submit(FIRST_START, None, False)
    state.fall_asleep(0, 5)


@pytest.mark.parametrize(
    ("scenario", "unguarded"),
    [
        (sleeps_after_its_look, WithoutTheFence),
        (sleeps_before_its_write, WithoutTheFence),
        (sleeps_at_its_write, WithoutTheBound),
    ],
)
def test_an_attempt_that_slept_past_its_time_writes_nothing(
    scenario: Callable[[HoldProtocol], None], unguarded: type[HoldProtocol], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with on(url) as machine:
        run(machine(), scenario)
    with on(url, unguarded) as machine, pytest.raises(AssertionError, match="twins"):
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


def test_what_the_desk_deleted_before_it_was_seen_is_not_written_again(tmp_path: Path) -> None:
    with on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.go_on(0, Fate.WELL, 6, None)
        assert len(state.calendar.appointments) == 1
        state.desk("deletes", 0, Slot(time=span(FIRST_START, 60), provider="p1", operatory="o1"))
        state.teardown()
        assert sum(state.calendar.sends.values()) == 1


def test_what_stays_unknown_is_sent_as_often_as_it_may_be_and_no_more(tmp_path: Path) -> None:
    with on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.go_on(0, Fate.WELL, 5, None)
        for _ in range(200):
            state.stage.pass_time(min(turn.at for turn in state.stage.waiting))
            sending = [turn for turn in state.stage.waiting if turn.who.sending]
            state.go_on(0, Fate.NOTHING_DONE if sending else Fate.WELL, 0, None)
            if state.bookings[0].life.done():
                break
        assert sum(state.calendar.sends.values()) == SENDS_AT_MOST
        state.teardown()


def test_a_look_that_began_too_early_to_see_all_is_not_the_last_one(tmp_path: Path) -> None:
    """It read the calendar as it was before the write, and took so long that late commits were over when it ended."""
    with on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.go_on(0, Fate.WELL, 6, "run_out_of_time")
        state.go_on(0, Fate.STALE, 0, None)
        state.time_passes(70)
        state.teardown()
