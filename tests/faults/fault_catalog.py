"""The catalog of faults: what can go wrong, where, and what is left to chance."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

AMBIGUOUS_KINDS = frozenset(
    f"{kind}_{point}" for kind in ("status", "hang", "drop") for point in ("before", "after")
) | {"late_commit", "garbage"}
"""Sandbox faults after which the caller cannot know whether its write was carried out."""


@dataclass(frozen=True)
class Fault:
    """One fault of a seed's plan. There are three kinds:

    * ``sandbox_fault``: the sandbox answers some calls wrongly.
    * ``hold_point`` with ``action``: the sandbox holds a call; at that point the nemesis acts, then lets it go on.
    * ``action`` alone: the nemesis acts ``start_after`` seconds after the start.
    """

    name: str
    call: str = "any"
    """Which calls, by their name in ``PracticeProbe.calls``. ``any``: all calls to the practice system."""
    system: str = ""
    """For ``refuse_connections``: the system that refuses them; empty for the practice system."""
    sandbox_fault: str = ""
    """A kind of fault from ``sandbox.faults.KINDS``."""
    hold_point: str = ""
    """``before`` or ``after`` the commit."""
    action: str = ""
    """What the nemesis does."""
    start_after: float = 0.0
    skip: int = 0
    """Matching calls that pass unharmed first."""
    times: int | None = 1
    """Calls that are hit; ``None`` for all."""
    seconds: float = 3.0
    """How long the fault lasts, in whatever sense its kind has."""
    drop_held_call: bool = False
    """The held call is never carried out."""
    sandbox_options: dict[str, Any] = field(default_factory=dict)
    """More arguments for the sandbox."""


@dataclass(frozen=True)
class FaultTemplate:
    """A fault with ranges for its parameters. A plan draws them."""

    fault: Fault
    skip: tuple[int, int] = (0, 1)
    seconds: tuple[float, float] = (3.0, 3.0)
    start_after: tuple[float, float] = (0.0, 0.0)
    statuses: tuple[int, ...] = (503,)
    connections: tuple[str, ...] = ("ascend", "nexhealth")

    def draw(self, rng: random.Random) -> Fault:
        answers_with_status = self.fault.sandbox_fault.startswith("status")
        status = {"status": rng.choice(self.statuses)} if answers_with_status else {}
        return replace(
            self.fault,
            skip=rng.randint(*self.skip),
            seconds=round(rng.uniform(*self.seconds), 2),
            start_after=round(rng.uniform(*self.start_after), 2),
            sandbox_options={**self.fault.sandbox_options, **status},
        )


TEMPLATE_FIELDS = ("skip", "seconds", "start_after", "statuses", "connections")


def _template(arguments: dict[str, Any]) -> FaultTemplate:
    """Sort arguments by whether they belong to the template or to its fault."""
    template = {key: value for key, value in arguments.items() if key in TEMPLATE_FIELDS}
    fault = {key: value for key, value in arguments.items() if key not in TEMPLATE_FIELDS}
    return FaultTemplate(Fault(**fault), **template)


def _sandbox_fault(name: str, call: str, kind: str, **more: Any) -> FaultTemplate:
    return _template({"name": name, "call": call, "sandbox_fault": kind, **more})


def _at_call(name: str, call: str, hold_point: str, action: str, **more: Any) -> FaultTemplate:
    return _template({"name": name, "call": call, "hold_point": hold_point, "action": action, **more})


def _timed(name: str, action: str, **more: Any) -> FaultTemplate:
    return _template({"name": name, "action": action, "start_after": (1.0, 8.0), **more})


LATE_COMMIT_SECONDS = (2.0, 6.0)
HANG_SECONDS = (2.5, 4.0)
"""Longer than the read timeout of the workers under test."""
SUSPEND_SECONDS = (17.0, 19.0)
"""Longer than the heartbeat timeout of activities, so Temporal has started another attempt."""
FIRST_CALL = (0, 0)
"""There are few deletes, so the first one is hit."""
ASCEND, NEXHEALTH = {"connections": ("ascend",)}, {"connections": ("nexhealth",)}

TEMPLATES: Sequence[FaultTemplate] = (
    # The order decides which faults each seed gets. Append new faults at the end: any other change alters all plans.
    #
    # Suspended workers. They go on as if no time had passed.
    _timed("worker suspended before fence", "suspend_before_fence", seconds=SUSPEND_SECONDS),
    _timed("worker suspended before edit", "suspend_before_edit", seconds=SUSPEND_SECONDS, **ASCEND),
    # Updates of an appointment, mostly its confirmation.
    _sandbox_fault("update 5xx after commit", "update", "status_after", statuses=(500, 502, 504), times=2),
    _sandbox_fault("update answer with code false", "update", "code_false", **NEXHEALTH),
    _sandbox_fault("late update commit", "update", "late_commit", seconds=LATE_COMMIT_SECONDS),
    _sandbox_fault("update connection drop after commit", "update", "drop_after", times=2),
    _sandbox_fault("garbled update answer", "update", "garbage"),
    _sandbox_fault("update timeout before commit", "update", "hang_before", seconds=HANG_SECONDS),
    # Chart creation.
    _sandbox_fault("chart 5xx after commit", "create_chart", "status_after", statuses=(500, 504)),
    _sandbox_fault("chart connection drop after commit", "create_chart", "drop_after"),
    # NexHealth's copy, and credentials.
    _timed("stale partner copy", "freeze_partner_copy", seconds=(4.0, 9.0), **NEXHEALTH),
    _sandbox_fault("refused credentials", "any", "status_before", statuses=(401, 403), times=12, skip=(5, 30)),
    # Deletes, which release a hold.
    _sandbox_fault("delete 5xx after commit", "delete", "status_after", statuses=(500,), skip=FIRST_CALL),
    _sandbox_fault("delete answer with code false", "delete", "code_false", skip=FIRST_CALL, **NEXHEALTH),
    _sandbox_fault("delete connection drop after commit", "delete", "drop_after", skip=FIRST_CALL),
    _sandbox_fault("delete connection drop before commit", "delete", "drop_before", skip=FIRST_CALL),
    # The desk acts at the worst moment.
    _timed("desk block before landing", "desk_block_queued_slots", seconds=(2.0, 4.0), **NEXHEALTH),
    _at_call("desk block of operatory before write", "write", "before", "desk_block_operatory"),
    _at_call("desk booking after write", "write", "after", "desk_book", **ASCEND),
    _timed("desk booking before landing", "desk_book_queued_slots", seconds=(2.0, 4.0), **NEXHEALTH),
    _at_call("desk booking before write", "write", "before", "desk_book"),
    _timed("desk booking over new hold", "desk_book_over_new", **ASCEND),
    _timed("desk booking over landed hold", "desk_book_over_new", **NEXHEALTH),
    _at_call("desk cancellation before update", "update", "before", "desk_cancel", **NEXHEALTH),
    _at_call("desk cancellation before delete", "delete", "before", "desk_cancel", skip=FIRST_CALL, **NEXHEALTH),
    _timed("desk cancellation after landing", "desk_cancel_new", **NEXHEALTH),
    _at_call("desk block of office before write", "write", "before", "desk_block_office"),
    _at_call("desk deletion after write", "write", "after", "desk_delete", **ASCEND),
    _at_call("desk deletion before update", "update", "before", "desk_delete"),
    _timed("desk deletion after landing", "desk_delete_new", **NEXHEALTH),
    _at_call("desk move after write", "write", "after", "desk_move", **ASCEND),
    _at_call("desk move before update", "update", "before", "desk_move"),
    _at_call("desk move before delete", "delete", "before", "desk_move", skip=FIRST_CALL),
    _timed("desk move after landing", "desk_move_new", **NEXHEALTH),
    _timed("desk move, decline and keep", "desk_move_decline_keep", seconds=(1.5, 2.5)),
    _at_call("desk block of provider before write", "write", "before", "desk_block_provider"),
    # Worker restart.
    _timed("graceful worker restart", "restart_workers"),
    # Email.
    _sandbox_fault("email 5xx after send", "email", "status_after", statuses=(500, 503), times=2),
    _sandbox_fault("email connection drop after send", "email", "drop_after", times=2),
    _sandbox_fault("email connection drop before send", "email", "drop_before"),
    _sandbox_fault("email rate limit", "email", "rate_limited", times=4),
    _timed("email provider outage", "refuse_connections", system="sendgrid", seconds=(2.0, 5.0)),
    # A gateway in front of the practice system.
    _sandbox_fault(
        "plain-text gateway error", "any", "text_error", times=4, skip=(5, 30), sandbox_options={"status": 502}
    ),
    # NexHealth's queue: inserts.
    _sandbox_fault("queued insert failure", "queued_insert", "failed", times=2, **NEXHEALTH),
    _sandbox_fault(
        "queued insert delay", "queued_insert", "held", times=None, sandbox_options={"for_seconds": 8}, **NEXHEALTH
    ),
    _sandbox_fault("incomplete queued insert", "queued_insert", "incomplete", **NEXHEALTH),
    _sandbox_fault("queued insert timeout", "queued_insert", "timed_out", **NEXHEALTH),
    # Workers die at a call.
    _at_call("worker kill after update", "update", "after", "kill_worker"),
    _at_call("worker kill after chart creation", "create_chart", "after", "kill_worker"),
    _at_call("worker kill after delete", "delete", "after", "kill_worker", skip=FIRST_CALL),
    _at_call("worker kill after email", "email", "after", "kill_worker"),
    _at_call("worker kill after text", "text", "after", "kill_worker"),
    _at_call("worker kill after landing check", "read_appointment", "after", "kill_worker", skip=(0, 4), **NEXHEALTH),
    _at_call("worker kill after write", "write", "after", "kill_worker"),
    _at_call("worker kill at read-back", "read_calendar", "after", "kill_worker", skip=(2, 8)),
    _at_call("worker kill at landing check", "read_appointment", "before", "kill_worker", skip=(0, 4), **NEXHEALTH),
    _at_call("worker kill before write", "write", "before", "kill_worker", drop_held_call=True),
    _at_call("worker kill during update", "update", "before", "kill_worker"),
    _at_call("worker kill during write", "write", "before", "kill_worker"),
    # NexHealth's events, and the ledger.
    _sandbox_fault("late landing event", "landing_event", "late", times=4, seconds=LATE_COMMIT_SECONDS, **NEXHEALTH),
    _timed("full ledger disk", "fill_ledger_disk", seconds=(2.0, 5.0)),
    _timed("locked ledger", "lock_ledger", seconds=(6.0, 8.0)),
    _sandbox_fault("forged events", "any_event", "forged", times=4, **NEXHEALTH),
    _sandbox_fault("late events", "any_event", "late", times=4, seconds=LATE_COMMIT_SECONDS, **NEXHEALTH),
    _sandbox_fault("lost events", "any_event", "lost", times=4, **NEXHEALTH),
    _sandbox_fault("duplicate events", "any_event", "twice", times=6, **NEXHEALTH),
    _sandbox_fault("event outage", "any_event", "lost", times=None, sandbox_options={"for_seconds": 30}, **NEXHEALTH),
    # The office system.
    _timed("office system offline", "take_office_offline", seconds=(4.0, 9.0), **NEXHEALTH),
    # Patients cancel in the middle of a call.
    _at_call("patient cancellation before write", "write", "before", "cancel_booking", **NEXHEALTH),
    _at_call("patient cancellation during update", "update", "before", "cancel_booking"),
    _at_call("patient cancellation during write", "write", "after", "cancel_booking"),
    # A worker stands still, the practice system or Temporal is away.
    _at_call("worker pause during write", "write", "before", "pause_worker", seconds=(3.0, 5.0)),
    _timed("practice system outage", "refuse_connections", seconds=(2.0, 5.0)),
    _sandbox_fault(
        "rate limit storm", "any", "rate_limited", times=25, skip=(5, 30), sandbox_options={"retry_after": 1}
    ),
    _sandbox_fault("failed calendar reads", "read_calendar", "status_before", times=6, skip=(3, 20)),
    _sandbox_fault("garbled calendar reads", "read_calendar", "garbage", times=4, skip=(3, 20)),
    _sandbox_fault(
        "malformed appointment reads",
        "read_appointment",
        "array_error",
        times=2,
        skip=(0, 2),
        sandbox_options={"status": 500},
    ),
    _sandbox_fault(
        "stale calendar reads",
        "any",
        "stale_reads",
        times=None,
        seconds=(0.5, 0.9),
        sandbox_options={"for_seconds": 12},
        **ASCEND,
    ),
    _timed("Temporal kill", "kill_temporal", seconds=(0.2, 3.0)),
    _timed("long Temporal outage", "kill_temporal", seconds=(8.0, 10.0)),
    # Texts.
    _sandbox_fault("text 5xx after send", "text", "status_after", statuses=(500, 503), times=2),
    _sandbox_fault("text connection drop after send", "text", "drop_after", times=2),
    _sandbox_fault("text connection drop before send", "text", "drop_before"),
    _sandbox_fault("text rate limit", "text", "rate_limited", times=4),
    _timed("text provider outage", "refuse_connections", system="twilio", seconds=(2.0, 5.0)),
    # Tokens, and events that overtake answers.
    _sandbox_fault("refused token", "any", "expire_tokens", times=2, skip=(5, 40)),
    _sandbox_fault("event before write answer", "write", "webhook_first", times=3, **NEXHEALTH),
    # NexHealth's queue: updates.
    _sandbox_fault("queued update failure", "queued_update", "failed", **NEXHEALTH),
    _sandbox_fault(
        "queued update delay", "queued_update", "held", times=None, sandbox_options={"for_seconds": 8}, **NEXHEALTH
    ),
    _sandbox_fault("incomplete queued update", "queued_update", "incomplete", **NEXHEALTH),
    # The webhook receiver.
    _timed("webhook receiver kill", "kill_webhook_receiver", seconds=(0.2, 2.0), **NEXHEALTH),
    _timed("long webhook receiver outage", "kill_webhook_receiver", seconds=(9.0, 12.0), **NEXHEALTH),
    # The hold's write.
    _sandbox_fault("write 5xx after commit", "write", "status_after", statuses=(500, 502, 504), times=2),
    _sandbox_fault("write 5xx before commit", "write", "status_before", statuses=(500, 502, 503, 504), times=2),
    _sandbox_fault("write answer with code false", "write", "code_false", **NEXHEALTH),
    _sandbox_fault("late write commit", "write", "late_commit", seconds=LATE_COMMIT_SECONDS, times=2),
    _sandbox_fault("write connection drop after commit", "write", "drop_after", times=2),
    _sandbox_fault("write connection drop before commit", "write", "drop_before", times=2),
    _sandbox_fault("garbled write answer", "write", "garbage"),
    _sandbox_fault("write timeout after commit", "write", "hang_after", seconds=HANG_SECONDS),
    _sandbox_fault("write timeout before commit", "write", "hang_before", seconds=HANG_SECONDS),
    _sandbox_fault("slow write", "write", "slow", seconds=(1.2, 1.8), times=3),
    _timed("stalled office writes", "stop_office_writes", seconds=(4.0, 9.0), **NEXHEALTH),
    # A worker that was suspended between the fence and its write wakes up and writes.
    _timed("zombie write after cleanup", "suspend_after_fence", seconds=(27.0, 29.0)),
    _timed("zombie write", "suspend_after_fence", seconds=SUSPEND_SECONDS),
    # The answer to a write is lost, and the desk is faster than our look for it.
    _at_call("desk cancellation of unanswered write", "write", "after", "desk_cancel", drop_held_call=True, **ASCEND),
    _at_call("desk move of unanswered write by days", "write", "after", "desk_move_far", drop_held_call=True, **ASCEND),
)
CATALOGS = {
    connection: {template.fault.name: template for template in TEMPLATES if connection in template.connections}
    for connection in ("ascend", "nexhealth")
}
"""By connection: its faults by name, in the order of the table."""
