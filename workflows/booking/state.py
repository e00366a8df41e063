"""Where a booking stands."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.hold_contracts import WriteRecord
from domain.booking import MessageState, Reason, Status
from domain.calendar import Appointment, EventKind, LandingState
from domain.matching import Match, Verdict
from domain.slot import Slot
from workflows.booking.interruptions import NeedsStaff
from workflows.booking.messages import AppointmentEvent, BookingInput, NewTime, Resolution

GATES = frozenset({Reason.APPROVAL, Reason.SPECIAL_REQUEST})
LOUDER = (LandingState.LANDED, None, LandingState.INCOMPLETE, LandingState.TIMED_OUT, LandingState.REFUSED)
"""What was told of one appointment, the later overruling the earlier: that it has landed shows by itself, what was
refused is only told. ``None``: a change of ours was refused."""
AT_MOST = timedelta(days=1)
"""Between two looks, however rare they become."""


@dataclass
class BookingState:
    given: BookingInput
    asked_at: datetime
    """When the patient last did something, and so waits for the answer."""
    updated_at: datetime
    status: Status = Status.RECEIVED
    reason: Reason | None = None
    wanted: NewTime = field(init=False)
    match: Match | None = None
    excluded_charts: tuple[str, ...] = ()
    """Charts that staff found to be somebody else."""
    slot: Slot | None = None
    appointment: Appointment | None = None
    held_at: datetime | None = None
    taken_back: tuple[str, ...] = ()
    """By us, each time anew: it must not stand any more."""
    left: tuple[str, ...] = ()
    """A person chose to keep it: it is not touched, and nobody is asked about it again."""
    giving_back: bool = False
    """To take the hold back was begun, and how that ended is not known: where it is gone, it was us."""
    claimed: bool = False
    """A claim may be ours: it must be released should this booking end."""
    moving: bool = False
    """A person chose another time: the hold stands until the new one is secured."""
    replaced: Appointment | None = None
    """The hold that stands until the one on its way has landed."""
    writes: tuple[WriteRecord, ...] = ()
    """All that were begun, whatever became of them: there something of ours may be."""
    not_landed: tuple[str, ...] = ()
    """The office refused them, or let them lie: none of them is the hold any more."""
    write_open: bool = False
    """A write was started and its outcome is not known: look for it before the next."""
    queued: bool = False
    """Writes are on their way for a while: what was taken back may land yet, or the taking back be refused."""
    looks: int = 0
    """At whether the hold has landed."""
    look_at: datetime | None = None
    office_off_since: datetime | None = None
    """The practice's own system took nothing in when last asked."""
    office_back_at: datetime | None = None
    """It was said to be on again, then."""
    news: dict[str, AppointmentEvent] = field(default_factory=dict)
    """By appointment id, the loudest that was not looked into yet."""
    vouched: bool = False
    """A person has seen it in the practice's own system; we have not yet."""
    confirmed: bool = False
    """The hold is final in the practice system."""
    confirm_begun: bool = False
    """The hold may be final already: taking it back means breaking it, not undoing it."""
    late_until: datetime | None = None
    """Some write's outcome was unknown: until then it may still be carried out, and undo or double what we did."""
    sweeps: int = 0
    next_sweep: datetime | None = None
    """Something was taken back through a queue: it may land yet, or the taking back be refused."""
    gate_shown: bool = False
    """A person had before them what must be approved: the patient's note, or the visit itself."""
    approved: bool = False
    staff_override: bool = False
    """A person of the practice decided last: the rules alone don't decline it, nor is it too late by them."""
    need: NeedsStaff | None = None
    """The open exception."""
    questions: int = 0
    """Opened so far."""
    resolution: Resolution | None = None
    """A person's decision on it, not acted on yet."""
    overtaken: Resolution | None = None
    """The latest that was not acted on: something else was asked by then."""
    withdrawn: bool = False
    """The patient took the request or the visit back."""
    given_up: bool = False
    """Declined or cancelled by us: what was written must be taken back."""
    answered_no: bool = False
    """Contacts waited for the answer has been given the end of it."""
    deadline: datetime | None = None
    alternatives: tuple[Slot, ...] = ()
    messages: list[MessageState] = field(default_factory=list)
    version: int = 1
    """Of the agreed time: rises when it changes or is not held any more, so that patients are told anew."""

    def __post_init__(self) -> None:
        self.wanted = NewTime(start=self.given.request.start, provider=self.given.provider)

    @property
    def settled(self) -> bool:
        return self.status is Status.CONFIRMED or self.status.is_final

    @property
    def decided(self) -> bool:
        return self.settled or self.need is not None

    @property
    def answered(self) -> bool:
        """There is nothing more to say soon."""
        return self.decided or self.on_its_way or self.awaits_confirmation

    @property
    def acted(self) -> bool:
        return self.resolution is not None or self.withdrawn or self._may_be_confirmed

    @property
    def _may_be_confirmed(self) -> bool:
        """The only thing that was in the way is not any more."""
        return self.need is not None and self.need.reason is Reason.NOT_CONFIRMED and not self.office_off

    @property
    def office_off(self) -> bool:
        return self.office_off_since is not None

    @property
    def is_held(self) -> bool:
        return self.appointment is not None and not self.on_its_way

    @property
    def on_its_way(self) -> bool:
        return self.appointment is not None and self.appointment.landing is not LandingState.LANDED

    @property
    def awaits_confirmation(self) -> bool:
        """All else is done; the practice's own system could not be told."""
        return self.is_held and self.office_off and not self.confirmed

    @property
    def write_begun(self) -> bool:
        """Something may be in the calendar: it must be taken back should this booking end."""
        return bool(self.writes)

    def written(self, appointment: Appointment, now: datetime) -> None:
        """The hold as it was last seen."""
        self.appointment, self.slot, self.giving_back = appointment, appointment.slot, False
        if self.on_its_way:
            self.queued = True
            self.plan_look(now)
            if appointment.id in self.news:
                self.look_at = now
        elif self.held_at is None:
            self.held_at = now

    def plan_look(self, now: datetime) -> None:
        self.look_at = now + self.rarely(self.looks)

    def office_is_off(self, now: datetime, *, unless_back_since: datetime | None) -> None:
        """Unless it was told to be back since it was asked: that is the later news."""
        if self.office_back_at != unless_back_since:
            return
        self.office_off_since, self.looks = self.office_off_since or now, 0
        if self.told is None:
            self.look_at = now + self.given.policy.landing.check_while_offline

    def office_is_back(self, now: datetime) -> None:
        """It has its writes soon; a look before that would be wasted."""
        self.office_off_since, self.office_back_at, self.looks = None, now, 0
        if self.told is None:
            self.plan_look(now)

    def hear(self, news: AppointmentEvent, now: datetime) -> None:
        """A hint that something about one of our appointments is worth a look now."""
        if news.kind not in (EventKind.LANDING, EventKind.CHANGE_FAILED):
            return
        known = self.news.get(news.appointment_id)
        if known is None or _loudness(news) >= _loudness(known):
            self.news[news.appointment_id] = news
        if self.appointment is not None and news.appointment_id == self.appointment.id:
            self.look_at = now
        elif news.appointment_id in self.taken_back and self.next_sweep is not None:
            self.next_sweep = now

    @property
    def told(self) -> AppointmentEvent | None:
        """Of the appointment, and not looked into yet."""
        return self.news.get(self.appointment.id) if self.appointment is not None else None

    def looked_into(self, news: AppointmentEvent | None) -> None:
        """What was told meanwhile still is to be."""
        if news is not None and self.news.get(news.appointment_id) == news:
            del self.news[news.appointment_id]

    @property
    def sweep_at(self) -> datetime | None:
        """When to look for what must not stand any more; ``None``: nothing may come back."""
        return min((at for at in (self.late_until, self.next_sweep) if at is not None), default=None)

    def is_swept_before(self, planned: datetime) -> bool:
        """Or later, or not at all: it was planned anew."""
        return self.sweep_at != planned

    def plan_sweep(self, now: datetime, *, anew: bool = False) -> None:
        """What goes through a queue is looked for ever more rarely, and once more when the visit would begin.

        ``anew``: something was taken back just now; what was to be looked for sooner still is.
        """
        self.sweeps = 0 if anew else self.sweeps + 1
        end = max((write.slot.time.start for write in self.writes), default=now)
        sooner = self.next_sweep if anew and self.next_sweep is not None else end
        self.next_sweep = min(now + self.rarely(self.sweeps), sooner, end) if self.queued and now < end else None

    def rarely(self, times: int) -> timedelta:
        """As often as the practice has it at first, then each wait twice as long as the one before."""
        waits = self.given.policy.landing.check_after
        beyond = max(times - len(waits) + 1, 0)
        wait: timedelta = waits[min(times, len(waits) - 1)] * (1 << min(beyond, 16))
        return min(wait, AT_MOST)

    @property
    def doubt(self) -> Reason | None:
        """Why the patient is not settled, or ``None``."""
        if self.match is None or self.match.verdict is not Verdict.ASK:
            return None
        return self.match.reason or Reason.PATIENT_AMBIGUOUS

    @property
    def start(self) -> datetime:
        if self.appointment is not None:
            return self.appointment.time.start
        return self.slot.time.start if self.slot is not None else self.wanted.start

    def open_exception(self, need: NeedsStaff) -> None:
        self.overtaken = self.resolution or self.overtaken
        self.need, self.resolution = need, None  # what was decided on the one before says nothing of this one
        self.questions += 1
        self.gate_shown |= need.reason in GATES

    def close_exception(self) -> None:
        self.need = self.deadline = self.resolution = None

    def take_resolution(self) -> Resolution:
        assert self.resolution is not None
        resolution, self.resolution = self.resolution, None
        return resolution

    def hold_expires(self) -> datetime | None:
        """At the latest when the visit would begin; until then what is approved, by a person or the rules, stands."""
        if self.appointment is None or self.held_at is None or self.status is Status.CONFIRMED:
            return None
        term = None if self.approved or self.confirm_begun else self.held_at + self.given.policy.hold_expiry
        expires = min(term or self.start, self.start)
        return expires if self.held_at < expires else None


def _loudness(news: AppointmentEvent) -> int:
    return LOUDER.index(news.landing)
