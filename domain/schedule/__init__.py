"""The one conflict engine: what is free, and why not, for offering, claiming, re-checking and writing."""

from domain.schedule.conflicts import Facts, conflicts, overlapping
from domain.schedule.openings import alternatives, candidates, openings

__all__ = ["Facts", "alternatives", "candidates", "conflicts", "openings", "overlapping"]
