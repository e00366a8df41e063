"""The command line says why not, with its exit code and as JSON, and never with a traceback."""

import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
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

import starter
from client import render
from client.bookings import Found
from client.check import Finding
from client.session import Session
from demo.stack import ROOT
from domain.booking import BookingView, Reason, Status
from domain.interval import Interval
from domain.slot import Slot
from runtime.codec import DecryptionError
from settings import Settings
from workflows.booking.messages import ResolutionKind

NOBODY = "127.0.0.1:1"
ASCEND = {"ASCEND_CLIENT_ID": "id", "ASCEND_CLIENT_SECRET": "hush-hush", "ASCEND_ORGANIZATION_ID": "5f01"}
NEXHEALTH = {"NEXHEALTH_API_KEY": "hush-hush", "NEXHEALTH_SUBDOMAIN": "bright-harbor"}


@pytest.fixture(autouse=True)
def _nothing_is_set_and_nobody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in (*Settings.model_fields, "temporal_namespace", "temporal_profile", "temporal_config_file"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PRACTICE_FILE", str(ROOT / "practice.toml"))
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOBODY)
    monkeypatch.setenv("ASCEND_BASE_URL", f"http://{NOBODY}")
    monkeypatch.setenv("NEXHEALTH_BASE_URL", f"http://{NOBODY}")
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before


def run(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(starter.app, words, env=variables)


def said(result: Result) -> Any:
    return json.loads(result.stdout.splitlines()[-1])


def remedies(**variables: str) -> dict[str, list[str]]:
    """What ``check --json`` finds, by what was looked at; none for what is well."""
    result = run("check", "--json", **variables)
    assert result.exit_code == 1
    found: dict[str, list[str]] = {}
    for finding in said(result)["findings"]:
        found.setdefault(finding["what"], []).extend([] if finding["ok"] else [finding["remedy"]])
    return found


def test_check_names_what_a_connection_lacks_and_still_looks_at_the_others() -> None:
    found = remedies(**ASCEND)
    assert found["settings"] == found["ledger"] == []
    assert found["connection ascend-main"] == ["POST /oauth/client_credential/accesstoken: ConnectError"]
    assert found["connection boston-eaglesoft"] == [
        "NEXHEALTH_API_KEY: is missing; connection boston-eaglesoft needs it",
        "NEXHEALTH_SUBDOMAIN: is missing; connection boston-eaglesoft needs it",
    ]
    assert NOBODY in found["Temporal"][0]


@pytest.mark.parametrize("url", [f"postgresql://x@{NOBODY}/x", "sqlite:////nowhere/ledger.db"])
def test_check_tells_that_the_ledger_cannot_be_opened(url: str) -> None:
    found = remedies(**ASCEND, **NEXHEALTH, LEDGER_URL=url)
    assert "the ledger cannot be opened, see LEDGER_URL" in found["ledger"][0]
    assert "connection boston-eaglesoft" in found


def test_check_refuses_an_address_that_is_no_ledgers() -> None:
    (problem,) = remedies(LEDGER_URL="foo")["settings"]
    assert problem.startswith("LEDGER_URL: must be sqlite:////path or postgresql://")


def test_check_tells_what_is_off() -> None:
    assert {"webhooks: off", "channel email: off", "channel sms: off"} <= set(remedies(**ASCEND, **NEXHEALTH))


def test_check_tells_that_bookings_are_sealed_with_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    async def memo() -> None:
        raise DecryptionError("no key with id 'k1'")

    async def listed(*_: Any, **__: Any) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(id="booking-x", memo=memo)

    async def connected(_: Settings) -> SimpleNamespace:
        return SimpleNamespace(list_workflows=listed)

    monkeypatch.setattr("client.check.connect", connected)
    (told,) = remedies(**ASCEND)["Temporal"]
    assert told == "PAYLOAD_KEYS: booking-x was sealed with others: no key with id 'k1'"


@pytest.mark.parametrize("words", [["list"], ["openings", "--location", "oakland", "--service", "exam"], ["demo"]])
def test_a_place_that_cannot_be_made_is_a_reason(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "file").touch()
    result = run(*words, STATE_DIR=str(tmp_path / "file/state"))
    assert result.exit_code == 1
    assert "STATE_DIR: nothing can be kept in " in result.output


def test_check_finds_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (problem,) = remedies(STATE_DIR=str(tmp_path / "file/state"))["settings"]
    assert problem.startswith("STATE_DIR: nothing can be kept in ")


@pytest.mark.parametrize("address", ["foo bar:7233", "127.0.0.1:abc", NOBODY])
def test_an_address_at_which_no_temporal_can_be_is_refused(address: str) -> None:
    result = run("show", "x", "--json", TEMPORAL_ADDRESS=address)
    assert result.exit_code == 1
    assert "TEMPORAL_" in said(result)["error"]


def test_a_namespace_that_temporal_keeps_to_itself_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: Any) -> None:
        raise RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")

    async def connected(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(namespace="dental", workflow_service=SimpleNamespace(describe_namespace=refuse))

    monkeypatch.setattr(Client, "connect", connected)
    result = run("list", "--json")
    assert result.exit_code == 1
    assert said(result)["error"] == "Temporal does not tell of namespace dental (PERMISSION_DENIED); see TEMPORAL_*"


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (RPCError("too late", RPCStatusCode.DEADLINE_EXCEEDED, b""), "see whether a worker is running"),
        (RPCError("Namespace x is not found.", RPCStatusCode.NOT_FOUND, b""), "Namespace x is not found."),
        (WorkflowQueryFailedError("no handler"), "no handler"),
        (WorkflowUpdateFailedError(ValueError()), "the worker's log says more"),
        (DecryptionError("no key with id 'k'"), "PAYLOAD_KEYS"),
    ],
)
def test_what_temporal_cannot_answer_is_a_reason(
    failure: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work(_: Session) -> None:
        raise failure

    with pytest.raises(typer.Exit) as ended:
        starter._run(work, as_json=True, needs_temporal=False)
    assert ended.value.exit_code == 1
    assert told in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["resolve", "x", "--start", "foo"], "must be a date and time"),
        (["resolve", "x", "--start", "2026-12-01T09:00:00"], "needs an offset"),
        (["reschedule", "x", "--start", "2026-12-01T09:00:00"], "needs an offset"),
        (["resolve", "x", "--decline", "x" * 501], "--decline: String should have at most 500"),
        (["resolve", "x", "--decline", " "], "--decline: say why"),
        (["resolve", "x", "--patient", ""], "--patient:"),
        (["resolve", "x", "--approve", "--provider", "hazel"], "only go with --start"),
    ],
)
def test_wrong_usage_is_told_before_temporal_is_asked(words: list[str], told: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert told in result.stderr


def test_openings_at_the_end_of_all_days_are_told_to_lie_too_far_away() -> None:
    last = ("--from", "9999-12-31")
    result = run("openings", "--location", "oakland", "--service", "cleaning", *last, "--json", **ASCEND, **NEXHEALTH)
    assert result.exit_code == 1
    assert said(result)["error"] == "the date lies too far away"


@pytest.mark.parametrize("name", ["ascend-main", "nowhere"])
def test_only_connections_through_nexhealth_are_named_to_subscribe(name: str) -> None:
    allowed = "boston-eaglesoft, phoenix-enterprise, portland-dentrix"
    assert said(run("subscribe", name, "--json"))["error"] == f"connection: unknown; allowed: {allowed}"


def test_a_bad_request_is_told_before_temporal_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text("{}")
    result = run("submit", str(file), "--json")
    assert result.exit_code == 1
    assert "patient: is missing" in said(result)["problems"]


def a_view(**changes: Any) -> BookingView:
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


def shown(render_it: Callable[[Console], None], width: int) -> str:
    screen = io.StringIO()
    render_it(Console(file=screen, width=width))
    return screen.getvalue()


def test_an_id_stands_in_one_piece_on_eighty_columns() -> None:
    view = a_view(request_id=str(UUID(int=1)), reason=Reason.PATIENT_NOT_FOUND, resolutions=tuple(ResolutionKind))
    text = shown(lambda screen: render.bookings(screen, Found([view], 1), "Bookings"), 80)
    assert view.request_id in text
    assert "new_patient" in text


def test_other_times_and_the_deadline_are_told_by_date_on_the_offices_clock() -> None:
    opening = Slot(
        time=Interval(start=a_view().start, end=a_view().start + timedelta(hours=1)), provider="1", operatory="2"
    )
    view = a_view(alternatives=(opening,), deadline=datetime(2026, 12, 1, 1, tzinfo=UTC))
    text = shown(lambda screen: render.booking(screen, view), 120)
    assert "Tue 01 Dec 09:00" in text
    assert "Mon 30 Nov 17:00 there" in text


def test_a_problem_is_one_line_however_long(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 90)
    assert f"{file}: No such file or directory; set PRACTICE_FILE\n" in run("list", PRACTICE_FILE=str(file)).stderr
    long = Finding("settings", False, "word " * 30)
    assert "word " * 30 in shown(lambda screen: render.findings(screen, [long]), 80)


def test_brackets_are_shown_as_they_are() -> None:
    finding = Finding("practice [old].toml", False, "slot_step in [defaults] is odd")
    text = shown(lambda screen: render.findings(screen, [finding]), 120)
    text += shown(lambda screen: render.booking(screen, a_view(detail="The office says [no].")), 120)
    assert "practice [old].toml" in text
    assert "[defaults]" in text
    assert "[no]" in text
