"""The deck of troubles: what may go wrong, where, and how often."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

AMBIGUOUS = frozenset(f"{kind}_{point}" for kind in ("status", "hang", "drop") for point in ("before", "after")) | {
    "late_commit",
    "garbage",
}
"""After these the caller cannot know whether its write was carried out."""


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong.

    ``script`` has the sandbox do it; ``ambush`` holds a call there and does ``deed`` at that very point;
    ``deed`` alone happens at ``at``.
    """

    name: str = ""
    call: str = "any"
    """By its name among the practice's ``calls``; ``any``: every one of the vendor's."""
    system: str = ""
    """Whose door is shut; empty: the practice system's."""
    script: str = ""
    """A kind of fault of the sandbox."""
    ambush: str = ""
    """``before`` or ``after`` the commit."""
    deed: str = ""
    at: float = 0.0
    skip: int = 0
    times: int | None = 1
    seconds: float = 3.0
    drop: bool = False
    """After an ambush the held call vanishes instead of going on."""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """A trouble with what is left to chance."""

    trouble: Trouble
    skip: tuple[int, int] = (0, 1)
    seconds: tuple[float, float] = (3.0, 3.0)
    at: tuple[float, float] = (0.0, 0.0)
    statuses: tuple[int, ...] = (503,)

    def dealt(self, rng: random.Random, name: str) -> Trouble:
        status = {"status": rng.choice(self.statuses)} if self.trouble.script.startswith("status") else {}
        return replace(
            self.trouble,
            name=name,
            skip=rng.randint(*self.skip),
            seconds=round(rng.uniform(*self.seconds), 2),
            at=round(rng.uniform(*self.at), 2),
            extra={**self.trouble.extra, **status},
        )


def _script(call: str, kind: str, **more: Any) -> Card:
    card = {key: more.pop(key) for key in ("skip", "seconds", "at", "statuses") if key in more}
    return Card(Trouble(call=call, script=kind, **more), **card)


def _ambush(call: str, point: str, deed: str, **more: Any) -> Card:
    card = {key: more.pop(key) for key in ("skip", "seconds", "at") if key in more}
    return Card(Trouble(call=call, ambush=point, deed=deed, **more), **card)


def _deed(deed: str, **more: Any) -> Card:
    card = {"at": (1.0, 8.0), **{key: more.pop(key) for key in ("skip", "seconds", "at") if key in more}}
    return Card(Trouble(deed=deed, **more), **card)


LATE = (2.0, 6.0)
TOO_LONG = (2.5, 4.0)
"""Longer than the reading timeout that the harness sets."""

SHARED: dict[str, Card] = {
    # the hold's write
    "write 5xx before": _script("write", "status_before", statuses=(500, 502, 503, 504), times=2),
    "write 5xx after": _script("write", "status_after", statuses=(500, 502, 504), times=2),
    "write hangs before": _script("write", "hang_before", seconds=TOO_LONG),
    "write hangs after": _script("write", "hang_after", seconds=TOO_LONG),
    "write dropped before": _script("write", "drop_before", times=2),
    "write dropped after": _script("write", "drop_after", times=2),
    "write committed late": _script("write", "late_commit", seconds=LATE, times=2),
    "write garbled": _script("write", "garbage"),
    "write slow": _script("write", "slow", seconds=(1.2, 1.8), times=3),
    # confirming, taking back, charts
    "change 5xx after": _script("change", "status_after", statuses=(500, 502, 504), times=2),
    "change dropped after": _script("change", "drop_after", times=2),
    "change hangs before": _script("change", "hang_before", seconds=TOO_LONG),
    "change committed late": _script("change", "late_commit", seconds=LATE),
    "change garbled": _script("change", "garbage"),
    "delete 5xx after": _script("delete", "status_after", statuses=(500,), skip=(0, 0)),
    "delete dropped before": _script("delete", "drop_before", skip=(0, 0)),
    "delete dropped after": _script("delete", "drop_after", skip=(0, 0)),
    "chart 5xx after": _script("new_chart", "status_after", statuses=(500, 504), skip=(0, 1)),
    "chart dropped after": _script("new_chart", "drop_after", skip=(0, 1)),
    # reading
    "reads fail": _script("read_day", "status_before", times=6, skip=(3, 20)),
    "reads garbled": _script("read_day", "garbage", times=4, skip=(3, 20)),
    "reads odd": _script("read_one", "array_error", times=2, skip=(0, 2), extra={"status": 500}),
    "rate limit storm": _script("any", "rate_limited", times=25, skip=(5, 30), extra={"retry_after": 1}),
    "token refused": _script("any", "expire_tokens", times=2, skip=(5, 40)),
    "credentials refused": _script("any", "status_before", statuses=(401, 403), times=12, skip=(5, 30)),
    "gateway text": _script("any", "text_error", times=4, skip=(5, 30), extra={"status": 502}),
    # messages
    "email 5xx after": _script("email", "status_after", statuses=(500, 503), times=2),
    "email dropped after": _script("email", "drop_after", times=2),
    "email dropped before": _script("email", "drop_before"),
    "email rate limited": _script("email", "rate_limited", times=4),
    "text 5xx after": _script("text", "status_after", statuses=(500, 503), times=2),
    "text dropped after": _script("text", "drop_after", times=2),
    "text dropped before": _script("text", "drop_before"),
    "text rate limited": _script("text", "rate_limited", times=4),
    # nobody listens
    "practice system refuses": _deed("refuse", seconds=(2.0, 5.0)),
    "email refuses": _deed("refuse", system="sendgrid", seconds=(2.0, 5.0)),
    "text refuses": _deed("refuse", system="twilio", seconds=(2.0, 5.0)),
    # workers die at a boundary
    "killed before write": _ambush("write", "before", "kill", drop=True),
    "killed during write": _ambush("write", "before", "kill"),
    "killed after write": _ambush("write", "after", "kill"),
    "killed at read-back": _ambush("read_day", "after", "kill", skip=(2, 8)),
    "killed during change": _ambush("change", "before", "kill"),
    "killed after change": _ambush("change", "after", "kill"),
    "killed after delete": _ambush("delete", "after", "kill", skip=(0, 0)),
    "killed after chart": _ambush("new_chart", "after", "kill"),
    "killed after email": _ambush("email", "after", "kill"),
    "killed after text": _ambush("text", "after", "kill"),
    "paused in write": _ambush("write", "before", "pause", seconds=(3.0, 5.0)),
    "asleep before the fence": _deed("sleep_before", seconds=(17.0, 19.0)),
    "zombie write": _deed("sleep_after", seconds=(17.0, 19.0)),
    "zombie outlasts the sweep": _deed("sleep_after", seconds=(27.0, 29.0)),
    "drained": _deed("drain"),
    # what we stand on
    "temporal killed": _deed("kill_temporal", seconds=(0.2, 3.0)),
    "temporal long gone": _deed("kill_temporal", seconds=(8.0, 10.0)),
    "ledger locked": _deed("lock_ledger", seconds=(6.0, 8.0)),
    "ledger full": _deed("fill_ledger", seconds=(2.0, 5.0)),
    # the front desk, at the worst moment
    "desk books before write": _ambush("write", "before", "desk_book"),
    "desk blocks before write": _ambush("write", "before", "desk_block"),
    "desk sends the provider home before write": _ambush("write", "before", "desk_send_home"),
    "desk closes the office before write": _ambush("write", "before", "desk_close"),
    "desk moves, declines, keeps": _deed("decline_moved", seconds=(1.5, 2.5)),
    "desk moves before change": _ambush("change", "before", "desk_move"),
    "desk deletes before change": _ambush("change", "before", "desk_delete"),
    "desk moves before delete": _ambush("delete", "before", "desk_move", skip=(0, 0)),
    "patient cancels in write": _ambush("write", "after", "cancel"),
    "patient cancels in change": _ambush("change", "before", "cancel"),
}
ASCEND: dict[str, Card] = {
    "reads stale": _script("any", "stale_reads", times=None, seconds=(0.5, 0.9), extra={"for_seconds": 12}),
    "asleep over a row": _deed("sleep_over_row", seconds=(17.0, 19.0)),
    "desk books after write": _ambush("write", "after", "desk_book"),
    "desk books over held": _deed("landed_book"),
    "desk moves after write": _ambush("write", "after", "desk_move"),
    "desk deletes after write": _ambush("write", "after", "desk_delete"),
}
NEXHEALTH: dict[str, Card] = {
    # the partner's answers
    "write code false": _script("write", "code_false"),
    "change code false": _script("change", "code_false"),
    "delete code false": _script("delete", "code_false", skip=(0, 0)),
    "told before the answer": _script("write", "webhook_first", times=3),
    # what becomes of the queue
    "insertion failed": _script("insertion", "failed", times=2),
    "insertion timed out": _script("insertion", "timed_out"),
    "insertion incomplete": _script("insertion", "incomplete"),
    "insertion held": _script("insertion", "held", times=None, extra={"for_seconds": 8}),
    "update failed": _script("update", "failed"),
    "update incomplete": _script("update", "incomplete"),
    "update held": _script("update", "held", times=None, extra={"for_seconds": 8}),
    # what is told
    "news lost": _script("any_news", "lost", times=4),
    "no news at all": _script("any_news", "lost", times=None, extra={"for_seconds": 30}),
    "news twice": _script("any_news", "twice", times=6),
    "news late": _script("any_news", "late", times=4, seconds=(2.0, 6.0)),
    "landing told late": _script("landed", "late", times=4, seconds=(2.0, 6.0)),
    "news forged": _script("any_news", "forged", times=4),
    "web killed": _deed("kill_web", seconds=(0.2, 2.0)),
    "web long gone": _deed("kill_web", seconds=(9.0, 12.0)),
    # the office and its copy
    "office off": _deed("office_off", seconds=(4.0, 9.0)),
    "writes stand still": _deed("writes_off", seconds=(4.0, 9.0)),
    "copy stale": _deed("copy_stale", seconds=(4.0, 9.0)),
    # the front desk, between two cycles
    "desk books before landing": _deed("desk_overtakes", seconds=(2.0, 4.0)),
    "desk blocks before landing": _deed("desk_blocks_queue", seconds=(2.0, 4.0)),
    "desk books over landed": _deed("landed_book"),
    "desk moves landed": _deed("landed_move"),
    "desk cancels landed": _deed("landed_cancel"),
    "desk deletes landed": _deed("landed_delete"),
    "desk cancels before change": _ambush("change", "before", "desk_cancel"),
    "desk cancels before delete": _ambush("delete", "before", "desk_cancel", skip=(0, 0)),
    "killed at the look": _ambush("read_one", "before", "kill", skip=(0, 4)),
    "killed after the look": _ambush("read_one", "after", "kill", skip=(0, 4)),
    "patient cancels before write": _ambush("write", "before", "cancel"),
}
DECKS = {"ascend": SHARED | ASCEND, "nexhealth": SHARED | NEXHEALTH}
"""All that may befall each kind of connection."""
