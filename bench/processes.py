"""Processor time and memory of processes. Linux only; elsewhere everything is 0."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def cpu_seconds(process_ids: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """User and system time so far, by part."""
    return {part: sum(map(_cpu_seconds, pids)) for part, pids in process_ids.items()}


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pids: Sequence[int]) -> float:
    """The resident memory of all these processes together."""
    total_bytes = 0
    for pid in pids:
        try:
            total_bytes += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return 0
    return round(total_bytes / 1e6, 1)
