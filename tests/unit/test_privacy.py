"""What a library would log by itself stays unlogged."""

import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import adapters.http
from activities.hold_contracts import WriteHoldInput
from adapters.ascend.transport import TokenRefused
from adapters.errors import NotFound, RateLimited, Unavailable
from adapters.practice_system import Hold, NewChart, PatientQuery
from demo.stack import ROOT
from domain.request import Person
from runtime.interceptors import translated


@pytest.mark.parametrize("name", ["aiohttp.client", "aiohttp.internal"])
def test_libraries_that_log_addresses_and_keys_are_silent(name: str) -> None:
    assert adapters.http
    assert logging.getLogger(name).disabled


def test_the_visit_that_a_heartbeat_tells_of_stays_unlogged_at_every_level() -> None:
    """The SDK writes the details before they are encrypted; a chart's id is among them."""
    script = """
from temporalio import activity
from runtime.logs import configure_logging

configure_logging("json", "DEBUG")
activity.logger.debug("Recording heartbeat with details %s", ["canary"])
activity.logger.warning("seen")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "seen" in done.stderr
    assert "canary" not in done.stderr


def test_a_person_does_not_show_in_representations_or_errors() -> None:
    person = Person.model_validate({"first_name": "Canary", "last_name": "Bird", "date_of_birth": "1990-01-01"})
    assert "Canary" not in repr(person) and "1990" not in repr(person)  # noqa: PT018
    with pytest.raises(ValueError, match="first_name") as refused:
        Person.model_validate({"first_name": "Ca\nary", "last_name": "C" * 500, "date_of_birth": "canary"})
    assert "anary" not in str(refused.value)


def test_a_person_does_not_show_in_what_a_practice_system_is_asked_either() -> None:
    asked = {"location": "1", "first_name": "Canary", "last_name": "Canary", "date_of_birth": "1990-01-01"}
    home = {"line1": "Canary Row", "city": "Canary", "state": "CA", "postal_code": "94601"}
    chart = {"person": asked, "address": home, "location": "1", "language": "en", "provider": "2"}
    time = {"start": "2027-01-12T19:00:00Z", "end": "2027-01-12T20:00:00Z"}
    slot = {"time": time, "provider": "2", "operatory": "3"}
    hold = {"reference": "r", "location": "1", "slot": slot, "patient": "4", "title": "Cleaning", "note": "Canary"}
    write = hold | {"service": "cleaning"}
    for value in (
        PatientQuery.model_validate(asked),
        NewChart.model_validate(chart),
        Hold.model_validate(hold),
        WriteHoldInput.model_validate(write),
    ):
        assert "Canary" not in repr(value)
        assert "1990" not in repr(value)


def test_refusals_are_final_and_a_rate_limit_is_kept_to() -> None:
    refused = translated(NotFound("GET x: 404"))
    assert getattr(refused, "non_retryable", None) is True
    limited = translated(RateLimited("GET x: 429", timedelta(seconds=7)))
    assert getattr(limited, "next_retry_delay", None) == timedelta(seconds=7)
    assert getattr(translated(Unavailable("down")), "non_retryable", None) is False


def test_what_an_adapter_calls_a_refusal_is_known_as_one() -> None:
    assert getattr(translated(TokenRefused("PUT x: 401")), "type", None) == "NotAuthorized"


SERVER = """
async def run(settings, stop):
    print(getrlimit(RLIMIT_CORE))

run_until_told(run)
"""
COMMAND = """
from starter import app, main

@app.command()
def limits():
    print(getrlimit(RLIMIT_CORE))

main()
"""


@pytest.mark.parametrize("program", [SERVER, COMMAND])
def test_of_a_process_that_crashes_nothing_is_kept_that_it_had_in_memory(tmp_path: Path, program: str) -> None:
    imports = "from resource import RLIMIT_CORE, getrlimit, setrlimit\nfrom runtime.process import run_until_told\n"
    as_far_as_allowed = "setrlimit(RLIMIT_CORE, (getrlimit(RLIMIT_CORE)[1],) * 2)\n"
    command = [sys.executable, "-c", imports + as_far_as_allowed + program, "limits"]
    environment = {**os.environ, "STATE_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "(0, 0)\n", done.stderr


KEEPER = """
from runtime.build import open_ledger
from runtime.process import run_until_told

async def run(settings, stop):
    async with open_ledger(settings):
        settings.payload_keyring

run_until_told(run)
"""


def test_what_a_process_keeps_its_own_user_alone_can_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = {**os.environ, "STATE_DIR": str(state), "PAYLOAD_KEYS": ""}
    subprocess.run([sys.executable, "-c", KEEPER], cwd=ROOT, env=environment, check=True, umask=0o022)
    assert {"ledger.db", "payload.keys"} <= {path.name for path in state.iterdir()}
    assert [path.name for path in (state, *state.iterdir()) if path.stat().st_mode & 0o077] == []
