"""The command line prints what others wrote without obeying it."""

import io
import json
import re

import pytest
from rich.text import Text

from cli import render
from cli.check import Finding
from cli.terminal import SafeConsole, print_json, printable
from devstack import ROOT
from domain.booking import BookingView, MessageState, Status

HOSTILE = "\x1b]0;owned\x07\x1b[2K\x9b31m\r\x08\u202ered\u2066\x00"
"""Changes a terminal's title, erases a line, and turns the direction of the text."""
STYLES = re.compile(r"\x1b\[[0-9;]*m")
"""What our own styles look like."""


def print_on_terminal(print_it: object) -> str:
    """What a terminal receives, without our own styles."""
    output = io.StringIO()
    console = SafeConsole(file=output, force_terminal=True, width=100)
    assert callable(print_it)
    print_it(console)
    return STYLES.sub("", output.getvalue())


def hostile_view() -> BookingView:
    fields = dict.fromkeys(
        ("id", "request_id", "reference", "detail", "location", "service", "provider", "operatory", "note"), HOSTILE
    )
    message = MessageState(kind=HOSTILE, channel=HOSTILE, version=1, state=HOSTILE)
    time = "2026-12-01T09:00:00Z"
    return BookingView.model_validate(
        {
            **fields,
            "appointment_id": HOSTILE,
            "patient_candidates": [HOSTILE],
            "status": Status.HELD,
            "start": time,
            "updated_at": time,
            "messages": [message.model_dump()],
        }
    )


def test_hostile_booking_does_not_reach_the_terminal() -> None:
    shown = print_on_terminal(lambda console: render.print_booking(console, hostile_view()))
    assert printable(shown) == shown


@pytest.mark.parametrize("what", ["a plain text", "a finding"])
def test_hostile_text_does_not_reach_the_terminal(what: str) -> None:
    finding = Finding(what=HOSTILE, ok=False, remedy=HOSTILE)
    shown = print_on_terminal(
        lambda console: (
            console.print(Text(HOSTILE)) if what == "a plain text" else render.print_findings(console, [finding])
        )
    )
    assert "owned" in shown
    assert printable(shown) == shown


def test_json_is_printed_without_control_characters_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"note": HOSTILE, "name": "Zoë"})
    line = capsys.readouterr().out.rstrip("\n")
    assert line.isprintable()
    assert "Zoë" in line
    assert json.loads(line) == {"note": HOSTILE, "name": "Zoë"}


@pytest.mark.parametrize("package", ["cli", "demo"])
def test_commands_print_on_safe_consoles_only(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not re.search(r"\bConsole\(", path.read_text()) or path.name == "terminal.py", path
