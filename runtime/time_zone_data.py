"""Which time zone data this process uses: the pinned package's (see ``domain/__init__.py``), and whether it is old."""

import re
from datetime import date
from pathlib import Path

import tzdata

VERSION: str = tzdata.IANA_VERSION
"""IANA's name of the release, such as ``2026f``: a year and a letter."""
MACHINES_VERSION_FILE = Path("/usr/share/zoneinfo/tzdata.zi")
"""Most Linux systems have it; its first line names the release."""
MONTHS_UNTIL_OLD = 6


def machines_version() -> str | None:
    """The release that this machine's own data has, if it says so."""
    try:
        with MACHINES_VERSION_FILE.open(encoding="ascii", errors="replace") as file:
            match = re.match(r"# version (\d{4}[a-z]+)$", file.readline(100).strip())
    except OSError:
        return None
    return match[1] if match else None


def problem_of(version: str, machines: str | None, today: date) -> str:
    """Why this release should be upgraded; empty if it is fine.

    A release's name has no month, so its age is counted from the end of its year. There are several releases each year.
    """
    year = int(version[:4])
    months = (today.year - year - 1) * 12 + today.month
    if machines is not None and _sort_key(machines) > _sort_key(version):
        reason = f"is older than this machine's {machines}"
    elif months > MONTHS_UNTIL_OLD:
        reason = f"is from {year}, and governments change their clocks several times a year"
    else:
        return ""
    return f"the package tzdata ({version}) {reason}; upgrade it, or visits may be offered an hour off"


def _sort_key(version: str) -> tuple[int, int, str]:
    """After z comes za, and a longer name is later."""
    return int(version[:4]), len(version), version
