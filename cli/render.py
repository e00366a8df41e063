"""Print bookings, openings and findings for people at a terminal of 80 columns or more."""

from collections.abc import Iterator, Sequence
from datetime import date

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapters.nexhealth.subscriptions import SubscriptionResult
from cli.check import Finding
from cli.keys import KeyReport
from client import BookingList, OpeningsSurvey
from domain.booking import BookingView, Contacts, Status
from domain.practice import Practice, UnknownName
from domain.request import Person
from domain.slot import Cause, Slot

RESOLVE_OPTIONS = {
    "approve": "--approve",
    "decline": "--decline REASON",
    "patient": "--patient PID",
    "new_patient": "--new-patient",
    "start": "--start TIME",
    "retry": "--retry",
}
"""How each resolution is typed with ``resolve``."""
CAUSE_TEXTS = {
    Cause.APPOINTMENT: "booked",
    Cause.PROVIDER_ELSEWHERE: "booked",
    Cause.BUFFER: "booked",
    Cause.INACTIVE: "provider or operatory is inactive",
    Cause.CLAIM: "being booked now",
    Cause.BLOCK: "time is blocked",
    Cause.NOTICE: "too soon",
    Cause.CUTOFF: "too late in the day",
    Cause.HORIZON: "too far ahead",
    Cause.CAP: "daily limit reached",
    Cause.HOURS: "closed",
    Cause.WINDOW: "outside the practice's online hours",
    Cause.STEP: "no start fits",
    Cause.RULE: "cannot be booked online",
}
"""Why a day has no opening, in the desk's words."""
UUID_LENGTH = 36
"""Request ids are often UUIDs. They must not be broken, so that they can be copied."""
STATUS_STYLES = {
    Status.RECEIVED: "yellow",
    Status.HELD: "cyan",
    Status.CONFIRMED: "green",
    Status.COMPLETED: "green",
    Status.NEEDS_STAFF: "magenta",
    Status.DECLINED: "red",
    Status.CANCELLED: "red",
    Status.NO_SHOW: "red",
}


def print_booking(console: Console, view: BookingView, contacts: Contacts | None = None) -> None:
    """One booking with everything that staff may see. Times are in the location's time zone."""
    table = Table.grid(padding=(0, 2))
    table.add_row("status", styled_status(view.status))
    if view.detail:
        table.add_row("", Text(view.detail))
    table.add_row("service", f"{view.service} at {view.location}")
    table.add_row("time", f"{view.start:%a %d %b %Y %H:%M} local time")
    if view.moving_to:
        table.add_row("moving to", f"{view.moving_to:%a %d %b %Y %H:%M}; until that is secured, the time above stands")
    if view.provider:
        table.add_row("provider", f"{view.provider}, operatory {view.operatory}")
    if view.appointment_id:
        table.add_row("appointment", view.appointment_id)
    table.add_row("reference", view.reference)
    if contacts is not None:
        table.add_row("patient", _person_text(contacts.patient))
        if contacts.guardian is not None:
            table.add_row("booked by", _person_text(contacts.guardian))
    if view.note:
        table.add_row("patient's note", Text(view.note))
    if view.patient_candidates:
        table.add_row("matching charts", ", ".join(view.patient_candidates))
    if view.declined_by:
        table.add_row("declined by", Text(f"{view.declined_by}: {view.decline_note}"))
    if view.alternatives:
        table.add_row("alternatives", "\n".join(_alternative(slot) for slot in view.alternatives))
        if view.alternatives_as_of:
            as_of = view.alternatives_as_of.astimezone(view.start.tzinfo)
            table.add_row("", f"free at {as_of:%a %d %b %H:%M}; `openings` shows what is free now")
    if view.resolutions:
        table.add_row(
            f"exception {view.exception_number}",
            f"resolve with {', '.join(RESOLVE_OPTIONS[kind] for kind in view.resolutions)}",
        )
    if view.deadline:
        table.add_row("deadline", f"{view.deadline.astimezone(view.start.tzinfo):%a %d %b %H:%M} local time")
    for message in view.messages:
        table.add_row("message", f"{message.kind} by {message.channel}: {message.state}")
    console.print(Panel(table, title=view.id, title_align="left", expand=False))


def print_queue(console: Console, bookings: BookingList, practice: Practice) -> None:
    """The desk's open exceptions, the oldest first: since when, until when, and who was asked."""
    table = Table(title=f"Front desk's queue ({_count(bookings)})", title_justify="left", show_lines=True)
    table.add_column("booking", overflow="fold", min_width=UUID_LENGTH)
    table.add_column("what to decide", overflow="fold")
    for view in bookings.views:
        booking = f"{escape(view.request_id)}\n{view.service} at {view.location}\n{view.start:%a %d %b %H:%M}"
        table.add_row(booking, "\n".join(_queue_lines(view, practice)))
    console.print(table)


def _queue_lines(view: BookingView, practice: Practice) -> Iterator[str]:
    """Times are on the location's clock. At the deadline, the exception is escalated or the hold is released."""
    zone = view.start.tzinfo
    yield f"[magenta]{view.reason.value if view.reason else view.status.value}[/]"
    if view.exception_opened_at:
        yield f"since {view.exception_opened_at.astimezone(zone):%a %d %b %H:%M}"
    if view.deadline:
        yield f"until {view.deadline.astimezone(zone):%a %d %b %H:%M}"
    yield ", ".join(RESOLVE_OPTIONS[kind] for kind in view.resolutions)
    yield f"[dim]asked: {escape(_asked(view, practice))}[/]"


def _asked(view: BookingView, practice: Practice) -> str:
    """Whose queue it is in."""
    try:
        return practice.location(view.location).desk_email or "nobody; the location has no desk_email"
    except UnknownName:
        return "nobody; the practice file has no such location"


def _count(bookings: BookingList) -> str:
    rows = len(bookings.views)
    return f"{rows}" if rows == bookings.total else f"{rows} of {bookings.total}; --limit shows more"


def print_bookings(console: Console, bookings: BookingList, _: Practice) -> None:
    """Two lines for each booking, so that its id is not broken at 80 columns."""
    table = Table(title=f"Bookings ({_count(bookings)})", title_justify="left")
    table.add_column("booking", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("resolve with", max_width=14)
    for view in bookings.views:
        table.add_row(
            f"{view.request_id}\n{view.service} at {view.location}, {view.start:%a %d %b %H:%M}",
            f"{styled_status(view.status)}\n{view.reason.value if view.reason else ''}",
            ", ".join(view.resolutions),
        )
    console.print(table)


def print_openings(console: Console, survey: OpeningsSurvey, location: str, service: str) -> None:
    """Times by day, and why a day has none. Several providers at one time are one opening for a patient."""
    table = Table(title=f"Openings for {service} at {location}", title_justify="left", show_lines=False)
    table.add_column("day")
    table.add_column("times", overflow="fold")
    times_by_day: dict[date, dict[str, None]] = {}
    for slot in survey.slots:
        times_by_day.setdefault(slot.time.start.date(), {})[f"{slot.time.start:%H:%M}"] = None
    rows = {day: " ".join(times) for day, times in times_by_day.items()}
    rows |= {day: f"[dim]none: {_causes_text(causes)}[/]" for day, causes in survey.empty_days.items()}
    for day in sorted(rows):
        table.add_row(f"{day:%a %d %b}", rows[day])
    console.print(table)


def _causes_text(causes: Sequence[Cause]) -> str:
    return ", ".join(dict.fromkeys(CAUSE_TEXTS[cause] for cause in causes))


def _alternative(slot: Slot) -> str:
    return f"{slot.time.start:%a %d %b %H:%M}, {slot.provider}, operatory {slot.operatory}"


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """A remedy is one line, however long, so that it can be copied and searched."""
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        console.print(mark, Text(finding.what), highlight=False)
        if finding.remedy:
            console.print(f"    {finding.remedy}", style="dim", markup=False, highlight=False, soft_wrap=True)


def print_keys(console: Console, reports: Sequence[KeyReport], bookings: int, not_encrypted: int) -> None:
    for report in reports:
        mark = "[red]✗[/]" if report.is_missing else "[green]✓[/]"
        console.print(mark, Text(f"{report.key_id}: {report.advice}"), highlight=False, soft_wrap=True)
    if not_encrypted:
        console.print(f"{not_encrypted} bookings have payloads that are not encrypted", style="red", highlight=False)
    console.print(f"{bookings} bookings read", style="dim", highlight=False)


def print_subscription(console: Console, subscription: SubscriptionResult) -> None:
    if subscription.added:
        console.print(f"Subscribed to: {', '.join(subscription.added)}")
    else:
        console.print("All events were subscribed to already.")
    if subscription.secret is not None:
        console.print(
            "Set NEXHEALTH_WEBHOOK_SECRET to this secret. During a change, put it first: NEW,OLD. Then restart"
        )
        console.print("the webhook receiver.")
        console.print(subscription.secret, markup=False, highlight=False, soft_wrap=True)


def styled_status(status: Status) -> str:
    return f"[{STATUS_STYLES[status]}]{status.value}[/]"


def _person_text(person: Person) -> Text:
    name = f"{person.first_name} {person.last_name}, born {person.date_of_birth}"
    return Text(", ".join(part for part in (name, person.mobile, person.email) if part))
