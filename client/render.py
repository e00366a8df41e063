"""Bookings, openings and findings for people at a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapters.nexhealth.subscriptions import SubscriptionResult
from client.bookings import Found
from client.check import Finding
from domain.booking import BookingView, Contacts, Status
from domain.request import Person
from domain.slot import Slot

STYLES = {
    Status.RECEIVED: "yellow",
    Status.HELD: "cyan",
    Status.CONFIRMED: "green",
    Status.COMPLETED: "green",
    Status.NEEDS_STAFF: "magenta",
    Status.DECLINED: "red",
    Status.CANCELLED: "red",
    Status.NO_SHOW: "red",
}


def status(value: Status) -> str:
    return f"[{STYLES[value]}]{value.value}[/]"


def booking(console: Console, view: BookingView, who: Contacts | None = None) -> None:
    """One booking, all that staff may see of it, on the office's clock."""
    table = Table.grid(padding=(0, 2))
    table.add_row("status", status(view.status))
    if view.detail:
        table.add_row("", Text(view.detail))
    table.add_row("service", f"{view.service} at {view.location}")
    table.add_row("time", f"{view.start:%a %d %b %Y %H:%M} there")
    if view.provider:
        table.add_row("where", f"provider {view.provider}, operatory {view.operatory}")
    if view.appointment_id:
        table.add_row("appointment", view.appointment_id)
    table.add_row("reference", view.reference)
    if who is not None:
        table.add_row("patient", _person(who.patient))
        if who.guardian is not None:
            table.add_row("booked by", _person(who.guardian))
    if view.note:
        table.add_row("the patient wrote", Text(view.note))
    if view.patient_candidates:
        table.add_row("charts that fit", ", ".join(view.patient_candidates))
    if view.alternatives:
        table.add_row("nearest openings", ", ".join(f"{s.time.start:%a %d %b %H:%M}" for s in view.alternatives))
    if view.resolutions:
        table.add_row(f"exception {view.exception_number}: you may", ", ".join(view.resolutions))
    if view.deadline:
        table.add_row("until", f"{view.deadline.astimezone(view.start.tzinfo):%a %d %b %H:%M} there")
    for message in view.messages:
        table.add_row("message", f"{message.kind} by {message.channel}: {message.state}")
    console.print(Panel(table, title=view.id, title_align="left", expand=False))


def _person(person: Person) -> Text:
    name = f"{person.first_name} {person.last_name}, born {person.date_of_birth}"
    return Text(", ".join(known for known in (name, person.mobile, person.email) if known))


def bookings(console: Console, found: Found, title: str) -> None:
    """Each on two lines: its id stays in one piece where a terminal has eighty columns."""
    shown = len(found.views)
    number = f"{shown}" if shown == found.total else f"{shown} of {found.total}; --limit shows more"
    table = Table(title=f"{title} ({number})", title_justify="left")
    table.add_column("booking", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("you may", max_width=14)
    for view in found.views:
        table.add_row(
            f"{view.request_id}\n{view.service} at {view.location}, {view.start:%a %d %b %H:%M}",
            f"{status(view.status)}\n{view.reason.value if view.reason else ''}",
            ", ".join(view.resolutions),
        )
    console.print(table)


def openings(console: Console, slots: Sequence[Slot], location: str, service: str) -> None:
    """By day; several providers at one time are one opening to a patient."""
    table = Table(title=f"Openings for {service} at {location}", title_justify="left", show_lines=False)
    table.add_column("day")
    table.add_column("times", overflow="fold")
    days: dict[str, dict[str, None]] = {}
    for slot in slots:
        days.setdefault(f"{slot.time.start:%a %d %b}", {})[f"{slot.time.start:%H:%M}"] = None
    for day, times in days.items():
        table.add_row(day, " ".join(times))
    console.print(table if days else f"No openings for {service} at {location} in these days.")


def findings(console: Console, found: Sequence[Finding]) -> None:
    for finding in found:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        console.print(mark, Text(finding.what), highlight=False)
        if finding.remedy:
            console.print(f"    {finding.remedy}", style="dim", markup=False, highlight=False, soft_wrap=True)


def subscribed(console: Console, done: SubscriptionResult) -> None:
    console.print(f"told from now on: {', '.join(done.added)}" if done.added else "everything was told already")
    if done.secret is not None:
        console.print("set NEXHEALTH_WEBHOOK_SECRET to this, or add it while it replaces another; keep it:")
        console.print(done.secret, markup=False, highlight=False, soft_wrap=True)
