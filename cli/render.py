"""Print bookings, openings and findings for people at a terminal of 80 columns or more."""

from collections.abc import Sequence

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapters.nexhealth.subscriptions import SubscriptionResult
from cli.check import Finding
from cli.keys import KeyReport
from client import BookingList
from domain.booking import BookingView, Contacts, Status
from domain.request import Person
from domain.slot import Slot

RESOLVE_OPTIONS = {
    "approve": "--approve",
    "decline": "--decline REASON",
    "patient": "--patient PID",
    "new_patient": "--new-patient",
    "start": "--start ISO",
    "retry": "--retry",
}
"""How each resolution is typed with ``resolve``."""
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
    if view.alternatives:
        table.add_row("alternatives", ", ".join(f"{s.time.start:%a %d %b %H:%M}" for s in view.alternatives))
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


def print_bookings(console: Console, bookings: BookingList, title: str) -> None:
    """Two lines for each booking, so that its id is not broken at 80 columns."""
    rows = len(bookings.views)
    count = f"{rows}" if rows == bookings.total else f"{rows} of {bookings.total}; --limit shows more"
    table = Table(title=f"{title} ({count})", title_justify="left")
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


def print_openings(console: Console, slots: Sequence[Slot], location: str, service: str) -> None:
    """Times by day. Several providers at one time are one opening for a patient."""
    table = Table(title=f"Openings for {service} at {location}", title_justify="left", show_lines=False)
    table.add_column("day")
    table.add_column("times", overflow="fold")
    times_by_day: dict[str, dict[str, None]] = {}
    for slot in slots:
        times_by_day.setdefault(f"{slot.time.start:%a %d %b}", {})[f"{slot.time.start:%H:%M}"] = None
    for day, times in times_by_day.items():
        table.add_row(day, " ".join(times))
    console.print(table if times_by_day else f"No openings for {service} at {location} in these days.")


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
