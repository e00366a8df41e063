"""The hold protocol under every disorder that its environment allows, on both ledgers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete
from temporalio import workflow
from typing_extensions import override

from activities.connections import Connections, Site
from activities.hold_contracts import WriteHoldInput
from activities.holds import HoldActivities
from activities.release import ReleaseActivities
from activities.slots import SlotActivities
from adapters.ledger import Ledger, Renewal
from adapters.ledger.schema import claims
from adapters.practice_system import Hold, SendPermit
from domain.calendar import Appointment
from domain.interval import Interval, span
from domain.keyed_hash import KeyedHash
from domain.slot import Conflict, Slot
from tests.model.bookings import HOLD_EXPIRY, OPERATORIES, PROVIDERS, Booking, ScheduledLedger, booking_input, practice
from tests.model.calendar import DELAY, MAX_SENDS, MemoryCalendar
from tests.model.scheduler import Outcome, Pause, Scheduler
from workflows.shared import timers

Result = TypeVar("Result")
NOW = datetime(2026, 12, 1, 7, tzinfo=UTC)
FIRST_START = datetime(2026, 12, 8, 8, tzinfo=UTC)

starts = st.integers(0, 2).map(lambda n: FIRST_START + timedelta(minutes=30 * n))
indexes = st.integers(0, 4)
providers = st.sampled_from(PROVIDERS)
slots = st.builds(
    Slot, time=starts.map(lambda start: span(start, 60)), provider=providers, operatory=st.sampled_from(OPERATORIES)
)
outcomes = st.sampled_from([Outcome.OK] * 3 + list(Outcome))
troubles = st.sampled_from([None, None, None, "time_out_attempt", "time_out_attempt", "time_out_activity", "cancel"])
"""Methods of ``Booking``."""


async def delete_claims(ledger: Ledger) -> None:
    await ledger._database.run(lambda c: c.execute(delete(claims)))


class HoldProtocol(RuleBasedStateMachine):
    ledger: ClassVar[Ledger]
    loop: ClassVar[asyncio.AbstractEventLoop]
    activities: ClassVar[type[HoldActivities]] = HoldActivities
    calendar_type: ClassVar[type[MemoryCalendar]] = MemoryCalendar
    fenced: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(NOW)
        self.calendar = self.calendar_type(self.scheduler)
        self.bookings: list[Booking] = []
        self._run(delete_claims(self.ledger))
        connections = Connections(
            practice=practice(),
            systems={"memory": self.calendar},
            ledger=ScheduledLedger(self.ledger.claims, self.scheduler, fenced=self.fenced),
            clock=self.scheduler,
        )
        self._activities = {
            "HoldActivities": lambda: self.activities(connections, KeyedHash(b"model")),
            "SlotActivities": lambda: SlotActivities(connections, KeyedHash(b"model")),
            "ReleaseActivities": lambda: ReleaseActivities(connections),
        }
        """Each attempt runs in a process of its own: it shares no reading with one that sleeps."""
        # Workflow code has no clock of its own to pass: replace the functions of the SDK that it calls.
        self._patches = ExitStack()
        patch = self._patches.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(workflow, "now", self.scheduler.now)
        patch.setattr(workflow, "sleep", lambda time, summary: self.scheduler.sleep(time))
        patch.setattr(workflow, "wait_condition", self._wait_condition)
        patch.setattr(timers, "_wait_within", self._wait_in_vain)

    async def _wait_in_vain(self, _: Callable[[], bool], max_wait: timedelta, summary: str) -> bool:
        """The model has no events from outside: what a booking waits for until a deadline does not happen."""
        await self.scheduler.sleep(max_wait)
        return False

    async def _wait_condition(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    # What happens

    @initialize(start=starts, provider=st.none() | providers, staff_retry=st.booleans())
    def submit_first(self, start: datetime, provider: str | None, staff_retry: bool) -> None:
        self.submit(start, provider, staff_retry)

    @precondition(lambda self: len(self.bookings) < 4)
    @rule(start=starts, provider=st.none() | providers, staff_retry=st.booleans())
    def submit(self, start: datetime, provider: str | None, staff_retry: bool) -> None:
        async def start_booking() -> None:
            booking = booking_input(len(self.bookings), start, provider)
            self.bookings.append(Booking(self.scheduler, self.calendar, self._activities, booking, staff_retry))
            await self.scheduler.wait_until_all_paused()

        self._run(start_booking())

    @precondition(lambda self: self._ready())
    @rule(index=indexes, outcome=outcomes, more_steps=st.integers(0, 8), trouble=troubles)
    def resume(self, index: int, outcome: Outcome, more_steps: int, trouble: str | None) -> None:
        """One actor continues for some steps. Then its booking may run into trouble just where it is."""
        ready = sorted(self._ready(), key=lambda pause: pause.actor.zombie)
        pause = ready[index % len(ready)]
        booking, zombie = pause.actor.booking, pause.actor.zombie
        self._run(self.scheduler.resume(pause, outcome))
        for _ in range(more_steps):
            for next_pause in [p for p in self._ready() if (p.actor.booking, p.actor.zombie) == (booking, zombie)][:1]:
                self._run(self.scheduler.resume(next_pause))
        if trouble is not None:
            self._run(self._cause_trouble(booking, trouble))

    @precondition(lambda self: self._ready())
    @rule(index=indexes, more_steps=st.integers(0, 6))
    def fall_asleep(self, index: int, more_steps: int) -> None:
        """All goes well for some steps. Then nobody hears from the attempt any more, or only much later."""
        self.resume(index, Outcome.OK, more_steps, "time_out_attempt")

    def _ready(self) -> list[Pause]:
        return [pause for pause in self._relevant_pauses() if pause.not_before <= self.scheduler.time]

    def _relevant_pauses(self) -> list[Pause]:
        """All pauses but those of re-checks that sleep beyond their booking's end. They would claim for nobody.

        Such a claim expires by itself. Only if a sleeping write woke up under it, too, would an orphan be written.
        """
        ended = {booking.reference for booking in self.bookings if booking.task.done()}
        return [
            pause
            for pause in self.scheduler.pauses
            if pause.actor.activity != "recheck_slot" or pause.actor.booking not in ended
        ]

    async def _cause_trouble(self, reference: str, trouble: str) -> None:
        for booking in self.bookings:
            if booking.reference == reference:
                getattr(booking, trouble)()
        await self.scheduler.wait_until_all_paused()

    @rule(seconds=st.sampled_from([1, 3, 70, 700]))
    def advance_time(self, seconds: int) -> None:
        self.scheduler.advance_time(self.scheduler.time + timedelta(seconds=seconds))

    @rule(action=st.sampled_from(["books", "moves", "deletes", "blocks"]), index=indexes, slot=slots)
    def desk(self, action: str, index: int, slot: Slot) -> None:
        appointments = list(self.calendar.appointments.values())
        if action == "books":
            self.calendar.desk_books(slot)
        elif action == "blocks":
            self.calendar.desk_blocks(slot.time, slot.operatory)
        elif appointments and action == "moves":
            self.calendar.desk_moves(appointments[index % len(appointments)], slot)
        elif appointments:
            self.calendar.desk_deletes(appointments[index % len(appointments)])

    # How it ends

    def teardown(self) -> None:
        try:
            self._finish(zombies=False)
            self._check_calendar()
            if not self.scheduler.zombie_acquired_claim:
                self._check_no_claim_is_live_after(4 * DELAY)
            self._finish(zombies=True)
            self._check_calendar()
            # A zombie that woke up may have acquired a new claim, which expires by itself.
            self._check_no_claim_is_live_after(HOLD_EXPIRY)
        finally:
            self._run(self._cancel_tasks())
            self._patches.close()

    def _finish(self, *, zombies: bool) -> None:
        """Let everybody continue without trouble until nothing is left to do."""
        while pauses := [pause for pause in self._relevant_pauses() if zombies or not pause.actor.zombie]:
            first = min(pauses, key=lambda pause: pause.not_before)
            self.scheduler.advance_time(first.not_before)
            if first in self.scheduler.pauses:
                # A zombie that wakes up to write dies of it, so nobody cleans up after its write.
                dies = first.actor.zombie and first.actor.sending
                self._run(self.scheduler.resume(first, Outcome.ANSWER_LOST if dies else Outcome.OK))

    def _check_calendar(self) -> None:
        calendar = self.calendar
        assert not calendar.written_twice, "an unknown outcome was treated as a failure"
        assert not calendar.written_over_desk, "a hold that the desk had removed was written again"
        of_desk = {k: a for k, a in calendar.appointments.items() if k in calendar.desk_appointments}
        assert of_desk == calendar.desk_appointments, "an appointment of the desk was changed"
        for booking in self.bookings:
            booking.task.result()
            our_ids = [a.id for a in calendar.with_reference(booking.reference)]
            assert len(our_ids) <= 1, "twins"
            visit = booking.state.reservation.appointment
            if booking.confirmed:
                assert visit is not None
                assert our_ids == [visit.id] or visit.id in calendar.removed_by_desk, "a confirmed visit is missing"
            else:
                assert not our_ids, "an orphan"
            for appointment in calendar.with_reference(booking.reference):
                self._check_slot_was_free(appointment)
        assert all(sends <= MAX_SENDS for sends in calendar.sends.values()), "sent too often"

    def _check_slot_was_free(self, ours: Appointment) -> None:
        placement = self.calendar.placements[ours.id]
        for other in self.calendar.appointments.values():
            shares_resource = other.operatory == ours.operatory or other.provider == ours.provider
            if other.id == ours.id or not shares_resource or not other.status.occupies_time:
                continue
            if other.time.overlaps(ours.time):
                later = max(placement, self.calendar.placements[other.id], key=lambda placement: placement.order)
                assert later.by_desk, "we double-booked"
        for block in self.calendar.blocks:
            if block.operatory == ours.operatory and block.time.overlaps(ours.time):
                is_newer_block = self.calendar.block_order[block] > placement.order
                assert placement.by_desk or is_newer_block, "we booked over a block"

    def _check_no_claim_is_live_after(self, time: timedelta) -> None:
        now = self.scheduler.time + time
        days = Interval(start=FIRST_START - timedelta(days=1), end=FIRST_START + timedelta(days=1))
        assert not self._run(self.ledger.claims.find_live("memory", days, now)), "a claim was not released"

    async def _cancel_tasks(self) -> None:
        other_tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in other_tasks:
            task.cancel()
        await asyncio.gather(*other_tasks, return_exceptions=True)


class ActivitiesWithoutSearch(HoldActivities):
    @override
    async def _find_earlier_write(
        self, site: Site, request: WriteHoldInput, renewal: Renewal | None
    ) -> Appointment | None:
        return None


class ActivitiesWithoutReadBack(HoldActivities):
    @override
    async def _read_back_and_settle(
        self, site: Site, request: WriteHoldInput, appointment: Appointment
    ) -> tuple[Appointment, tuple[Conflict, ...]]:
        return appointment, ()


class WithoutSearch(HoldProtocol):
    activities = ActivitiesWithoutSearch


class WithoutReadBack(HoldProtocol):
    activities = ActivitiesWithoutReadBack


class WithoutFence(HoldProtocol):
    fenced = False


class CalendarWithoutSendDeadline(MemoryCalendar):
    @override
    async def write_hold(self, hold: Hold, permit: SendPermit) -> Appointment:
        async def permit_without_deadline() -> datetime:
            await permit()
            return datetime.max.replace(tzinfo=UTC)

        return await super().write_hold(hold, permit_without_deadline)


class WithoutSendDeadline(HoldProtocol):
    calendar_type = CalendarWithoutSendDeadline


@contextmanager
def machine_on(url: str, kind: type[HoldProtocol] = HoldProtocol) -> Iterator[type[HoldProtocol]]:
    """The state machine with a ledger and an event loop to run on."""
    loop = asyncio.new_event_loop()
    ledger = Ledger(url)
    loop.run_until_complete(ledger.migrate())
    try:
        yield type(kind.__name__, (kind,), {"ledger": ledger, "loop": loop})
    finally:
        loop.run_until_complete(delete_claims(ledger))
        loop.run_until_complete(ledger.close())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def run_model(url: str, kind: type[HoldProtocol] = HoldProtocol, **options: Any) -> None:
    defaults = {"deadline": None, "stateful_step_count": 15, "suppress_health_check": list(HealthCheck)}
    with machine_on(url, kind) as machine:
        run_state_machine_as_test(machine, settings=settings(**defaults | options))


def test_protocol_holds_on_sqlite(tmp_path: Path) -> None:
    run_model(f"sqlite:///{tmp_path}/ledger.db", max_examples=400, derandomize=True, database=None)


def test_protocol_holds_on_postgresql(postgres: str) -> None:
    run_model(postgres, max_examples=120, derandomize=True, database=None)


@pytest.mark.parametrize("kind", [WithoutSearch, WithoutReadBack, WithoutFence, WithoutSendDeadline])
def test_model_fails_when_a_guard_is_removed(kind: type[HoldProtocol], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"unknown outcome|twins|booked|orphan"):
        run_model(
            f"sqlite:///{tmp_path}/ledger.db",
            kind,
            max_examples=1000,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
        )


def run_scenario(state: HoldProtocol, scenario: Callable[[HoldProtocol], None]) -> None:
    scenario(state)
    state.teardown()


def sleep_after_search(state: HoldProtocol) -> None:
    """The first attempt fails, the second sleeps between its search and its write, and the third writes."""
    state.submit(FIRST_START, None, False)
    state.resume(0, Outcome.OK, 2, None)
    state.resume(0, Outcome.NOT_DONE, 0, None)
    state.resume(0, Outcome.OK, 2, None)
    state.advance_time(3)
    state.fall_asleep(0, 2)


def sleep_before_write(state: HoldProtocol) -> None:
    """The first attempt has a fence and sleeps. The second writes."""
    state.submit(FIRST_START, None, False)
    state.fall_asleep(0, 3)


def sleep_during_write(state: HoldProtocol) -> None:
    """The first attempt has passed the fence and sleeps. The second writes, and clean-up finishes."""
    state.submit(FIRST_START, None, False)
    state.fall_asleep(0, 5)


@pytest.mark.parametrize(
    ("scenario", "unguarded"),
    [
        (sleep_after_search, WithoutFence),
        (sleep_before_write, WithoutFence),
        (sleep_during_write, WithoutSendDeadline),
    ],
)
def test_attempt_that_slept_too_long_writes_nothing(
    scenario: Callable[[HoldProtocol], None], unguarded: type[HoldProtocol], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with machine_on(url) as machine:
        run_scenario(machine(), scenario)
    with machine_on(url, unguarded) as machine, pytest.raises(AssertionError, match="twins"):
        run_scenario(machine(), scenario)


def test_claim_is_released_when_its_booking_never_learns_of_it(tmp_path: Path) -> None:
    """The re-check acquires the claim, and times out before its result arrives."""
    with machine_on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.resume(0, Outcome.OK, 0, "time_out_activity")
        state.teardown()


def test_write_left_at_a_lost_time_is_not_mistaken_for_a_move_by_the_desk(tmp_path: Path) -> None:
    """A write's answer is lost and the office stays away. The desk had booked that slot meanwhile. Staff retry."""
    with machine_on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, True)
        state.resume(0, Outcome.OK, 4, None)
        state.desk("books", 0, Slot(time=span(FIRST_START, 60), provider="p1", operatory="o1"))
        state.resume(0, Outcome.ANSWER_LOST, 0, "time_out_activity")
        state.teardown()


def test_hold_that_a_zombie_confirmed_at_a_lost_time_is_the_visit(tmp_path: Path) -> None:
    """An attempt that timed out writes and confirms a hold. The desk books over it. Staff retry."""
    with machine_on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, True)
        state.fall_asleep(0, 6)
        state.resume(1, Outcome.OK, 0, "time_out_activity")
        state.resume(1, Outcome.OK, 0, None)
        state.desk("books", 0, Slot(time=span(FIRST_START, 60), provider="p1", operatory="o1"))
        state.teardown()


def test_hold_that_the_desk_deleted_before_the_read_back_is_not_written_again(tmp_path: Path) -> None:
    with machine_on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.resume(0, Outcome.OK, 6, None)
        assert len(state.calendar.appointments) == 1
        state.desk("deletes", 0, Slot(time=span(FIRST_START, 60), provider="p1", operatory="o1"))
        state.teardown()
        assert sum(state.calendar.sends.values()) == 1


def test_write_with_unknown_outcome_is_sent_the_maximum_number_of_times(tmp_path: Path) -> None:
    with machine_on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.resume(0, Outcome.OK, 5, None)
        for _ in range(200):
            state.scheduler.advance_time(min(pause.not_before for pause in state.scheduler.pauses))
            is_sending = any(pause.actor.sending for pause in state.scheduler.pauses)
            state.resume(0, Outcome.NOT_DONE if is_sending else Outcome.OK, 0, None)
            if state.bookings[0].task.done():
                break
        assert sum(state.calendar.sends.values()) == MAX_SENDS
        state.teardown()


def test_search_that_began_too_early_to_see_everything_is_not_the_last(tmp_path: Path) -> None:
    """A search reads the calendar as it was before the write, and ends after late commits are over."""
    with machine_on(f"sqlite:///{tmp_path}/ledger.db") as machine:
        state = machine()
        state.submit(FIRST_START, None, False)
        state.resume(0, Outcome.OK, 6, "time_out_activity")
        state.resume(0, Outcome.STALE_READ, 0, None)
        state.advance_time(70)
        state.teardown()
