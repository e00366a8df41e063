"""Which morning to play: the one that was started before, or a new one."""

import json
import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from devstack import StackError

PLAN_FILE = "morning.json"
LEFTOVER_FILES = (PLAN_FILE, "demo.env", "*.db", "*.db-shm", "*.db-wal", "*.log")
"""What a morning leaves in the state directory. The payload keys are not among them: the next morning uses them too."""
DAYS_AHEAD = 3


class MorningPlan(NamedTuple):
    seed: str
    """Starts every request id, so that a later run sends the same requests and gets the same bookings."""
    day: date
    settled: frozenset[str] = frozenset()
    """Request ids that an earlier run has seen end as expected. What differs now was done by hand since."""


def load_or_create_plan(state_dir: Path, fresh: bool) -> MorningPlan:
    """Continue the morning that is under way, unless its day has come. Otherwise start a new one.

    A new morning first deletes the files of the last one. Raises StackError if the directory has a ledger that does not
    belong to a demo, because that must not be deleted.
    """
    plan_file = state_dir / PLAN_FILE
    today = datetime.now(UTC).date()
    if not plan_file.exists() and (state_dir / "ledger.db").exists():
        raise StackError(f"{state_dir} has a ledger that does not belong to a demo; set STATE_DIR to another directory")
    if not fresh and plan_file.exists():
        saved = json.loads(plan_file.read_text())
        plan = MorningPlan(saved["seed"], date.fromisoformat(saved["day"]), frozenset(saved.get("settled", ())))
        if plan.day > today:
            return plan
    for pattern in LEFTOVER_FILES:
        for path in state_dir.glob(pattern):
            path.unlink()
    plan = MorningPlan(secrets.token_hex(8), _next_weekday(today + timedelta(days=DAYS_AHEAD)))
    save_plan(state_dir, plan)
    return plan


def save_plan(state_dir: Path, plan: MorningPlan) -> None:
    content = {"seed": plan.seed, "day": plan.day.isoformat(), "settled": sorted(plan.settled)}
    (state_dir / PLAN_FILE).write_text(json.dumps(content))


def _next_weekday(day: date) -> date:
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return day
