"""Time zones come from the pinned package in every program, whatever the machine has."""

import os
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
import tzdata

from devstack import ROOT
from runtime.time_zone_data import VERSION, problem_of

PROGRAMS = ["worker", "web.__main__", "starter", "client", "sandbox.app"]
ASK = """
from datetime import datetime
from zoneinfo import ZoneInfo
early = ZoneInfo("America/Vancouver")
import {program}
late = ZoneInfo("America/Vancouver")
print([datetime(2027, 1, 12, 8, tzinfo=zone).utcoffset().total_seconds() / 3600 for zone in (early, late)])
"""


def folder_of_old_data(tmp_path: Path) -> Path:
    """A machine's folder in which Vancouver has another zone's clock, as in data from before its law changed."""
    zone = tmp_path / "America" / "Vancouver"
    zone.parent.mkdir()
    zone.write_bytes((Path(tzdata.__file__).parent / "zoneinfo" / "Asia" / "Tokyo").read_bytes())
    return tmp_path


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_uses_the_package_and_not_the_machines_data(program: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONTZPATH": str(folder_of_old_data(tmp_path)), "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", ASK.format(program=program)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.stdout == "[9.0, -7.0]\n", result.stderr


def test_requirement_is_the_release_that_is_pinned() -> None:
    """So that a host application which installs Holdfast cannot keep an older one."""
    [lowest] = [
        text.removeprefix("tzdata>=")
        for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        if text.startswith("tzdata")
    ]
    assert f"tzdata=={lowest} " in (ROOT / "requirements.lock").read_text()
    assert tzdata.IANA_VERSION == VERSION


@pytest.mark.parametrize(
    ("version", "machines", "today", "problem"),
    [
        ("2026f", None, date(2026, 12, 31), ""),
        ("2026f", "2026f", date(2027, 6, 30), ""),
        ("2026f", "2025b", date(2027, 1, 1), ""),
        ("2026f", None, date(2027, 7, 1), "is from 2026"),
        ("2025b", "2026a", date(2026, 1, 1), "is older than this machine's 2026a"),
        ("2026z", "2026za", date(2026, 12, 31), "is older than this machine's 2026za"),
    ],
)
def test_old_time_zone_data_is_named(version: str, machines: str | None, today: date, problem: str) -> None:
    assert (problem in problem_of(version, machines, today)) if problem else not problem_of(version, machines, today)
