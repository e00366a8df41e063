"""The command line reports every expected problem with a reason and an exit code, never with a traceback."""

import asyncio
import base64
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import typer
from rich.console import Console
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode
from typer.testing import CliRunner, Result

import starter  # noqa: F401  registers the demo command
from adapters.ledger import Link
from adapters.practice_file import read_practice
from cli import render
from cli.check import Finding
from cli.main import app
from cli.names import named_view
from cli.options import parse_start, start_at_location
from cli.runner import run_in_session
from cli.version import read_version
from client import BadRequest, BookingList, OpeningsSurvey, Session
from devstack import ROOT
from domain.booking import BookingView, Reason, Status
from domain.interval import Interval
from domain.slot import Cause, Slot
from runtime.build import open_ledger
from runtime.codec import DecryptionError
from settings import Settings, load_settings
from workflows.booking.contracts import ResolutionKind

PRACTICE = read_practice(ROOT / "practice.toml")
NINE = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=-8)))
UNUSED_ADDRESS = "127.0.0.1:1"
ASCEND = {"ASCEND_CLIENT_ID": "id", "ASCEND_CLIENT_SECRET": "hush-hush", "ASCEND_ORGANIZATION_ID": "5f01"}
NEXHEALTH = {"NEXHEALTH_API_KEY": "hush-hush", "NEXHEALTH_SUBDOMAIN": "bright-harbor"}


@pytest.fixture(autouse=True)
def _only_unreachable_services_are_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in (*Settings.model_fields, "temporal_namespace", "temporal_profile", "temporal_config_file"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PRACTICE_FILE", str(ROOT / "practice.toml"))
    monkeypatch.setenv("PAYLOAD_KEYS", f"k1:{base64.b64encode(bytes(range(32))).decode()}")
    monkeypatch.setenv("TEMPORAL_ADDRESS", UNUSED_ADDRESS)
    monkeypatch.setenv("ASCEND_BASE_URL", f"http://{UNUSED_ADDRESS}")
    monkeypatch.setenv("NEXHEALTH_BASE_URL", f"http://{UNUSED_ADDRESS}")
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before


def run(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(app, words, env=variables)


def json_output(result: Result) -> Any:
    return json.loads(result.stdout.splitlines()[-1])


def remedies(**variables: str) -> dict[str, list[str]]:
    """The remedies that ``check --json`` reports, by what was checked; an empty list where all is well."""
    result = run("check", "--json", **variables)
    assert result.exit_code == 1
    found: dict[str, list[str]] = {}
    for finding in json_output(result)["findings"]:
        found.setdefault(finding["what"], []).extend([] if finding["ok"] else [finding["remedy"]])
    return found


def test_check_names_a_location_whose_desk_gets_no_email(tmp_path: Path) -> None:
    file = tmp_path / "practice.toml"
    text = (ROOT / "practice.toml").read_text()
    file.write_text(text.replace('desk_email = "desk.denver@practice.example"\n', ""))
    findings = json_output(run("check", "--json", PRACTICE_FILE=str(file)))["findings"]
    [finding] = [finding for finding in findings if finding["what"].startswith("desk email")]
    assert finding["what"] == "desk email of denver: off"
    assert "desk_email is not set" in finding["remedy"]


def test_check_names_values_that_do_not_apply_as_written(tmp_path: Path) -> None:
    file = tmp_path / "practice.toml"
    text = (ROOT / "practice.toml").read_text()
    name = 'name = "boston-eaglesoft"'
    assert name in text
    limits = 'landing_max_wait = "1m"\nrequests_per_second = 20\n'
    file.write_text(text.replace(name, f"{limits}{name}"))
    findings = json_output(run("check", "--json", PRACTICE_FILE=str(file), NEXHEALTH_WORKERS="2"))["findings"]
    limited = [finding for finding in findings if finding["what"] == "connection boston-eaglesoft: limited"]
    assert [finding["ok"] for finding in limited] == [True, True]
    assert [finding["remedy"].partition(":")[0] for finding in limited] == [
        "landing_max_wait is 60s in the practice file, but 300s applies",
        "requests_per_second is 20 in the practice file, but 6.75 applies",
    ]
    assert not any(finding["what"].endswith("limited") for finding in json_output(run("check", "--json"))["findings"])


def test_check_reports_missing_variables_and_still_checks_the_other_connections() -> None:
    found = remedies(**ASCEND)
    assert found["settings"] == found["ledger"] == []
    assert found["connection ascend-main"] == ["POST /oauth/client_credential/accesstoken: ConnectError"]
    assert found["connection boston-eaglesoft"] == [
        "NEXHEALTH_API_KEY: is missing; connection boston-eaglesoft needs it",
        "NEXHEALTH_SUBDOMAIN: is missing; connection boston-eaglesoft needs it",
    ]
    assert UNUSED_ADDRESS in found["Temporal"][0]


@pytest.mark.parametrize("url", [f"postgresql://x@{UNUSED_ADDRESS}/x", "sqlite:////nowhere/ledger.db"])
def test_check_reports_a_ledger_that_cannot_be_opened(url: str) -> None:
    found = remedies(**ASCEND, **NEXHEALTH, LEDGER_URL=url)
    assert "the ledger cannot be opened, see LEDGER_URL" in found["ledger"][0]
    assert "connection boston-eaglesoft" in found


def test_check_reports_an_unsupported_ledger_url() -> None:
    (problem,) = remedies(LEDGER_URL="foo")["settings"]
    assert problem.startswith("LEDGER_URL: must be sqlite:////path or postgresql://")


def test_check_reports_what_is_off() -> None:
    assert {"webhooks: off", "channel email: off", "channel sms: off"} <= set(remedies(**ASCEND, **NEXHEALTH))


@pytest.mark.parametrize("words", [["list"], ["openings", "--location", "oakland", "--service", "exam"], ["demo"]])
def test_unwritable_state_directory_is_reported(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "file").touch()
    result = run(*words, STATE_DIR=str(tmp_path / "file/state"))
    assert result.exit_code == 1
    assert f"STATE_DIR: {tmp_path}/file/state is not writable: " in result.output


def test_check_reports_an_unwritable_state_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (problem,) = remedies(STATE_DIR=str(tmp_path / "file/state"))["settings"]
    assert problem.startswith(f"STATE_DIR: {tmp_path}/file/state is not writable: ")


@pytest.mark.parametrize("address", ["foo bar:7233", "127.0.0.1:abc", UNUSED_ADDRESS])
def test_unusable_temporal_address_is_reported(address: str) -> None:
    result = run("show", "x", "--json", TEMPORAL_ADDRESS=address)
    assert result.exit_code == 1
    assert "TEMPORAL_" in json_output(result)["error"]


def test_namespace_that_may_not_be_described_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: Any) -> None:
        raise RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")

    async def connect(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(namespace="dental", workflow_service=SimpleNamespace(describe_namespace=refuse))

    monkeypatch.setattr(Client, "connect", connect)
    result = run("list", "--json")
    assert result.exit_code == 1
    assert (
        json_output(result)["error"] == "Temporal cannot describe namespace dental (PERMISSION_DENIED); see TEMPORAL_*"
    )


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (RPCError("too late", RPCStatusCode.DEADLINE_EXCEEDED, b""), "check that Temporal and a worker are running"),
        (RPCError("Namespace x is not found.", RPCStatusCode.NOT_FOUND, b""), "Namespace x is not found."),
        (WorkflowQueryFailedError("no handler"), "no handler"),
        (WorkflowUpdateFailedError(ValueError()), "see the worker's log"),
        (DecryptionError("no key with id 'k'"), "PAYLOAD_KEYS"),
    ],
)
def test_temporal_failure_is_reported_with_its_reason(
    failure: Exception, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work(_: Session) -> None:
        raise failure

    with pytest.raises(typer.Exit) as end:
        run_in_session(work, as_json=True, needs_temporal=False)
    assert end.value.exit_code == 1
    assert reason in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["resolve", "x", "--start", "foo"], "must be a date and time"),
        (["resolve", "x", "--start", "2026-12-01"], "must be a date and time"),
        (["reschedule", "x", "--start", "2026-12-01"], "must be a date and time"),
        (["resolve", "x", "--decline", "x" * 501], "--decline: use at most 500 characters"),
        (["resolve", "x", "--decline", " "], "--decline: say why"),
        (["resolve", "x", "--patient", ""], "--patient: name the chart"),
        (["resolve", "x", "--approve", "--provider", "hazel"], "can only be used with --start"),
    ],
)
def test_wrong_usage_is_reported_without_calling_temporal(words: list[str], problem: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not re.search(r"pydantic|Value error|Input should|String should|validation|Invalid value: ", result.stderr)


def test_openings_beyond_the_last_possible_date_are_refused() -> None:
    first_day = ("--from", "9999-12-31")
    result = run(
        "openings", "--location", "oakland", "--service", "cleaning", *first_day, "--json", **ASCEND, **NEXHEALTH
    )
    assert result.exit_code == 1
    assert json_output(result)["error"] == "the date is too far in the future"


@pytest.mark.parametrize("name", ["ascend-main", "nowhere"])
def test_subscribe_accepts_connections_through_nexhealth_only(name: str) -> None:
    allowed = "boston-eaglesoft, phoenix-enterprise, portland-dentrix"
    assert json_output(run("subscribe", name, "--json"))["error"] == f"connection: unknown; allowed: {allowed}"


def test_bad_request_is_reported_without_calling_temporal(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text("{}")
    result = run("submit", str(file), "--json")
    assert result.exit_code == 1
    assert "patient: is missing" in json_output(result)["problems"]


def booking_view(**changes: Any) -> BookingView:
    start = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=-8)))
    view = BookingView(
        id="booking-x",
        request_id="x",
        reference="bk_x",
        status=Status.NEEDS_STAFF,
        location="oakland",
        service="cleaning",
        start=start,
        updated_at=start,
    )
    return view.model_copy(update=changes)


def printed(render_to: Callable[[Console], None], width: int) -> str:
    screen = io.StringIO()
    render_to(Console(file=screen, width=width))
    return screen.getvalue()


def test_request_id_is_not_broken_at_80_columns() -> None:
    view = booking_view(request_id=str(UUID(int=1)), reason=Reason.PATIENT_NOT_FOUND, resolutions=tuple(ResolutionKind))
    for print_list in (render.print_bookings, render.print_queue):
        text = printed(lambda screen: print_list(screen, BookingList([view], 1), PRACTICE), 80)  # noqa: B023
        assert view.request_id in text
        assert "patient" in text


def test_queue_says_since_when_and_until_when_a_booking_waits_and_who_was_asked() -> None:
    view = booking_view(
        reason=Reason.SLOT_TAKEN,
        resolutions=("decline", "start"),
        exception_opened_at=datetime(2026, 11, 30, 17, 5, tzinfo=UTC),
        deadline=datetime(2026, 11, 30, 21, 5, tzinfo=UTC),
    )
    text = printed(lambda screen: render.print_queue(screen, BookingList([view], 1), PRACTICE), 80)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "since Mon 30 Nov 09:05" in text
    assert "until Mon 30 Nov 13:05" in text
    assert "--start TIME" in text
    assert f"asked: {PRACTICE.location('oakland').desk_email}" in text


def test_providers_and_operatories_are_shown_by_the_names_that_options_take() -> None:
    oakland = PRACTICE.location("oakland")
    (provider, provider_id) = next(iter(oakland.providers.items()))
    (operatory, operatory_id) = next(iter(oakland.operatories.items()))
    slot = Slot(time=Interval(start=NINE, end=NINE + timedelta(hours=1)), provider=provider_id, operatory="unknown-7")
    view = named_view(
        booking_view(provider=provider_id, operatory=operatory_id, alternatives=(slot,), alternatives_as_of=NINE),
        PRACTICE,
    )
    text = printed(lambda screen: render.print_booking(screen, view), 100)
    assert f"{provider}, operatory {operatory}" in text
    assert f"Tue 01 Dec 09:00, {provider}, operatory unknown-7" in text
    assert "free at Tue 01 Dec 09:00" in text
    assert provider_id not in text


def test_decline_is_shown_with_who_declined_and_why() -> None:
    view = booking_view(status=Status.DECLINED, declined_by="sam", decline_note="we do not offer [this]")
    assert "sam: we do not offer [this]" in printed(lambda screen: render.print_booking(screen, view), 80)


def test_booking_that_moves_shows_both_times() -> None:
    view = booking_view(status=Status.HELD, moving_to=NINE + timedelta(hours=2))
    text = printed(lambda screen: render.print_booking(screen, view), 120)
    assert "Tue 01 Dec 2026 09:00 local time" in text
    assert "Tue 01 Dec 2026 11:00; until that is secured, the time above stands" in text


def test_day_without_openings_says_why() -> None:
    causes = (Cause.APPOINTMENT, Cause.BUFFER, Cause.BLOCK)
    survey = OpeningsSurvey([], {date(2026, 12, 6): (Cause.HOURS,), date(2026, 12, 7): causes})
    text = printed(lambda screen: render.print_openings(screen, survey, "oakland", "cleaning"), 80)
    assert "Sun 06 Dec" in text
    assert "none: closed" in text
    assert "none: booked, time is blocked" in text


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_words_for_the_desk(cause: Cause) -> None:
    assert render.CAUSE_TEXTS[cause]


async def start_from_option(text: str) -> datetime:
    class Desk:
        async def show(self, _: str) -> BookingView:
            return booking_view()

    session: Any = SimpleNamespace(practice=PRACTICE, desk=Desk())
    return await start_at_location(session, "x", parse_start(text))


async def test_start_without_an_offset_is_on_the_locations_clock() -> None:
    assert await start_from_option("2026-12-01T09:00") == await start_from_option("2026-12-01 17:00Z")
    assert await start_from_option("2026-12-01T09:00-05:00") == await start_from_option("2026-12-01 06:00")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2027-03-14T02:30", "--start: 02:30 does not exist on 2027-03-14 in America/Los_Angeles"),
        ("2027-11-07T01:30", "write 2027-11-07T01:30:00-07:00 or 2027-11-07T01:30:00-08:00"),
    ],
)
async def test_start_that_clocks_skip_or_show_twice_is_refused_with_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(problem)):
        await start_from_option(text)


def test_show_of_a_booking_that_cannot_be_read_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    view = booking_view(is_readable=False, reference="", detail="The booking cannot be read.")
    monkeypatch.setattr("cli.bookings.run_in_session", lambda work, as_json: (view, None))
    for words in (("show", "x"), ("show", "x", "--json")):
        result = run(*words)
        assert result.exit_code == 1
        assert "cannot be read" in result.stdout


def test_alternatives_and_deadline_are_in_the_locations_time_zone() -> None:
    opening = Slot(
        time=Interval(start=booking_view().start, end=booking_view().start + timedelta(hours=1)),
        provider="1",
        operatory="2",
    )
    view = booking_view(alternatives=(opening,), deadline=datetime(2026, 12, 1, 1, tzinfo=UTC))
    text = printed(lambda screen: render.print_booking(screen, view), 120)
    assert "Tue 01 Dec 09:00" in text
    assert "Mon 30 Nov 17:00 local time" in text


def test_problem_is_printed_on_one_line_however_long(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 90)
    assert f"{file}: No such file or directory; set PRACTICE_FILE\n" in run("list", PRACTICE_FILE=str(file)).stderr
    long_finding = Finding("settings", False, "word " * 30)
    assert "word " * 30 in printed(lambda screen: render.print_findings(screen, [long_finding]), 80)


def test_brackets_are_printed_as_they_are() -> None:
    finding = Finding("practice [old].toml", False, "slot_step in [defaults] is odd")
    text = printed(lambda screen: render.print_findings(screen, [finding]), 120)
    text += printed(lambda screen: render.print_booking(screen, booking_view(detail="The office says [no].")), 120)
    assert "practice [old].toml" in text
    assert "[defaults]" in text
    assert "[no]" in text


COMMANDS = [
    *("submit", "show", "list", "exceptions", "openings", "resolve", "cancel", "reschedule"),
    *("check", "keys", "publish", "subscribe", "revoke-links"),
]


@pytest.mark.parametrize("command", [None, *COMMANDS, "demo"])
def test_help_fits_80_columns_and_shortens_no_text(command: str | None) -> None:
    result = run(*([command] if command else []), "--help", COLUMNS="80", TERMINAL_WIDTH="80")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if len(line) > 80] == []
    assert "..." not in result.stdout.replace("[ARGS]...", "").replace("COMMAND [ARGS]", "")


def test_a_full_booking_fits_80_columns() -> None:
    view = booking_view(
        detail="A cancelled appointment may still be in the calendar. Please check; we keep retrying.",
        reference="bk_" + "x" * 26,
        resolutions=tuple(ResolutionKind),
        exception_number=3,
        note="I will bring my wheelchair. " * 10,
        patient_candidates=("9000000000301", "9000000000302", "9000000000303", "9000000000304", "9000000000305"),
    )
    text = printed(lambda screen: render.print_booking(screen, view), 80)
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_version_is_printed() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"holdfast {read_version()}\n")


def test_every_command_is_registered() -> None:
    names = [info.name or getattr(info.callback, "__name__", "") for info in app.registered_commands]
    assert sorted(names) == sorted([*COMMANDS, "demo"])


def test_revoke_links_says_how_many_links_it_revoked(tmp_path: Path) -> None:
    async def record_link() -> None:
        async with open_ledger(load_settings()) as ledger:
            now = datetime.now(UTC)
            await ledger.links.record("a" * 64, Link(booking="booking-r1", language="en"), now + timedelta(days=1), now)

    asyncio.run(record_link())
    assert run("revoke-links", "r1").stdout == "1 link revoked.\n"
    assert json_output(run("revoke-links", "booking-r1", "--json")) == {"revoked": 0}
