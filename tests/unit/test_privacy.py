"""Patient data and keys stay out of logs, errors, representations, core dumps and other users' reach."""

import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

import adapters.http
from activities.hold_contracts import WriteHoldInput
from adapters.ascend.transport import TokenRefused
from adapters.errors import REFUSAL_TYPES, NotFound, RateLimited, Unavailable
from adapters.practice_system import Hold, NewChart, PatientQuery
from devstack import ROOT
from domain.practice import UnknownName
from domain.request import Person
from runtime.interceptors import to_temporal_failure


@pytest.mark.parametrize("name", ["aiohttp.client", "aiohttp.internal"])
def test_library_loggers_that_would_log_urls_and_keys_are_disabled(name: str) -> None:
    assert adapters.http
    assert logging.getLogger(name).disabled


def test_heartbeat_details_are_not_logged_at_any_level() -> None:
    """The SDK logs the details before they are encrypted, and they contain a chart's id."""
    script = """
from temporalio import activity
from runtime.logs import configure_logging

configure_logging("json", "DEBUG")
activity.logger.debug("Recording heartbeat with details %s", ["canary"])
activity.logger.warning("logged")
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "logged" in result.stderr
    assert "canary" not in result.stderr


def test_person_is_not_shown_in_representations_or_errors() -> None:
    person = Person.model_validate({"first_name": "Canary", "last_name": "Bird", "date_of_birth": "1990-01-01"})
    assert "Canary" not in repr(person) and "1990" not in repr(person)  # noqa: PT018
    with pytest.raises(ValueError, match="first_name") as refused:
        Person.model_validate({"first_name": "Ca\nary", "last_name": "C" * 500, "date_of_birth": "canary"})
    assert "anary" not in str(refused.value)


def test_person_is_not_shown_in_representations_of_practice_system_inputs() -> None:
    query = {"location": "1", "first_name": "Canary", "last_name": "Canary", "date_of_birth": "1990-01-01"}
    home = {"line1": "Canary Row", "city": "Canary", "state": "CA", "postal_code": "94601"}
    chart = {"person": query, "address": home, "location": "1", "language": "en", "provider": "2"}
    time = {"start": "2027-01-12T19:00:00Z", "end": "2027-01-12T20:00:00Z"}
    slot = {"time": time, "provider": "2", "operatory": "3"}
    hold = {"reference": "r", "location": "1", "slot": slot, "patient": "4", "title": "Cleaning", "note": "Canary"}
    write = hold | {"service": "cleaning"}
    for value in (
        PatientQuery.model_validate(query),
        NewChart.model_validate(chart),
        Hold.model_validate(hold),
        WriteHoldInput.model_validate(write),
    ):
        assert "Canary" not in repr(value)
        assert "1990" not in repr(value)


def test_name_that_this_worker_does_not_know_is_retried_and_is_no_refusal() -> None:
    """Another worker may have a newer practice file."""
    failure = to_temporal_failure(UnknownName("location", "boston", ["oakland"]))
    assert isinstance(failure, ApplicationError)
    assert not failure.non_retryable
    assert failure.type not in REFUSAL_TYPES


def test_refusal_is_not_retried_and_rate_limit_sets_the_retry_delay() -> None:
    refusal = to_temporal_failure(NotFound("GET x: 404"))
    assert getattr(refusal, "non_retryable", None) is True
    rate_limit = to_temporal_failure(RateLimited("GET x: 429", timedelta(seconds=7)))
    assert getattr(rate_limit, "next_retry_delay", None) == timedelta(seconds=7)
    assert getattr(to_temporal_failure(Unavailable("down")), "non_retryable", None) is False


def test_adapters_own_refusal_has_the_type_of_its_base_class() -> None:
    assert getattr(to_temporal_failure(TokenRefused("PUT x: 401")), "type", None) == "NotAuthorized"


SERVER_PROCESS = """
async def run(settings, stop):
    print(getrlimit(RLIMIT_CORE))

run_until_stopped(run)
"""
COMMAND_PROCESS = """
from cli.main import app, main

@app.command()
def limits():
    print(getrlimit(RLIMIT_CORE))

main()
"""


@pytest.mark.parametrize("program", [SERVER_PROCESS, COMMAND_PROCESS])
def test_process_cannot_write_a_core_dump(tmp_path: Path, program: str) -> None:
    imports = "from resource import RLIMIT_CORE, getrlimit, setrlimit\nfrom runtime.process import run_until_stopped\n"
    raise_limit = "setrlimit(RLIMIT_CORE, (getrlimit(RLIMIT_CORE)[1],) * 2)\n"
    command = [sys.executable, "-c", imports + raise_limit + program, "limits"]
    environment = {**os.environ, "STATE_DIR": str(tmp_path)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.stdout == "(0, 0)\n", result.stderr


CREATE_STATE_FILES = """
from runtime.build import open_ledger
from runtime.keys import create_development_keys
from runtime.process import run_until_stopped

async def run(settings, stop):
    async with open_ledger(settings):
        create_development_keys(settings)

run_until_stopped(run)
"""


def test_state_files_are_readable_by_their_user_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = {**os.environ, "STATE_DIR": str(state), "PAYLOAD_KEYS": ""}
    subprocess.run([sys.executable, "-c", CREATE_STATE_FILES], cwd=ROOT, env=environment, check=True, umask=0o022)
    assert {"ledger.db", "payload.keys"} <= {path.name for path in state.iterdir()}
    assert [path.name for path in (state, *state.iterdir()) if path.stat().st_mode & 0o077] == []


UNFORESEEN = """
import asyncio, logging, sys, threading
import structlog
from runtime.logs import configure_logging

configure_logging(sys.argv[1], "DEBUG")

def fail(quoted):
    try:
        raise KeyError(quoted)
    except KeyError as cause:
        raise ValueError(f"cannot read {quoted}") from cause

def failure():
    try:
        fail("Canary")
    except ValueError as error:
        return error

error = failure()
structlog.get_logger("ours").error("ours_failed", exc_info=error, cause=error)
try:
    fail("Canary")
except ValueError as problem:
    structlog.get_logger("ours").exception("ours_failed")
    logging.getLogger("temporalio.worker").exception("Failed handling activation")
    logging.getLogger("temporalio.worker").warning("it failed: %s %r", problem, problem)

async def lose_a_task():
    async def lost():
        fail("Canary")
    task = asyncio.ensure_future(lost())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(fail, "Canary")
    await asyncio.sleep(0.01)
    del task

asyncio.run(lose_a_task())
thread = threading.Thread(target=fail, args=("Canary",))
thread.start()
thread.join()

class Unraisable:
    def __del__(self):
        fail("Canary")

Unraisable()
fail("Canary")
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_exception_that_nobody_foresaw_is_logged_by_type_and_place_only(style: str) -> None:
    result = subprocess.run([sys.executable, "-c", UNFORESEEN, style], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert "anary" not in result.stderr + result.stdout
    assert "Failed handling activation" in result.stderr
    assert result.stderr.count("unhandled_exception") == 5
    assert result.stderr.count("builtins.ValueError at") >= 8
    assert " fail" in result.stderr
    assert "builtins.KeyError at" in result.stderr
